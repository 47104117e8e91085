package interop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

const (
	lease   = 10 * time.Second
	writers = 3
	each    = 4   // things of a writer
	rounds  = 100 // changes of a writer
)

// plant is a service with its table, the workers that follow its stream, and a view of another service, all on one engine. Its time is virtual.
type plant struct {
	t           *testing.T
	engine      *embedded.DB
	source      *table.DB
	view        *table.DB
	checkpoints cdc.Checkpoints
	bus         *views.Bus

	mu     sync.Mutex
	random *rand.Rand
	seen   []insideout.Event // published, each time
	wrote  map[string]int    // changes, by thing
}

func newPlant(t *testing.T, seed uint64) *plant {
	engine := embedded.New(&embedded.Options{Shards: 2})
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	p := &plant{
		t: t, engine: engine, source: create(t, engine, "things"), view: create(t, engine, "view"),
		checkpoints: cdc.CheckpointsIn(create(t, engine, "checkpoints")),
		random:      rand.New(rand.NewPCG(seed, 7)), wrote: map[string]int{},
	}
	type fact struct{ Thing thing }
	listener, err := views.New(p.view,
		views.Upsert(things, views.On("thing-created", "thing-updated", "thing-undeleted"), func(e fact) (thing, error) { return e.Thing, nil }),
		views.Remove(things, views.On("thing-deleted"), func(e fact) (table.ID, error) { return e.Thing.ID, nil }))
	require.NoError(t, err)
	p.bus = views.NewBus(listener)
	return p
}

func (p *plant) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

// Publish takes its time, now and then longer than a lease, and fails in part: what is behind the event that fails is not out either.
func (p *plant) Publish(ctx context.Context, events []insideout.Event) error {
	d, stop := time.Duration(p.draw(300))*time.Millisecond, p.draw(4*len(events))
	if p.draw(50) == 0 {
		d = lease + time.Duration(p.draw(int(lease)))
	}
	time.Sleep(d)
	out := events[:min(stop, len(events))]
	p.mu.Lock()
	p.seen = append(p.seen, out...)
	p.mu.Unlock()
	if err := p.bus.Publish(ctx, out); err != nil {
		return err
	}
	if len(out) == len(events) {
		return nil
	}
	failed := map[int]error{}
	for n := len(out); n < len(events); n++ {
		failed[n] = errDead
	}
	return &cdc.PublishError{Errors: failed}
}

// worker is a process that follows the stream: once it is dead, nothing of what it does has an effect.
type worker struct {
	*plant
	cdc.Checkpoints
	dead atomic.Bool
}

var errDead = errors.New("dead")

func (w *worker) ListStreams(ctx context.Context, in *dynamodbstreams.ListStreamsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error) {
	return w.engine.ListStreams(ctx, in)
}

func (w *worker) DescribeStream(ctx context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	return w.engine.DescribeStream(ctx, in)
}

func (w *worker) GetShardIterator(ctx context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	return w.engine.GetShardIterator(ctx, in)
}

func (w *worker) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	if w.dead.Load() {
		return nil, errDead
	}
	return w.engine.GetRecords(ctx, in)
}

func (w *worker) Swap(ctx context.Context, s cdc.Shard, seen, next cdc.Checkpoint) (cdc.Checkpoint, bool, error) {
	if w.dead.Load() {
		return cdc.Checkpoint{}, false, errDead
	}
	return w.Checkpoints.Swap(ctx, s, seen, next)
}

func (w *worker) Publish(ctx context.Context, events []insideout.Event) error {
	if w.dead.Load() {
		return errDead
	}
	return w.plant.Publish(ctx, events)
}

// start starts a worker. Leaving, it hands its shards over; killed, it leaves its leases to run out.
func (p *plant) start(name string) (leave, kill func()) {
	w := &worker{plant: p, Checkpoints: p.checkpoints}
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	tr := trigger(p.t, w, "things")
	go func() {
		done <- cdc.Tail(ctx, w, "things", tr, &cdc.TailOptions{Checkpoints: w, Lease: lease, Worker: name, Limit: 4})
	}()
	leave = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, errDead) {
			p.t.Errorf("worker %s: %v", name, err)
		}
	}
	return leave, func() { w.dead.Store(true); leave() }
}

