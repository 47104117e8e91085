package table_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/guregu/dynamo/v2"
	"github.com/guregu/dynamo/v2/dynamodbiface"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/internal/cpu"
	"github.com/insideout-go/insideout/table"
)

// Twelve has the fields that docs/benchmarks.md speaks of: five strings, an integer, a float, a bool, a time, a struct, a list and a set.
type Twelve struct {
	ID     string    `dynamo:"id" dynamodbav:"id"`
	A      string    `dynamo:"a" dynamodbav:"a"`
	B      string    `dynamo:"b" dynamodbav:"b"`
	C      string    `dynamo:"c" dynamodbav:"c"`
	D      string    `dynamo:"d" dynamodbav:"d"`
	Count  int64     `dynamo:"count" dynamodbav:"count"`
	Price  float64   `dynamo:"price" dynamodbav:"price"`
	Open   bool      `dynamo:"open" dynamodbav:"open"`
	At     time.Time `dynamo:"at" dynamodbav:"at"`
	Place  Place     `dynamo:"place" dynamodbav:"place"`
	List   []string  `dynamo:"list" dynamodbav:"list"`
	Labels []string  `dynamo:"labels,set" dynamodbav:"labels,stringset"`
}

type Place struct {
	Street string `dynamo:"street" dynamodbav:"street"`
	City   string `dynamo:"city" dynamodbav:"city"`
	Land   string `dynamo:"land" dynamodbav:"land"`
}

var Twelves = table.DefineNode("twelve", func(v *Twelve, d *table.Def[Twelve]) { d.ID(&v.ID) })

func twelve() Twelve {
	return Twelve{
		ID: "42", A: "a", B: "b", C: "c", D: "d", Count: 7, Price: 12.5, Open: true, At: day(1), Place: Place{"Gasse 1", "Bern", "CH"},
		List: []string{"x", "y", "z"}, Labels: []string{"p", "q", "r"},
	}
}

// row12 is the row as every one of the contenders reads it.
func row12() table.Item {
	v := twelve()
	item := handEncode(&v)
	item["id"] = item["pk"]
	return item
}

// contender is one way to do the same.
type contender struct {
	name string
	do   func() error
}

// contests are the figures of docs/benchmarks.md; the first contender is this package, the second one the hand-written code.
func contests(tb testing.TB) map[string][]contender {
	v, item := twelve(), row12()
	ver := at(tb, 1700000000123, "4bb1b7a3")
	ctx := context.Background()
	db, err := table.Open(sink{}, handTable, nil)
	require.NoError(tb, err)
	sdk := wire()
	remote, err := table.Open(sdk, handTable, nil)
	require.NoError(tb, err)
	return map[string][]contender{
		"Encode": {
			{"table", func() error { return second(table.EncodeRow(Twelves, &v)) }},
			{"hand", func() error { handEncode(&v); return nil }},
			{"guregu", func() error { return second(dynamo.MarshalItem(&v)) }},
			{"attributevalue", func() error { return second(attributevalue.MarshalMap(&v)) }},
		},
		"Decode": {
			{"table", func() error { return second(Twelves.Decode(item)) }},
			{"hand", func() error { return second(handDecode(item)) }},
			{"guregu", func() error { var v Twelve; return dynamo.UnmarshalItem(item, &v) }},
			{"attributevalue", func() error { var v Twelve; return attributevalue.UnmarshalMap(item, &v) }},
		},
		"Upsert": {
			{"table", func() error { return second(Twelves.Upsert(ctx, db, v, ver)) }},
			{"hand", func() error { return second(handUpsertTo(ctx, sink{}, &v, string(ver), 1700000000123)) }},
			{"guregu", func() error { return gureguUpsert(ctx, &v, string(ver)) }},
			{"expression", func() error { return expressionUpsert(ctx, &v, string(ver)) }},
		},
		"Save": {
			{"table", func() error { return Twelves.Save(ctx, remote, v) }},
			{"hand", func() error { return handSaveTo(ctx, sdk, &v) }},
		},
	}
}

// BenchmarkFigures lets the contenders take many short turns, so that what else the machine does falls on all of them alike, and reports the
// CPU time of each, its own garbage collection included, and the ratios to it of this package's.
//
//	go test -run '^$' -bench Figures -benchtime 4s ./table
func BenchmarkFigures(b *testing.B) {
	all := contests(b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.Run(name, func(b *testing.B) { contest(b, all[name]) })
	}
}

func contest(b *testing.B, contenders []contender) {
	const turn = 5 * time.Millisecond
	times := make([]int, len(contenders)) // that each does it in a turn
	for i, c := range contenders {
		for start := cpu.Used(); cpu.Used()-start < 4*turn; times[i]++ {
			require.NoError(b, c.do())
		}
		times[i] = times[i]/4 + 1
	}
	took := make([][]time.Duration, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			runtime.GC() // nobody pays for the garbage of another
			start := cpu.Used()
			for range times[i] {
				_ = c.do()
			}
			took[i] = append(took[i], cpu.Used()-start)
		}
	}
	b.ReportMetric(0, "ns/op")
	nanos := func(i int) float64 { return float64(usual(took[i])) / float64(times[i]) }
	for i, c := range contenders {
		b.ReportMetric(nanos(i), c.name+"-ns")
		b.ReportMetric(testing.AllocsPerRun(100, func() { _ = c.do() }), c.name+"-allocs")
		if i > 0 {
			b.ReportMetric(nanos(0)/nanos(i), "table/"+c.name)
		}
	}
}

