package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insideout-go/insideout"
)

// Publisher takes events to where others can read them: a bus, a queue, a stream, the lake.
type Publisher interface {
	// Publish returns nil when every event is out. Otherwise its error lists the events that are not, as a
	// [PublishError] does; any other error means that none may be. Events may be published again with the same ids. It
	// must not keep or change the slice or the events, and must be safe for concurrent use.
	Publish(ctx context.Context, events []insideout.Event) error
}

// PublishError tells which events of a call were not published, and why.
type PublishError struct {
	Errors map[int]error // by the event's index in the call
}

// Error counts the events and gives the reason of the first one.
func (e *PublishError) Error() string {
	failed := e.Failed()
	if len(failed) == 0 {
		return "cdc: no event failed"
	}
	return fmt.Sprintf("cdc: %d events were not published, the first (number %d): %s",
		len(failed), failed[0], strings.TrimPrefix(e.Errors[failed[0]].Error(), "cdc: "))
}

// Failed returns the indexes of the events that were not published, in order.
func (e *PublishError) Failed() []int { return slices.Sorted(maps.Keys(e.Errors)) }

// Unwrap returns the reasons, in the order of the events.
func (e *PublishError) Unwrap() []error {
	var errs []error
	for _, i := range e.Failed() {
		errs = append(errs, e.Errors[i])
	}
	return errs
}

// partial is an error that names the events that failed. Publishers may have their own, so that none needs to import
// this package; the in-process bus of package views does.
type partial interface {
	error
	Failed() []int
}

// failures returns the reason for each of the n events that err says are not out.
func failures(err error, n int) map[int]error {
	failed := map[int]error{}
	if err == nil {
		return failed
	}
	if own, ok := errors.AsType[*PublishError](err); ok {
		maps.Copy(failed, own.Errors)
	} else if other, ok := errors.AsType[partial](err); ok {
		for _, i := range other.Failed() {
			failed[i] = err
		}
	}
	maps.DeleteFunc(failed, func(i int, _ error) bool { return i < 0 || i >= n })
	if len(failed) > 0 {
		return failed
	}
	// An error that names no event of ours says nothing about any of them.
	for i := range n {
		failed[i] = err
	}
	return failed
}

// FanOut returns a publisher that hands the events to one publisher after the other in the given order, and to each only those
// that are out at the ones before it: put the lake before the bus, and whatever a listener has seen is in the lake. An event
// that one of them refused has failed, and the ones before it get it again.
func FanOut(publishers ...Publisher) Publisher { return fanOut(slices.Clone(publishers)) }

type fanOut []Publisher

func (f fanOut) Publish(ctx context.Context, events []insideout.Event) error {
	failed := map[int]error{}
	place := make([]int, len(events)) // of the events that are still on their way
	for i := range place {
		place[i] = i
	}
	for _, p := range f {
		reasons := failures(p.Publish(ctx, events), len(events))
		if len(reasons) == 0 {
			continue
		}
		var left []insideout.Event
		var at []int
		for i, e := range events {
			if err, no := reasons[i]; no {
				failed[place[i]] = err
				continue
			}
			left, at = append(left, e), append(at, place[i])
		}
		if events, place = left, at; len(events) == 0 {
			break
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &PublishError{Errors: failed}
}
