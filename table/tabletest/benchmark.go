package tabletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// work is one operation to be measured, on a table with partition and sort key. call makes the i-th request, which is not
// measured, and returns what sends it.
type work struct {
	name    string
	prepare func(c *check, table string)
	call    func(c *check, table string, i int) func() error
}

// rowsKept bounds the rows that the writing benchmarks spread over.
const rowsKept = 10_000

func works() []work {
	return []work{
		{"PutItem", nil, putWork},
		{"GetItem", fill, getWork},
		{"UpdateItem", fill, updateWork},
		{"Query20", fill, queryWork},
		{"BatchWrite25", nil, batchWork},
		{"TransactWrite4", nil, transactWork},
	}
}

func putWork(c *check, table string, i int) func() error {
	in := &dynamodb.PutItemInput{TableName: &table, Item: kilobyte(fmt.Sprint(i%rowsKept), 0)}
	return func() error {
		_, err := c.DynamoDB.PutItem(c.ctx, in)
		return err
	}
}

func getWork(c *check, table string, i int) func() error {
	in := &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "x", "sk": i % 100})}
	return func() error {
		out, err := c.DynamoDB.GetItem(c.ctx, in)
		return whole(err, 1, out.Item)
	}
}

func updateWork(c *check, table string, i int) func() error {
	in := &dynamodb.UpdateItemInput{
		TableName: &table, Key: row(item{"pk": "x", "sk": i % 100}),
		UpdateExpression: new("SET n = n + :v"), ConditionExpression: new("attribute_exists(pk)"),
		ExpressionAttributeValues: row(item{":v": 1}),
	}
	return func() error {
		_, err := c.DynamoDB.UpdateItem(c.ctx, in)
		return err
	}
}

func queryWork(c *check, table string, _ int) func() error {
	in := &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: row(item{":p": "x"}), Limit: new(int32(20)),
	}
	return func() error {
		out, err := c.DynamoDB.Query(c.ctx, in)
		return whole(err, 20, out.Items...)
	}
}

func batchWork(c *check, table string, i int) func() error {
	writes := make([]types.WriteRequest, 25)
	for j := range writes {
		writes[j] = types.WriteRequest{PutRequest: &types.PutRequest{Item: kilobyte(fmt.Sprint(i%(rowsKept/25)), j)}}
	}
	in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes}}
	return func() error {
		_, err := c.DynamoDB.BatchWriteItem(c.ctx, in)
		return err
	}
}

func transactWork(c *check, table string, i int) func() error {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: make([]types.TransactWriteItem, 4)}
	for j := range in.TransactItems {
		in.TransactItems[j].Put = &types.Put{TableName: &table, Item: kilobyte(fmt.Sprint(i%(rowsKept/4)), j)}
	}
	return func() error {
		_, err := c.DynamoDB.TransactWriteItems(c.ctx, in)
		return err
	}
}

// whole asks for so many items of eleven attributes.
func whole(err error, n int, items ...attrs) error {
	if err != nil {
		return err
	}
	if len(items) != n || len(items[0]) != 11 {
		return fmt.Errorf("%d items, want %d with 11 attributes", len(items), n)
	}
	return nil
}

// filler is what a kilobyte is made of, beside its key.
var filler = func() attrs {
	it := item{"n": 1}
	for i := range 8 {
		it[fmt.Sprint("attribute", i)] = strings.Repeat("x", 110)
	}
	return row(it)
}()

// kilobyte is an item of about 1,000 bytes in eleven attributes.
func kilobyte(pk string, sk int) attrs {
	it := make(attrs, len(filler)+2)
	maps.Copy(it, filler)
	it["pk"], it["sk"] = value(pk), value(sk)
	return it
}

func fill(c *check, table string) {
	for i := range 100 {
		_, err := c.DynamoDB.PutItem(c.ctx, &dynamodb.PutItemInput{TableName: &table, Item: kilobyte("x", i)})
		c.ok(err)
	}
}

// Benchmark measures the operations that matter with items of 1 KB and one
// client, as sub-benchmarks of b. Beside the mean it reports p50-µs and p99-µs,
// the median and the 99th percentile in microseconds. open is called once.
func Benchmark(b *testing.B, open func(b *testing.B) Endpoint) {
	b.Helper()
	endpoint := open(b)
	if endpoint.Patience == 0 {
		endpoint.Patience = time.Minute
	}
	for _, w := range works() {
		b.Run(w.name, func(b *testing.B) { measure(b, endpoint, w) })
	}
}

func measure(b *testing.B, endpoint Endpoint, w work) {
	b.Helper()
	c := &check{Endpoint: endpoint, ctx: b.Context(), tb: b}
	defer func() {
		c.deleteTables()
		if c.failures != nil {
			b.Error(strings.Join(c.failures, "\n"))
		}
	}()
	table := c.create("pk:S sk:N")
	if w.prepare != nil {
		w.prepare(c, table)
	}
	var times []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		call := w.call(c, table, i)
		start := time.Now()
		err := call()
		times = append(times, time.Since(start))
		c.ok(err)
	}
	slices.Sort(times)
	micros := func(percent int) float64 { return float64(times[len(times)*percent/100].Nanoseconds()) / 1000 }
	b.ReportMetric(micros(50), "p50-µs")
	b.ReportMetric(micros(99), "p99-µs")
}
