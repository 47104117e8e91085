package table_test

import (
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
)

// Keyed is a node and an edge with ids of one type.
type Keyed[K any] struct{ Owner, ID K }

// keyLaw: keys are injective and sort as ids do, and the id comes back from the key.
func keyLaw[K any](t *testing.T, ids *rapid.Generator[K], compare func(a, b K) int) {
	t.Helper()
	node := table.DefineNode("node", func(v *Keyed[K], d *table.Def[Keyed[K]]) { d.ID(&v.ID) })
	edge := table.DefineEdge("edge", "edges", func(v *Keyed[K], d *table.Def[Keyed[K]]) {
		d.Owner(&v.Owner)
		d.ID(&v.ID)
	})
	rapid.Check(t, func(rt *rapid.T) {
		a, b := ids.Draw(rt, "a"), ids.Draw(rt, "b")
		ka, err := node.KeyOf(a)
		require.NoError(rt, err)
		kb, err := node.KeyOf(b)
		require.NoError(rt, err)
		require.Equal(rt, compare(a, b), strings.Compare(ka.PK, kb.PK), "%q %q", ka.PK, kb.PK)

		ea, err := edge.KeyOf(table.Of(a, b))
		require.NoError(rt, err)
		require.Equal(rt, table.RowKey{PK: ka.PK, SK: "edges|" + kb.PK}, ea)
		require.Equal(rt, 1, strings.Count(ea.SK, "|"), "the delimiter within an id is escaped")
		row, err := edge.Decode(ea.Item())
		require.NoError(rt, err)
		require.Zero(rt, compare(a, row.Owner))
		require.Zero(rt, compare(b, row.ID))
		again, err := edge.RowKey(row)
		require.NoError(rt, err)
		require.Equal(rt, ea, again)
	})
}

func TestKeyLaws(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab|{}01~zé\x00\U0010FFFF")), 1, 8, -1)
	t.Run("string", func(t *testing.T) { keyLaw(t, text, strings.Compare) })
	t.Run("any string", func(t *testing.T) { keyLaw(t, rapid.StringN(1, 20, -1), strings.Compare) })
	t.Run("int", func(t *testing.T) { keyLaw(t, rapid.Int(), cmp.Compare) })
	t.Run("int8", func(t *testing.T) { keyLaw(t, rapid.Int8(), cmp.Compare) })
	t.Run("int16", func(t *testing.T) { keyLaw(t, rapid.Int16(), cmp.Compare) })
	t.Run("int32", func(t *testing.T) { keyLaw(t, rapid.Int32(), cmp.Compare) })
	t.Run("int64", func(t *testing.T) {
		keyLaw(t, rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}), cmp.Compare)
	})
	t.Run("uint8", func(t *testing.T) { keyLaw(t, rapid.Uint8(), cmp.Compare) })
	t.Run("uint64", func(t *testing.T) { keyLaw(t, rapid.Uint64(), cmp.Compare) })
	t.Run("bool", func(t *testing.T) {
		keyLaw(t, rapid.Bool(), func(a, b bool) int { return cmp.Compare(number(a), number(b)) })
	})
	zone := time.FixedZone("east", 5*3600)
	t.Run("time", func(t *testing.T) {
		keyLaw(t, rapid.Custom(func(rt *rapid.T) time.Time {
			return time.Unix(rapid.Int64Range(-60_000_000_000, 250_000_000_000).Draw(rt, "s"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).In(zone)
		}), time.Time.Compare)
	})
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// FuzzDecodeKey: no key makes Decode panic, and what it decodes has a key.
func FuzzDecodeKey(f *testing.F) {
	for _, seed := range []string{"lines|0000000000000000001", "lines|-9", "lines|", "", "order", "lines|a{2"} {
		f.Add("42", seed)
	}
	f.Fuzz(func(t *testing.T, pk, sk string) {
		for _, item := range []table.Item{table.RowKey{PK: pk, SK: sk}.Item()} {
			if v, err := Lines.Decode(item); err == nil && v.OrderID != "" && len(pk) < 500 {
				_, err := Lines.RowKey(v)
				require.NoError(t, err)
			}
			_, _ = Orders.Decode(item)
		}
	})
}
