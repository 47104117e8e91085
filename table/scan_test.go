package table_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestScansReadEveryRowOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders, Lines), t.Context()
		var ops []table.Op
		var want []string
		for i := range 60 {
			id := fmt.Sprintf("%02d", i)
			want = append(want, id)
			ops = append(ops, Orders.Put(Order{ID: id, Status: "OPEN", PlacedAt: day(1)}), Lines.Put(Line{OrderID: id, No: i}))
		}
		require.NoError(t, db.Batch(ctx, ops...))
		require.NoError(t, Orders.Delete(ctx, db, "07"))
		raw, _ := db.Dynamo()
		require.NoError(t, raw.Put(map[string]any{"pk": "07b", "sk": "order"}).Run(ctx), "a row of another program, without a discriminator")
		require.NoError(t, raw.Put(map[string]any{"pk": "x", "sk": "other", "discriminator": "order"}).Run(ctx), "not a key of an order")
		all := slices.Insert(slices.Clone(want), 8, "07b")
		for _, segments := range []int{1, 3, 16} {
			require.Equal(t, slices.Delete(slices.Clone(all), 7, 8), scanned(t, db, segments))
			require.Equal(t, all, scanned(t, db, segments, table.WithDeleted()))
		}
		for o, err := range Orders.Scan(ctx, db, 4) {
			require.NoError(t, err)
			require.NotEmpty(t, o.ID)
			break
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		n := 0
		for _, err := range Orders.Scan(canceled, db, 4) {
			require.ErrorIs(t, err, context.Canceled)
			n++
		}
		require.Equal(t, 1, n, "one error, last")
	})
}

func scanned(t *testing.T, db *table.DB, segments int, opts ...table.ReadOption) []string {
	var ids []string
	for o, err := range Orders.Scan(t.Context(), db, segments, opts...) {
		require.NoError(t, err)
		ids = append(ids, o.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestScansRefuse(t *testing.T) {
	t.Parallel()
	db := dry(t)
	for _, segments := range []int{-1, 0, 257} {
		var failed error
		for _, err := range Orders.Scan(t.Context(), db, segments) {
			failed = err
		}
		require.ErrorContains(t, failed, "1 to 256 segments")
		require.ErrorIs(t, failed, table.ErrInvalid)
	}
	for _, err := range Orders.Scan(t.Context(), db, 1, table.Desc()) {
		require.ErrorContains(t, err, "Desc means nothing")
	}
	require.ErrorContains(t, second(Orders.List().Count(t.Context(), db, table.Limit(1))), "Limit means nothing")
}

// TestCountsAreThoseOfAll is the law of Count.
func TestCountsAreThoseOfAll(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db, ctx, n := create(t, e, Lines, Customers), t.Context(), 0
	ver, err := idempotence.NewVersion(time.Now(), "e")
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		n++
		owner := fmt.Sprint("o", n)
		for _, no := range rapid.SliceOfNDistinct(rapid.IntRange(0, 20), 0, 12, rapid.ID).Draw(rt, "ids") {
			require.NoError(rt, Lines.Save(ctx, db, Line{OrderID: owner, No: no, Quantity: int64(no % 3)}))
			if rapid.Bool().Draw(rt, "deleted") {
				require.NoError(rt, Lines.Delete(ctx, db, table.Of(owner, no)))
			}
		}
		for _, q := range []table.Query[Line]{
			Lines.Of(owner), Lines.Of(owner, table.Lt(&Lines.F.No, 10)), Lines.Of(owner).Where(table.Eq(&Lines.F.Quantity, 1)),
		} {
			for _, opts := range [][]table.ReadOption{nil, {table.WithDeleted()}} {
				got, err := q.Count(ctx, db, opts...)
				require.NoError(rt, err)
				require.Equal(rt, len(collect(t, db, q, opts...)), got)
			}
		}
	})
	require.NoError(t, Customers.Save(ctx, db, Customer{ID: "c1", Name: "x"}))
	require.NoError(t, second(Customers.Upsert(ctx, db, Customer{ID: "c2", Orders: 1}, ver, table.InLane("totals"))))
	count, err := Customers.List().Count(ctx, db)
	require.NoError(t, err)
	require.Equal(t, 1, count, "a row that has only a named lane is not seen")
}

func TestCountsOfShardsAndIndexes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		m, ctx := spread(3), t.Context()
		db := create(t, e, m)
		for i := range 9 {
			require.NoError(t, m.Save(ctx, db, Order{ID: fmt.Sprint(i), Status: "OPEN", PlacedAt: day(1 + i), Note: "long"}))
		}
		for want, q := range map[int]table.Query[Order]{9: openOf(m), 4: openOf(m, table.Lte(&m.F.PlacedAt, day(4)))} {
			got, err := q.Count(ctx, db)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