// write changes the things of one writer: saves them, deletes them, brings them back.
func (p *plant) write(writer int) {
	for n := range rounds {
		time.Sleep(time.Duration(p.draw(900)) * time.Millisecond)
		id := fmt.Sprintf("t%d.%d", writer, p.draw(each))
		err := table.ErrNotFound
		if p.draw(6) == 0 {
			err = things.Delete(p.t.Context(), p.source, id)
		}
		if errors.Is(err, table.ErrNotFound) {
			err = things.Save(p.t.Context(), p.source, thing{ID: id, Name: fmt.Sprint("round ", n), Count: n})
		}
		if err != nil {
			p.t.Errorf("writer %d: %v", writer, err)
			return
		}
		p.mu.Lock()
		p.wrote[id]++
		p.mu.Unlock()
	}
}

// upset has workers come, go and die, and shards split, until all is written.
func (p *plant) upset(written *atomic.Bool) (ends []func()) {
	for born := 0; !written.Load(); {
		switch n := p.draw(8); {
		case n == 0:
			require.NoError(p.t, p.engine.Reshard(p.t.Context(), "things", 1+p.draw(3)))
		case n < 4 && len(ends) < 4, len(ends) == 0:
			leave, kill := p.start(fmt.Sprint("w", born))
			ends, born = append(ends, []func(){leave, kill}[p.draw(2)]), born+1
		case n < 7:
			at := p.draw(len(ends))
			ends[at]()
			ends = slices.Delete(ends, at, at+1)
		}
		time.Sleep(time.Duration(p.draw(5000)) * time.Millisecond)
	}
	return ends
}

// TestKilledWorkers kills workers at random under load, while the shards of the table's stream split and merge: every change is published, for the
// first time in the order of its thing, and the view of another service ends as the table did.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(t, seed)
				var load sync.WaitGroup
				var written atomic.Bool
				for n := range writers {
					load.Go(func() { p.write(n) })
				}
				go func() { load.Wait(); written.Store(true) }()
				ends := p.upset(&written)
				leave, _ := p.start("last")
				for deadline := time.Now().Add(time.Hour); p.missing() > 0 && time.Now().Before(deadline); {
					time.Sleep(time.Second)
				}
				for _, end := range append(ends, leave) {
					end()
				}
				p.check()
			})
		})
	}
}

// changes are the events of each thing, each for the first time.
func (p *plant) changes() map[string][]insideout.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids, first := map[string]bool{}, map[string][]insideout.Event{}
	for _, e := range p.seen {
		if !ids[e.ID] {
			first[e.PartitionKey] = append(first[e.PartitionKey], e)
		}
		ids[e.ID] = true
	}
	return first
}

func (p *plant) missing() (n int) {
	changes := p.changes()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, wrote := range p.wrote {
		n += wrote - len(changes[id])
	}
	return n
}

func (p *plant) check() {
	changes := p.changes()
	require.ElementsMatch(p.t, slices.Collect(maps.Keys(p.wrote)), slices.Collect(maps.Keys(changes)))
	for id, list := range changes {
		require.Equal(p.t, p.wrote[id], len(list), "changes of %s", id)
		require.True(p.t, slices.IsSortedFunc(list, func(a, b insideout.Event) int { return a.Timestamp.Compare(b.Timestamp) }), "the order of %s", id)
	}
	require.Equal(p.t, p.rows(p.source), p.rows(p.view))
	require.NotEmpty(p.t, p.rows(p.view))
}

func (p *plant) rows(db *table.DB) map[string]thing {
	rows := map[string]thing{}
	for row, err := range things.List().All(p.t.Context(), db) {
		require.NoError(p.t, err)
		rows[row.ID] = row
	}
	return rows
}
