package table_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"
	"github.com/guregu/dynamo/v2/dynamodbiface"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Twelve has the fields that docs/benchmarks.md speaks of: five strings, an integer, a float, a bool, a time, a struct, a list and a set.
type Twelve struct {
	ID     string    `dynamo:"id"`
	A      string    `dynamo:"a"`
	B      string    `dynamo:"b"`
	C      string    `dynamo:"c"`
	D      string    `dynamo:"d"`
	Count  int64     `dynamo:"count"`
	Price  float64   `dynamo:"price"`
	Open   bool      `dynamo:"open"`
	At     time.Time `dynamo:"at"`
	Place  Place     `dynamo:"place"`
	List   []string  `dynamo:"list"`
	Labels []string  `dynamo:"labels,set"`
}

type Place struct {
	Street string `dynamo:"street"`
	City   string `dynamo:"city"`
	Land   string `dynamo:"land"`
}

var Twelves = table.DefineNode("twelve", func(v *Twelve, d *table.Def[Twelve]) { d.ID(&v.ID) })

func twelve() Twelve {
	return Twelve{
		ID: "42", A: "a", B: "b", C: "c", D: "d", Count: 7, Price: 12.5, Open: true, At: day(1), Place: Place{"Gasse 1", "Bern", "CH"},
		List: []string{"x", "y", "z"}, Labels: []string{"p", "q", "r"},
	}
}

// sink answers every update, and keeps nothing.
type sink struct{ table.Client }

func (sink) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, nil
}

func row12(tb testing.TB) table.Item {
	item, err := dynamo.MarshalItem(twelve())
	require.NoError(tb, err)
	item["pk"], item["sk"] = item["id"], &types.AttributeValueMemberS{Value: "twelve"}
	return item
}

func BenchmarkDecode(b *testing.B) {
	item := row12(b)
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Twelves.Decode(item)
		}
	})
	b.Run("guregu", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v Twelve
			_ = dynamo.UnmarshalItem(item, &v)
		}
	})
}

func BenchmarkUpsert(b *testing.B) {
	ctx := context.Background()
	v, ver := twelve(), at(b, 1700000000123, "4bb1b7a3")
	b.Run("table", func(b *testing.B) {
		db, err := table.Open(sink{}, "table", nil)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Twelves.Upsert(ctx, db, v, ver)
		}
	})
	b.Run("guregu", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := guregu12(ctx, v, string(ver)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// api lets guregu's builder send to the sink.
type api struct{ dynamodbiface.DynamoDBAPI }

func (api) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, nil
}

// guregu12 is the same upsert with guregu's builder.
func guregu12(ctx context.Context, v Twelve, ver string) error {
	return dynamo.NewFromIface(api{}).Table("table").Update("pk", v.ID).Range("sk", "twelve").
		Set("discriminator", "twelve").Set("timestamp", 1700000000123).Set("latched", true).Set("_v", ver).
		Set("a", v.A).Set("b", v.B).Set("c", v.C).Set("d", v.D).Set("count", v.Count).Set("price", v.Price).Set("open", v.Open).
		Set("at", v.At).Set("place", v.Place).Set("list", v.List).SetSet("labels", v.Labels).Remove("deleted", "ttl", "lastModifiedBy").
		If("attribute_not_exists('_v') OR '_v' < ?", ver).IncludeItemInCondCheckFail(true).Run(ctx)
}

func BenchmarkKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Lines.KeyOf(table.Of("42", 7))
	}
}

// TestAllocations are ceilings: what a change adds to the way of every event should be added knowingly.
func TestAllocations(t *testing.T) {
	item, ver, ctx := row12(t), version(t), t.Context()
	db, err := table.Open(sink{}, "table", &table.Options{Region: "eu-west-1"})
	require.NoError(t, err)
	v := twelve()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = Twelves.Decode(item) }), 6.0, "decode")
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = Twelves.Upsert(ctx, db, v, ver) }), 46.0, "upsert")
}
