package idempotence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/insideout-go/insideout/internal/backoff"
)

const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
	settleTime   = 5 * time.Second // for the writes that end a claim, after the context has ended
	settleTries  = 4
)

// claim is a caller's hold on a row while its function runs. It travels in the function's context.
type claim struct {
	owner, payload string

	mu   sync.Mutex
	done *entry // what a transaction of the function has stored
}

func (c *claim) settled() (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		return entry{}, false
	}
	return *c.done, true
}

func (c *claim) settle(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = &e
}

// take claims the row. It returns the entry if the row has ended already, and nil if the claim is this caller's.
func (c *call[T]) take(ctx context.Context, until time.Time) (*entry, error) {
	old, err := c.put(ctx, c.claiming(time.Now(), until))
	if isConflict(err) {
		// A transaction is writing the row at this very moment.
		return nil, c.busy("claim", time.Now().Add(longestPause), fmt.Errorf("%w: %w", ErrInProgress, err))
	}
	if err != nil {
		if uncertain(err) {
			_, _, _ = c.release(ctx) // the claim may stand, and nobody would end it before its lease
		}
		return nil, c.fail("claim", err)
	}
	if old == nil || old.owner == c.owner { // its own: the client sent the request twice
		return nil, nil
	}
	return c.taken("claim", old, ErrInProgress)
}

// taken is what another caller's row says to this call: its end, or why there is none yet.
func (c *call[T]) taken(op string, old *entry, busy error) (*entry, error) {
	switch {
	case old.payload != c.payload && busy == ErrInProgress:
		return nil, c.fail(op, ErrPayloadMismatch)
	case old.payload != c.payload || old.status == inProgress:
		return nil, c.busy(op, old.until, busy)
	}
	return old, nil
}

// finish ends the claim with e, and returns what the row says then: e, or what the caller wrote that had taken the row over.
func (c *call[T]) finish(ctx context.Context, e entry) (entry, error) {
	e.owner, e.payload, e.expires = c.owner, c.payload, time.Now().Add(c.opts.Retention)
	var old *entry
	err := persist(ctx, func(ctx context.Context) (err error) {
		old, err = c.put(ctx, c.finishing(time.Now(), e))
		return err
	})
	if _, gone := errors.AsType[*noRow](err); gone {
		c.warn(ctx)
		return entry{}, c.fail("complete", ErrLost)
	}
	if err != nil {
		return entry{}, c.fail("complete", err)
	}
	if old == nil {
		return e, nil
	}
	if old.owner != c.owner {
		c.warn(ctx)
	}
	ended, err := c.taken("complete", old, ErrLost)
	if err != nil {
		return entry{}, err
	}
	return *ended, nil
}

// release ends the claim without a trace. If the row has ended otherwise, it returns how.
func (c *call[T]) release(ctx context.Context) (stored entry, found bool, err error) {
	w := c.releasing()
	var old *entry
	err = persist(ctx, func(ctx context.Context) error {
		_, err := c.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &c.table, Key: c.row.item(), ConditionExpression: &w.condition,
			ExpressionAttributeNames: w.names(), ExpressionAttributeValues: w.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
			old, err = readEntry(failed.Item)
		}
		return err
	})
	if err != nil {
		return entry{}, false, c.fail("release", err)
	}
	if old == nil || old.status == inProgress || old.payload != c.payload {
		return entry{}, false, nil
	}
	return *old, true, nil
}

// noRow is the failure of a condition on a row that is not there.
type noRow struct{ err error }

func (e *noRow) Error() string { return e.err.Error() }
func (e *noRow) Unwrap() error { return e.err }

// put makes the write. It returns the row if the condition fails, and nil if it holds.
func (c *call[T]) put(ctx context.Context, w write) (*entry, error) {
	_, err := c.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.table, Key: c.row.item(), UpdateExpression: &w.update, ConditionExpression: &w.condition,
		ExpressionAttributeNames: w.names(), ExpressionAttributeValues: w.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, err
	}
	old, readErr := readEntry(failed.Item)
	if readErr == nil && old == nil {
		return nil, &noRow{err}
	}
	return old, readErr
}

// persist makes a write that ends a claim: the caller's context may have ended, and what the effect did must not be forgotten
// because of one lost packet.
func persist(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	pause := newPause()
	for try := 1; ; try++ {
		err := write(ctx)
		if err == nil || try == settleTries || !uncertain(err) && !isConflict(err) {
			return err
		}
		if pause.Wait(ctx) != nil {
			return err
		}
	}
}

// uncertain says that a request may have been carried out although it failed.
func uncertain(err error) bool {
	if _, ok := errors.AsType[*noRow](err); ok {
		return false
	}
	api, ok := errors.AsType[smithy.APIError](err)
	return !ok || api.ErrorFault() == smithy.FaultServer || slices.Contains([]string{
		"InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException",
	}, api.ErrorCode())
}

// isConflict says that a request failed only because of others at the same time.
func isConflict(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{
		"TransactionConflictException", "TransactionConflict", "TransactionInProgressException", "ReplicatedWriteConflictException",
	}, api.ErrorCode())
}

func newPause() backoff.Backoff { return backoff.Backoff{First: firstPause, Most: longestPause} }
