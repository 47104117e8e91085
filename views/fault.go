package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/internal/panics"
)

// faultOf is an event that cannot be applied, ever, with the reason.
type faultOf struct {
	source   int
	pipeline string // empty if no rule got the event
	err      error
	refused  bool // by the table
}

// faultError is the member "err" of a fault event.
type faultError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// unitOfWork is the member "uow" of a fault event: what was being worked on.
type unitOfWork struct {
	Record any              `json:"record,omitempty"`
	Event  *insideout.Event `json:"event,omitempty"`
}

// publishFaults sends the fault events of the batch, at its end. An event of which the fault is not out must come
// again.
func (b *batch) publishFaults(ctx context.Context) {
	if len(b.faults) == 0 {
		return
	}
	slices.SortStableFunc(b.faults, func(x, y faultOf) int { // workers find them in any order
		return cmp.Or(cmp.Compare(x.source, y.source), strings.Compare(x.pipeline, y.pipeline))
	})
	if b.opts.Faults == nil {
		for _, f := range b.faults {
			b.fail(f.source, f.err)
		}
		return
	}
	var events []insideout.Event
	var sources []int
	for _, f := range b.faults {
		e, err := b.faultEvent(f)
		if err != nil {
			b.fail(f.source, errors.Join(f.err, err))
			continue
		}
		events, sources = append(events, e), append(sources, f.source)
	}
	_, err := safely(func() (struct{}, error) { return struct{}{}, b.opts.Faults.Publish(ctx, events) })
	failed := failures(err, len(events))
	for i, source := range sources {
		if err := failed[i]; err != nil {
			b.fail(source, fmt.Errorf("views: the fault event could not be published: %w", err))
			continue
		}
		b.stats.Faults++
	}
}

// faultEvent makes the fault event. Its id depends on the event, or on the record that is none, and on the rule, so
// that a fault that is published again is known as the same.
func (b *batch) faultEvent(f faultOf) (insideout.Event, error) {
	d := &b.deliveries[f.source]
	e := insideout.Event{
		ID:           idempotence.ID("insideout/views/fault", cmp.Or(d.event.ID, d.id), f.pipeline),
		Type:         insideout.TypeFault,
		PartitionKey: cmp.Or(d.event.PartitionKey, d.event.ID, d.id),
		Tags: insideout.Tags{
			insideout.TagFunction: cmp.Or(b.opts.Name, unknown),
			insideout.TagPipeline: cmp.Or(f.pipeline, unknown),
			insideout.TagSource:   cmp.Or(b.opts.Source, unknown),
		},
	}
	// The time of the event may be what is wrong: a fault that cannot be written would hold up the stream.
	for _, e.Timestamp = range []time.Time{d.event.Timestamp, d.at, time.UnixMilli(0)} {
		if e.Validate() == nil {
			break
		}
	}
	if err := e.SetBody("err", describe(f.err)); err != nil {
		return e, err
	}
	work := unitOfWork{Record: d.record}
	if came, err := d.delivered(); err == nil && d.wrong == nil && (d.record == nil || len(d.raw) <= maxTwice) {
		work.Event = carried(came)
	}
	return e, e.SetBody("uow", work)
}

// maxTwice bounds the events that a fault carries twice, as an event for readers and in the record: buses have limits.
const maxTwice = 64 << 10

// carried is the event as far as it has a JSON form. One that came as JSON has; one from the same process may have a time
// that no event can have, or a body that is no JSON.
func carried(e insideout.Event) *insideout.Event {
	if _, err := e.MarshalJSON(); err == nil {
		return &e
	}
	return &insideout.Event{ID: e.ID, Type: e.Type, PartitionKey: e.PartitionKey, Tags: e.Tags}
}

// describe names an error by its type, where that says more than that it is one.
func describe(err error) faultError {
	if p, ok := errors.AsType[*panics.Error](err); ok {
		return faultError{Name: "panic", Message: err.Error(), Stack: p.Stack}
	}
	cause := err
	if v, ok := errors.AsType[*verdictError](err); ok {
		cause = v.err
	}
	name := fmt.Sprintf("%T", cause)
	if strings.HasPrefix(name, "*fmt.") || strings.HasPrefix(name, "*errors.") {
		name = "Error"
	}
	return faultError{Name: name, Message: err.Error()}
}
