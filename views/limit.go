package views

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go"
)

// limiter bounds the requests that are under way, of all batches together. The bound is halved when the table throttles, and
// grows by one for each round of requests that get through. While nothing is throttled, nobody waits for a lock.
type limiter struct {
	most int64
	busy atomic.Int64
	room atomic.Int64 // the limit, in whole requests

	mu      sync.Mutex // guards the limit, and whoever waits
	free    sync.Cond
	waiting atomic.Int64
	limit   float64
	cut     time.Time // the last time that the limit was halved
}

func newLimiter(most int) *limiter {
	l := &limiter{most: int64(most), limit: float64(most)}
	l.room.Store(l.most)
	l.free.L = &l.mu
	return l
}

// enter waits for its turn, which comes when requests end: each one ends with its context.
func (l *limiter) enter() (began time.Time) {
	if l.take() {
		return time.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting.Add(1) // before the next look: whoever leaves after it sees that someone waits
	defer l.waiting.Add(-1)
	for !l.take() {
		l.free.Wait()
	}
	return time.Now()
}

func (l *limiter) take() bool {
	for {
		busy := l.busy.Load()
		if busy >= l.room.Load() {
			return false
		}
		if l.busy.CompareAndSwap(busy, busy+1) {
			return true
		}
	}
}

// leave says how the request that began then went. Requests that began before the last cut tell nothing about the limit
// after it: one burst halves it once.
func (l *limiter) leave(began time.Time, throttled bool) {
	l.busy.Add(-1)
	if !throttled && l.room.Load() == l.most && l.waiting.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !throttled:
		l.limit = min(float64(l.most), l.limit+1/l.limit)
	case !began.Before(l.cut):
		l.limit, l.cut = max(1, l.limit/2), time.Now()
	}
	l.room.Store(int64(l.limit))
	l.free.Broadcast()
}

func isThrottled(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "ThrottledException":
		return true
	}
	return false
}

// limited makes one request to the table when there is room for it, and tells it when that was.
func limited[T any](ctx context.Context, b *batch, f func(began time.Time) (T, error)) (result T, err error) {
	began := b.limiter.enter()
	defer func() {
		throttled := isThrottled(err)
		b.limiter.leave(began, throttled)
		if throttled {
			b.mu.Lock()
			b.stats.Throttled++
			b.mu.Unlock()
		}
	}()
	if ctx.Err() != nil { // it ended while waiting
		return result, context.Cause(ctx)
	}
	return safely(func() (T, error) { return f(began) })
}

// maxReserve and reserveShare are the time before the deadline that is kept for fault events and the answer: a fifth of what
// there is, and at most a second.
const (
	maxReserve   = time.Second
	reserveShare = 5
)

var errLate = fmt.Errorf("views: not done, since the time of the function is nearly over: %w", context.DeadlineExceeded)

// working is the context of the work on the events: it ends before the deadline of ctx, so that there is time to say what was
// not done. Without, the function would be killed, and everything delivered again.
func working(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	reserve := min(maxReserve, time.Until(deadline)/reserveShare)
	return context.WithDeadlineCause(ctx, deadline.Add(-reserve), errLate)
}
