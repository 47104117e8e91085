package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// action is what one write does to one row: every writing operation is made of
// these.
type action struct {
	t    *table
	key  rowKey
	cond *expr.Condition // nil: none
	// next computes the new item; a nil one removes the row. It gets the old
	// row undecoded, since a blind put does not look at it. Nil: the row is
	// only looked at.
	next   func(old *row) (attr.Item, error)
	expiry bool // done by the sweeper, not by a user

	old, new  row
	moved     []movement
	collected int64 // the size of the item collection, if the table keeps it
}

// movement is what an action does to the counts of an index.
type movement struct {
	x            *index
	items, bytes int64
}

// conditionFailed is why an action did not happen.
type conditionFailed struct{ action *action }

func (*conditionFailed) Error() string { return "The conditional request failed" }

// exception is the answer of a single write.
func (f *conditionFailed) exception(rv types.ReturnValuesOnConditionCheckFailure) error {
	x := &types.ConditionalCheckFailedException{Message: new(f.Error())}
	if rv == types.ReturnValuesOnConditionCheckFailureAllOld {
		if old, err := f.action.old.item(); err == nil && old != nil {
			x.Item = attr.ItemToSDK(old)
		}
	}
	return x
}

// evaluate reads the row, checks the condition and computes the new row. The
// row's stripe is locked.
func (e *Engine) evaluate(a *action) error {
	var err error
	if a.old, err = readRow(e.store, a.key.bytes); err != nil {
		return err
	}
	if a.cond != nil {
		old, err := a.old.item()
		if err != nil {
			return err
		}
		ok, err := a.cond.Match(old)
		if err != nil {
			return invalid(err)
		}
		if !ok {
			return &conditionFailed{a}
		}
	}
	if a.next == nil {
		a.new = a.old
		return nil
	}
	return a.compute()
}

func (a *action) compute() error {
	item, err := a.next(&a.old)
	if err != nil {
		return err
	}
	if item != nil {
		a.new = newRow(item)
	}
	return nil
}

// changed reports whether the action changes anything.
func (a *action) changed() bool { return !bytes.Equal(a.old.raw, a.new.raw) }

// write does actions on distinct rows, all or none, and returns once they are
// durable. The actions' tables are locked. The first error stops it unless
// failures is given, which then takes the error of each action by its place.
// extra adds to the batch.
func (e *Engine) write(ctx context.Context, actions []*action, failures []error, extra func(*kv.Batch)) error {
	held := e.lock(actions)
	failed := false
	for i, a := range actions {
		err := e.evaluate(a)
		if err == nil {
			continue
		}
		if failures == nil {
			held.unlock()
			return e.refused(ctx, held, err)
		}
		failures[i], failed = err, true
	}
	if failed {
		held.unlock()
		return e.refused(ctx, held, errFailed)
	}
	c, wait, err := e.commit(actions, held, extra)
	held.unlock()
	if full, ok := errors.AsType[*collectionFull](err); ok {
		if failures == nil {
			return e.refused(ctx, held, full.exception())
		}
		failures[full.action] = full
		return e.refused(ctx, held, errFailed)
	}
	if err != nil {
		return internal(err)
	}
	if c == nil {
		return e.refused(ctx, held, nil)
	}
	if err := e.settle(c, wait); err != nil {
		return internal(err)
	}
	return nil
}

// refused answers without having written: what was seen must be durable.
func (e *Engine) refused(ctx context.Context, held stripes, err error) error {
	for _, s := range held {
		if failure := seen(ctx, &s.last); failure != nil {
			return internal(failure)
		}
	}
	return err
}

// stripes are locked in the order of their numbers.
type stripes []*stripe

