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
			n := t.counter.get()
			n.Indexes = make(map[uint32]count, len(t.counters))
			for id, x := range t.counters {
				n.Indexes[id] = x.get()
			}
			c.Tables[t.meta.ID] = n
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
			t.counter.set(n)
			for id, x := range t.counters {
				x.set(n.Indexes[id])
			}
			t.counted.Store(true)
		}
	}
	var b kv.Batch
	b.Delete(countsKey)
	return e.applyDurably(&b)
}

// recount counts the rows and entries of a table whose counts a crash has lost.
// Writes that happen meanwhile count by their own difference.
func (e *Engine) recount(t *table) error {
	if t.counted.Load() {
		return nil
	}
	e.counting.Lock()
	defer e.counting.Unlock()
	if t.counted.Load() {
		return nil
	}
	snap, err := e.zeroCounts(t)
	if err != nil {
		return internal(err)
	}
	defer snap.Close()
	n, err := countRange(snap, rowPrefix(t.meta.ID))
	if err != nil {
		return err
	}
	t.counter.add(n.Items, n.Bytes)
	for _, x := range t.indexes {
		if n, err = countRange(snap, oneIndexPrefix(t.meta.ID, x.ID)); err != nil {
			return err
		}
		x.counter.add(n.Items, n.Bytes)
	}
	t.counted.Store(true)
	return nil
}

// zeroCounts takes a snapshot and sets the counts to zero at one moment.
func (e *Engine) zeroCounts(t *table) (kv.Snapshot, error) {
	for i := range e.stripes {
		e.stripes[i].mu.Lock()
		defer e.stripes[i].mu.Unlock()
	}
	t.counter.set(count{})
	for _, x := range t.indexes {
		x.counter.set(count{})
	}
	return e.store.Snapshot()
}

func countRange(r kv.Reader, prefix []byte) (count, error) {
	var n count
	lo, hi := prefixRange(prefix)
	for p, err := range r.Iterate(lo, hi, false) {
		if err != nil {
			return count{}, internal(err)
		}
		one := row{raw: p.Value}
		n.Items++
		n.Bytes += int64(one.size())
	}
	return n, nil
}
