// Package poll has what the sources of package views share: which errors of a service pass, and how long to wait until they do.
package poll

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Transient reports whether the same call may succeed later: the service was throttled, failed, or could not be reached.
func Transient(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

const (
	first = 50 * time.Millisecond
	most  = 10 * time.Second
)

// Backoff is a pause that is doubled each time, up to ten seconds, and of a random length, so that many pollers do not come
// back at once. The zero value is the first one.
type Backoff struct{ attempts int }

// Wait returns after the pause, or with the error of ctx.
func (b *Backoff) Wait(ctx context.Context) error {
	limit := min(most, first<<min(b.attempts, 10))
	b.attempts++
	return Sleep(ctx, limit/2+rand.N(limit/2))
}

// Reset makes the next pause the first one.
func (b *Backoff) Reset() { b.attempts = 0 }

// Sleep returns after d, or with the error of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