// usual is the mean without the longest tenth, where the machine did something else.
func usual(took []time.Duration) (mean time.Duration) {
	took = slices.Sorted(slices.Values(took))
	took = took[:len(took)-len(took)/10]
	for _, t := range took {
		mean += t
	}
	return mean / time.Duration(len(took))
}

// TestAllocations are ceilings: what a change adds to the way of every row should be added knowingly.
func TestAllocations(t *testing.T) {
	for name, contenders := range contests(t) {
		allocs := make([]float64, 2)
		for i := range allocs {
			require.NoError(t, contenders[i].do())
			allocs[i] = testing.AllocsPerRun(200, func() { _ = contenders[i].do() })
		}
		require.LessOrEqual(t, allocs[0], allocs[1]+2, "%s: hand-written code needs %v", name, allocs[1])
	}
}

// TestContendersAgree: a figure compares nothing if the contenders do not do the same.
func TestContendersAgree(t *testing.T) {
	t.Parallel()
	v := twelve()
	ours, err := table.EncodeRow(Twelves, &v)
	require.NoError(t, err)
	require.Equal(t, itemJSON(handEncode(&v)), itemJSON(ours))
	for _, encode := range []func() (table.Item, error){
		func() (table.Item, error) { return dynamo.MarshalItem(&v) },
		func() (table.Item, error) { return attributevalue.MarshalMap(&v) },
	} {
		item, err := encode()
		require.NoError(t, err)
		item["pk"], item["sk"] = item["id"], ours["sk"]
		delete(item, "id")
		require.Equal(t, itemJSON(ours), itemJSON(item))
	}
	decoded, err := Twelves.Decode(row12())
	require.NoError(t, err)
	require.Equal(t, v, decoded)
	decoded, err = handDecode(row12())
	require.NoError(t, err)
	require.Equal(t, v, decoded)
}

// sink answers every update, and keeps nothing.
type sink struct{ table.Client }

func (sink) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, nil
}

// wire is the SDK's client, of which every request is answered before it leaves the process.
func wire() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", HTTPClient: answering{}, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}

type answering struct{}

func (answering) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	body := []byte("{}")
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Crc32": {fmt.Sprint(crc32.ChecksumIEEE(body))}},
	}, nil
}

// api lets guregu's builder send to the sink.
type api struct{ dynamodbiface.DynamoDBAPI }

func (api) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, nil
}

// gureguUpsert is the same upsert with guregu's builder.
func gureguUpsert(ctx context.Context, v *Twelve, ver string) error {
	return dynamo.NewFromIface(api{}).Table(handTable).Update("pk", v.ID).Range("sk", "twelve").
		Set("discriminator", "twelve").Set("timestamp", 1700000000123).Set("latched", true).Set("_v", ver).
		Set("a", v.A).Set("b", v.B).Set("c", v.C).Set("d", v.D).Set("count", v.Count).Set("price", v.Price).Set("open", v.Open).
		Set("at", v.At).Set("place", v.Place).Set("list", v.List).SetSet("labels", v.Labels).Remove("deleted", "ttl", "lastModifiedBy", "awsregion").
		If("attribute_not_exists('_v') OR '_v' < ?", ver).IncludeItemInCondCheckFail(true).Run(ctx)
}

// expressionUpsert is the same upsert with the SDK's expression builder.
func expressionUpsert(ctx context.Context, v *Twelve, ver string) error {
	name, value := expression.Name, expression.Value
	labels := expression.Value(&avSS{Value: v.Labels})
	set := expression.Set(name("discriminator"), value("twelve")).Set(name("timestamp"), value(1700000000123)).Set(name("latched"), value(true)).
		Set(name("_v"), value(ver)).Set(name("a"), value(v.A)).Set(name("b"), value(v.B)).Set(name("c"), value(v.C)).Set(name("d"), value(v.D)).
		Set(name("count"), value(v.Count)).Set(name("price"), value(v.Price)).Set(name("open"), value(v.Open)).Set(name("at"), value(v.At)).
		Set(name("place"), value(v.Place)).Set(name("list"), value(v.List)).Set(name("labels"), labels).
		Remove(name("deleted")).Remove(name("ttl")).Remove(name("lastModifiedBy")).Remove(name("awsregion"))
	lock := expression.AttributeNotExists(name("_v")).Or(name("_v").LessThan(value(ver)))
	e, err := expression.NewBuilder().WithUpdate(set).WithCondition(lock).Build()
	if err != nil {
		return err
	}
	return second(sink{}.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &handTable, Key: table.Item{"pk": &avS{Value: v.ID}, "sk": &avS{Value: "twelve"}},
		UpdateExpression: e.Update(), ConditionExpression: e.Condition(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ReturnValuesOnConditionCheckFailure: "ALL_OLD",
	}))
}

func BenchmarkKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Lines.KeyOf(table.Of("42", 7))
	}
}
