package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// stripeCount is a power of two.
const stripeCount = 1024

// Engine is one database. Its methods may be called from any number of
// goroutines.
type Engine struct {
	opts    Options
	store   kv.Store
	stripes [stripeCount]stripe

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool

	mu       sync.RWMutex // guards the following
	tables   map[string]*table
	streams  map[string]*stream // by ARN
	counters counters

	counting sync.Mutex   // one recount at a time
	inflight atomic.Int64 // commits that are applied and not yet durable
	cache    expr.Cache
	tokens   tokens
	sweeper  sweeper
}

// stripe serializes the writers of the partitions that hash to it.
type stripe struct {
	mu   sync.Mutex
	last atomic.Pointer[commit] // the newest one, maybe not yet durable
}

// commit is a batch on its way to the disk.
type commit struct {
	done chan struct{}
	err  error // once done is closed
}

// NewMemory starts an engine in memory.
func NewMemory(opts *Options) *Engine { return newEngine(kv.NewMemory(), opts) }

// Open starts an engine on a store, which it owns from then on: Close closes
// it, and so does Open if it fails.
func Open(store kv.Store, opts *Options) (*Engine, error) {
	e := newEngine(store, opts)
	if err := e.load(); err != nil {
		store.Close()
		return nil, err
	}
	return e, nil
}

func newEngine(store kv.Store, opts *Options) *Engine {
	e := &Engine{
		opts:    opts.withDefaults(),
		store:   store,
		tables:  map[string]*table{},
		streams: map[string]*stream{},
	}
	e.tokens.running = map[string]struct{}{}
	e.counters.Version = metaVersion
	return e
}

// Close stops the background work and closes the store. Calls that are under
// way are waited for; later ones fail with [ErrClosed]. A second Close does
// nothing.
func (e *Engine) Close() error {
	e.sweeper.stop()
	e.life.Lock()
	defer e.life.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	saved := e.saveCounts()
	if err := e.store.Close(); err != nil {
		return fmt.Errorf("embedded: close: %w", err)
	}
	return saved
}

// Enter begins a call from outside; the caller must call what it returns at
// the end. It fails if the context has ended or the engine is closed.
func (e *Engine) Enter(ctx context.Context) (leave func(), err error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	return e.life.RUnlock, nil
}

func (e *Engine) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.life.RLock()
	if e.closed {
		e.life.RUnlock()
		return ErrClosed
	}
	return nil
}

func (e *Engine) leave() { e.life.RUnlock() }

// load reads the descriptions and goes on with what a stop has interrupted.
func (e *Engine) load() error {
	if data, ok, err := e.store.Get(counterKey); err != nil {
		return fmt.Errorf("embedded: read: %w", err)
	} else if ok {
		if err := decodeJSON(counterKey, data, &e.counters); err != nil {
			return err
		}
	}
	if err := e.loadStreams(); err != nil {
		return err
	}
	if err := e.loadTables(); err != nil {
		return err
	}
	if err := e.loadCounts(); err != nil {
		return err
	}
	return e.resume()
}

func (e *Engine) loadTables() error {
	lo, hi := prefixRange(tableMetaPrefix())
	for p, err := range e.store.Iterate(lo, hi, false) {
		if err != nil {
			return fmt.Errorf("embedded: read: %w", err)
		}
		var m tableMeta
		if err := decodeJSON(p.Key, p.Value, &m); err != nil {
			return err
		}
		t := newTable(m, e.opts.Region)
		e.tables[m.Name] = t
		if m.Stream != 0 {
			t.stream = e.streamByID(m.Stream)
		}
	}
	return nil
}

// resume finishes what a stop has interrupted, and starts the background work.
func (e *Engine) resume() error {
	for _, t := range e.tables {
		if err := e.finishBackfills(t); err != nil {
			return err
		}
		if t.meta.TTL != "" {
			e.startSweeper()
		}
	}
	return nil
}

// table finds a table by its name or ARN and locks its description for
// reading; the caller must unlock.
func (e *Engine) table(nameOrARN *string) (*table, error) {
	name := tableName(nameOrARN)
	e.mu.RLock()
	t := e.tables[name]
	e.mu.RUnlock()
	if t == nil {
		return nil, tableNotFound()
	}
	t.mu.RLock()
	if t.dropped {
		t.mu.RUnlock()
		return nil, tableNotFound()
	}
	return t, nil
}

// apply makes a batch visible for the holders of the given stripes and shards,
// and returns what the caller must pass to settle after unlocking these.
func (e *Engine) apply(b *kv.Batch, stripes []*stripe, shards []*shard) (*commit, func() error, error) {
	if !e.store.Durable() {
		_, err := e.store.Apply(b)
		return nil, nil, err
	}
	c := &commit{done: make(chan struct{})}
	for _, s := range stripes {
		s.last.Store(c)
	}
	for _, s := range shards {
		s.pending.Store(c)
	}
	e.inflight.Add(1)
	wait, err := e.store.Apply(b)
	if err != nil || wait == nil {
		c.err = err
		e.inflight.Add(-1)
		close(c.done)
		return nil, nil, err
	}
	return c, wait, nil
}

// settle waits until a commit is durable. It does so even if the caller's
// context has ended: the write has happened, and the answer must not be a lie.
func (e *Engine) settle(c *commit, wait func() error) error {
	if c == nil {
		return nil
	}
	c.err = wait()
	e.inflight.Add(-1)
	close(c.done)
	return c.err
}

// applyDurably applies a batch that no reader of rows waits for.
func (e *Engine) applyDurably(b *kv.Batch) error {
	wait, err := e.store.Apply(b)
	if err == nil && wait != nil {
		err = wait()
	}
	return internal(err)
}

// seen waits until everything that a reader saw under this pointer is durable.
func seen(ctx context.Context, last *atomic.Pointer[commit]) error {
	c := last.Load()
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	default:
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seenAll waits until everything that is visible now is durable.
func (e *Engine) seenAll() error {
	if e.inflight.Load() == 0 {
		return nil
	}
	return e.store.Sync()
}

func (e *Engine) stripe(t *table, k rowKey) int {
	return int((k.hash ^ t.meta.ID*0x9e3779b1) & (stripeCount - 1))
}

// now is the only clock; tests move it with testing/synctest.
func now() time.Time { return time.Now() }
