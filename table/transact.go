package table

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// maxTransact is DynamoDB's limit.
const maxTransact = 100

// Transact writes up to 100 rows, all or none. Unlike in a Batch each write is what Save does, so that timestamps grow. Two operations on one
// row are an error. If it is cancelled for another reason than a timestamp, the error joins an *Error for each operation that stood in its way, with the
// row as it stands, and the client's *types.TransactionCanceledException, which has the reasons by index.
func (db *DB) Transact(ctx context.Context, ops ...Op) error {
	return db.transaction(ctx, nil, ops)
}

// TransactOnce is Transact for a caller that may come again, since it did not get the answer: under the same token the same operations
// are carried out once within ten minutes, and then succeed without a change. The token is the caller's, derived from what it is
// about ("order 42 paid"), of any length but not empty. Other operations under the same token, or the same with other values, are another transaction.
func (db *DB) TransactOnce(ctx context.Context, token string, ops ...Op) error {
	if token == "" {
		return invalid("the token is empty: derive it from what the transaction is about")
	}
	return db.transaction(ctx, &token, ops)
}

func (db *DB) transaction(ctx context.Context, token *string, ops []Op) error {
	if len(ops) == 0 || len(ops) > maxTransact {
		return invalid("a transaction has 1 to %d operations, and %d were given", maxTransact, len(ops))
	}
	if len(lastOf(ops)) < len(ops) {
		return invalid("two operations of the transaction write one row")
	}
	rows := make([]*row, len(ops))
	for i, o := range ops {
		var err error
		if rows[i], err = o.row(ctx, db); err != nil {
			return err
		}
	}
	for attempt := range maxAttempts {
		canceled, err := db.transact(ctx, rows, db.requestToken(token, rows, attempt))
		if _, repeated := errors.AsType[*types.IdempotentParameterMismatchException](err); repeated && token != nil {
			return nil // these operations with other stamps
		}
		if canceled == nil {
			return err
		}
		if !db.grow(rows, canceled.CancellationReasons) {
			return transactError(rows, canceled)
		}
	}
	return &Error{Op: "transact", Model: rows[0].name, Err: ErrConflict, again: true}
}

// requestToken is what DynamoDB knows a transaction by. It is a function of the caller's token and of all that the operations write but the
// stamps, which differ from call to call: so a request that DynamoDB refuses as different from the first one under its token differs in
// its stamps alone. An attempt with grown timestamps has a token of its own, lest it be taken for the one that was cancelled.
func (db *DB) requestToken(token *string, rows []*row, attempt int) *string {
	if token == nil {
		return nil
	}
	parts := []string{db.name, *token, strconv.Itoa(attempt)}
	for _, r := range rows {
		b := appendText(nil, r.name, r.key.PK, r.key.SK)
		for i, av := range r.values[r.first:] {
			if av != nil {
				b = appendValue(appendText(b, r.names[r.first+i]), av)
			}
		}
		parts = append(parts, string(b))
	}
	return new(idempotence.ID("insideout table transaction", parts...))
}

func (db *DB) transact(ctx context.Context, rows []*row, token *string) (*types.TransactionCanceledException, error) {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: make([]types.TransactWriteItem, len(rows)), ClientRequestToken: token}
	for i, r := range rows {
		p, err := r.parts()
		if err != nil {
			return nil, err
		}
		in.TransactItems[i].Update = &types.Update{
			TableName:                           &db.name,
			Key:                                 r.key.Item(),
			UpdateExpression:                    &p.update,
			ConditionExpression:                 &p.condition,
			ExpressionAttributeNames:            p.names,
			ExpressionAttributeValues:           p.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
	}
	_, err := db.client.TransactWriteItems(ctx, in)
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return canceled, nil
	}
	return nil, err
}

// grow gives rows with a later timestamp the next one after it. It is false if anything else stopped the transaction.
func (db *DB) grow(rows []*row, reasons []types.CancellationReason) bool {
	grown := false
	for i, reason := range reasons {
		switch {
		case i >= len(rows) || reason.Code == nil || *reason.Code == "None":
		case *reason.Code != "ConditionalCheckFailed" || !rows[i].overtaken(reason.Item):
			return false
		default:
			rows[i].stamp(db.clock.next(rows[i].key, storedTimestamp(reason.Item)+1))
			grown = true
		}
	}
	return grown
}

// overtaken says that nothing but the timestamp was in the way.
func (r *row) overtaken(stored Item) bool {
	done, verdict := r.verdict(stored)
	return !done && verdict == nil
}

func transactError(rows []*row, canceled *types.TransactionCanceledException) error {
	var faults []error
	for i, reason := range canceled.CancellationReasons {
		if i >= len(rows) || reason.Code == nil || *reason.Code == "None" {
			continue
		}
		cause := fmt.Errorf("operation %d: %s", i, *reason.Code)
		if *reason.Code == "ConditionalCheckFailed" {
			cause = fmt.Errorf("operation %d: %w", i, ErrConflict)
		}
		faults = append(faults, &Error{Op: "transact", Model: rows[i].name, Key: rows[i].key, Err: cause, Current: reason.Item})
	}
	return errors.Join(append(faults, canceled)...)
}
