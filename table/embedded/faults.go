package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/insideout-go/insideout/table/embedded/internal/engine"
)

// ErrAnswerLost is the error of a call whose answer a [Fault] has dropped.
var ErrAnswerLost = errors.New("embedded: the answer is lost, by order of a fault")

// Fault is something that goes wrong on demand, for tests of what the caller
// makes of it; see [Faults]. The zero Fault throttles the first call.
type Fault struct {
	// Operation is DynamoDB's name of the operation, such as "PutItem".
	// Default: every operation.
	Operation string
	// Match tells which of these calls count. Its input is the SDK's, such as
	// *dynamodb.PutItemInput. Default: all.
	Match func(input any) bool
	// After is how many calls go well before the first fault. Default: none.
	After int
	// Calls is how many calls in a row go wrong. Negative: all of them.
	// Default: one.
	Calls int
	// Delay is waited before the call, or until its context ends.
	Delay time.Duration
	// Err is returned in place of an answer. Default: a throttle, or
	// [ErrAnswerLost] where Done is set.
	Err error
	// Done does the operation first: only its answer is lost.
	Done bool
	// Slow lets the call go well after its delay.
	Slow bool
	// Unprocessed is how many entries of a BatchWriteItem or BatchGetItem come
	// back unprocessed, the last ones; see [Unprocessed].
	Unprocessed int
}

// Unprocessed is an error with which an interceptor, instead of calling next, makes a BatchWriteItem
// or BatchGetItem leave its last n entries: the others are done, and these
// come back as UnprocessedItems or UnprocessedKeys. A batch that has no others is throttled,
// as by DynamoDB, and so is every other operation.
func Unprocessed(n int) error { return unprocessed(n) }

type unprocessed int

func (u unprocessed) Error() string {
	return fmt.Sprintf("embedded: %d entries of the batch are left unprocessed, by order of a fault", int(u))
}

// Faults returns an interceptor for [Options] in which the faults happen, each
// counting calls for itself. Of several faults for one call the first happens.
func Faults(faults ...Fault) func(ctx context.Context, operation string, input any, next func() error) error {
	counts := make([]atomic.Int64, len(faults))
	return func(ctx context.Context, operation string, input any, next func() error) error {
		var hit *Fault
		for i := range faults {
			f := &faults[i]
			if f.meets(operation, input) && f.due(counts[i].Add(1)) && hit == nil {
				hit = f
			}
		}
		if hit == nil {
			return next()
		}
		return hit.happen(ctx, next)
	}
}

func (f *Fault) meets(operation string, input any) bool {
	return (f.Operation == "" || f.Operation == operation) && (f.Match == nil || f.Match(input))
}

// due tells whether the n-th call goes wrong.
func (f *Fault) due(n int64) bool {
	first := int64(f.After) + 1
	return n >= first && (f.Calls < 0 || n < first+int64(max(f.Calls, 1)))
}

func (f *Fault) happen(ctx context.Context, next func() error) error {
	if f.Delay > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.Delay):
		}
	}
	switch {
	case f.Slow:
		return next()
	case f.Unprocessed > 0:
		return Unprocessed(f.Unprocessed)
	case !f.Done && f.Err == nil:
		return engine.Throttled()
	case !f.Done:
		return f.Err
	}
	if err := next(); err != nil {
		return err
	}
	if f.Err != nil {
		return f.Err
	}
	return ErrAnswerLost
}
