package table_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func at(t require.TestingT, ms int64, id string) idempotence.Version {
	v, err := idempotence.NewVersion(time.UnixMilli(ms), id)
	require.NoError(t, err)
	return v
}

func TestListenerWrites(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Customers), t.Context()
		now := time.Now().UnixMilli()
		v1, v2, v3 := at(t, now, "e1"), at(t, now, "e2"), at(t, now+1, "e0")
		write := func(name string, v idempotence.Version) idempotence.Outcome {
			out, err := Customers.Upsert(ctx, db, Customer{ID: "c", Name: name}, v)
			require.NoError(t, err)
			return out
		}
		require.Equal(t, idempotence.Applied, write("second", v2))
		require.Equal(t, idempotence.Stale, write("first", v1))
		require.Equal(t, idempotence.Duplicate, write("second", v2))
		got, err := Customers.Get(ctx, db, "c")
		require.NoError(t, err)
		require.Equal(t, "second", got.Name)

		out, err := Customers.Remove(ctx, db, "c", v3)
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out)
		require.Equal(t, idempotence.Stale, write("second", v2))
		_, err = Customers.Get(ctx, db, "c")
		require.ErrorIs(t, err, table.ErrNotFound)
		require.Equal(t, idempotence.Applied, write("again", at(t, now+2, "e9")))
		require.Len(t, collect(t, db, Customers.List()), 1, "a newer event revives the row")
	})
}

func TestRemoveMayComeFirst(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Customers), t.Context()
		old := time.Now().Add(-90 * table.Day).UnixMilli()
		out, err := Customers.Remove(ctx, db, "c", at(t, old+1, "removed"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out)
		out, err = Customers.Upsert(ctx, db, Customer{ID: "c"}, at(t, old, "created"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Stale, out)
		_, err = Customers.Get(ctx, db, "c")
		require.ErrorIs(t, err, table.ErrNotFound)
		raw, _ := db.Dynamo()
		var item table.Item
		require.NoError(t, raw.Get("pk", "c").Range("sk", "EQ", "customer").One(ctx, &item))
		meta, err := table.ReadMeta(item)
		require.NoError(t, err)
		require.True(t, meta.Deleted)
		require.Greater(t, time.Until(meta.ExpiresAt), 32*table.Day, "the tombstone of an old event must not be swept at once")
	})
}

func TestLanesWaitForTheOwner(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Customers), t.Context()
		now := time.Now().UnixMilli()
		_, err := Customers.Upsert(ctx, db, Customer{ID: "c", Orders: 3, Units: 9}, at(t, now, "e1"), table.InLane("totals"))
		require.NoError(t, err)
		_, err = Customers.Get(ctx, db, "c")
		require.ErrorIs(t, err, table.ErrNotFound, "a row without its owner lane is not there yet")
		require.ErrorIs(t, Customers.Delete(ctx, db, "c"), table.ErrNotFound)
		require.Empty(t, collect(t, db, Customers.List()))

		_, err = Customers.Upsert(ctx, db, Customer{ID: "c", Name: "Ann"}, at(t, now-1, "e0"))
		require.NoError(t, err)
		got, err := Customers.Get(ctx, db, "c")
		require.NoError(t, err)
		require.Equal(t, Customer{ID: "c", Name: "Ann", Orders: 3, Units: 9}, got)

		_, err = Customers.Remove(ctx, db, "c", at(t, now+1, "e2"), table.InLane("totals"))
		require.NoError(t, err)
		got, err = Customers.Get(ctx, db, "c")
		require.NoError(t, err)
		require.Equal(t, Customer{ID: "c", Name: "Ann"}, got)
	})
}

func TestCreateFindsNoRowWhereOnlyALaneIs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Customers), t.Context()
		_, err := Customers.Upsert(ctx, db, Customer{ID: "c", Orders: 3}, at(t, time.Now().UnixMilli(), "e1"), table.InLane("totals"))
		require.NoError(t, err)
		require.NoError(t, Customers.Create(ctx, db, Customer{ID: "c", Name: "Ann"}))
		require.ErrorIs(t, Customers.Create(ctx, db, Customer{ID: "c", Name: "Ann"}), table.ErrExists)
	})
}

