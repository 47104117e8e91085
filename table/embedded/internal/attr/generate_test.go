package attr_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// scalars gives keys that are often close together and full of zero bytes.
func scalars(kind attr.Kind) *rapid.Generator[attr.Value] {
	return rapid.Custom(func(t *rapid.T) attr.Value {
		if kind == attr.Num {
			text := rapid.StringMatching(`-?[0-9]{1,3}|-?[0-9]{1,38}`).Draw(t, "digits")
			n, err := num.Parse(text + "e" + strconv.Itoa(rapid.IntRange(-90, 80).Draw(t, "exp")))
			require.NoError(t, err)
			return attr.N(n)
		}
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 'b', 0xFE, 0xFF}), 0, 6).Draw(t, "bytes")
		if kind == attr.String {
			return attr.S(string(b))
		}
		return attr.B(b)
	})
}

// values gives values of every type, at most so many deep.
func values(depth int) *rapid.Generator[attr.Value] {
	return rapid.Custom(func(t *rapid.T) attr.Value {
		last := attr.BinarySet
		kind := attr.Kind(rapid.IntRange(1, int(last)).Draw(t, "kind"))
		if depth == 0 && (kind == attr.List || kind == attr.Map) {
			kind = attr.String
		}
		switch kind {
		case attr.Bool:
			return attr.BOOL(rapid.Bool().Draw(t, "bool"))
		case attr.Null:
			return attr.NULL()
		case attr.List:
			return attr.L(rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "list"))
		case attr.Map:
			return attr.M(rapid.MapOfN(rapid.StringN(1, -1, -1), values(depth-1), 0, 4).Draw(t, "map"))
		case attr.StringSet, attr.NumSet, attr.BinarySet:
			return sets(kind).Draw(t, "set")
		default:
			return scalars(kind).Draw(t, "scalar")
		}
	})
}

func sets(kind attr.Kind) *rapid.Generator[attr.Value] {
	return rapid.Custom(func(t *rapid.T) attr.Value {
		member := scalars(kind - attr.StringSet + attr.String).Filter(func(v attr.Value) bool {
			return v.Kind() == attr.Num || v.Str() != ""
		})
		members := rapid.SliceOfNDistinct(member, 1, 5, attr.Value.Text).Draw(t, "members")
		var v attr.Value
		var err error
		switch kind {
		case attr.StringSet:
			v, err = attr.SS(mapped(members, attr.Value.Str))
		case attr.NumSet:
			v, err = attr.NS(mapped(members, attr.Value.Num))
		default:
			v, err = attr.BS(mapped(members, attr.Value.Bytes))
		}
		require.NoError(t, err)
		return v
	})
}

func mapped[T any](values []attr.Value, f func(attr.Value) T) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

func items() *rapid.Generator[attr.Item] {
	return rapid.MapOfN(rapid.StringN(1, -1, -1), values(3), 0, 6)
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(attr.AppendItem(nil, attr.Item{"a": attr.S("x"), "n": attr.N(num.FromInt(-12)), "l": attr.L([]attr.Value{attr.NULL()})}))
	f.Add([]byte{1, 1, 1, 'a', 6, 1, 6, 1, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		item, err := attr.DecodeItem(b)
		if err != nil {
			require.Nil(t, item)
			return
		}
		require.Equal(t, b, attr.AppendItem(nil, item))
		back, err := attr.ItemFromSDK(attr.ItemToSDK(item))
		if err == nil { // sets may have empty members, and lists may be too deep
			require.True(t, attr.EqualItems(item, back))
		}
	})
}

func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte{2, 'a', 0, 0xFF, 0, 1})
	f.Add([]byte{6, 0x82, 0x0b, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := attr.DecodeKey(b)
		if err != nil {
			return
		}
		require.Equal(t, string(b), string(append(key(t, v), rest...)))
	})
}

// row is about 1 KB: what a table of the toolkit holds.
func row() attr.Item {
	text := make([]byte, 700)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	n, _ := num.Parse("1763712000123")
	return attr.Item{
		"pk": attr.S("0b7a3c52-1d8e-4f0e-9d53-2f6d1c7a9b11"), "sk": attr.S("order"), "discriminator": attr.S("order"),
		"timestamp": attr.N(n), "lastModifiedBy": attr.S("system"), "awsregion": attr.S("eu-west-1"), "latched": attr.BOOL(true),
		"_v": attr.S("1763712000123#0b7a3c52-1d8e-4f0e-9d53-2f6d1c7a9b11"), "ttl": attr.N(n), "text": attr.S(string(text)),
	}
}

func BenchmarkAppendItem(b *testing.B) {
	b.ReportAllocs()
	item, room := row(), make([]byte, 0, 2048)
	for b.Loop() {
		_ = attr.AppendItem(room, item)
	}
}

func BenchmarkDecodeItem(b *testing.B) {
	b.ReportAllocs()
	encoded := attr.AppendItem(nil, row())
	for b.Loop() {
		_, _ = attr.DecodeItem(encoded)
	}
}

func BenchmarkFromSDK(b *testing.B) {
	b.ReportAllocs()
	item := attr.ItemToSDK(row())
	for b.Loop() {
		_, _ = attr.ItemFromSDK(item)
	}
}

func BenchmarkToSDK(b *testing.B) {
	b.ReportAllocs()
	item := row()
	for b.Loop() {
		_ = attr.ItemToSDK(item)
	}
}

func BenchmarkItemSize(b *testing.B) {
	b.ReportAllocs()
	item := row()
	for b.Loop() {
		_ = attr.ItemSize(item)
	}
}

func BenchmarkAppendKey(b *testing.B) {
	b.ReportAllocs()
	v, room := attr.S("0b7a3c52-1d8e-4f0e-9d53-2f6d1c7a9b11"), make([]byte, 0, 64)
	for b.Loop() {
		_, _ = attr.AppendKey(room, v)
	}
}
