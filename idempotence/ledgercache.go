package idempotence

import (
	"container/list"
	"sync"
	"time"
)

// cache keeps the last completed entries, those that were used last. A nil cache keeps none.
type cache struct {
	size  int
	mu    sync.Mutex
	order *list.List // of *cached, the last used one first
	byKey map[string]*list.Element
}

type cached struct {
	key   string
	entry entry
}

func newCache(size int) *cache {
	if size == 0 {
		return nil
	}
	return &cache{size: size, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *cache) get(key string, now time.Time) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.byKey[key]
	if !ok {
		return entry{}, false
	}
	e := element.Value.(*cached).entry
	if !now.Before(e.expires) {
		c.drop(element)
		return entry{}, false
	}
	c.order.MoveToFront(element)
	return e, true
}

func (c *cache) put(key string, e entry) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.byKey[key]; ok {
		element.Value.(*cached).entry = e
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, e})
	if c.order.Len() > c.size {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(element *list.Element) {
	delete(c.byKey, element.Value.(*cached).key)
	c.order.Remove(element)
}
