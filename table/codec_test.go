package table_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
)

type Color string

type Inner struct {
	Name string   `dynamo:"name"`
	Deep *Deep    `dynamo:"deep,omitempty"`
	List []string `dynamo:"list,omitempty"`
}

type Deep struct {
	N int `dynamo:"n"`
}

type Embedded struct {
	Promoted string `dynamo:"promoted"`
}

// Zoo has a field of every kind of type and option.
type Zoo struct {
	ID string
	Embedded
	Text       string            `dynamo:"text"`
	Kept       string            `dynamo:"kept,allowempty"`
	Nulled     string            `dynamo:"nulled,null"`
	Color      Color             `dynamo:"color"`
	Yes        bool              `dynamo:"yes"`
	I8         int8              `dynamo:"i8"`
	I64        int64             `dynamo:"i64,omitempty"`
	U16        uint16            `dynamo:"u16"`
	U64        uint64            `dynamo:"u64"`
	F32        float32           `dynamo:"f32"`
	F64        float64           `dynamo:"f64"`
	Bytes      []byte            `dynamo:"bytes"`
	Time       time.Time         `dynamo:"time"`
	Unix       time.Time         `dynamo:"unix,unixtime"`
	MaybeTime  *time.Time        `dynamo:"maybeTime"`
	MaybeInt   *int              `dynamo:"maybeInt"`
	MaybeText  *string           `dynamo:"maybeText,null"`
	Inner      Inner             `dynamo:"inner"`
	MaybeInner *Inner            `dynamo:"maybeInner"`
	OmitInner  Inner             `dynamo:"omitInner,omitempty"`
	Texts      []string          `dynamo:"texts"`
	Ints       []int             `dynamo:"ints,omitempty"`
	Inners     []Inner           `dynamo:"inners"`
	Pointers   []*Deep           `dynamo:"pointers"`
	TextSet    []string          `dynamo:"textSet,set"`
	IntSet     []int32           `dynamo:"intSet,set"`
	ByteSet    [][]byte          `dynamo:"byteSet,set"`
	MapSet     map[string]bool   `dynamo:"mapSet,set"`
	Map        map[string]string `dynamo:"map"`
	MapInner   map[string]Inner  `dynamo:"mapInner"`
	Array      [4]byte           `dynamo:"array"`
	Any        any               `dynamo:"any"`
	Big        *big.Int          `dynamo:"big"` // encodes itself as text
	Nested     [][]string        `dynamo:"nested"`
	Untagged   string
	Ignored    string `dynamo:"-"`
}

var Zoos = table.DefineNode("zoo", func(z *Zoo, d *table.Def[Zoo]) { d.ID(&z.ID) })

// zoos draws values of every field, zero ones and full ones.
func zoos(rt *rapid.T) Zoo {
	text, some := rapid.StringN(0, 5, -1), rapid.Bool()
	z := Zoo{
		ID: "1", Text: text.Draw(rt, "text"), Kept: text.Draw(rt, "kept"), Nulled: text.Draw(rt, "nulled"), Yes: some.Draw(rt, "yes"),
		Color: Color(text.Draw(rt, "color")), I8: rapid.Int8().Draw(rt, "i8"), I64: rapid.Int64().Draw(rt, "i64"), U16: rapid.Uint16().Draw(rt, "u16"),
		U64: rapid.Uint64().Draw(rt, "u64"), F32: rapid.Float32Range(-1e9, 1e9).Filter(normal[float32]).Draw(rt, "f32"),
		F64: rapid.Float64Range(-1e20, 1e20).Filter(normal[float64]).Draw(rt, "f64"), Bytes: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "bytes"),
		Time: day(1).Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(rt, "time"))),
	}
	z.Promoted = text.Draw(rt, "promoted")
	if some.Draw(rt, "full") {
		now, n, s := day(2), 7, "s"
		z.Unix, z.MaybeTime, z.MaybeInt, z.MaybeText = day(3), &now, &n, &s
		z.Inner = Inner{Name: "n", Deep: &Deep{3}, List: []string{"", "b"}}
		z.MaybeInner, z.OmitInner = &Inner{Name: "m"}, Inner{Name: "o"}
		z.Array, z.Any, z.Big, z.Untagged = [4]byte{1, 2}, "any", big.NewInt(1<<40), "u"
	}
	z.Texts = rapid.SliceOfN(text, 0, 3).Draw(rt, "texts")
	z.Ints = rapid.SliceOfN(rapid.Int(), 0, 3).Draw(rt, "ints")
	z.Inners = rapid.SliceOfN(rapid.Just(Inner{Name: "x"}), 0, 2).Draw(rt, "inners")
	z.Pointers = rapid.SliceOfN(rapid.SampledFrom([]*Deep{nil, {1}}), 0, 3).Draw(rt, "pointers")
	z.TextSet = rapid.SliceOfNDistinct(rapid.StringN(1, 3, -1), 0, 3, rapid.ID).Draw(rt, "textSet")
	z.IntSet = rapid.SliceOfNDistinct(rapid.Int32(), 0, 3, rapid.ID).Draw(rt, "intSet")
	z.ByteSet = rapid.SliceOfN(rapid.Just([]byte{1}), 0, 1).Draw(rt, "byteSet")
	z.MapSet = rapid.MapOfN(rapid.StringN(1, 3, -1), rapid.Just(true), 0, 1).Draw(rt, "mapSet")
	z.Map = rapid.MapOfN(text, rapid.StringN(1, 3, -1), 0, 3).Draw(rt, "map")
	z.MapInner = rapid.MapOfN(text, rapid.Just(Inner{Name: "y"}), 0, 2).Draw(rt, "mapInner")
	z.Nested = rapid.SliceOfN(rapid.SliceOfN(text, 0, 2), 0, 2).Draw(rt, "nested")
	return z
}

