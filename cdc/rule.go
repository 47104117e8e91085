package cdc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// rowRule publishes the changes of single rows.
type rowRule struct {
	name    string // the pipeline in tags and faults
	matches func(table.Item) bool
	event   func(context.Context, insideout.Opener, *change) (insideout.Event, error)
}

func (r rowRule) apply(t *Trigger) error {
	r.name = unique(r.name, len(t.rows), func(i int) string { return t.rows[i].name })
	t.rows = append(t.rows, r)
	return nil
}

// unique adds an ordinal to a name that is taken, so that the faults and the aggregates of two rules have different
// ids.
func unique(name string, n int, taken func(int) string) string {
	for ordinal, candidate := 1, name; ; ordinal++ {
		free := true
		for i := range n {
			free = free && taken(i) != candidate
		}
		if free {
			return candidate
		}
		candidate = fmt.Sprintf("%s.%d", name, ordinal)
	}
}

// mistake is a part that could not be made; New reports it.
type mistake struct{ error }

func (m mistake) apply(*Trigger) error { return m.error }

// Publish is the rule that publishes an event for every change of a model's rows. f makes the event of a change; it
// must be a function of the change alone, without clock and randomness, so that a record that is delivered again gives
// the same bytes.
//
// What f leaves empty is filled in: ID with the record's id (for the second rule and those behind it that fit the same
// row, with ".1", ".2" and so on), Type with the discriminator and the kind ("order-updated"), Timestamp with
// Change.At, PartitionKey with the row's pk, and the standard tags. f returns [ErrSkip] for a change that is no fact.
// Any other error of f, and a panic, make a fault event with the record in it.
func Publish[T any](m table.Model[T], f func(Change[T]) (insideout.Event, error)) Part {
	if m == nil || f == nil {
		return mistake{errors.New("cdc: Publish needs a model and a mapper")}
	}
	rule := &imageRule[T]{model: m}
	return rowRule{
		name:    m.Name(),
		matches: m.Matches,
		event: func(ctx context.Context, o insideout.Opener, c *change) (insideout.Event, error) {
			typed, err := rule.change(ctx, o, c)
			if err != nil {
				return insideout.Event{}, err
			}
			return f(typed)
		},
	}
}

// imageRule turns images into what a mapper gets.
type imageRule[T any] struct {
	model  table.Model[T]
	arenas sync.Pool // of *arena, for images that are asked for late
}

func (r *imageRule[T]) change(ctx context.Context, o insideout.Opener, c *change) (Change[T], error) {
	if o != nil {
		return r.opened(ctx, o, c)
	}
	typed := describe[T](c)
	latest := c.latest()
	if latest == nil {
		old, err := decode(r.model, c.last())
		return typed.WithOld(old), err
	}
	var err error
	if typed.New, err = decode(r.model, latest); err != nil || c.turned == turnedInto || !c.from.hasLast() {
		return typed, err
	}
	typed.old = &before[T]{rule: r, from: c.from}
	return typed, nil
}

// before decodes an old image when it is asked for: also late, when the batch is at another record.
type before[T any] struct {
	once sync.Once
	rule *imageRule[T]
	from source
	v    *T
}

func (b *before[T]) get() *T {
	b.once.Do(func() {
		if b.from == nil {
			return
		}
		values, _ := b.rule.arenas.Get().(*arena)
		if values == nil {
			values = new(arena)
		}
		b.v, _ = decode(b.rule.model, b.from.last(values)) // nil if it cannot be decoded
		b.rule.arenas.Put(values)
		b.from = nil
	})
	return b.v
}

// describe fills in all but the images.
func describe[T any](c *change) Change[T] {
	return Change[T]{
		Kind: c.kind, Key: c.key, By: c.meta.By, Region: c.meta.Region, At: c.at, RecordID: c.id, Sequence: c.sequence,
	}
}

func decode[T any](m table.Model[T], image table.Item) (*T, error) {
	if image == nil {
		return nil, nil
	}
	v, err := m.Decode(image)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// aggregateRule publishes aggregates of which rows have changed.
type aggregateRule struct {
	name     string // the pipeline, and the end of the ids
	entity   string // the name of the root
	rootOnly bool   // edges alone are not published
	matches  func(table.Item) bool
	load     func(context.Context, *touched) (func() (insideout.Event, error), error)
}

func (r aggregateRule) apply(t *Trigger) error {
	r.name = unique(r.name, len(t.aggregates), func(i int) string { return t.aggregates[i].name })
	t.aggregates = append(t.aggregates, r)
	return nil
}
