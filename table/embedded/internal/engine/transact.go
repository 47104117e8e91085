package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// DynamoDB's limits on transactions.
const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
	maxTokenLength   = 36
)

// errFailed stops a transaction whose actions have failed one by one.
var errFailed = errors.New("embedded: the transaction is cancelled")

// step is one action of a transaction as asked for.
type step struct {
	table     *string
	op        string
	body      attr.Item // the item or key
	update    *expr.Update
	cond      *expr.Condition
	onFailure types.ReturnValuesOnConditionCheckFailure
	digest    func() ([]byte, error) // of what two calls with one token must have in common
}

// TransactWriteItems implements DynamoDB's operation. All actions happen at
// once or none; concurrent transactions wait for each other and do not
// conflict.
func (e *Engine) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error) {
	if err := checkTransactWrite(in); err != nil {
		return nil, err
	}
	steps, err := e.parseSteps(in.TransactItems)
	if err != nil {
		return nil, err
	}
	token, err := e.beginToken(in.ClientRequestToken, steps)
	if err != nil {
		return nil, err
	}
	defer token.end()
	if token.repeated() {
		return e.repeated(ctx, steps, in.ReturnConsumedCapacity)
	}
	actions, unlock, err := e.lockActions(steps)
	if err != nil {
		return nil, err
	}
	defer unlock()
	failures := make([]error, len(actions))
	if err := e.write(ctx, actions, failures, token.stage); err != nil {
		if err == errFailed {
			return nil, cancelled(steps, failures)
		}
		return nil, err
	}
	out := &dynamodb.TransactWriteItemsOutput{ItemCollectionMetrics: collections(actions, in.ReturnItemCollectionMetrics)}
	out.ConsumedCapacity, err = usages(actions, in.ReturnConsumedCapacity, 2, writeSide)
	return out, err
}

// repeated answers a transaction that has happened already: it costs what reading its items does.
func (e *Engine) repeated(ctx context.Context, steps []*step, how types.ReturnConsumedCapacity) (*dynamodb.TransactWriteItemsOutput, error) {
	out := &dynamodb.TransactWriteItemsOutput{}
	if how == "" || how == types.ReturnConsumedCapacityNone {
		return out, nil
	}
	actions, unlock, err := e.lockActions(steps)
	if err != nil {
		return nil, err
	}
	defer unlock()
	err = e.readActions(ctx, actions)
	out.ConsumedCapacity = getUsages(actions, how)
	return out, err
}

func checkTransactWrite(in *dynamodb.TransactWriteItemsInput) error {
	var v violations
	v.transactItems(in.TransactItems == nil, len(in.TransactItems))
	v.capacity(in.ReturnConsumedCapacity)
	oneOf(&v, "returnItemCollectionMetrics", in.ReturnItemCollectionMetrics, in.ReturnItemCollectionMetrics.Values())
	if t := in.ClientRequestToken; t != nil {
		v.needed("clientRequestToken", t, 1, maxTokenLength)
	}
	for i, w := range in.TransactItems {
		v.transactItem(member("transactItems", i), w)
	}
	if err := v.err(); err != nil {
		return err
	}
	for _, w := range in.TransactItems {
		n := 0
		for _, given := range []bool{w.ConditionCheck != nil, w.Put != nil, w.Update != nil, w.Delete != nil} {
			if given {
				n++
			}
		}
		if n != 1 {
			return validation("TransactItems can only contain one of Check, Put, Update or Delete")
		}
	}
	return nil
}

func (v *violations) transactItems(null bool, n int) {
	const path = "transactItems"
	switch {
	case null:
		v.add(nil, path, notNull)
	case n == 0:
		v.length(path, "[]", n, 1, maxTransactItems)
	default:
		v.length(path, "[...]", n, 1, maxTransactItems)
	}
}

func (v *violations) transactItem(path string, w types.TransactWriteItem) {
	if c := w.ConditionCheck; c != nil {
		if c.ConditionExpression == nil {
			v.add(nil, path+".conditionCheck.conditionExpression", notNull)
		}
		v.target(path+".conditionCheck", c.TableName, "key", c.Key == nil, c.ReturnValuesOnConditionCheckFailure)
	}
	if p := w.Put; p != nil {
		v.target(path+".put", p.TableName, "item", p.Item == nil, p.ReturnValuesOnConditionCheckFailure)
	}
	if d := w.Delete; d != nil {
		v.target(path+".delete", d.TableName, "key", d.Key == nil, d.ReturnValuesOnConditionCheckFailure)
	}
	if u := w.Update; u != nil {
		if u.UpdateExpression == nil {
			v.add(nil, path+".update.updateExpression", notNull)
		}
		v.target(path+".update", u.TableName, "key", u.Key == nil, u.ReturnValuesOnConditionCheckFailure)
	}
}

