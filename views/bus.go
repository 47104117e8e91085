package views

import (
	"context"
	"errors"
	"slices"

	"github.com/insideout-go/insideout"
)

// Bus carries events to listeners in the same process: a bus without a queue. It is safe for concurrent use.
type Bus struct{ listeners []*Listener }

// NewBus returns a bus to the listeners.
func NewBus(listeners ...*Listener) *Bus { return &Bus{slices.Clone(listeners)} }

// Publish returns when every listener has handled the events, one listener after the other. Its error is a
// [*BatchError] that names the events that must be published again. It makes the bus a publisher for triggers.
func (b *Bus) Publish(ctx context.Context, events []insideout.Event) error {
	reasons := map[int][]error{}
	for _, l := range b.listeners {
		for i, err := range failures(l.Handle(ctx, events), len(events)) {
			reasons[i] = append(reasons[i], err)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	failed := make(map[int]error, len(reasons))
	for i, errs := range reasons {
		failed[i] = errors.Join(errs...)
	}
	return &BatchError{Errors: failed}
}
