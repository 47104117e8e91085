package engine

import (
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// saveCounts writes the item counts, so that the next start need not count.
func (e *Engine) saveCounts() error {
	if !e.store.Durable() && !e.opts.NoSync {
		return nil // nobody will read them
	}
	c := itemCounts{Version: metaVersion, Tables: map[uint32]count{}}
	for _, t := range e.tables {
		if t.counted.Load() {
			c.Tables[t.meta.ID] = count{t.items.Load(), t.bytes.Load()}
		}
	}
	var b kv.Batch
	if err := putJSON(&b, countsKey, c); err != nil {
		return err
	}
	return e.applyDurably(&b)
}

// loadCounts takes the counts of a clean stop, and removes them: after a crash
// they would be wrong.
func (e *Engine) loadCounts() error {
	data, ok, err := e.store.Get(countsKey)
	if err != nil || !ok {
		return internal(err)
	}
	var c itemCounts
	if err := decodeJSON(countsKey, data, &c); err != nil {
		return err
	}
	for _, t := range e.tables {
		if n, ok := c.Tables[t.meta.ID]; ok {
			t.items.Store(n.Items)
			t.bytes.Store(n.Bytes)
			t.counted.Store(true)
		}
	}
	var b kv.Batch
	b.Delete(countsKey)
	return e.applyDurably(&b)
}

// recount counts the rows of a table whose counts a crash has lost. Writes that
// happen meanwhile are counted by their own difference: the counters start at
// what has changed since the start.
func (e *Engine) recount(t *table) error {
	if t.counted.Load() {
		return nil
	}
	e.counting.Lock()
	defer e.counting.Unlock()
	if t.counted.Load() {
		return nil
	}
	for i := range e.stripes {
		e.stripes[i].mu.Lock()
	}
	snap, err := e.store.Snapshot()
	t.items.Store(0)
	t.bytes.Store(0)
	for i := range e.stripes {
		e.stripes[i].mu.Unlock()
	}
	if err != nil {
		return internal(err)
	}
	defer snap.Close()
	lo, hi := prefixRange(rowPrefix(t.meta.ID))
	var c count
	for p, err := range snap.Iterate(lo, hi, false) {
		if err != nil {
			return internal(err)
		}
		r := row{raw: p.Value}
		c.Items++
		c.Bytes += int64(r.size())
	}
	t.count(c.Items, c.Bytes)
	t.counted.Store(true)
	return nil
}
