package cdc

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"golang.org/x/sync/errgroup"
)

// sequenceDigits is the length of the longest sequence number; padded to it, they sort as texts.
const sequenceDigits = 40

// PublishAggregate is the rule that publishes an aggregate when rows of it have changed: one event for all the changes
// of an aggregate in a batch, with what one consistent read of it from db gives. f is as for [Publish]; its change has
// the aggregate in New (in Old if the root is gone from the table), and the kind of the last thing that happened to the
// root: "updated" if the changes were elsewhere.
//
// Nothing is published while there is no root row, and nothing for a deleted aggregate but one "deleted", with its last
// state.
//
// # Order
//
// Downstream, the version of what an event says is its timestamp, then its id. The timestamp of an aggregate's event is
// that of its newest row. Several rows may have been written in one millisecond, and two reads between these writes see
// different states of the same timestamp. The later read must win, so the ids are in the order of the stream: the
// sequence number of the last record of the aggregate in the batch, padded with zeros to 40 digits, ".", and the
// aggregate's name. The last change of an aggregate is thus published by the greatest version, from a read that has
// seen all changes, whatever batches the records came in.
func PublishAggregate[A any](db *table.DB, a *table.Aggregate[A], f func(Change[A]) (insideout.Event, error), opts ...AggregateOption) Part {
	if db == nil || a == nil || f == nil {
		return mistake{errors.New("cdc: PublishAggregate needs a table, an aggregate and a mapper")}
	}
	rule := aggregateRule{
		name:    a.Name(),
		entity:  a.Name(),
		matches: a.Matches,
		load: func(ctx context.Context, g *touched) (func() (insideout.Event, error), error) {
			c, ok, err := loadChange(ctx, db, a, g)
			if err != nil || !ok {
				return nil, err
			}
			return func() (insideout.Event, error) { return f(c) }, nil
		},
	}
	for _, o := range opts {
		o(&rule)
	}
	return rule
}

// AggregateOption says which changes [PublishAggregate] publishes.
type AggregateOption func(*aggregateRule)

// WhenRootChanges publishes an aggregate only when its root row has changed. It is for commands that write the edges first
// and the root last: each of them is one event, from a read that finds all that it wrote, whatever batches the records come
// in. A change of edges alone is not published.
func WhenRootChanges() AggregateOption {
	return func(r *aggregateRule) { r.rootOnly = true }
}

// loadChange reads the aggregate and tells whether there is something to say about it.
func loadChange[A any](ctx context.Context, db *table.DB, a *table.Aggregate[A], g *touched) (Change[A], bool, error) {
	state, meta, err := a.Load(ctx, db, g.pk)
	if err != nil {
		return Change[A]{}, false, err
	}
	kind, ok := g.kind(meta.Exists, meta.Deleted)
	if !ok {
		return Change[A]{}, false, nil
	}
	if !meta.Newest.Before(g.last.at) {
		g.last.at = meta.Newest
	}
	g.last.kind = kind
	c := describe[A](&g.last)
	c.New = &state
	if meta.Exists {
		c.Key = meta.Key
		return c, true, nil
	}
	gone := g.root.again()
	image := gone.latest()
	if image == nil {
		image = gone.last()
	}
	if err := a.SetRoot(&state, image); err != nil {
		return c, false, err
	}
	c.Key, c.New = g.root.key, nil
	return c.WithOld(&state), true, nil
}

// owner names an aggregate within a trigger.
type owner struct {
	rule int
	pk   string
}

// touched is an aggregate of which rows have changed in a batch.
type touched struct {
	owner
	first, place int    // its first and its last record
	order        int    // the rule's place among those of the last record
	last         change // the last record; its time is the greatest of them all
	root         *change
	rootKind     Kind // of the last change of the root that was not a mere update
}

// kind tells what to say about the aggregate now that it was read.
func (g *touched) kind(exists, deleted bool) (Kind, bool) {
	gone := g.rootKind == Deleted || g.rootKind == Expired
	switch {
	case !exists:
		return g.rootKind, gone
	case deleted:
		return Deleted, gone
	case g.rootKind == "", gone: // gone, and back by the time of the read: a later record says so
		return Updated, true
	default:
		return g.rootKind, true
	}
}

// touch notes that record i changed an aggregate.
func (b *batch) touch(i int, c *change, rule int) {
	isRoot := c.meta.Discriminator == b.trigger.aggregates[rule].entity
	if b.trigger.aggregates[rule].rootOnly && !isRoot {
		return
	}
	id := owner{rule: rule, pk: c.key.PK}
	g := b.index[id]
	if g == nil {
		g = &touched{owner: id, first: i}
		b.index[id] = g
		b.touched = append(b.touched, g)
	}
	newest := g.last.at
	g.place, g.order, g.last = i, len(b.trigger.rows)+rule, *c
	if g.last.at.Before(newest) {
		g.last.at = newest
	}
	if isRoot {
		g.root = new(*c)
		if c.kind != Updated {
			g.rootKind = c.kind
		}
	}
}

// mapAggregates reads the aggregates that were touched, a few at a time, and maps them.
func (b *batch) mapAggregates(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(max(1, b.trigger.workers()))
	for _, g := range b.touched {
		group.Go(func() error {
			b.mapAggregate(ctx, g)
			return nil
		})
	}
	_ = group.Wait() // errors are noted by record
}

func (b *batch) mapAggregate(ctx context.Context, g *touched) {
	rule := b.trigger.aggregates[g.rule]
	o := outgoing{place: g.place, order: g.order, blame: g.first, change: &g.last, pipeline: rule.name}
	if g.last.sequence == "" {
		b.poison(o, &g.last, rule.name, errNoSequence)
		return
	}
	b.trigger.counters.reads.Add(1)
	event, err := safely(func() (func() (insideout.Event, error), error) { return rule.load(ctx, g) })
	if err != nil {
		b.unread(ctx, o, g, rule.name, err)
		return
	}
	if event == nil {
		return
	}
	o.event, err = safely(event)
	if err == nil {
		err = b.trigger.complete(&o.event, &g.last, aggregateID(&g.last, rule.name), rule.entity, rule.name)
	}
	switch {
	case isNothing(err):
	case err != nil:
		b.poison(o, &g.last, rule.name, err)
	default:
		b.add(o)
	}
}

// aggregateID sorts like the stream, and has the record's id at its end, since a sequence number is unique in its shard only.
func aggregateID(last *change, rule string) string {
	return padSequence(last.sequence) + "." + rule + "." + last.id
}

func padSequence(sequence string) string {
	return strings.Repeat("0", max(0, sequenceDigits-len(sequence))) + sequence
}

func (t *Trigger) workers() int {
	if t.opts.Workers > 0 {
		return t.opts.Workers
	}
	return defaultWorkers
}

// unread tells an aggregate that cannot be read now from one whose rows cannot be decoded, ever.
func (b *batch) unread(ctx context.Context, o outgoing, g *touched, pipeline string, err error) {
	_, refused := errors.AsType[smithy.APIError](err)
	_, unsent := errors.AsType[*smithy.OperationError](err)
	if refused || unsent || ctx.Err() != nil || table.Retryable(err) {
		b.fail(o.blame, err)
		return
	}
	b.poison(o, &g.last, pipeline, err)
}
