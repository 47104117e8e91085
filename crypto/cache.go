package crypto

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// cache keeps what is loaded for a while: at most max values, each for between three quarters of ttl and ttl from the start of its load,
// so that what was loaded together does not expire together. Of several callers for one key, one loads. Errors are not kept.
type cache[K comparable, V any] struct {
	ttl   time.Duration
	max   int
	mu    sync.Mutex
	kept  map[K]*list.Element // of *kept[K, V]
	order *list.List          // the most recently used first
	loads map[K]*load[V]
	// evictions grows before each eviction, for loads that take what was read before they began.
	evictions atomic.Uint64
}

type kept[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

// load is one that is on its way. It ends early when nobody waits for it any more.
type load[V any] struct {
	done    chan struct{}
	value   V
	err     error
	waiting int
	cancel  context.CancelFunc
}

func newCache[K comparable, V any](size int, ttl time.Duration) *cache[K, V] {
	return &cache[K, V]{ttl: ttl, max: size, kept: map[K]*list.Element{}, order: list.New(), loads: map[K]*load[V]{}}
}

// get is the value of a key, loaded if need be. Each caller waits as long as its own context lets it.
func (c *cache[K, V]) get(ctx context.Context, key K, fetch func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	if value, ok := c.find(key); ok {
		c.mu.Unlock()
		return value, nil
	}
	l, ok := c.loads[key]
	if !ok {
		inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
		l = &load[V]{done: make(chan struct{}), cancel: cancel}
		c.loads[key] = l
		go c.run(inner, key, l, fetch)
	}
	l.waiting++
	c.mu.Unlock()
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		c.leave(key, l)
		var zero V
		return zero, ctx.Err()
	}
}

// getOrCreate is get for a fetch that may create what is absent. A caller that creates does not take the answer of one that
// does not.
func getOrCreate[K comparable, V any](ctx context.Context, c *cache[K, V], key K, create bool, fetch func(context.Context) (V, error)) (V, error) {
	for range attempts {
		value, err := c.get(ctx, key, fetch)
		if !create || !errors.Is(err, errAbsent) {
			return value, err
		}
	}
	return c.get(ctx, key, fetch)
}

// put keeps a value that was made here.
func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, value, time.Now())
}

// peek is the value of a key if it is kept.
func (c *cache[K, V]) peek(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(key)
}

func (c *cache[K, V]) find(key K) (V, bool) {
	var zero V
	at, ok := c.kept[key]
	if !ok {
		return zero, false
	}
	k, ok := at.Value.(*kept[K, V])
	if !ok || !time.Now().Before(k.until) {
		c.drop(key, at)
		return zero, false
	}
	c.order.MoveToFront(at)
	return k.value, true
}

func (c *cache[K, V]) drop(key K, at *list.Element) {
	c.order.Remove(at)
	delete(c.kept, key)
}

func (c *cache[K, V]) run(ctx context.Context, key K, l *load[V], fetch func(context.Context) (V, error)) {
	defer l.cancel()
	start := time.Now()
	l.value, l.err = fetch(ctx)
	c.mu.Lock()
	if c.loads[key] == l { // not evicted since
		delete(c.loads, key)
		if l.err == nil {
			c.keep(key, l.value, start)
		}
	}
	c.mu.Unlock()
	close(l.done)
}

// leave lets a load go that nobody waits for.
func (c *cache[K, V]) leave(key K, l *load[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.waiting--; l.waiting > 0 {
		return
	}
	l.cancel()
	if c.loads[key] == l {
		delete(c.loads, key)
	}
}

func (c *cache[K, V]) keep(key K, value V, start time.Time) {
	if at, ok := c.kept[key]; ok {
		c.drop(key, at)
	}
	jitter := time.Duration(rand.Int64N(int64(c.ttl)/4 + 1)) //nolint:gosec // it spreads load, it is no secret
	c.kept[key] = c.order.PushFront(&kept[K, V]{key, value, start.Add(c.ttl - jitter)})
	for c.order.Len() > c.max {
		if last, ok := c.order.Back().Value.(*kept[K, V]); ok {
			c.drop(last.key, c.order.Back())
		}
	}
}

// evict forgets a key, a load of it that is under way included: what it brings is not kept.
func (c *cache[K, V]) evict(key K) {
	c.evictions.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.loads, key)
	if at, ok := c.kept[key]; ok {
		c.drop(key, at)
	}
}

// evictAll forgets everything that match picks.
func (c *cache[K, V]) evictAll(match func(K) bool) {
	c.evictions.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.loads {
		if match(key) {
			delete(c.loads, key)
		}
	}
	for key, at := range c.kept {
		if match(key) {
			c.drop(key, at)
		}
	}
}
