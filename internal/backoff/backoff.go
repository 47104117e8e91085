// Package backoff is the pause between one attempt and the next: twice as long each time, up to a limit, and of a random length, so that many
// callers who failed together do not come back together.
//
//	pause := backoff.Backoff{First: 50 * time.Millisecond, Most: 5 * time.Second}
//	for {
//		if err := call(); err == nil || !transient(err) {
//			return err
//		}
//		if err := pause.Wait(ctx); err != nil {
//			return err
//		}
//	}
package backoff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Backoff makes the pauses of one series of attempts. It is not for several goroutines at a time.
type Backoff struct {
	First time.Duration // the longest that the first pause may be
	Most  time.Duration // the longest that any pause may be

	next time.Duration // zero is First
}

// Next is the length of the next pause: between half of the longest that it may be and all of it.
func (b *Backoff) Next() time.Duration {
	if b.next == 0 {
		b.next = b.First
	}
	longest := min(b.next, b.Most)
	b.next = min(2*longest, b.Most)
	return Jitter(longest)
}

// Reset makes the next pause the first one: something has gone through.
func (b *Backoff) Reset() { b.next = 0 }

// Wait returns after the next pause, or earlier with the error of the context. See Sleep.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Jitter is a random time between half of d and d.
func Jitter(d time.Duration) time.Duration { return d - rand.N(max(d/2, 0)+1) }

// Sleep returns after d, or earlier, if the context ends or has ended: with its error, and its cause where that says more.
func Sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
		}
	}
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
