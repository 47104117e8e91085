package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// batch is the work on the records of one delivery.
type batch struct {
	trigger *Trigger
	records []record
	values  *arena

	mu      sync.Mutex // guards what follows while aggregates are read
	out     []outgoing
	failed  map[int]error // by record
	touched []*touched
	index   map[owner]*touched
}

// outgoing is an event on its way, with the records it comes from.
type outgoing struct {
	event insideout.Event
	place int // the record that gives it its place among the events
	order int // its place among the events of that record
	blame int // the first record that must come again if the event does not get out
	fault bool

	change   *change // the record that a fault in the event's place carries
	pipeline string
	bare     bool // a fault without the images
}

// mapRows runs the rules for rows, and notes which aggregates were touched. Each record has its images only while it is mapped.
func (b *batch) mapRows(ctx context.Context) {
	b.out = make([]outgoing, 0, len(b.records))
	for i := range b.records {
		r := &b.records[i]
		r.look(b.values)
		c, ok, err := classify(r, b.trigger.opts)
		switch {
		case err != nil && (c.image() == nil || b.trigger.matches(c.image())):
			b.poison(outgoing{place: i, blame: i}, &c, "undefined", err)
		case !ok || !b.apply(ctx, i, &c):
			b.trigger.counters.ignored.Add(1)
		}
		r.forget()
	}
}

// matches reports whether there is a rule for the row.
func (t *Trigger) matches(image table.Item) bool {
	return slices.ContainsFunc(t.rows, func(r rowRule) bool { return r.matches(image) }) ||
		slices.ContainsFunc(t.aggregates, func(r aggregateRule) bool { return r.matches(image) })
}

// apply runs the rules that the row belongs to, or has belonged to, and reports whether there was one. Several rules for one record
// have ordinals in their ids: they count the rules for this row in the order of their definition, so that a rule that skips a change
// does not shift the ids of the others.
func (b *batch) apply(ctx context.Context, i int, c *change) bool {
	ordinal := 0
	for _, rule := range b.trigger.rows {
		if own, ours := c.of(rule.matches); ours {
			if own != nil {
				b.applyRow(ctx, i, own, rule, ordinal)
			}
			ordinal++
		}
	}
	for n := range b.trigger.aggregates {
		if own, ours := c.of(b.trigger.aggregates[n].matches); ours {
			if own != nil {
				b.touch(i, own, n)
			}
			ordinal++
		}
	}
	return ordinal > 0
}

func (b *batch) applyRow(ctx context.Context, i int, c *change, rule rowRule, ordinal int) {
	id := c.id
	if ordinal > 0 {
		id = fmt.Sprintf("%s.%d", c.id, ordinal)
	}
	event, err := safely(func() (insideout.Event, error) { return rule.event(ctx, b.trigger.opts.Opener, c) })
	if err == nil {
		err = b.trigger.complete(&event, c, id, entityOf(c), rule.name)
	}
	switch {
	case isNothing(err):
	case errors.Is(err, errNoKeys):
		b.fail(i, err)
	case err != nil:
		b.poison(outgoing{place: i, order: ordinal, blame: i}, c, rule.name, err)
	default:
		b.add(outgoing{event: event, place: i, order: ordinal, blame: i, change: c, pipeline: rule.name})
	}
}

// entityOf is the name in the default event type: rows that have no discriminator have it as their sort key.
func entityOf(c *change) string {
	return cmp.Or(c.meta.Discriminator, c.key.SK)
}

// poison puts a fault event in the place of an event that cannot be made, so that the records behind it go on.
func (b *batch) poison(o outgoing, c *change, pipeline string, cause error) {
	var err error
	if o.event, err = b.trigger.fault(c, pipeline, cause); err != nil {
		b.fail(o.blame, errors.Join(cause, err))
		return
	}
	o.fault, o.change, o.pipeline = true, c, pipeline
	b.add(o)
}

func (b *batch) add(o outgoing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = append(b.out, o)
}

func (b *batch) fail(record int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.failed[record]; !ok {
		b.failed[record] = err
	}
}

// publish sends the events in the order of their records. For those that the destination refuses, faults follow.
func (b *batch) publish(ctx context.Context) {
	slices.SortFunc(b.out, func(x, y outgoing) int { // aggregates are read in any order
		return cmp.Or(cmp.Compare(x.place, y.place), cmp.Compare(x.order, y.order))
	})
	for out := b.out; len(out) > 0; {
		events := make([]insideout.Event, len(out))
		for i, o := range out {
			events[i] = o.event
		}
		out = b.settle(out, failures(b.trigger.publisher.Publish(ctx, events), len(events)))
	}
}

// settle notes what became of the events, and returns what is to be published in the place of those that were refused.
func (b *batch) settle(out []outgoing, failed map[int]error) []outgoing {
	var instead []outgoing
	for i, o := range out {
		switch reason := failed[i]; {
		case reason == nil && o.fault:
			b.trigger.counters.faults.Add(1)
		case reason == nil:
			b.trigger.counters.published.Add(1)
		default:
			if fault, ok := b.refused(o, reason); ok {
				instead = append(instead, fault)
				continue
			}
			b.fail(o.blame, reason)
			b.trigger.counters.failed.Add(1)
		}
	}
	return instead
}

// refused makes the fault for an event that its destination will never take. A fault that is too large itself travels without the
// images of the row: it would hold up the shard for ever.
func (b *batch) refused(o outgoing, reason error) (outgoing, bool) {
	switch {
	case !errors.Is(reason, ErrRejected), o.bare, o.fault && !errors.Is(reason, ErrTooLarge):
		return o, false
	case o.fault:
		o.bare = true
		err := o.event.SetBody("uow", map[string]any{"record": recordJSON(o.change.record, false), "withoutImages": reason.Error()})
		return o, err == nil
	}
	var err error
	o.fault = true
	o.event, err = b.trigger.fault(o.change, o.pipeline, reason)
	return o, err == nil
}

// answer is the first record that failed, by its place in the batch: sequence numbers differ in length, so that
// comparing them as texts would be wrong.
func (b *batch) answer() (int, error) {
	if len(b.failed) == 0 {
		return len(b.records), nil
	}
	first := slices.Min(slices.Collect(maps.Keys(b.failed)))
	return first, b.failed[first]
}
