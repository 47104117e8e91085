package engine

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// UpdateItem implements DynamoDB's operation.
func (e *Engine) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput) (*dynamodb.UpdateItemOutput, error) {
	v := checkWrite(in.TableName, in.Key == nil, "key", in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics,
		in.ReturnValues, in.ReturnValuesOnConditionCheckFailure)
	if err := v.first(); err != nil {
		return nil, err
	}
	key, err := attr.ItemFromSDK(in.Key)
	if err != nil {
		return nil, invalid(err)
	}
	u, cond, err := e.changes(in)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	a, err := t.update(key, u, cond)
	if err != nil {
		return nil, err
	}
	if err := e.writeOne(ctx, a, in.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	out := &dynamodb.UpdateItemOutput{ItemCollectionMetrics: a.collection(in.ReturnItemCollectionMetrics)}
	if out.Attributes, err = a.updated(u, in.ReturnValues); err != nil {
		return nil, err
	}
	out.ConsumedCapacity, err = a.report(in.ReturnConsumedCapacity)
	return out, err
}

// changes reads the expressions of an update in either form; each is nil if
// absent.
func (e *Engine) changes(in *dynamodb.UpdateItemInput) (*expr.Update, *expr.Condition, error) {
	older := []given{
		{"AttributeUpdates", in.AttributeUpdates != nil},
		{"Expected", in.Expected != nil},
		{"ConditionalOperator", in.ConditionalOperator != ""},
	}
	err := unmixed(older, []given{
		{"UpdateExpression", in.UpdateExpression != nil},
		{"ConditionExpression", in.ConditionExpression != nil},
	})
	if err != nil {
		return nil, nil, err
	}
	u, cond, err := e.updates(in.UpdateExpression, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil || len(present(older)) == 0 {
		return u, cond, err
	}
	if len(in.AttributeUpdates) > 0 {
		if u, err = updated(in.AttributeUpdates); err != nil {
			return nil, nil, err
		}
	}
	cond, err = expected(in.Expected, in.ConditionalOperator)
	return u, cond, err
}

// update makes the action of updating a row, or of creating one that has
// nothing but its key and what the update sets; an update that only removes
// creates none. A nil update changes nothing else.
func (t *table) update(key attr.Item, u *expr.Update, cond *expr.Condition) (*action, error) {
	a, err := t.check(key, cond)
	if err != nil {
		return nil, err
	}
	if u != nil {
		if err := u.RefuseKeys(t.keys.names()...); err != nil {
			return nil, invalid(err)
		}
	}
	if err := t.checkScalars(u); err != nil {
		return nil, err
	}
	a.next = func(r *row) (attr.Item, error) {
		old, err := r.item()
		if err != nil {
			return nil, err
		}
		if old == nil && u != nil && !u.Creates() {
			return nil, nil
		}
		return t.updated(key, old, u)
	}
	return a, nil
}

func (t *table) updated(key, old attr.Item, u *expr.Update) (attr.Item, error) {
	switch {
	case u == nil && old == nil:
		return key, nil
	case u == nil:
		return old, nil
	}
	var item attr.Item
	var err error
	if old == nil {
		item, err = u.ApplyMissing(key)
		old = attr.Item{}
	} else {
		item, err = u.Apply(old)
	}
	if err != nil {
		return nil, invalid(err)
	}
	if err := t.checkIndexKeys(item, old); err != nil {
		return nil, err
	}
	if attr.ItemSize(item) > maxItemSize {
		return nil, validation("Item size to update has exceeded the maximum allowed size")
	}
	return item, nil
}

// updated renders what an update returns.
func (a *action) updated(u *expr.Update, rv types.ReturnValue) (map[string]types.AttributeValue, error) {
	old, err := a.old.item()
	if err != nil {
		return nil, err
	}
	var item attr.Item
	switch rv {
	case types.ReturnValueAllOld:
		item = old
	case types.ReturnValueAllNew:
		item = a.new.decoded
	case types.ReturnValueUpdatedOld:
		if u != nil && old != nil {
			item = u.Touched(old)
		}
	case types.ReturnValueUpdatedNew:
		if u != nil {
			item = u.Touched(a.new.decoded)
		}
	}
	if len(item) == 0 {
		return nil, nil
	}
	return attr.ItemToSDK(item), nil
}
