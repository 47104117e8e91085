package tabletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func (g *generator) batchWrite() request {
	var writes []types.WriteRequest
	var texts []string
	for range 1 + g.IntN(4) {
		if g.chance(3) {
			key := row(g.key())
			writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
			texts = append(texts, "delete "+show(key))
			continue
		}
		it := row(g.item())
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		texts = append(texts, "put "+show(it))
	}
	capacity := g.units()
	return request{"BatchWrite " + strings.Join(texts, ", "), func(e Endpoint, c *check, table string) string {
		out, err := e.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: writes}, ReturnConsumedCapacity: capacity,
		})
		if err != nil {
			return failure(err)
		}
		return fmt.Sprint("ok ", len(out.UnprocessedItems), consumedByAll(out.ConsumedCapacity))
	}}
}

func consumedByAll(all []types.ConsumedCapacity) string {
	text := ""
	for _, c := range all {
		text += consumed(&c)
	}
	return text
}

func (g *generator) batchGet() request {
	x := newExpressions(g)
	ka := types.KeysAndAttributes{ConsistentRead: new(g.chance(2))}
	var texts []string
	for range 1 + g.IntN(4) {
		ka.Keys = append(ka.Keys, row(g.key()))
		texts = append(texts, show(ka.Keys[len(ka.Keys)-1]))
	}
	if g.chance(2) {
		ka.ProjectionExpression = new(x.projection())
	}
	ka.ExpressionAttributeNames = x.names
	capacity := g.units()
	return request{
		fmt.Sprintf("BatchGet %s: %s %s", strings.Join(texts, ", "), shown(ka.ProjectionExpression), x),
		func(e Endpoint, c *check, table string) string {
			out, err := e.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{table: ka}, ReturnConsumedCapacity: capacity,
			})
			if err != nil {
				return failure(err)
			}
			var items []string
			for _, it := range out.Responses[table] {
				items = append(items, show(it))
			}
			slices.Sort(items)
			return "ok " + strings.Join(items, " ") + consumedByAll(out.ConsumedCapacity)
		},
	}
}

// transactWrite makes writes of up to four items.
func (g *generator) transactWrite() request {
	var writes []types.TransactWriteItem
	var texts []string
	for range 1 + g.IntN(4) {
		w, text := g.transacted()
		writes, texts = append(writes, w), append(texts, text)
	}
	capacity := g.units()
	return request{"TransactWrite " + strings.Join(texts, "; "), func(e Endpoint, c *check, table string) string {
		all := slices.Clone(writes)
		for i := range all {
			all[i] = onTable(all[i], table)
		}
		out, err := e.DynamoDB.TransactWriteItems(c.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: all, ReturnConsumedCapacity: capacity})
		if err != nil {
			return failure(err)
		}
		return "ok" + consumedByAll(out.ConsumedCapacity)
	}}
}

func (g *generator) transacted() (types.TransactWriteItem, string) {
	x := newExpressions(g)
	key := row(g.key())
	var cond *string
	if g.chance(4) {
		cond = new(x.condition(1))
	}
	switch g.IntN(5) {
	case 0:
		return types.TransactWriteItem{Delete: &types.Delete{
			Key: key, ConditionExpression: cond, ExpressionAttributeNames: x.names, ExpressionAttributeValues: x.values,
			ReturnValuesOnConditionCheckFailure: g.onFailure(),
		}}, fmt.Sprintf("delete %s if %s %s", show(key), shown(cond), x)
	case 1:
		if cond == nil {
			cond = new(x.test())
		}
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			Key: key, ConditionExpression: cond, ExpressionAttributeNames: x.names, ExpressionAttributeValues: x.values,
			ReturnValuesOnConditionCheckFailure: g.onFailure(),
		}}, fmt.Sprintf("check %s if %s %s", show(key), shown(cond), x)
	case 2, 3:
		update := x.update()
		if onlyRemoves(update) {
			cond = new("attribute_exists(pk)")
		}
		return types.TransactWriteItem{Update: &types.Update{
			Key: key, UpdateExpression: &update, ConditionExpression: cond, ExpressionAttributeNames: x.names, ExpressionAttributeValues: x.values,
			ReturnValuesOnConditionCheckFailure: g.onFailure(),
		}}, fmt.Sprintf("update %s: %s if %s %s", show(key), update, shown(cond), x)
	default:
		it := row(g.item())
		return types.TransactWriteItem{Put: &types.Put{
			Item: it, ConditionExpression: cond, ExpressionAttributeNames: x.names, ExpressionAttributeValues: x.values,
			ReturnValuesOnConditionCheckFailure: g.onFailure(),
		}}, fmt.Sprintf("put %s if %s %s", show(it), shown(cond), x)
	}
}

// onTable is a copy of a write for that table.
func onTable(w types.TransactWriteItem, table string) types.TransactWriteItem {
	switch {
	case w.Put != nil:
		one := *w.Put
		one.TableName = &table
		return types.TransactWriteItem{Put: &one}
	case w.Update != nil:
		one := *w.Update
		one.TableName = &table
		return types.TransactWriteItem{Update: &one}
	case w.Delete != nil:
		one := *w.Delete
		one.TableName = &table
		return types.TransactWriteItem{Delete: &one}
	default:
		one := *w.ConditionCheck
		one.TableName = &table
		return types.TransactWriteItem{ConditionCheck: &one}
	}
}

func (g *generator) transactGet() request {
	var gets []types.Get
	var texts []string
	for range 1 + g.IntN(3) {
		x := newExpressions(g)
		get := types.Get{Key: row(g.key())}
		if g.chance(2) {
			get.ProjectionExpression = new(x.projection())
		}
		get.ExpressionAttributeNames = x.names
		gets = append(gets, get)
		texts = append(texts, fmt.Sprintf("%s: %s %s", show(get.Key), shown(get.ProjectionExpression), x))
	}
	return request{"TransactGet " + strings.Join(texts, "; "), func(e Endpoint, c *check, table string) string {
		in := &dynamodb.TransactGetItemsInput{}
		for _, get := range gets {
			get.TableName = &table
			in.TransactItems = append(in.TransactItems, types.TransactGetItem{Get: &get})
		}
		out, err := e.DynamoDB.TransactGetItems(c.ctx, in)
		if err != nil {
			return failure(err)
		}
		text := "ok"
		for _, r := range out.Responses {
			text += " " + show(r.Item)
		}
		return text
	}}
}