// target checks what an action of a transaction is about.
func (v *violations) target(path string, table *string, body string, missing bool, onFailure types.ReturnValuesOnConditionCheckFailure) {
	v.tableAt(path+".tableName", table)
	if missing {
		v.add(nil, path+"."+body, notNull)
	}
	oneOf(v, path+".returnValuesOnConditionCheckFailure", onFailure, onFailure.Values())
}

func (e *Engine) parseSteps(items []types.TransactWriteItem) ([]*step, error) {
	steps := make([]*step, 0, len(items))
	size := 0
	for _, w := range items {
		s, err := e.parseStep(w)
		if err != nil {
			return nil, err
		}
		size += attr.ItemSize(s.body)
		steps = append(steps, s)
	}
	if size > maxTransactBytes {
		return nil, validation("Transaction payload size cannot exceed 4MB. Payload Size: %d", size)
	}
	return steps, nil
}

func (e *Engine) parseStep(w types.TransactWriteItem) (*step, error) {
	switch {
	case w.Put != nil:
		p := w.Put
		return e.newStep("Put", p.TableName, p.Item, nil, p.ConditionExpression, p.ExpressionAttributeNames,
			p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure)
	case w.Update != nil:
		u := w.Update
		return e.newStep("Update", u.TableName, u.Key, u.UpdateExpression, u.ConditionExpression, u.ExpressionAttributeNames,
			u.ExpressionAttributeValues, u.ReturnValuesOnConditionCheckFailure)
	case w.Delete != nil:
		d := w.Delete
		return e.newStep("Delete", d.TableName, d.Key, nil, d.ConditionExpression, d.ExpressionAttributeNames,
			d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure)
	default:
		c := w.ConditionCheck
		return e.newStep("ConditionCheck", c.TableName, c.Key, nil, c.ConditionExpression, c.ExpressionAttributeNames,
			c.ExpressionAttributeValues, c.ReturnValuesOnConditionCheckFailure)
	}
}

func (e *Engine) newStep(op string, table *string, body map[string]types.AttributeValue, update, cond *string,
	names map[string]string, values map[string]types.AttributeValue, onFailure types.ReturnValuesOnConditionCheckFailure,
) (*step, error) {
	s := &step{table: table, op: op, onFailure: onFailure}
	var err error
	if s.body, err = attr.ItemFromSDK(body); err != nil {
		return nil, invalid(err)
	}
	if update == nil {
		s.cond, err = e.condition(cond, names, values)
	} else {
		s.update, s.cond, err = e.updates(update, cond, names, values)
	}
	if err != nil {
		return nil, err
	}
	s.digest = func() ([]byte, error) { return digest(s, update, cond, names, values) }
	return s, nil
}

func stepTables(steps []*step) []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = *s.table
	}
	return names
}

// lockActions makes the actions of a write, and locks their tables.
func (e *Engine) lockActions(steps []*step) ([]*action, func(), error) {
	tables, unlock, err := e.lockTables(stepTables(steps))
	if err != nil {
		return nil, nil, err
	}
	actions, err := stepActions(steps, tables)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return actions, unlock, nil
}

// stepActions makes the actions. A fault in one of them cancels the
// transaction; an empty key and an oversized item refuse it.
func stepActions(steps []*step, tables map[string]*table) ([]*action, error) {
	actions := make([]*action, len(steps))
	failures := make([]error, len(steps))
	keys := make(map[string]bool, len(steps))
	failed := false
	for i, s := range steps {
		a, err := s.action(tables[*s.table])
		if err != nil {
			if hoisted(err) {
				return nil, err
			}
			failures[i], failed = err, true
			continue
		}
		if keys[string(a.key.bytes)] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		keys[string(a.key.bytes)] = true
		actions[i] = a
	}
	if failed {
		return nil, cancelled(steps, failures)
	}
	return actions, nil
}

func (s *step) action(t *table) (*action, error) {
	switch s.op {
	case "Put":
		return t.put(s.body, s.cond)
	case "Update":
		return t.update(s.body, s.update, s.cond)
	case "Delete":
		return t.remove(s.body, s.cond)
	}
	return t.check(s.body, s.cond)
}

func hoisted(err error) bool {
	text := err.Error()
	return strings.Contains(text, "cannot contain an empty") || strings.Contains(text, "Item size has exceeded")
}