func TestListenerWritesRefuse(t *testing.T) {
	t.Parallel()
	db, ver := dry(t), version(t)
	for text, opts := range map[string][]table.WriteOption{
		`no other condition than the lock`: {table.If(table.Eq(&Customers.F.Name, "x"))},
		`no lane "other"`:                  {table.InLane("other")},
	} {
		_, err := Customers.Upsert(t.Context(), db, Customer{ID: "c"}, ver, opts...)
		require.ErrorIs(t, err, table.ErrInvalid)
		require.ErrorContains(t, err, text)
	}
	_, err := Customers.Upsert(t.Context(), db, Customer{ID: "c"}, "yesterday")
	require.ErrorIs(t, err, table.ErrInvalid)
	_, err = Customers.Upsert(t.Context(), db, Customer{}, ver)
	require.ErrorContains(t, err, "field ID: a part of a key cannot be empty")
	require.ErrorContains(t, Customers.Save(t.Context(), db, Customer{ID: "c"}, table.InLane("totals")), "InLane is for listeners")
}

// fact is an event that a listener folds into a customer's row.
type fact struct {
	ms     int64
	lane   string
	remove bool
	value  int
}

func (f fact) apply(ctx context.Context, t require.TestingT, db *table.DB, id string) idempotence.Outcome {
	ver := at(t, f.ms, fmt.Sprintf("%d-%t-%s", f.value, f.remove, f.lane))
	var out idempotence.Outcome
	var err error
	if f.remove {
		out, err = Customers.Remove(ctx, db, id, ver, table.InLane(f.lane))
	} else {
		name := fmt.Sprint(f.value)
		if f.value == 0 {
			name = "" // absent
		}
		out, err = Customers.Upsert(ctx, db, Customer{ID: id, Name: name, Orders: f.value, Units: int64(f.value)}, ver, table.InLane(f.lane))
	}
	require.NoError(t, err)
	return out
}

// TestAnyOrderOfEventsGivesOneRow is the law of the inverse lock: any order, repetition and mixture of lanes ends in the row that the newest
// event of each lane gives.
func TestAnyOrderOfEventsGivesOneRow(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db := create(t, e, Customers)
	base, n := time.Now().UnixMilli(), 0
	rapid.Check(t, func(rt *rapid.T) {
		facts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) fact {
			return fact{
				ms: base + rapid.Int64Range(0, 3).Draw(rt, "ms"), lane: rapid.SampledFrom([]string{"", "totals"}).Draw(rt, "lane"),
				remove: rapid.Bool().Draw(rt, "remove"), value: rapid.IntRange(0, 3).Draw(rt, "value"),
			}
		}), 1, 8).Draw(rt, "facts")
		again := rapid.SliceOfN(rapid.SampledFrom(facts), 0, 5).Draw(rt, "again")
		n++
		for i, order := range [][]fact{facts, rapid.Permutation(append(again, facts...)).Draw(rt, "order")} {
			for _, f := range order {
				f.apply(t.Context(), rt, db, fmt.Sprint(n, "-", i))
			}
		}
		require.Equal(rt, row(t.Context(), rt, db, fmt.Sprint(n, "-", 0)), row(t.Context(), rt, db, fmt.Sprint(n, "-", 1)))
	})
}

// row is a row without its key and the time to live of a tombstone, which counts from when it was written.
func row(ctx context.Context, t require.TestingT, db *table.DB, id string) table.Item {
	raw, _ := db.Dynamo()
	var item table.Item
	require.NoError(t, raw.Get("pk", id).Range("sk", "EQ", "customer").Consistent(true).One(ctx, &item))
	delete(item, "pk")
	delete(item, "ttl")
	return item
}

// A mapper that has changed makes another row of the same event: it replaces the old one, and nothing that came later.
func TestReplayingReplacesTheSameEvent(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Customers), t.Context()
		now := time.Now().UnixMilli()
		for _, write := range []struct {
			db   *table.DB
			ms   int64
			name string
			out  idempotence.Outcome
			want string
		}{
			{db, now, "old mapper", idempotence.Applied, "old mapper"},
			{db, now, "new mapper", idempotence.Duplicate, "old mapper"},
			{db.Replaying(), now, "new mapper", idempotence.Applied, "new mapper"},
			{db.Replaying(), now - 1, "older", idempotence.Stale, "new mapper"},
			{db, now + 1, "newer", idempotence.Applied, "newer"},
			{db.Replaying(), now, "new mapper", idempotence.Stale, "newer"},
		} {
			out, err := Customers.Upsert(ctx, write.db, Customer{ID: "c", Name: write.name}, at(t, write.ms, "e"))
			require.NoError(t, err)
			require.Equal(t, write.out, out, write.name)
			got, err := Customers.Get(ctx, db, "c")
			require.NoError(t, err)
			require.Equal(t, write.want, got.Name)
		}
	})
}
