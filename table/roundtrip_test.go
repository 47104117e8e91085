package table_test

import (
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
)

// Degrees encodes itself, as a number.
type Degrees struct{ tenths int64 }

func (d Degrees) MarshalDynamo() (types.AttributeValue, error) {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(d.tenths, 10)}, nil
}

func (d *Degrees) UnmarshalDynamo(av types.AttributeValue) error {
	n, ok := av.(*types.AttributeValueMemberN)
	if !ok {
		return errors.New("not a number")
	}
	var err error
	d.tenths, err = strconv.ParseInt(n.Value, 10, 64)
	return err
}

// Ark has two of every type: those that the plan knows, and, below, those that it leaves to guregu.
type Ark struct {
	ID string
	Embedded
	Text      string      `dynamo:"text"`
	Kept      string      `dynamo:"kept,allowempty"`
	Color     Color       `dynamo:"color,omitempty"`
	Yes       bool        `dynamo:"yes"`
	Int       int         `dynamo:"int"`
	I8        int8        `dynamo:"i8"`
	I16       int16       `dynamo:"i16"`
	I32       int32       `dynamo:"i32,omitempty"`
	I64       int64       `dynamo:"i64"`
	Uint      uint        `dynamo:"uint"`
	U8        uint8       `dynamo:"u8"`
	U16       uint16      `dynamo:"u16"`
	U32       uint32      `dynamo:"u32"`
	U64       uint64      `dynamo:"u64"`
	F32       float32     `dynamo:"f32"`
	F64       float64     `dynamo:"f64"`
	Bytes     []byte      `dynamo:"bytes"`
	Time      time.Time   `dynamo:"time"`
	Unix      time.Time   `dynamo:"unix,unixtime"`
	MaybeTime *time.Time  `dynamo:"maybeTime"`
	MaybeText *string     `dynamo:"maybeText,allowempty"`
	MaybeInt  *int64      `dynamo:"maybeInt,null"`
	Inner     Inner       `dynamo:"inner"`
	Maybe     *Inner      `dynamo:"maybe"`
	Texts     []string    `dynamo:"texts"`
	Floats    []float64   `dynamo:"floats,omitempty"`
	Times     []time.Time `dynamo:"times"`
	Inners    []Inner     `dynamo:"inners"`
	TextSet   []string    `dynamo:"textSet,set"`
	IntSet    []int32     `dynamo:"intSet,set"`
	ByteSet   [][]byte    `dynamo:"byteSet,set"`

	Nested  [][]int64          `dynamo:"nested"`
	Map     map[string]string  `dynamo:"map"`
	Numbers map[string]float64 `dynamo:"numbers"`
	Structs map[string]Inner   `dynamo:"structs"`
	MapSet  map[string]bool    `dynamo:"mapSet,set"`
	IntsSet map[int64]struct{} `dynamo:"intsSet,set"`
	Array   [4]byte            `dynamo:"array"`
	Triple  [3]int             `dynamo:"triple"`
	Any     any                `dynamo:"any"`
	Big     *big.Int           `dynamo:"big"`
	Addr    netip.Addr         `dynamo:"addr"`
	Own     Degrees            `dynamo:"own"`
	MaybeO  *Degrees           `dynamo:"maybeOwn"`
}

var Arks = table.DefineNode("ark", func(a *Ark, d *table.Def[Ark]) { d.ID(&a.ID) })

// storable are the floating-point numbers that DynamoDB can hold.
func storable(f float64) bool {
	size := math.Abs(f)
	return f == 0 || size >= 1e-130 && size < 1e126
}

func maybe[T any](g *rapid.Generator[T]) *rapid.Generator[*T] {
	return rapid.Custom(func(rt *rapid.T) *T {
		if rapid.Bool().Draw(rt, "nil") {
			return nil
		}
		return new(g.Draw(rt, "value"))
	})
}

// listed are lists, empty ones too: guregu stores a nil list as an empty one, which is then read.
func listed[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(rt *rapid.T) []T { return append([]T{}, rapid.SliceOfN(g, 0, 3).Draw(rt, "list")...) })
}

// full are lists or nil, where an empty list is no attribute.
func full[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(rt *rapid.T) []T {
		if list := rapid.SliceOfN(g, 0, 3).Draw(rt, "list"); len(list) > 0 {
			return list
		}
		return nil
	})
}

func distinct[T comparable](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(rt *rapid.T) []T {
		if list := rapid.SliceOfNDistinct(g, 0, 4, rapid.ID).Draw(rt, "set"); len(list) > 0 {
			return list
		}
		return nil
	})
}

func filled[K comparable, V any](k *rapid.Generator[K], v *rapid.Generator[V]) *rapid.Generator[map[K]V] {
	return rapid.Custom(func(rt *rapid.T) map[K]V { return rapid.MapOfN(k, v, 1, 3).Draw(rt, "map") })
}

func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(rt *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(rt, "s"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).UTC()
	})
}

func inners() *rapid.Generator[Inner] {
	return rapid.Custom(func(rt *rapid.T) Inner {
		return Inner{
			Name: rapid.String().Draw(rt, "name"), List: full(rapid.StringN(1, 5, -1)).Draw(rt, "list"),
			Deep: maybe(rapid.Custom(func(rt *rapid.T) Deep { return Deep{rapid.Int().Draw(rt, "n")} })).Draw(rt, "deep"),
		}
	})
}

