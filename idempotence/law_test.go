package idempotence_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
)

type change struct {
	millis int64
	id     string
}

// changes draws changes that often share their time or the start of their id, where an order is easily got wrong.
func changes() *rapid.Generator[change] {
	return rapid.Custom(func(t *rapid.T) change {
		return change{
			millis: rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, 9_999_999_999_999)).Draw(t, "millis"),
			id:     rapid.OneOf(rapid.StringMatching(`[#!a]{1,3}`), rapid.StringN(1, 9, -1)).Draw(t, "id"),
		}
	})
}

func version(t require.TestingT, c change) idempotence.Version {
	v, err := idempotence.NewVersion(time.UnixMilli(c.millis), c.id)
	require.NoError(t, err)
	return v
}

// Law: versions are ordered as (milliseconds, event id) and tell both.
func TestLawTotalOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := changes().Draw(t, "a"), changes().Draw(t, "b")
		want := cmp.Or(cmp.Compare(a.millis, b.millis), cmp.Compare(a.id, b.id))
		require.Equal(t, want, cmp.Compare(version(t, a), version(t, b)))
		require.Equal(t, a, change{version(t, a).Time().UnixMilli(), version(t, a).EventID()})
	})
}

// row is a lane under the inverse lock: what one conditional write does to it.
type row struct {
	version idempotence.Version
	value   string
}

func (r row) write(v idempotence.Version, value string) (row, idempotence.Outcome) {
	outcome := idempotence.Classify(r.version, v)
	if outcome == idempotence.Applied {
		return row{v, value}, outcome
	}
	return r, outcome
}

// Law: any order and any repetition of the same changes ends in the same row, and exactly one delivery of the winner is
// the last one applied.
func TestLawFoldConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(changes(), 1, 8, func(c change) change { return c }).Draw(t, "changes")
		deliveries := slices.Concat(list, rapid.SliceOfN(rapid.SampledFrom(list), 0, 8).Draw(t, "again"))
		shuffled := rapid.Permutation(deliveries).Draw(t, "order")

		var got row
		applied := map[change]int{}
		for _, c := range shuffled {
			var outcome idempotence.Outcome
			got, outcome = got.write(version(t, c), "value of "+c.id)
			if outcome == idempotence.Applied {
				applied[c]++
			}
		}
		winner := slices.MaxFunc(list, func(a, b change) int {
			return cmp.Or(cmp.Compare(a.millis, b.millis), cmp.Compare(a.id, b.id))
		})
		require.Equal(t, row{version(t, winner), "value of " + winner.id}, got)
		require.Equal(t, 1, applied[winner])
		for c, n := range applied {
			require.Equal(t, 1, n, "%v was applied twice", c)
		}
	})
}

// Law: the greater of two versions is a join, so the changes of one row may be reduced in any grouping before the write.
func TestLawMaxIsJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version(t, changes().Draw(t, "a")), version(t, changes().Draw(t, "b")), version(t, changes().Draw(t, "c"))
		require.Equal(t, max(a, b), max(b, a))
		require.Equal(t, max(a, max(b, c)), max(max(a, b), c))
		require.Equal(t, a, max(a, a))
		require.Equal(t, a, max(a, ""))
		require.Equal(t, idempotence.Classify(a, b) == idempotence.Applied, max(a, b) != a)
	})
}

// Law: ids are equal only if namespace and parts are, wherever the borders between the parts lie.
func TestLawIDIsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[ab1:,]{0,3}`)
		list := rapid.SliceOfN(part, 1, 4)
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		require.Equal(t, slices.Equal(a, b), idempotence.ID(a[0], a[1:]...) == idempotence.ID(b[0], b[1:]...))
		require.Len(t, idempotence.ID(a[0], a[1:]...), 36)
	})
}

// Law: lanes share no attribute.
func TestLawLanesAreDisjoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lane := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_-]{0,8}`))
		a, b := idempotence.Lane(lane.Draw(t, "a")), idempotence.Lane(lane.Draw(t, "b"))
		require.NoError(t, a.Valid())
		require.Equal(t, a == b, a.VersionAttribute() == b.VersionAttribute())
		require.Equal(t, a == b, a.TombstoneAttribute() == b.TombstoneAttribute())
		require.NotEqual(t, a.VersionAttribute(), b.TombstoneAttribute())
	})
}

// FuzzVersion: a text is valid exactly if its parts make it again.
func FuzzVersion(f *testing.F) {
	for _, text := range []string{"", "1700000000123#e-1", "0000000000000#", "9999999999999#\xff", "-000000000001#a", "1700000000123#a#b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := idempotence.Version(text)
		again, err := idempotence.NewVersion(v.Time(), v.EventID())
		if v.Valid() != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, v, again)
	})
}
