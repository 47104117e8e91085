package idempotence

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
)

// Receipt is a ledger's row on its way into a transaction. It is for one transaction, and for one goroutine.
type Receipt[T any] struct {
	call  *call[T]
	write write
	entry entry
}

// Receipt makes the receipt of an effect that is a DynamoDB transaction: put its Item into the transaction, with the
// increments or rows of the effect, and give the transaction's error to [Receipt.Result]. Both commit together or not at all, so that
// the effect happens exactly once, whatever crashes or is repeated, for as long as the receipt counts (Options.Retention).
//
// Without [Ledger.Do], concurrent callers race and one transaction wins; there is no lease. In the function of Do, with its context and key, the
// item completes the claim, and the transaction of a caller that has lost its claim is cancelled. Do needs no write of its own then.
//
// The result must encode as JSON within Options.MaxResult, else the error is [ErrResult], and there is no receipt. In Do the payload is
// that of Do. There is no I/O.
func (l *Ledger[T]) Receipt(ctx context.Context, key string, result T, opts ...CallOption) (*Receipt[T], error) {
	c, err := l.call(key, opts)
	if err != nil {
		return nil, err
	}
	text, err := l.encode(result)
	if err != nil {
		return nil, c.fail("transact", err)
	}
	now := time.Now()
	e := entry{status: completed, result: text, expires: now.Add(l.opts.Retention)}
	if held, ok := ctx.Value(c.row).(*claim); ok {
		c.claim, c.owner, c.payload = held, held.owner, held.payload
		e.owner, e.payload = c.owner, c.payload
		return &Receipt[T]{c, c.finishing(now, e), e}, nil
	}
	c.owner = uuid.NewString()
	e.owner, e.payload = c.owner, c.payload
	return &Receipt[T]{c, c.receipting(now, e), e}, nil
}

// Item is the operation for TransactWriteItems. It counts as one of the 100 that a transaction may have.
func (r *Receipt[T]) Item() types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &r.call.table, Key: r.call.row.item(),
		UpdateExpression: &r.write.update, ConditionExpression: &r.write.condition,
		ExpressionAttributeNames: r.write.names(), ExpressionAttributeValues: r.write.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// Result says what came of the transaction, given its error:
//
//   - it committed, now or in an earlier attempt: the result as it is stored;
//   - the receipt stood in its way: what an earlier caller stored, a result or [ErrFailed]; [ErrPayloadMismatch]; [ErrInProgress]; or [ErrLost];
//   - anything else: a [*LedgerError] that wraps the transaction's error. If it does not say whether the transaction has
//     committed, begin again with a new receipt, which finds out.
func (r *Receipt[T]) Result(err error) (T, error) {
	var none T
	if err == nil {
		return r.settle(r.entry)
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return none, r.call.fail("transact", err)
	}
	for _, reason := range canceled.CancellationReasons {
		if textOf(reason.Item["pk"]) != r.call.row.pk {
			continue
		}
		old, readErr := readEntry(reason.Item)
		if readErr != nil {
			return none, r.call.fail("transact", errors.Join(readErr, err))
		}
		return r.stopped(old)
	}
	return none, r.call.fail("transact", err)
}

// stopped is the answer where the row stood in the way.
func (r *Receipt[T]) stopped(old *entry) (T, error) {
	var none T
	busy := ErrInProgress
	if r.call.claim != nil {
		busy = ErrLost
	}
	ended, err := r.call.taken("transact", old, busy)
	if err != nil {
		return none, err
	}
	return r.settle(*ended)
}

func (r *Receipt[T]) settle(e entry) (T, error) {
	if r.call.claim != nil {
		r.call.claim.settle(e)
	}
	return r.call.replay("transact", e)
}
