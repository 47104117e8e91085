package tabletest

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func capacityRules() []rule {
	return []rule{
		{"capacity/none_by_default", capacityNone},
		{"capacity/a_read_costs_half_a_unit_for_4_KB", capacityRead},
		{"capacity/a_write_costs_a_unit_for_1_KB", capacityWrite},
		{"capacity/a_write_costs_by_the_larger_of_before_and_after", capacityLarger},
		{"capacity/a_query_costs_by_the_sum_of_its_items", capacityQuery},
		{"capacity/a_full_page_costs_128.5_units", capacityPage},
		{"capacity/a_transaction_costs_twice", capacityTransaction},
		{"capacity/INDEXES_parts_table_and_indexes", capacityIndexes},
		{"capacity/of_batches_is_by_table", capacityBatch},
	}
}

const total = types.ReturnConsumedCapacityTotal

func units(cc *types.ConsumedCapacity) string {
	if cc == nil || cc.CapacityUnits == nil {
		return "none"
	}
	return fmt.Sprint(*cc.CapacityUnits)
}

func (c *check) putUnits(table string, it item) string {
	out, err := c.tryPut(table, it, func(in *dynamodb.PutItemInput) { in.ReturnConsumedCapacity = total })
	c.ok(err)
	c.equal("table", *out.ConsumedCapacity.TableName, table)
	return units(out.ConsumedCapacity)
}

func (c *check) getUnits(table string, key item, consistent bool) string {
	out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{
		TableName: &table, Key: row(key), ConsistentRead: &consistent, ReturnConsumedCapacity: total,
	})
	c.ok(err)
	return units(out.ConsumedCapacity)
}

func capacityNone(c *check) {
	out, err := c.tryPut(c.create("pk:S"), item{"pk": "a"})
	c.ok(err)
	c.that(out.ConsumedCapacity == nil, "there is a consumed capacity")
}

func capacityRead(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a"}, item{"pk": "b", "v": big(4<<10 - 4)}, item{"pk": "c", "v": big(4<<10 - 3)})
	c.equal("small, eventual", c.getUnits(table, item{"pk": "a"}, false), "0.5")
	c.equal("small, consistent", c.getUnits(table, item{"pk": "a"}, true), "1")
	c.equal("4 KB", c.getUnits(table, item{"pk": "b"}, true), "1")
	c.equal("4 KB and a byte", c.getUnits(table, item{"pk": "c"}, true), "2")
	c.equal("missing", c.getUnits(table, item{"pk": "none"}, true), "1")
}

func capacityWrite(c *check) {
	table := c.create("pk:S")
	c.equal("small", c.putUnits(table, item{"pk": "a"}), "1")
	c.equal("1 KB", c.putUnits(table, item{"pk": "b", "v": big(1<<10 - 4)}), "1")
	c.equal("1 KB and a byte", c.putUnits(table, item{"pk": "c", "v": big(1<<10 - 3)}), "2")
}

func capacityLarger(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "v": big(5 << 10)})
	c.equal("smaller than before", c.putUnits(table, item{"pk": "a"}), "6")
	c.equal("as small as before", c.putUnits(table, item{"pk": "a"}), "1")
	c.put(table, item{"pk": "a", "v": big(2 << 10)})
	out, err := c.tryDelete(table, item{"pk": "a"}, func(in *dynamodb.DeleteItemInput) { in.ReturnConsumedCapacity = total })
	c.ok(err)
	c.equal("delete", units(out.ConsumedCapacity), "3")
}

func capacityQuery(c *check) {
	table := c.create("pk:S sk:N")
	for i := range 10 {
		c.put(table, item{"pk": "a", "sk": i, "v": big(1000)})
	}
	out, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: row(item{":p": "a"}),
		ReturnConsumedCapacity: total,
	})
	c.ok(err)
	c.equal("units", units(out.ConsumedCapacity), "1.5")
}

// capacityPage reads a page of items of 4,000 bytes: the one that reaches 1 MB belongs to it.
func capacityPage(c *check) {
	table := c.create("pk:S sk:N")
	var writes []types.WriteRequest
	for i := range 275 {
		if writes = append(writes, putOf(item{"pk": "a", "sk": i, "v": big(3986)})); len(writes) == 25 {
			_, err := c.tryBatch(table, writes...)
			c.ok(err)
			writes = nil
		}
	}
	out, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: row(item{":p": "a"}),
		ReturnConsumedCapacity: total, ProjectionExpression: new("sk"),
	})
	c.ok(err)
	c.equal("units", units(out.ConsumedCapacity), "128.5")
}

func capacityTransaction(c *check) {
	table := c.create("pk:S")
	out, err := c.DynamoDB.TransactWriteItems(c.ctx, &dynamodb.TransactWriteItemsInput{
		ReturnConsumedCapacity: total,
		TransactItems:          []types.TransactWriteItem{txPut(table, item{"pk": "a"}, ""), txPut(table, item{"pk": "b"}, "")},
	})
	c.ok(err)
	c.equal("entries", len(out.ConsumedCapacity), 1)
	c.equal("units", units(&out.ConsumedCapacity[0]), "4")
	got, err := c.DynamoDB.TransactGetItems(c.ctx, &dynamodb.TransactGetItemsInput{
		ReturnConsumedCapacity: total,
		TransactItems:          []types.TransactGetItem{{Get: &types.Get{TableName: &table, Key: row(item{"pk": "a"})}}},
	})
	c.ok(err)
	c.equal("units of the read", units(&got.ConsumedCapacity[0]), "2")
}

func capacityIndexes(c *check) {
	table := c.indexed()
	indexes := func(in *dynamodb.PutItemInput) { in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes }
	out, err := c.tryPut(table, item{"pk": "a", "g": "x", "h": 1}, indexes)
	c.ok(err)
	cc := out.ConsumedCapacity
	c.equal("total", units(cc), "2")
	c.equal("table", fmt.Sprint(*cc.Table.CapacityUnits), "1")
	c.equal("index", fmt.Sprint(*cc.GlobalSecondaryIndexes["byG"].CapacityUnits), "1")
	out, err = c.tryPut(table, item{"pk": "a", "g": "x", "h": 2}, indexes)
	c.ok(err)
	c.equal("index whose key moves", fmt.Sprint(*out.ConsumedCapacity.GlobalSecondaryIndexes["byG"].CapacityUnits), "2")
	out, err = c.tryPut(table, item{"pk": "b"}, indexes)
	c.ok(err)
	c.equal("total of an item that is not in the index", units(out.ConsumedCapacity), "1")
}

func capacityBatch(c *check) {
	one, two := c.create("pk:S"), c.create("pk:S")
	out, err := c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{
		ReturnConsumedCapacity: total,
		RequestItems: map[string][]types.WriteRequest{
			one: {putOf(item{"pk": "a"}), putOf(item{"pk": "b"})}, two: {putOf(item{"pk": "a", "v": big(1 << 10)})},
		},
	})
	c.ok(err)
	got := map[string]string{}
	for _, cc := range out.ConsumedCapacity {
		got[*cc.TableName] = units(&cc)
	}
	c.equal("units", got, map[string]string{one: "2", two: "2"})
}