func arks(rt *rapid.T) Ark {
	text, f64 := rapid.String(), rapid.Float64().Filter(storable)
	a := Ark{
		ID: "1", Text: text.Draw(rt, "text"), Kept: text.Draw(rt, "kept"), Color: Color(text.Draw(rt, "color")), Yes: rapid.Bool().Draw(rt, "yes"),
		Int: rapid.Int().Draw(rt, "int"), I8: rapid.Int8().Draw(rt, "i8"), I16: rapid.Int16().Draw(rt, "i16"), I32: rapid.Int32().Draw(rt, "i32"),
		I64: rapid.Int64().Draw(rt, "i64"), Uint: rapid.Uint().Draw(rt, "uint"), U8: rapid.Uint8().Draw(rt, "u8"), U16: rapid.Uint16().Draw(rt, "u16"),
		U32: rapid.Uint32().Draw(rt, "u32"), U64: rapid.Uint64().Draw(rt, "u64"), F32: rapid.Float32().Draw(rt, "f32"), F64: f64.Draw(rt, "f64"),
		Bytes: full(rapid.Byte()).Draw(rt, "bytes"), Time: instants().Draw(rt, "time"), MaybeTime: maybe(instants()).Draw(rt, "maybeTime"),
		Unix:      instants().Filter(func(t time.Time) bool { return !t.Truncate(time.Second).IsZero() }).Draw(rt, "unix").Truncate(time.Second),
		MaybeText: maybe(text).Draw(rt, "maybeText"), MaybeInt: maybe(rapid.Int64()).Draw(rt, "maybeInt"), Inner: inners().Draw(rt, "inner"),
		Maybe: maybe(inners()).Draw(rt, "maybe"), Texts: listed(text).Draw(rt, "texts"), Floats: full(f64).Draw(rt, "floats"),
		Times: listed(instants()).Draw(rt, "times"), Inners: listed(inners()).Draw(rt, "inners"), TextSet: distinct(rapid.StringN(1, 5, -1)).Draw(rt, "textSet"),
		IntSet: distinct(rapid.Int32()).Draw(rt, "intSet"),
	}
	for _, s := range distinct(rapid.StringN(1, 5, -1)).Draw(rt, "byteSet") {
		a.ByteSet = append(a.ByteSet, []byte(s))
	}
	a.Promoted = text.Draw(rt, "promoted")
	leftToGuregu(rt, &a)
	return a
}

func leftToGuregu(rt *rapid.T, a *Ark) {
	text, some, n := rapid.StringN(1, 5, -1), rapid.StringN(1, 3, -1), rapid.Int64()
	a.Nested = listed(listed(n)).Draw(rt, "nested")
	a.Map = filled(text, some).Draw(rt, "map")
	a.Numbers = filled(text, rapid.Float64().Filter(func(f float64) bool { return storable(f) && normal(f) })).Draw(rt, "numbers")
	a.Structs = filled(text, inners()).Draw(rt, "structs")
	a.MapSet = filled(text, rapid.Just(true)).Draw(rt, "mapSet")
	a.IntsSet = filled(n, rapid.Just(struct{}{})).Draw(rt, "intsSet")
	a.Array = [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "array"))
	a.Triple = [3]int(rapid.SliceOfN(rapid.Int(), 3, 3).Draw(rt, "triple"))
	a.Any = rapid.OneOf(
		rapid.Just[any](nil), text.AsAny(), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).Filter(normal[float64]).AsAny(),
		rapid.Just[any]([]any{"a", true, 1.5}), rapid.Just[any](map[string]any{"a": "b", "c": map[string]any{"d": 2.0}}),
	).Draw(rt, "any")
	if p := maybe(n).Draw(rt, "big"); p != nil {
		a.Big = new(big.Int).Exp(big.NewInt(*p), big.NewInt(5), nil)
	}
	a.Addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "addr")))
	a.Own = Degrees{n.Draw(rt, "own")}
	a.MaybeO = maybe(rapid.Custom(func(rt *rapid.T) Degrees { return Degrees{n.Draw(rt, "n")} })).Draw(rt, "maybeOwn")
}

// TestDecodingIsTheInverseOfEncoding, of every supported type, and of types that are left to guregu.
func TestDecodingIsTheInverseOfEncoding(t *testing.T) {
	t.Parallel()
	db := dry(t)
	rapid.Check(t, func(rt *rapid.T) {
		want := arks(rt)
		requests, err := db.Params(func(db *table.DB) error { return db.Batch(t.Context(), Arks.Put(want)) })
		require.NoError(rt, err)
		got, err := Arks.Decode(onlyPut(requests))
		require.NoError(rt, err)
		require.Equal(rt, want, got)
	})
}

// TestTimesKeepTheirZone: not its name, which RFC 3339 has no room for.
func TestTimesKeepTheirZone(t *testing.T) {
	t.Parallel()
	db := dry(t)
	rapid.Check(t, func(rt *rapid.T) {
		want := instants().Filter(func(t time.Time) bool { return t.Year() > 1 && t.Year() < 9999 }).Draw(rt, "time")
		want = want.In(time.FixedZone("X", 60*rapid.IntRange(-14*60, 14*60).Draw(rt, "minutes")))
		requests, err := db.Params(func(db *table.DB) error { return db.Batch(t.Context(), Arks.Put(Ark{ID: "1", Time: want})) })
		require.NoError(rt, err)
		got, err := Arks.Decode(onlyPut(requests))
		require.NoError(rt, err)
		require.Equal(rt, want.Format(time.RFC3339Nano), got.Time.Format(time.RFC3339Nano))
	})
}
