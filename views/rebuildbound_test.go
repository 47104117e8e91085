package views_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// TestRebuildMemory: what a rebuild holds at a time does not grow with its history. It measures the heap of the process, and so runs alone.
func TestRebuildMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads its history over and over")
	}
	const events, body, memory, allowed = 400, 8 << 10, 1 << 18, 2 << 20
	db := newTable(t, func(e *embedded.DB) table.Client { return instant{e} })
	l, err := views.New(db, rules()[0])
	require.NoError(t, err)
	before, peak := heap(), int64(0)
	history := func(yield func(insideout.Event, error) bool) {
		for n := range events {
			if n%100 == 0 {
				peak = max(peak, heap()-before)
			}
			if !yield(registered(n, fmt.Sprint("c", n), strings.Repeat("x", body)), nil) {
				return
			}
		}
	}
	done, err := views.Rebuild(t.Context(), l, history, &views.RebuildOptions{Memory: memory})
	require.ErrorIs(t, err, views.ErrUnverified, "nothing was written")
	require.EqualValues(t, events, done.Lanes)
	require.Greater(t, done.Passes, events*body/memory)
	require.Less(t, done.Passes, 2*events*body/memory, "most of the memory is used")
	t.Logf("%d KiB at most, in %d passes", peak>>10, done.Passes)
	require.Less(t, peak, int64(allowed), "of a history of %d bytes", events*body)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// sample has an attribute of each type that a digest tells apart.
type sample struct {
	ID      string            `dynamo:"id"`
	Text    string            `dynamo:"text"`
	Whole   int64             `dynamo:"whole"`
	Part    float64           `dynamo:"part"`
	Yes     bool              `dynamo:"yes"`
	Texts   []string          `dynamo:"texts,set"`
	Numbers []int             `dynamo:"numbers,set"`
	List    []string          `dynamo:"list"`
	Map     map[string]string `dynamo:"map"`
}

var samples = table.DefineNode("sample", func(s *sample, d *table.Def[sample]) { d.ID(&s.ID) })

// TestRebuildDigestsEveryType: the digest does not depend on how a value is written, and tells any two values apart.
func TestRebuildDigestsEveryType(t *testing.T) {
	t.Parallel()
	str := func(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
	num := func(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }
	for name, tt := range map[string]struct {
		attribute string
		value     types.AttributeValue
		same      bool
	}{
		"text":                          {"text", str("b"), false},
		"text that is there":            {"text", str("a"), true},
		"attribute that is gone":        {"text", nil, false},
		"a number as text":              {"whole", str("-12"), false},
		"whole":                         {"whole", num("-13"), false},
		"whole, with a point":           {"whole", num("-12.0"), true},
		"part":                          {"part", num("0.26"), false},
		"part, as a power":              {"part", num("2.5e-1"), true},
		"yes":                           {"yes", &types.AttributeValueMemberBOOL{}, false},
		"set in another order":          {"texts", &types.AttributeValueMemberSS{Value: []string{"y", "x"}}, true},
		"set with less":                 {"texts", &types.AttributeValueMemberSS{Value: []string{"xy"}}, false},
		"set of numbers":                {"numbers", &types.AttributeValueMemberNS{Value: []string{"1e1", "2"}}, true},
		"set of numbers, other":         {"numbers", &types.AttributeValueMemberNS{Value: []string{"1", "2"}}, false},
		"list in another order":         {"list", &types.AttributeValueMemberL{Value: []types.AttributeValue{str("2"), str("1")}}, false},
		"list that is not divided so":   {"list", &types.AttributeValueMemberL{Value: []types.AttributeValue{str("12")}}, false},
		"set where there was a list":    {"list", &types.AttributeValueMemberSS{Value: []string{"1", "2"}}, false},
		"map":                           {"map", &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"k": str("w")}}, false},
		"map with another name":         {"map", &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"l": str("v")}}, false},
		"an attribute of nobody at all": {"other", str("x"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := embedded.New(nil)
			t.Cleanup(func() { require.NoError(t, engine.Close()) })
			require.NoError(t, table.Create(t.Context(), engine, "samples", table.Schema(samples)))
			db, err := table.Open(engine, "samples", nil)
			require.NoError(t, err)
			l, err := views.New(db, views.Upsert(samples, views.On("customer-registered"), func(e customerEvent) (sample, error) {
				return sample{e.Customer.ID, "a", -12, 0.25, true, []string{"x", "y"}, []int{2, 10}, []string{"1", "2"}, map[string]string{"k": "v"}}, nil
			}))
			require.NoError(t, err)
			history := historyOf([]insideout.Event{registered(1, "s1", "")})
			_, err = views.Rebuild(t.Context(), l, history, nil)
			require.NoError(t, err)
			spoil(t, engine, tt.attribute, tt.value)
			done, err := views.Rebuild(t.Context(), l, history, nil)
			require.EqualValues(t, 1, done.Duplicate)
			if tt.same {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, views.ErrUnverified)
			require.EqualValues(t, 1, done.Verified.Wrong)
			require.NotEqual(t, done.Verified.Want, done.Verified.Have)
		})
	}
}

// spoil gives an attribute of the sample another value, or removes it.
func spoil(t *testing.T, engine *embedded.DB, attribute string, value types.AttributeValue) {
	t.Helper()
	in := &dynamodb.UpdateItemInput{
		TableName: new("samples"), Key: table.RowKey{PK: "s1", SK: "sample"}.Item(),
		UpdateExpression: new("REMOVE #a"), ExpressionAttributeNames: map[string]string{"#a": attribute},
	}
	if value != nil {
		in.UpdateExpression, in.ExpressionAttributeValues = new("SET #a = :a"), table.Item{":a": value}
	}
	_, err := engine.UpdateItem(context.Background(), in)
	require.NoError(t, err)
}
