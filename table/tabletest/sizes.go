package tabletest

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func sizeRules() []rule {
	return []rule{
		{"batches/get/what_exceeds_16_MB_comes_back_unprocessed", unprocessedKeys},
		{"batches/write/refuses_an_item_over_400_KB", batchTooLarge},
		{"transactions/write/refuses_more_than_4_MB", transactionTooLarge},
		{"transactions/get/refuses_more_than_4_MB", transactionGetTooLarge},
		{"collections/metrics_come_for_tables_with_local_indexes", collectionMetrics},
		{"collections/metrics_do_not_come_for_others", noCollectionMetrics},
	}
}

// large is an item of almost 400 KB.
func large(i int) item { return item{"pk": fmt.Sprint("item", i), "text": big(395 * 1024)} }

func (c *check) large(n int) string {
	table := c.create("pk:S")
	for i := range n {
		c.put(table, large(i))
	}
	return table
}

func unprocessedKeys(c *check) {
	const n = 45
	table := c.large(n)
	ka := types.KeysAndAttributes{}
	for i := range n {
		ka.Keys = append(ka.Keys, row(item{"pk": fmt.Sprint("item", i)}))
	}
	seen := map[string]bool{}
	calls := 0
	for left := map[string]types.KeysAndAttributes{table: ka}; len(left) > 0; calls++ {
		out, err := c.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{RequestItems: left})
		c.ok(err)
		c.that(len(out.Responses[table]) > 0 && len(out.Responses[table]) <= 16*1024/395+1, "%d items in one answer", len(out.Responses[table]))
		for _, it := range out.Responses[table] {
			seen[show(it["pk"])] = true
		}
		left = out.UnprocessedKeys
	}
	c.equal("items, calls", []int{len(seen), calls}, []int{n, 2})
}

func batchTooLarge(c *check) {
	table := c.create("pk:S")
	_, err := c.tryBatch(table, putOf(item{"pk": "small"}), putOf(item{"pk": "large", "text": big(400 * 1024)}))
	c.invalid(err, "Item size has exceeded the maximum allowed size")
	c.missing(table, item{"pk": "small"})
}

func transactionTooLarge(c *check) {
	table := c.create("pk:S")
	var writes []types.TransactWriteItem
	for i := range 11 {
		writes = append(writes, txPut(table, large(i), ""))
	}
	c.invalid(c.transact(writes...))
	c.missing(table, item{"pk": "item0"})
	c.ok(c.transact(writes[:10]...))
}

func transactionGetTooLarge(c *check) {
	table := c.large(11)
	in := &dynamodb.TransactGetItemsInput{}
	for i := range 11 {
		in.TransactItems = append(in.TransactItems, types.TransactGetItem{
			Get: &types.Get{TableName: &table, Key: row(item{"pk": fmt.Sprint("item", i)})},
		})
	}
	_, err := c.DynamoDB.TransactGetItems(c.ctx, in)
	c.invalid(err)
	in.TransactItems = in.TransactItems[:10]
	_, err = c.DynamoDB.TransactGetItems(c.ctx, in)
	c.ok(err)
}

func (c *check) putWithMetrics(table string, it item) *types.ItemCollectionMetrics {
	out, err := c.tryPut(table, it, func(in *dynamodb.PutItemInput) {
		in.ReturnItemCollectionMetrics = types.ReturnItemCollectionMetricsSize
	})
	c.ok(err)
	return out.ItemCollectionMetrics
}

func collectionMetrics(c *check) {
	m := c.putWithMetrics(c.partitioned(), item{"pk": "a", "sk": "b", "h": 1})
	c.that(m != nil, "no metrics")
	c.equal("key", m.ItemCollectionKey, item{"pk": "a"})
	c.equal("range of gigabytes", m.SizeEstimateRangeGB, []float64{0, 1})
}

func noCollectionMetrics(c *check) {
	m := c.putWithMetrics(c.create("pk:S sk:S", global("byG", "g:S")), item{"pk": "a", "sk": "b", "g": "x"})
	c.that(m == nil, "metrics")
}
