package cdc

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout/table"
)

const (
	firstPause = 20 * time.Millisecond
	maxPause   = 5 * time.Second
)

// transient reports whether the same call may succeed a little later.
func transient(err error) bool {
	if _, ok := errors.AsType[*streams.LimitExceededException](err); ok {
		return true
	}
	if _, ok := errors.AsType[*streams.InternalServerError](err); ok {
		return true
	}
	return table.Retryable(err)
}

// backoff grows from pause to pause, each of a random length, so that many followers do not come back at once.
type backoff struct{ attempts int }

func (b *backoff) wait(ctx context.Context) error {
	limit := min(maxPause, firstPause<<min(b.attempts, 10))
	b.attempts++
	return sleep(ctx, limit/2+rand.N(limit/2))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retry calls f until it succeeds or fails for good.
func (f *follower) retry(ctx context.Context, what string, call func() error) error {
	var pause backoff
	for {
		err := call()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !transient(err) {
			return err
		}
		f.opts.Logger.WarnContext(ctx, "cdc: trying again", "call", what, "attempt", pause.attempts+1, "error", err)
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}
