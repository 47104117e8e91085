package tabletest

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func batchRules() []rule {
	return []rule{
		{"batches/write/puts_and_deletes_across_tables", batchWrites},
		{"batches/write/unprocessed_items_are_an_empty_map", batchUnprocessed},
		{"batches/write/25_fit_and_26_do_not", batchWriteLimit},
		{"batches/write/refuses_one_key_twice", batchWriteTwice},
		{"batches/write/refuses_a_request_that_is_both", batchWriteBoth},
		{"batches/write/refuses_a_request_that_is_neither", batchWriteNeither},
		{"batches/write/refuses_no_requests", batchWriteEmpty},
		{"batches/write/one_bad_key_refuses_all", batchWriteBad},
		{"batches/write/an_unknown_table_refuses_all", batchWriteUnknown},
		{"batches/get/finds_items_across_tables", batchGets},
		{"batches/get/leaves_out_what_is_missing", batchGetMissing},
		{"batches/get/projects", batchGetProjects},
		{"batches/get/100_fit_and_101_do_not", batchGetLimit},
		{"batches/get/refuses_one_key_twice", batchGetTwice},
	}
}

func putOf(it item) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: row(it)}}
}

func deleteOf(key item) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: row(key)}}
}

func (c *check) tryBatch(table string, writes ...types.WriteRequest) (*dynamodb.BatchWriteItemOutput, error) {
	return c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{table: writes},
	})
}

func batchWrites(c *check) {
	one, two := c.create("pk:S"), c.create("pk:N")
	c.put(one, item{"pk": "old"})
	_, err := c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
		one: {putOf(item{"pk": "a", "n": 1}), deleteOf(item{"pk": "old"}), deleteOf(item{"pk": "none"})},
		two: {putOf(item{"pk": 1, "n": 2})},
	}})
	c.ok(err)
	c.stored(one, item{"pk": "a"}, item{"pk": "a", "n": 1})
	c.missing(one, item{"pk": "old"})
	c.stored(two, item{"pk": 1}, item{"pk": 1, "n": 2})
}

func batchUnprocessed(c *check) {
	out, err := c.tryBatch(c.create("pk:S"), putOf(item{"pk": "a"}))
	c.ok(err)
	c.that(out.UnprocessedItems != nil && len(out.UnprocessedItems) == 0, "UnprocessedItems is %v", out.UnprocessedItems)
}

func batchWriteLimit(c *check) {
	table := c.create("pk:N")
	var writes []types.WriteRequest
	for i := range 26 {
		writes = append(writes, putOf(item{"pk": i}))
	}
	_, err := c.tryBatch(table, writes...)
	c.invalid(err)
	c.missing(table, item{"pk": 0})
	_, err = c.tryBatch(table, writes[:25]...)
	c.ok(err)
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table})
	c.equal("items", len(items), 25)
}

func batchWriteTwice(c *check) {
	const text = "Provided list of item keys contains duplicates"
	table := c.create("pk:S")
	_, err := c.tryBatch(table, putOf(item{"pk": "a", "n": 1}), putOf(item{"pk": "a", "n": 2}))
	c.invalid(err, text)
	_, err = c.tryBatch(table, putOf(item{"pk": "a"}), deleteOf(item{"pk": "a"}))
	c.invalid(err, text)
	c.missing(table, item{"pk": "a"})
}

func batchWriteBoth(c *check) {
	both := putOf(item{"pk": "a"})
	both.DeleteRequest = deleteOf(item{"pk": "b"}).DeleteRequest
	_, err := c.tryBatch(c.create("pk:S"), both)
	c.invalid(err)
}

func batchWriteNeither(c *check) {
	_, err := c.tryBatch(c.create("pk:S"), types.WriteRequest{})
	c.invalid(err)
}

func batchWriteEmpty(c *check) {
	_, err := c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{}})
	c.invalid(err)
	_, err = c.tryBatch(c.create("pk:S"))
	c.invalid(err)
}

func batchWriteBad(c *check) {
	table := c.create("pk:S")
	_, err := c.tryBatch(table, putOf(item{"pk": "a"}), putOf(item{"pk": 1}))
	c.invalid(err)
	c.missing(table, item{"pk": "a"})
}

func batchWriteUnknown(c *check) {
	table, none := c.create("pk:S"), c.unique()
	_, err := c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
		table: {putOf(item{"pk": "a"})}, none: {putOf(item{"pk": "a"})},
	}})
	c.fails(err, notFound, "Requested resource not found")
	c.missing(table, item{"pk": "a"})
}

func (c *check) tryBatchGet(table string, keys ...item) (*dynamodb.BatchGetItemOutput, error) {
	wanted := types.KeysAndAttributes{ConsistentRead: new(true)}
	for _, k := range keys {
		wanted.Keys = append(wanted.Keys, row(k))
	}
	return c.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{table: wanted},
	})
}

func batchGets(c *check) {
	one, two := c.create("pk:S"), c.create("pk:N")
	c.put(one, item{"pk": "a", "n": 1}, item{"pk": "b", "n": 2})
	c.put(two, item{"pk": 1})
	out, err := c.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		one: {Keys: []attrs{row(item{"pk": "a"}), row(item{"pk": "b"})}, ConsistentRead: new(true)},
		two: {Keys: []attrs{row(item{"pk": 1})}, ConsistentRead: new(true)},
	}})
	c.ok(err)
	c.equal("items of one", printed(out.Responses[one]), []string{show(item{"pk": "a", "n": 1}), show(item{"pk": "b", "n": 2})})
	c.equal("items of two", printed(out.Responses[two]), []string{show(item{"pk": 1})})
	c.that(out.UnprocessedKeys != nil && len(out.UnprocessedKeys) == 0, "UnprocessedKeys is %v", out.UnprocessedKeys)
}

func batchGetMissing(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a"})
	out, err := c.tryBatchGet(table, item{"pk": "a"}, item{"pk": "b"})
	c.ok(err)
	c.equal("items", out.Responses[table], []item{{"pk": "a"}})
	out, err = c.tryBatchGet(table, item{"pk": "c"})
	c.ok(err)
	c.equal("items", len(out.Responses[table]), 0)
}

func batchGetProjects(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1, "m": 2})
	out, err := c.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {
		Keys: []attrs{row(item{"pk": "a"})}, ProjectionExpression: new("#n"), ExpressionAttributeNames: map[string]string{"#n": "n"},
		ConsistentRead: new(true),
	}}})
	c.ok(err)
	c.equal("items", out.Responses[table], []item{{"n": 1}})
}

func batchGetLimit(c *check) {
	table := c.create("pk:N")
	var keys []item
	for i := range 101 {
		keys = append(keys, item{"pk": i})
	}
	_, err := c.tryBatchGet(table, keys...)
	c.invalid(err)
	out, err := c.tryBatchGet(table, keys[:100]...)
	c.ok(err)
	c.equal("items", len(out.Responses[table]), 0)
}

func batchGetTwice(c *check) {
	_, err := c.tryBatchGet(c.create("pk:N"), item{"pk": 1}, item{"pk": num("1.0")})
	c.invalid(err, "Provided list of item keys contains duplicates")
}