// normal leaves out numbers of which guregu writes another text: -0, which DynamoDB does not know, and those with many zeros.
func normal[F float32 | float64](f F) bool {
	return f == 0 && !math.Signbit(float64(f)) || math.Abs(float64(f)) > 1e-6
}

// TestEncodingIsGuregus: rows hold what guregu/dynamo would have written, so that either can read the other's.
func TestEncodingIsGuregus(t *testing.T) {
	t.Parallel()
	db := dry(t)
	rapid.Check(t, func(rt *rapid.T) {
		z := zoos(rt)
		want, err := dynamo.MarshalItem(z)
		require.NoError(rt, err)
		got := encoded(rt, t, db, z)
		delete(want, "ID")
		if z.Big == nil { // guregu writes the text "<nil>", which cannot be read again
			delete(want, "big")
		}
		require.Equal(rt, itemJSON(want), itemJSON(got))

		got["pk"], got["sk"] = &types.AttributeValueMemberS{Value: "1"}, &types.AttributeValueMemberS{Value: "zoo"}
		ours, err := Zoos.Decode(got)
		require.NoError(rt, err)
		var theirs Zoo
		got["ID"] = got["pk"]
		require.NoError(rt, dynamo.UnmarshalItem(got, &theirs))
		require.Equal(rt, alike(theirs), alike(ours))
		z.Ignored = ""
		again := encoded(rt, t, db, ours)
		require.Equal(rt, itemJSON(want), itemJSON(again), "encode after decode is the identity on rows")
	})
}

// alike lets nil and empty bytes be the same: guregu keeps an empty value where it finds one.
func alike(z Zoo) Zoo {
	z.Bytes = slices.Clip(append([]byte{}, z.Bytes...))
	return z
}

// encoded are the attributes of a row without the library's own.
func encoded(rt require.TestingT, t *testing.T, db *table.DB, z Zoo) table.Item {
	requests, err := db.Params(func(db *table.DB) error { return db.Batch(t.Context(), Zoos.Put(z)) })
	require.NoError(rt, err)
	item := onlyPut(requests)
	for _, attr := range []string{"pk", "sk", "discriminator", "timestamp"} {
		require.Contains(rt, item, attr)
		delete(item, attr)
	}
	return item
}

func TestDecodingRefuses(t *testing.T) {
	t.Parallel()
	n := func(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }
	s := func(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
	for attr, av := range map[string]types.AttributeValue{
		"i8": n("300"), "u16": n("-1"), "i64": n("1.5"), "f32": n("1e99"), "text": n("1"), "time": s("yesterday"), "unix": n("1.5"), "bytes": s("x"),
		"yes": s("true"), "texts": s("x"), "ints": &types.AttributeValueMemberL{Value: []types.AttributeValue{s("x")}}, "inner": s("x"), "intSet": s("1"),
	} {
		_, err := Zoos.Decode(table.Item{"pk": s("1"), "sk": s("zoo"), attr: av})
		require.ErrorContains(t, err, fmt.Sprintf("table: decode zoo %q %q: field ", "1", "zoo"), attr)
	}
	_, err := Zoos.Decode(table.Item{"pk": s("1"), "sk": s("zoo"), "text": &types.AttributeValueMemberNULL{Value: true}})
	require.NoError(t, err, "NULL is the zero value of every type")
}

func TestEncodingRefusesNumbersThatDynamoDBCannotHold(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{math.NaN(), math.Inf(1), 1e126, 1e-131} {
		require.ErrorContains(t, Zoos.Save(t.Context(), dry(t), Zoo{ID: "1", F64: f}), "field F64: not a number that DynamoDB can hold")
	}
}
