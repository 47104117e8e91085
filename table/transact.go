package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// maxTransact is DynamoDB's limit.
const maxTransact = 100

// Transact writes up to 100 rows, all or none, and checks others: models make the operations (Put, CreateOp, UpdateOp, DeleteOp, RestoreOp, CheckOp). Each is
// what the command of that name does, with its conditions, stamps and unique values; the guards of these count among the 100. Two operations on one
// row are an error.
//
// What stands in the way of nothing but time is tried again: a row with a later timestamp, another transaction, a throttle. If the transaction is cancelled for another
// reason, the error joins an *Error for each operation that stood in its way (see Op.Reason), with the row as it stands (see Current of a model), and the client's
// *types.TransactionCanceledException.
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
	if err := db.opened(); err != nil {
		return err
	}
	if len(ops) == 0 || len(ops) > maxTransact {
		return invalid("a transaction has 1 to %d operations, and %d were given", maxTransact, len(ops))
	}
	if err := twice(ops); err != nil {
		return err
	}
	rows := make([]*row, len(ops))
	for i, o := range ops {
		var err error
		if rows[i], err = o.row(ctx, db); err != nil {
			return err
		}
	}
	stopped, canceled, err := db.commit(ctx, token, rows)
	if len(stopped) == 0 && err != nil && !strings.HasPrefix(err.Error(), "table: ") {
		return fmt.Errorf("table: transact: %w", err)
	}
	if len(stopped) == 0 {
		return err
	}
	var faults []error
	for _, f := range stopped {
		i := slices.IndexFunc(rows, func(r *row) bool { return r.key == f.Key })
		f.Op, f.at = "transact", fmt.Sprintf("operation %d: ", i)
		faults = append(faults, f)
	}
	if canceled != nil {
		faults = append(faults, canceled)
	}
	return errors.Join(faults...)
}

// twice finds two operations on one row.
func twice(ops []Op) error {
	first := make(map[RowKey]int, len(ops))
	for i, o := range ops {
		if j, ok := first[o.key]; ok && o.model != nil && o.err == nil {
			return o.model.fail("transact", o.key, invalid("operations %d and %d are on this row: a transaction takes one on each", j, i))
		}
		first[o.key] = i
	}
	return nil
}

// commitOne is a command on a row with guards.
func (db *DB) commitOne(ctx context.Context, r *row) error {
	stopped, _, err := db.commit(ctx, nil, []*row{r})
	if len(stopped) == 0 {
		return err
	}
	return stopped[0]
}

// commit makes rows, and the guards of their unique values, in one transaction, and tries again while time alone stands in the way. It returns what
// stopped it, by row.
func (db *DB) commit(ctx context.Context, token *string, rows []*row) ([]*Error, *types.TransactionCanceledException, error) {
	pause, changed := newPause(), 0
	var canceled *types.TransactionCanceledException
	var stopped []*Error
	for range maxAttempts {
		acts, err := db.plan(ctx, rows)
		if fault, ok := errors.AsType[*Error](err); ok && fault.Op == "" {
			return []*Error{fault}, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if canceled, err = db.transact(ctx, acts, db.requestToken(token, rows, changed)); canceled == nil {
			if _, repeated := errors.AsType[*types.IdempotentParameterMismatchException](err); repeated && token != nil {
				return nil, nil, nil // these operations with other stamps
			}
			return nil, nil, err
		}
		if err := db.mendAll(ctx, acts, canceled); err != nil {
			if fault, ok := errors.AsType[*Error](err); ok && fault.Op == "" {
				return []*Error{fault}, canceled, nil
			}
			return nil, nil, err
		}
		var learnt, busy bool
		if stopped, learnt, busy = db.settle(acts, canceled); len(stopped) > 0 && !busy {
			return stopped, canceled, nil
		}
		if learnt {
			changed++
		}
		if busy {
			if err := pause.Wait(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(stopped) == 0 {
		stopped = []*Error{{Model: rows[0].name, Key: rows[0].key, Err: ErrConflict, again: true}}
	}
	return stopped, canceled, nil
}

// act is one write of a transaction: of a row, or of a guard.
type act struct {
	row   *row
	claim *claim
	item  types.TransactWriteItem
}

// plan reads the rows that have guards and were not read yet, and makes the writes: first the rows, then the guards.
func (db *DB) plan(ctx context.Context, rows []*row) ([]act, error) {
	if err := db.survey(ctx, rows); err != nil {
		return nil, err
	}
	acts := make([]act, len(rows))
	var claims []*claim
	by := map[*claim]*row{}
	for i, r := range rows {
		item, err := r.action(db.name)
		if err != nil {
			return nil, err
		}
		acts[i] = act{row: r, item: item}
		if !r.guarded() {
			continue
		}
		list, err := r.claims()
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			by[c] = r
		}
		claims = append(claims, list...)
	}
	claims, err := merged(claims)
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		r := by[c]
		if c.holder != nil {
			r = c.holder
		}
		acts = append(acts, act{row: r, claim: c, item: c.item(db.name)})
	}
	if len(acts) > maxTransact {
		return nil, invalid("the operations write %d rows with the guards of unique values, and a transaction takes %d", len(acts), maxTransact)
	}
	return acts, nil
}

// survey reads the rows of which the guards must be known.
func (db *DB) survey(ctx context.Context, rows []*row) error {
	var keys []RowKey
	for _, r := range rows {
		if r.guarded() && !r.guarding.known {
			keys = append(keys, r.key)
		}
	}
	found, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.guarded() && !r.guarding.known {
			r.learn(found[r.key], db.next(r))
		}
	}
	return nil
}

func (db *DB) next(r *row) func(floor int64) time.Time {
	return func(floor int64) time.Time { return db.clock.next(r.key, floor) }
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
		parts = append(parts, string(r.identity()))
	}
	return new(idempotence.ID("insideout table transaction", parts...))
}