func (e *Engine) lock(actions []*action) stripes {
	if len(actions) == 1 {
		s := &e.stripes[e.stripe(actions[0].t, actions[0].key)]
		s.mu.Lock()
		return stripes{s}
	}
	numbers := make([]int, len(actions))
	for i, a := range actions {
		numbers[i] = e.stripe(a.t, a.key)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	held := make(stripes, len(numbers))
	for i, n := range numbers {
		held[i] = &e.stripes[n]
		held[i].mu.Lock()
	}
	return held
}

func (s stripes) unlock() {
	for _, one := range s {
		one.mu.Unlock()
	}
}

// commit puts the changes of the actions into one batch and applies it. It
// returns no commit if there was nothing to write, or nothing to wait for.
func (e *Engine) commit(actions []*action, held stripes, extra func(*kv.Batch)) (*commit, func() error, error) {
	var b kv.Batch
	if extra != nil {
		extra(&b)
	}
	var records []*record
	at := now()
	for _, a := range actions {
		if !a.changed() {
			continue
		}
		if err := a.stage(&b); err != nil {
			return nil, nil, err
		}
		if a.t.stream != nil {
			r, err := a.record(at)
			if err != nil {
				return nil, nil, err
			}
			records = append(records, r)
		}
	}
	if err := e.collect(&b, actions); err != nil {
		return nil, nil, err
	}
	if b.Len() == 0 {
		return nil, nil, nil
	}
	shards, err := e.lockShards(records, at)
	if err != nil {
		return nil, nil, err
	}
	appendRecords(&b, records)
	c, wait, err := e.apply(&b, held, shards)
	publish(shards, records, err)
	if err == nil {
		e.tally(actions)
	}
	return c, wait, err
}

// stage adds the row, its index entries and its expiry to a batch.
func (a *action) stage(b *kv.Batch) error {
	if a.new.exists() {
		b.Set(a.key.bytes, a.new.raw)
	} else {
		b.Delete(a.key.bytes)
	}
	if len(a.t.indexes) == 0 && a.t.meta.TTL == "" {
		return nil
	}
	old, err := a.old.item()
	if err != nil {
		return err
	}
	for _, x := range a.t.indexes {
		if err := a.stageIndex(b, x, old, a.new.decoded); err != nil {
			return err
		}
	}
	if name := a.t.meta.TTL; name != "" {
		a.stageExpiry(b, name, old)
	}
	return nil
}

func (a *action) stageIndex(b *kv.Batch, x *index, old, item attr.Item) error {
	was, err := a.entry(x, old, a.old)
	if err != nil {
		return err
	}
	is, err := a.entry(x, item, a.new)
	if err != nil {
		return err
	}
	same := bytes.Equal(was.key, is.key)
	if same && bytes.Equal(was.raw, is.raw) {
		return nil
	}
	m := movement{x: x}
	if was.exists() {
		m.items, m.bytes = -1, -int64(was.size())
		if !same {
			b.Delete(was.key)
		}
	}
	if is.exists() {
		m.items, m.bytes = m.items+1, m.bytes+int64(is.size())
		b.Set(is.key, is.raw)
	}
	a.moved = append(a.moved, m)
	return nil
}

// entry is a row's entry in an index; it does not exist if the row does not or
// lacks a key attribute.
type entry struct {
	row
	key []byte
}

func (a *action) entry(x *index, item attr.Item, r row) (entry, error) {
	if item == nil || !x.keys.in(item) {
		return entry{}, nil
	}
	key, err := a.t.entryKey(x, item)
	if err != nil {
		return entry{}, err
	}
	return entry{x.entry(item, r), key}, nil
}

// entry returns what the index keeps of a row.
func (x *index) entry(item attr.Item, r row) row {
	if x.project == nil {
		return r
	}
	return newRow(x.projected(item))
}

func (a *action) stageExpiry(b *kv.Batch, name string, old attr.Item) {
	was, had := expiryOf(old, name)
	is, has := expiryOf(a.new.decoded, name)
	if had == has && was == is {
		return
	}
	if had {
		b.Delete(expiryKey(a.t.meta.ID, was, a.key.bytes))
	}
	if has {
		b.Set(expiryKey(a.t.meta.ID, is, a.key.bytes), nil)
	}
}

// tally keeps the tables' item counts.
func (e *Engine) tally(actions []*action) {
	for _, a := range actions {
		if !a.changed() {
			continue
		}
		items, size := int64(0), int64(0)
		if a.old.exists() {
			items, size = -1, -int64(a.old.size())
		}
		if a.new.exists() {
			items, size = items+1, size+int64(a.new.size())
		}
		a.t.counter.add(items, size)
		for _, m := range a.moved {
			m.x.counter.add(m.items, m.bytes)
		}
	}
}