// cancelled is the answer to a transaction that did not happen: a reason for
// each action, in order.
func cancelled(steps []*step, failures []error) error {
	x := &types.TransactionCanceledException{}
	codes := make([]string, len(failures))
	for i, failure := range failures {
		r := types.CancellationReason{Code: new("None")}
		if f, ok := errors.AsType[*conditionFailed](failure); ok {
			r.Code, r.Message = new("ConditionalCheckFailed"), new(f.Error())
			if steps[i].onFailure == types.ReturnValuesOnConditionCheckFailureAllOld {
				if old, err := f.action.old.item(); err == nil && old != nil {
					r.Item = attr.ItemToSDK(old)
				}
			}
		} else if f, ok := errors.AsType[*collectionFull](failure); ok {
			r.Code, r.Message = new("ItemCollectionSizeLimitExceeded"), new(f.Error())
		} else if api, ok := errors.AsType[smithy.APIError](failure); ok {
			r.Code, r.Message = new("ValidationError"), new(api.ErrorMessage())
		}
		codes[i] = *r.Code
		x.CancellationReasons = append(x.CancellationReasons, r)
	}
	x.Message = new("Transaction cancelled, please refer cancellation reasons for specific reasons [" +
		strings.Join(codes, ", ") + "]")
	return x
}

// TransactGetItems implements DynamoDB's operation: it reads one state.
func (e *Engine) TransactGetItems(ctx context.Context, in *dynamodb.TransactGetItemsInput) (*dynamodb.TransactGetItemsOutput, error) {
	gets, projections, err := e.parseGets(in)
	if err != nil {
		return nil, err
	}
	tables, unlock, err := e.lockTables(stepTables(gets))
	if err != nil {
		return nil, err
	}
	defer unlock()
	for i, g := range gets {
		if err := tables[*g.table].checkScalars(projections[i]); err != nil {
			return nil, err
		}
	}
	actions, err := stepActions(gets, tables)
	if err != nil {
		return nil, err
	}
	if err := e.readActions(ctx, actions); err != nil {
		return nil, err
	}
	out := &dynamodb.TransactGetItemsOutput{Responses: make([]types.ItemResponse, len(actions))}
	size := 0
	for i, a := range actions {
		if size += a.old.size(); size > maxTransactBytes {
			return nil, validation("The transaction is too large: its items have at most 4 MB")
		}
		item, err := a.old.project(projections[i])
		if err != nil {
			return nil, err
		}
		if len(item) > 0 { // one of which the projection leaves nothing is not answered, unlike GetItem's
			out.Responses[i].Item = item
		}
	}
	out.ConsumedCapacity = getUsages(actions, in.ReturnConsumedCapacity)
	return out, nil
}

func (e *Engine) parseGets(in *dynamodb.TransactGetItemsInput) ([]*step, []*expr.Projection, error) {
	var v violations
	v.transactItems(in.TransactItems == nil, len(in.TransactItems))
	v.capacity(in.ReturnConsumedCapacity)
	for i, g := range in.TransactItems {
		path := member("transactItems", i) + ".get"
		if g.Get == nil {
			v.add(nil, path, notNull)
			continue
		}
		v.target(path, g.Get.TableName, "key", g.Get.Key == nil, "")
	}
	if err := v.err(); err != nil {
		return nil, nil, err
	}
	var steps []*step
	var projections []*expr.Projection
	for _, g := range in.TransactItems {
		p, err := e.projection(g.Get.ProjectionExpression, g.Get.ExpressionAttributeNames)
		if err != nil {
			return nil, nil, err
		}
		s, err := e.newStep("Get", g.Get.TableName, g.Get.Key, nil, nil, nil, nil, "")
		if err != nil {
			return nil, nil, err
		}
		steps, projections = append(steps, s), append(projections, p)
	}
	return steps, projections, nil
}

// readActions reads the rows of actions from one state and waits until that is durable.
func (e *Engine) readActions(ctx context.Context, actions []*action) error {
	snap, err := e.store.Snapshot()
	if err != nil {
		return internal(err)
	}
	defer snap.Close()
	for _, a := range actions {
		if a.old, err = readRow(snap, a.key.bytes); err != nil {
			return err
		}
	}
	for _, a := range actions {
		if err := seen(ctx, &e.stripes[e.stripe(a.t, a.key)].last); err != nil {
			return internal(err)
		}
	}
	return nil
}

func getUsages(actions []*action, how types.ReturnConsumedCapacity) []types.ConsumedCapacity {
	var all []types.ConsumedCapacity
	at := map[*table]*usage{}
	var order []*usage
	strong := true
	for _, a := range actions {
		if at[a.t] == nil {
			at[a.t] = newUsage(a.t)
			at[a.t].side = readSide
			order = append(order, at[a.t])
		}
		at[a.t].read(nil, 2*readUnits(a.old.size(), &strong))
	}
	for _, u := range order {
		if c := u.report(how); c != nil {
			all = append(all, *c)
		}
	}
	return all
}
