package tabletest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// CompareOptions say how long [Compare] compares, and where it begins.
type CompareOptions struct {
	// Seed decides every request. Default: from the clock; a failure names it.
	Seed uint64
	// Duration is how long to go on. Default: 20 seconds.
	Duration time.Duration
	// Rounds is how many tables to try at most. Default: as many as there is time for.
	Rounds uint64
	// Requests is how many a round sends to its table. Default: 150.
	Requests int
	// Known explains a difference that is known, or returns "". It gets the
	// request and both answers as texts; those of errors have each message after " ¦ ".
	// Default: none is known.
	Known func(request, one, other string) string
}

// Compare sends the same random requests to two endpoints, round for round on
// a table of a random schema, and reports a request whose answers differ:
// values, errors with their texts, pages, and in the end the whole table, its indexes and its
// stream. It shortens what it reports to the requests that it takes.
func Compare(t testing.TB, one, other Endpoint, opts *CompareOptions) {
	t.Helper()
	o := CompareOptions{}
	if opts != nil {
		o = *opts
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	if o.Duration == 0 {
		o.Duration = 20 * time.Second
	}
	if o.Requests == 0 {
		o.Requests = 150
	}
	d := &differ{tb: t, ctx: t.Context(), one: one, other: other, known: o.Known, excused: map[string]int{}}
	rounds, requests := uint64(0), 0
	for start := time.Now(); time.Since(start) < o.Duration && (o.Rounds == 0 || rounds < o.Rounds) && !t.Failed(); rounds++ {
		g := newGenerator(rand.New(rand.NewPCG(o.Seed, rounds)))
		script := g.script(o.Requests)
		requests += len(script)
		if at, difference := d.run(g.table, script); difference != "" {
			short := d.shorten(g.table, script[:min(at+1, len(script))])
			t.Errorf("seed %d, round %d: the endpoints differ\n%s", o.Seed, rounds, d.explain(g.table, short))
		}
	}
	t.Logf("seed %d: %d rounds, %d requests", o.Seed, rounds, requests)
	for why, n := range d.excused {
		t.Logf("%d times: %s", n, why)
	}
}

// differ runs scripts on two endpoints.
type differ struct {
	tb         testing.TB
	ctx        context.Context
	one, other Endpoint
	known      func(request, one, other string) string
	excused    map[string]int
}

// request is one request of a script. Its input has no table name yet.
type request struct {
	text string
	send func(e Endpoint, c *check, table string) string
}

// run sends a script until two answers differ, and tells where; the end of the
// script stands for the content of the table.
func (d *differ) run(schema *dynamodb.CreateTableInput, script []request) (at int, difference string) {
	a := &check{Endpoint: d.one, ctx: d.ctx, tb: d.tb}
	b := &check{Endpoint: d.other, ctx: d.ctx, tb: d.tb}
	defer a.deleteTables()
	defer b.deleteTables()
	nameA, nameB := d.create(a, schema), d.create(b, schema)
	for i, r := range append(slices.Clone(script), everything(schema)...) {
		if d.ctx.Err() != nil {
			return 0, ""
		}
		gotA, gotB := r.send(d.one, a, nameA), r.send(d.other, b, nameB)
		gotA, gotB = strings.ReplaceAll(gotA, nameA, "TABLE"), strings.ReplaceAll(gotB, nameB, "TABLE")
		if gotA == gotB {
			continue
		}
		if d.known != nil {
			if why := d.known(r.text, gotA, gotB); why != "" {
				d.excused[why]++
				if reshapes(r.text) && (strings.HasPrefix(gotA, "ok") || strings.HasPrefix(gotB, "ok")) {
					return 0, "" // the tables are not the same any more
				}
				continue
			}
		}
		return i, r.text + "\n   one: " + gotA + "\n other: " + gotB
	}
	return 0, ""
}

// reshapes tells whether a request may write.
func reshapes(text string) bool {
	for _, read := range []string{"Get", "Query", "Scan", "BatchGet", "TransactGet", "the "} {
		if strings.HasPrefix(text, read) {
			return false
		}
	}
	return true
}

func (d *differ) create(c *check, schema *dynamodb.CreateTableInput) string {
	in := *schema
	in.TableName = new(c.unique())
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	if _, err := c.DynamoDB.CreateTable(c.ctx, &in); err != nil {
		d.tb.Fatalf("create %s: %v", describeSchema(schema), err)
	}
	for start := time.Now(); time.Since(start) < c.Patience; time.Sleep(time.Millisecond) {
		out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: in.TableName})
		if err == nil && out.Table.TableStatus == types.TableStatusActive {
			break
		}
	}
	return *in.TableName
}

// shorten leaves out requests as long as the answers still differ.
func (d *differ) shorten(schema *dynamodb.CreateTableInput, script []request) []request {
	deadline := time.Now().Add(30 * time.Second)
	for size := len(script) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(script) && time.Now().Before(deadline); {
			rest := slices.Delete(slices.Clone(script), from, from+size)
			if at, difference := d.run(schema, rest); difference != "" {
				script = rest[:min(at+1, len(rest))]
			} else {
				from += size
			}
		}
	}
	return script
}

func (d *differ) explain(schema *dynamodb.CreateTableInput, script []request) string {
	lines := []string{describeSchema(schema)}
	for _, r := range script {
		lines = append(lines, r.text)
	}
	_, difference := d.run(schema, script)
	return strings.Join(append(lines, "differs: "+difference), "\n")
}

// failure prints an error: the code, the item of a failed condition, the
// reasons of a cancellation, and then the texts.
func failure(err error) string {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return "broken: " + err.Error()
	}
	text, message := "error "+api.ErrorCode(), messageMark+api.ErrorMessage()
	if c, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok && c.Item != nil {
		text += " " + show(c.Item)
	}
	if c, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for _, r := range c.CancellationReasons {
			text += " " + *r.Code
			if r.Item != nil {
				text += show(r.Item)
			}
			if r.Message != nil {
				message += messageMark + *r.Message
			}
		}
	}
	return text + message
}

// messageMark comes before each message of an error.
const messageMark = " ¦ "

func describeSchema(in *dynamodb.CreateTableInput) string {
	kinds := map[string]string{}
	for _, a := range in.AttributeDefinitions {
		kinds[*a.AttributeName] = string(a.AttributeType)
	}
	keys := func(schema []types.KeySchemaElement) string {
		var parts []string
		for _, k := range schema {
			parts = append(parts, *k.AttributeName+":"+kinds[*k.AttributeName])
		}
		return strings.Join(parts, " ")
	}
	text := "table " + keys(in.KeySchema)
	for _, x := range in.LocalSecondaryIndexes {
		text += fmt.Sprintf(", local %s (%s) %s %v", *x.IndexName, keys(x.KeySchema), x.Projection.ProjectionType, x.Projection.NonKeyAttributes)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		text += fmt.Sprintf(", global %s (%s) %s %v", *x.IndexName, keys(x.KeySchema), x.Projection.ProjectionType, x.Projection.NonKeyAttributes)
	}
	return text
}
