package tabletest

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attrs is the content of a row, as the SDK has it.
type attrs = map[string]types.AttributeValue

// put writes items that have to be accepted.
func (c *check) put(table string, items ...item) {
	for _, it := range items {
		_, err := c.DynamoDB.PutItem(c.ctx, &dynamodb.PutItemInput{TableName: &table, Item: row(it)})
		c.ok(err)
	}
}

// tryPut writes an item that may be refused.
func (c *check) tryPut(table string, it item, edits ...func(*dynamodb.PutItemInput)) (*dynamodb.PutItemOutput, error) {
	in := &dynamodb.PutItemInput{TableName: &table, Item: row(it)}
	for _, edit := range edits {
		edit(in)
	}
	return c.DynamoDB.PutItem(c.ctx, in)
}

// get reads an item, consistently; nil if there is none.
func (c *check) get(table string, key item) attrs {
	out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(key), ConsistentRead: new(true)})
	c.ok(err)
	return out.Item
}

// stored asks for what a row holds now.
func (c *check) stored(table string, key, want item) {
	c.equal("stored item", show(c.get(table, key)), show(row(want)))
}

func (c *check) missing(table string, key item) {
	if got := c.get(table, key); got != nil {
		c.failf("item exists: %s", show(got))
	}
}

// change is an update expression with its condition, names and values.
type change struct {
	expr, cond string
	names      map[string]string
	values     item
	returns    types.ReturnValue
	onFailure  types.ReturnValuesOnConditionCheckFailure
}

func (c *check) update(table string, key item, u change) (*dynamodb.UpdateItemOutput, error) {
	return c.DynamoDB.UpdateItem(c.ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: row(key), UpdateExpression: text(u.expr), ConditionExpression: text(u.cond),
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: row(u.values),
		ReturnValues: u.returns, ReturnValuesOnConditionCheckFailure: u.onFailure,
	})
}

// text leaves out an empty expression.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// find is a query.
type find struct {
	index, key, filter, project string
	names                       map[string]string
	values                      item
	start                       attrs
	limit                       int32
	descending, consistent      bool
	selected                    types.Select
}

func (c *check) tryQuery(table string, q find) (*dynamodb.QueryOutput, error) {
	in := &dynamodb.QueryInput{
		TableName: &table, IndexName: text(q.index), KeyConditionExpression: text(q.key), FilterExpression: text(q.filter),
		ProjectionExpression: text(q.project), ExpressionAttributeNames: q.names, ExpressionAttributeValues: row(q.values),
		ExclusiveStartKey: q.start, ScanIndexForward: new(!q.descending), Select: q.selected,
	}
	if q.limit != 0 {
		in.Limit = &q.limit
	}
	if q.consistent {
		in.ConsistentRead = new(true)
	}
	return c.DynamoDB.Query(c.ctx, in)
}

func (c *check) query(table string, q find) *dynamodb.QueryOutput {
	out, err := c.tryQuery(table, q)
	c.ok(err)
	return out
}

// pages follows a query to its end and returns the items and the number of pages.
func (c *check) pages(table string, q find) (items []attrs, count int) {
	for {
		out := c.query(table, q)
		items = append(items, out.Items...)
		count++
		if out.LastEvaluatedKey == nil {
			return items, count
		}
		c.that(count < 1000, "a query that does not end")
		q.start = out.LastEvaluatedKey
	}
}

// column collects one attribute of items.
func column(items []attrs, name string) string {
	return join(items, func(it attrs) string { return show(it[name]) })
}
