package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// work is one operation to be measured, on a table with partition and sort key.
type work struct {
	name    string
	prepare func(c *check, table string)
	once    func(c *check, table string, i int) error
}

// rowsKept bounds the rows that the writing benchmarks spread over.
const rowsKept = 10_000

func works() []work {
	return []work{
		{"PutItem", nil, func(c *check, table string, i int) error {
			_, err := c.tryPut(table, kilobyte(fmt.Sprint(i%rowsKept), 0))
			return err
		}},
		{"GetItem", fill, func(c *check, table string, i int) error {
			_, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "x", "sk": i % 100})})
			return err
		}},
		{"UpdateItem", fill, func(c *check, table string, i int) error {
			_, err := c.update(table, item{"pk": "x", "sk": i % 100}, change{
				expr: "SET n = n + :v", cond: "attribute_exists(pk)", values: item{":v": 1},
			})
			return err
		}},
		{"Query20", fill, func(c *check, table string, _ int) error {
			_, err := c.tryQuery(table, find{key: "pk = :p", values: item{":p": "x"}, limit: 20})
			return err
		}},
		{"BatchWrite25", nil, func(c *check, table string, i int) error {
			writes := make([]types.WriteRequest, 25)
			for j := range writes {
				writes[j] = putOf(kilobyte(fmt.Sprint(i%(rowsKept/25)), j))
			}
			_, err := c.tryBatch(table, writes...)
			return err
		}},
		{"TransactWrite4", nil, func(c *check, table string, i int) error {
			writes := make([]types.TransactWriteItem, 4)
			for j := range writes {
				writes[j] = txPut(table, kilobyte(fmt.Sprint(i%(rowsKept/4)), j), "")
			}
			return c.transact(writes...)
		}},
	}
}

// kilobyte is an item of about 1,000 bytes in ten attributes.
func kilobyte(pk string, sk int) item {
	it := item{"pk": pk, "sk": sk, "n": 1}
	for i := range 8 {
		it[fmt.Sprint("attribute", i)] = strings.Repeat("x", 110)
	}
	return it
}

func fill(c *check, table string) {
	for i := range 100 {
		c.put(table, kilobyte("x", i))
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
		start := time.Now()
		c.ok(w.once(c, table, i))
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	micros := func(percent int) float64 { return float64(times[len(times)*percent/100].Nanoseconds()) / 1000 }
	b.ReportMetric(micros(50), "p50-µs")
	b.ReportMetric(micros(99), "p99-µs")
}
