package cdc

import (
	"context"
	"errors"
	"fmt"
)

// ClaimChecks keep the bodies of events that are too large for their destination; in their place an event travels that says where
// the body is, and listeners fetch it. It is the claim check of Hohpe and Woolf's "Enterprise Integration Patterns". The lake is one.
type ClaimChecks interface {
	// Keep stores body, a whole event in JSON, under key, and returns the bucket that key can be found in. The key is made of the
	// region, the time and the id of the event ("eu-west-1/claimchecks/2026/11/21/10/ID"), so that an event that is published again
	// keeps the same bytes under the same key. When it returns without an error, the body can be read.
	Keep(ctx context.Context, key string, body []byte) (bucket string, err error)
}

var (
	// ErrRejected is in a publisher's reason for an event that its destination will never take: it is malformed, or too large. A
	// [Trigger] publishes a fault event in its place, so that the event does not hold up those behind it.
	ErrRejected = errors.New("cdc: the destination refuses the event")

	// ErrTooLarge is the [ErrRejected] of an event that is larger than its destination takes, where there are no [ClaimChecks] for it.
	ErrTooLarge = fmt.Errorf("%w: it is too large", ErrRejected)
)
