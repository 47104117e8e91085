package cdc

import (
	"context"
	"errors"
	"time"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout/internal/backoff"
	"github.com/insideout-go/insideout/table"
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

func newPause() backoff.Backoff {
	return backoff.Backoff{First: 20 * time.Millisecond, Most: 5 * time.Second}
}

// retry calls f until it succeeds or fails for good.
func (f *follower) retry(ctx context.Context, what string, call func() error) error {
	pause := newPause()
	for attempt := 1; ; attempt++ {
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
		f.opts.Logger.WarnContext(ctx, "cdc: trying again", "call", what, "attempt", attempt, "error", err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}
