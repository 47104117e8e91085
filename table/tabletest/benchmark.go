package tabletest

import (
	"fmt"
	"maps"
	"runtime"
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

// Contender is an endpoint that is measured beside others.
type Contender struct {
	// Name stands before the contender's figures.
	Name     string
	Endpoint Endpoint
}

// turn is how many calls a contender has before it is the next one's turn: enough to be warm again, and so few that what
// else the machine does meets all of them.
const turn = 20

// Benchmark measures the operations that matter, with items of 1 KB and one client, as sub-benchmarks of b. The contenders
// take turns in each. It reports of each NAME-µs, NAME-p50-µs and NAME-p99-µs, the mean, the median and the 99th percentile of
// a call in microseconds; NAME-allocs, the allocations of a call in this process; and of all but the first
// NAME-x, its throughput as a multiple of the first one's.
func Benchmark(b *testing.B, contenders ...Contender) {
	b.Helper()
	for _, w := range works() {
		b.Run(w.name, func(b *testing.B) { measure(b, contenders, w) })
	}
}

func measure(b *testing.B, contenders []Contender, w work) {
	b.Helper()
	runners := make([]*runner, len(contenders))
	for i, contender := range contenders {
		runners[i] = newRunner(b, contender, w)
		defer runners[i].end(b)
	}
	for round := 0; b.Loop(); round++ {
		for i := range runners {
			runners[(round+i)%len(runners)].turn()
		}
	}
	b.ReportMetric(0, "ns/op") // of a round: it says nothing
	for i, r := range runners {
		r.report(b, contenders[i].Name)
		if i > 0 {
			b.ReportMetric(runners[0].mean()/r.mean(), contenders[i].Name+"-x")
		}
	}
}

// runner is a contender at work on a table of its own.
type runner struct {
	*check
	work   work
	table  string
	times  []time.Duration
	total  time.Duration
	allocs uint64
}

func newRunner(b *testing.B, contender Contender, w work) *runner {
	b.Helper()
	endpoint := contender.Endpoint
	if endpoint.Patience == 0 {
		endpoint.Patience = time.Minute
	}
	r := &runner{check: &check{Endpoint: endpoint, ctx: b.Context(), tb: b}, work: w}
	r.table = r.create("pk:S sk:N")
	if w.prepare != nil {
		w.prepare(r.check, r.table)
	}
	return r
}

func (r *runner) turn() {
	var before, after runtime.MemStats
	calls := make([]func() error, turn)
	for i := range calls {
		calls[i] = r.work.call(r.check, r.table, len(r.times)+i)
	}
	runtime.ReadMemStats(&before)
	for _, call := range calls {
		start := time.Now()
		err := call()
		took := time.Since(start)
		r.times, r.total = append(r.times, took), r.total+took
		r.ok(err)
	}
	runtime.ReadMemStats(&after)
	r.allocs += after.Mallocs - before.Mallocs
}

func (r *runner) mean() float64 { return micros(r.total) / float64(len(r.times)) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func (r *runner) report(b *testing.B, name string) {
	b.Helper()
	slices.Sort(r.times)
	b.ReportMetric(r.mean(), name+"-µs")
	b.ReportMetric(micros(r.times[len(r.times)*50/100]), name+"-p50-µs")
	b.ReportMetric(micros(r.times[len(r.times)*99/100]), name+"-p99-µs")
	b.ReportMetric(float64(r.allocs)/float64(len(r.times)), name+"-allocs")
}

func (r *runner) end(b *testing.B) {
	b.Helper()
	r.deleteTables()
	if r.failures != nil {
		b.Error(strings.Join(r.failures, "\n"))
	}
}
