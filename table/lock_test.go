package table_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestTheLockLetsOneCommandThrough(t *testing.T) {
	t.Parallel()
	f := Orders.F
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders), table.WithUser(t.Context(), "jane")
		for name, command := range map[string]func(opts ...table.WriteOption) error{
			"save": func(opts ...table.WriteOption) error {
				return Orders.Save(ctx, db, Order{ID: "save", Status: "MINE"}, opts...)
			},
			"delete": func(opts ...table.WriteOption) error { return Orders.Delete(ctx, db, "delete", opts...) },
			"update": func(opts ...table.WriteOption) error {
				changes := []table.Change{table.Set(&f.Note, "mine")}
				for _, o := range opts {
					changes = append(changes, o)
				}
				return Orders.Update(ctx, db, "update", changes...)
			},
		} {
			require.NoError(t, Orders.Save(ctx, db, Order{ID: name, Status: "OLD"}))
			_, read, err := Orders.GetMeta(ctx, db, name)
			require.NoError(t, err)
			require.Equal(t, "jane", read.By)
			require.NoError(t, Orders.Save(ctx, db, Order{ID: name, Status: "THEIRS"}))
			err = command(table.IfUnchanged(read.Timestamp))
			require.ErrorIs(t, err, table.ErrConflict, name)
			current, meta, ok := Orders.Current(err)
			require.True(t, ok, name)
			require.Equal(t, "THEIRS", current.Status)
			require.True(t, meta.Timestamp.After(read.Timestamp))
			require.NoError(t, command(table.IfUnchanged(meta.Timestamp), table.If(table.Eq(&f.Status, "THEIRS"))), name)
			if name != "delete" { // what is deleted is not found any more, whatever its timestamp
				require.ErrorIs(t, command(table.IfUnchanged(meta.Timestamp)), table.ErrConflict, "the row has a new timestamp")
			}
			require.ErrorIs(t, Orders.Save(ctx, db, Order{ID: "nobody"}, table.IfUnchanged(meta.Timestamp)), table.ErrConflict)
		}
		_, meta, err := Orders.GetMeta(ctx, db, "delete", table.WithDeleted())
		require.NoError(t, err)
		require.ErrorIs(t, Orders.Restore(ctx, db, "delete", table.IfUnchanged(meta.Timestamp.Add(-1e6))), table.ErrConflict)
		require.NoError(t, Orders.Restore(ctx, db, "delete", table.IfUnchanged(meta.Timestamp)))
	})
}

// TestTheLockCountsEveryCommand: read, count, write with the lock, from several goroutines, loses no count.
func TestTheLockCountsEveryCommand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db := create(t, e, Orders)
		require.NoError(t, Orders.Save(t.Context(), db, Order{ID: "42"}))
		g, ctx := errgroup.WithContext(t.Context())
		for range 4 {
			g.Go(func() error {
				for range 10 {
					if err := countUp(ctx, db); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		o, err := Orders.Get(t.Context(), db, "42")
		require.NoError(t, err)
		require.EqualValues(t, 40, o.Total)
	})
}

func countUp(ctx context.Context, db *table.DB) error {
	o, meta, err := Orders.GetMeta(ctx, db, "42")
	for range 1000 {
		if err != nil {
			return err
		}
		o.Total++
		err = Orders.Save(ctx, db, o, table.IfUnchanged(meta.Timestamp))
		if err == nil {
			return nil
		}
		var ok bool
		if o, meta, ok = Orders.Current(err); !ok {
			return err
		}
		err = nil
	}
	return fmt.Errorf("never got through")
}

// TestTheLockHoldsAheadOfTheClock: a row of which the timestamp is in the future is locked by it as well.
func TestTheLockHoldsAheadOfTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := embedded.New(nil)
		defer func() { require.NoError(t, e.Close()) }()
		db, ctx := create(t, e, Orders), t.Context()
		raw, _ := db.Dynamo()
		ahead := time.Now().Add(time.Hour)
		require.NoError(t, raw.Put(map[string]any{"pk": "42", "sk": "order", "discriminator": "order", "timestamp": ahead.UnixMilli()}).Run(ctx))
		require.NoError(t, Orders.Save(ctx, db, order(), table.IfUnchanged(ahead)))
		_, meta, err := Orders.GetMeta(ctx, db, "42")
		require.NoError(t, err)
		require.True(t, meta.Timestamp.Equal(ahead.Add(time.Millisecond)), meta.Timestamp)
		err = Orders.Save(ctx, db, order(), table.IfUnchanged(ahead))
		require.ErrorIs(t, err, table.ErrConflict)
		_, _, ok := Orders.Current(err)
		require.True(t, ok, "it is a conflict at once, and not a timestamp in the way")
	})
}

func TestTheLockRefuses(t *testing.T) {
	t.Parallel()
	db, ctx := dry(t), t.Context()
	require.ErrorIs(t, Orders.Create(ctx, db, order(), table.IfUnchanged(day(1))), table.ErrInvalid)
	require.ErrorIs(t, Orders.Save(ctx, db, order(), table.IfUnchanged(time.Time{})), table.ErrInvalid)
	require.ErrorContains(t, second(Orders.Upsert(ctx, db, order(), version(t), table.IfUnchanged(day(1)))), "for commands")
	require.ErrorIs(t, third(Orders.GetMeta(ctx, db, 1)), table.ErrInvalid)
	_, _, ok := Orders.Current(table.ErrConflict)
	require.False(t, ok)
	_, _, ok = Orders.Current(&table.Error{Err: table.ErrConflict, Current: (table.RowKey{PK: "42", SK: "line"}).Item()})
	require.False(t, ok, "it is another model's")
}

func third[A, B any](_ A, _ B, err error) error { return err }