// identity is all that the caller decided about a write.
func (r *row) identity() []byte {
	b := appendText(nil, r.name, r.key.PK, r.key.SK)
	for i := r.first; i < len(r.values); i++ {
		if r.values[i] != nil {
			b = appendValue(appendText(b, r.names[i]), r.constant(i))
		}
	}
	if r.kind == writeSave && len(r.cond) == 0 && r.expected == 0 {
		return b
	}
	b = appendText(b, strconv.Itoa(int(r.kind)), strconv.FormatInt(r.expected, 10))
	x := &builder{model: r.model, names: map[string]string{}, values: Item{}, prefix: "x"}
	var c clauses
	for _, e := range r.edits {
		if e.handle.field != nil && e.handle.field.seal != nil {
			e.value = anyCiphertext()
		}
		e.write(x, &c)
	}
	text, _ := x.all(r.cond) // its mistakes show when the request is made
	b = appendText(b, c.text(), text)
	for i := range len(x.names) {
		b = appendText(b, x.names["#x"+strconv.Itoa(i)])
	}
	for i := range len(x.values) {
		b = appendValue(b, x.values[":x"+strconv.Itoa(i)])
	}
	return b
}

func (db *DB) transact(ctx context.Context, acts []act, token *string) (*types.TransactionCanceledException, error) {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: make([]types.TransactWriteItem, len(acts)), ClientRequestToken: token}
	for i, a := range acts {
		in.TransactItems[i] = a.item
	}
	_, err := db.client.TransactWriteItems(ctx, in)
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return canceled, nil
	}
	return nil, err
}

// action is the write of a row in a transaction.
func (r *row) action(table string) (types.TransactWriteItem, error) {
	p, err := r.parts()
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	key, old := r.key.Item(), types.ReturnValuesOnConditionCheckFailureAllOld
	if len(p.values) == 0 {
		p.values = nil
	}
	switch r.kind {
	case writeCheck:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &table, Key: key, ConditionExpression: &p.condition,
			ExpressionAttributeNames: p.names, ExpressionAttributeValues: p.values, ReturnValuesOnConditionCheckFailure: old,
		}}, nil
	case writePurge:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &table, Key: key, ConditionExpression: &p.condition,
			ExpressionAttributeNames: p.names, ExpressionAttributeValues: p.values, ReturnValuesOnConditionCheckFailure: old,
		}}, nil
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: key, UpdateExpression: &p.update, ConditionExpression: &p.condition,
		ExpressionAttributeNames: p.names, ExpressionAttributeValues: p.values, ReturnValuesOnConditionCheckFailure: old,
	}}, nil
}

// settle goes through the reasons of a cancelled transaction. What a row that stood in the way says is learnt, and stamps grow beyond it; busy says that others were
// at work, and stopped is what will be in the way of the next attempt, too. If there is only what passes, stopped lists it along with busy.
func (db *DB) settle(acts []act, canceled *types.TransactionCanceledException) (stopped []*Error, learnt, busy bool) {
	var passing []*Error
	for i, reason := range canceled.CancellationReasons {
		code := textOr(reason.Code)
		switch {
		case i >= len(acts) || code == "" || code == "None":
		case code == "ConditionalCheckFailed":
			fault := db.judge(acts[i], reason.Item)
			if fault == nil {
				learnt = true
				continue
			}
			stopped = append(stopped, fault)
		case slices.Contains(retryableCodes(), code):
			passing = append(passing, acts[i].fault(errors.New(code), nil))
		default:
			stopped = append(stopped, acts[i].fault(errors.New(strings.TrimSuffix(code+": "+textOr(reason.Message), ": ")), nil))
		}
	}
	switch {
	case len(stopped) > 0:
		return append(stopped, passing...), learnt, false
	case len(passing) > 0:
		for _, f := range passing {
			f.again = true
		}
		return passing, learnt, true
	}
	return nil, learnt, false
}

func (a act) fault(err error, current Item) *Error {
	return &Error{Model: a.row.name, Key: a.row.key, Err: err, Current: current}
}

// judge says why a condition failed, or learns from it and returns nil.
func (db *DB) judge(a act, stored Item) *Error {
	r := a.row
	switch {
	case a.claim != nil && a.claim.holder == nil: // another row holds what this one would give up
		r.guarding.spared = append(r.guarding.spared, a.claim.key)
		return nil
	case a.claim != nil:
		f := a.fault(ErrExists, nil)
		f.Field, f.Holder = a.claim.field, holderOf(stored)
		return f
	case r.guarded() && !sameTime(stored, r.guarding.current):
		r.learn(stored, db.next(r))
		return nil
	}
	if _, verdict := r.verdict(stored); verdict != nil && verdict != errOutdated && verdict != errUnseen {
		return a.fault(verdict, stored)
	}
	r.stamp(db.clock.next(r.key, storedTimestamp(stored)+1))
	return nil
}

func sameTime(a, b Item) bool {
	return storedTimestamp(a) == storedTimestamp(b) && (a[attrTimestamp] == nil) == (b[attrTimestamp] == nil)
}
