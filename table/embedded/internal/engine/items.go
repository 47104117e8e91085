package engine

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// GetItem implements DynamoDB's operation.
func (e *Engine) GetItem(ctx context.Context, in *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
	return e.GetItemJSON(ctx, in, nil)
}

// GetItemJSON appends the item to a text that is not nil, instead of leaving it in the output: as DynamoDB's JSON,
// nothing if there is none.
func (e *Engine) GetItemJSON(ctx context.Context, in *dynamodb.GetItemInput, text *[]byte) (*dynamodb.GetItemOutput, error) {
	var v violations
	v.table(in.TableName)
	if in.Key == nil {
		v.add(nil, "key", notNull)
	}
	v.attributes("attributesToGet", in.AttributesToGet)
	v.capacity(in.ReturnConsumedCapacity)
	if err := v.err(); err != nil {
		return nil, err
	}
	key, err := attr.ItemFromSDK(in.Key)
	if err != nil {
		return nil, invalid(err)
	}
	p, err := e.selected(in.AttributesToGet, in.ProjectionExpression, in.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	if err := t.checkScalars(p); err != nil {
		return nil, err
	}
	r, err := e.get(ctx, t, key)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.GetItemOutput{}
	switch {
	case text == nil:
		out.Item, err = r.project(p)
	case r.exists():
		*text, err = r.appendJSON(*text, p)
	}
	if err != nil {
		return nil, err
	}
	u := readUnits(r.size(), in.ConsistentRead)
	out.ConsumedCapacity = newUsage(t).read(nil, u).report(in.ReturnConsumedCapacity)
	return out, nil
}

// get reads one row. What it returns is durable.
func (e *Engine) get(ctx context.Context, t *table, key attr.Item) (row, error) {
	if err := t.checkLookup(key); err != nil {
		return row{}, err
	}
	k, err := t.rowKey(key)
	if err != nil {
		return row{}, err
	}
	r, err := readRow(e.store, k.bytes)
	if err != nil {
		return row{}, err
	}
	return r, internal(seen(ctx, &e.stripes[e.stripe(t, k)].last))
}

// project renders a row; nil if there is none.
func (r *row) project(p *expr.Projection) (map[string]types.AttributeValue, error) {
	if p == nil {
		return r.sdk()
	}
	item, err := r.item()
	if err != nil || item == nil {
		return nil, err
	}
	return attr.ItemToSDK(p.Apply(item)), nil
}

// PutItem implements DynamoDB's operation.
func (e *Engine) PutItem(ctx context.Context, in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	if err := checkWrite(in.TableName, in.Item == nil, "item", in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics,
		in.ReturnValues, in.ReturnValuesOnConditionCheckFailure).err(); err != nil {
		return nil, err
	}
	item, err := attr.ItemFromSDK(in.Item)
	if err != nil {
		return nil, invalid(err)
	}
	if err := onlyAllOld(in.ReturnValues); err != nil {
		return nil, err
	}
	cond, err := e.guard(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		in.Expected, in.ConditionalOperator)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	a, err := t.put(item, cond)
	if err != nil {
		return nil, err
	}
	if err := e.writeOne(ctx, a, in.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	out := &dynamodb.PutItemOutput{ItemCollectionMetrics: a.collection(in.ReturnItemCollectionMetrics)}
	if in.ReturnValues == types.ReturnValueAllOld {
		if out.Attributes, err = a.old.project(nil); err != nil {
			return nil, err
		}
	}
	out.ConsumedCapacity, err = a.report(in.ReturnConsumedCapacity)
	return out, err
}

// put makes the action of putting an item.
func (t *table) put(item attr.Item, cond *expr.Condition) (*action, error) {
	if err := t.checkItem(item); err != nil {
		return nil, err
	}
	if err := t.checkIndexKeys(item, nil); err != nil {
		return nil, err
	}
	if attr.ItemSize(item) > maxItemSize {
		return nil, validation("Item size has exceeded the maximum allowed size")
	}
	if err := t.checkScalars(cond); err != nil {
		return nil, err
	}
	k, err := t.rowKey(item)
	if err != nil {
		return nil, err
	}
	return &action{t: t, key: k, cond: cond, next: func(*row) (attr.Item, error) { return item, nil }}, nil
}

// writeOne does one action and turns a failed condition into its exception.
func (e *Engine) writeOne(ctx context.Context, a *action, rv types.ReturnValuesOnConditionCheckFailure) error {
	err := e.write(ctx, []*action{a}, nil, nil)
	if f, ok := errors.AsType[*conditionFailed](err); ok {
		return f.exception(rv)
	}
	return err
}

// DeleteItem implements DynamoDB's operation.
func (e *Engine) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput) (*dynamodb.DeleteItemOutput, error) {
	if err := checkWrite(in.TableName, in.Key == nil, "key", in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics,
		in.ReturnValues, in.ReturnValuesOnConditionCheckFailure).err(); err != nil {
		return nil, err
	}
	key, err := attr.ItemFromSDK(in.Key)
	if err != nil {
		return nil, invalid(err)
	}
	if err := onlyAllOld(in.ReturnValues); err != nil {
		return nil, err
	}
	cond, err := e.guard(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		in.Expected, in.ConditionalOperator)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	a, err := t.remove(key, cond)
	if err != nil {
		return nil, err
	}
	if err := e.writeOne(ctx, a, in.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	out := &dynamodb.DeleteItemOutput{ItemCollectionMetrics: a.collection(in.ReturnItemCollectionMetrics)}
	if in.ReturnValues == types.ReturnValueAllOld {
		if out.Attributes, err = a.old.project(nil); err != nil {
			return nil, err
		}
	}
	out.ConsumedCapacity, err = a.report(in.ReturnConsumedCapacity)
	return out, err
}

// remove makes the action of deleting a row.
func (t *table) remove(key attr.Item, cond *expr.Condition) (*action, error) {
	a, err := t.check(key, cond)
	if err != nil {
		return nil, err
	}
	a.next = func(*row) (attr.Item, error) { return nil, nil }
	return a, nil
}

// check makes the action of only checking a condition.
func (t *table) check(key attr.Item, cond *expr.Condition) (*action, error) {
	if err := t.checkLookup(key); err != nil {
		return nil, err
	}
	if err := t.checkScalars(cond); err != nil {
		return nil, err
	}
	k, err := t.rowKey(key)
	if err != nil {
		return nil, err
	}
	return &action{t: t, key: k, cond: cond}, nil
}

// checkWrite is the first layer of checks that all writes of one item share.
func checkWrite(table *string, missing bool, body string, rcc types.ReturnConsumedCapacity,
	metrics types.ReturnItemCollectionMetrics, rv types.ReturnValue, onFailure types.ReturnValuesOnConditionCheckFailure,
) *violations {
	var v violations
	v.table(table)
	if missing {
		v.add(nil, body, notNull)
	}
	v.capacity(rcc)
	oneOf(&v, "returnItemCollectionMetrics", metrics, metrics.Values())
	oneOf(&v, "returnValues", rv, []types.ReturnValue{"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"})
	oneOf(&v, "returnValuesOnConditionCheckFailure", onFailure, onFailure.Values())
	return &v
}

func (v *violations) capacity(r types.ReturnConsumedCapacity) {
	oneOf(v, "returnConsumedCapacity", r, r.Values())
}

func onlyAllOld(rv types.ReturnValue) error {
	if rv != "" && rv != types.ReturnValueNone && rv != types.ReturnValueAllOld {
		return validation("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}
