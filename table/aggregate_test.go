package table_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestAggregates(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders, Lines, Notes), t.Context()
		require.NoError(t, db.Transact(ctx, Orders.Put(Order{ID: "42", Status: "OPEN"}), Notes.Put(Note{"42", "n", "fragile"})))
		_, err := Baskets.Get(ctx, db, "43")
		require.ErrorIs(t, err, table.ErrNotFound)
		want := Basket{Order: Order{ID: "42", Status: "OPEN"}, Note: &Note{"42", "n", "fragile"}}
		var ops []table.Op
		for i := range 30 { // over 1 MB, which is one page
			line := Line{"42", i, strings.Repeat("x", 50_000), 1}
			want.Lines, ops = append(want.Lines, line), append(ops, Lines.Put(line))
		}
		require.NoError(t, db.Batch(ctx, ops...))
		got, err := Baskets.Get(ctx, db, "42")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.ErrorContains(t, second(Baskets.Get(ctx, db, "42", table.Limit(31))), "more than 31 rows")

		require.NoError(t, Lines.Delete(ctx, db, table.Of("42", 3)))
		require.NoError(t, Orders.Delete(ctx, db, "42"))
		_, err = Baskets.Get(ctx, db, "42")
		require.ErrorIs(t, err, table.ErrNotFound)
		got, meta, err := Baskets.Load(ctx, db, "42")
		require.NoError(t, err)
		require.Len(t, got.Lines, 29)
		require.True(t, meta.Exists)
		require.True(t, meta.Deleted)
		require.Equal(t, meta.Timestamp, meta.Newest)
		_, meta, err = Baskets.Load(ctx, db, "43")
		require.NoError(t, err)
		require.False(t, meta.Exists)
	})
}

type Loose struct {
	Order Order
	Rest  []table.Item
}

func TestNoRowOfAnAggregateIsDroppedUnsaid(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders, Lines, Notes), t.Context()
		require.NoError(t, db.Batch(ctx, Orders.Put(Order{ID: "42", Status: "OPEN"}), Lines.Put(Line{"42", 1, "x", 1}), Notes.Put(Note{"42", "n", "x"})))
		root := table.Root(Orders, func(l *Loose) *Order { return &l.Order })
		loose := table.DefineAggregate(root)
		_, err := loose.Skip(Notes).Get(ctx, db, "42")
		require.ErrorIs(t, err, table.ErrUnknownRow)
		require.ErrorContains(t, err, `"lines|0000000000000000001" has discriminator "line"`)
		_, err = loose.Skip(Notes, Lines).Get(ctx, db, "42")
		require.NoError(t, err)
		got, err := loose.Rest(func(l *Loose) *[]table.Item { return &l.Rest }).Get(ctx, db, "42")
		require.NoError(t, err)
		require.Len(t, got.Rest, 2)

		require.NoError(t, Notes.Save(ctx, db, Note{"42", "o", "y"}))
		require.NoError(t, Lines.Delete(ctx, db, table.Of("42", 1)))
		_, err = Baskets.Get(ctx, db, "42")
		require.ErrorContains(t, err, "there is more than one, and the aggregate takes One")
	})
}

// grudging reads one key of each batch.
type grudging struct{ table.Client }

func (g grudging) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	left := map[string]types.KeysAndAttributes{}
	for name, ask := range in.RequestItems {
		if len(ask.Keys) > 1 {
			left[name] = types.KeysAndAttributes{Keys: ask.Keys[1:]}
		}
		ask.Keys = ask.Keys[:1]
		in.RequestItems[name] = ask
	}
	out, err := g.Client.BatchGetItem(ctx, in)
	if err == nil {
		out.UnprocessedKeys = left
	}
	return out, err
}

func TestBatchGetReadsAgainWhatWasNotProcessed(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	whole := create(t, e, Orders)
	require.NoError(t, whole.Batch(t.Context(), Orders.Put(Order{ID: "1"}), Orders.Put(Order{ID: "2"}), Orders.Put(Order{ID: "3"})))
	db, err := table.Open(grudging{e}, whole.Name(), nil)
	require.NoError(t, err)
	got, err := Orders.BatchGet(t.Context(), db, []table.ID{"3", "1", "2"})
	require.NoError(t, err)
	require.Equal(t, []*Order{{ID: "3"}, {ID: "1"}, {ID: "2"}}, got)
}

func TestBatchGetKeepsTheOrderAsked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders), t.Context()
		var ops []table.Op
		var ids []table.ID
		for i := range 230 {
			id := fmt.Sprint(i)
			ids = append(ids, id, id)
			if i%7 != 0 {
				ops = append(ops, Orders.Put(Order{ID: id, Total: int64(i)}))
			}
		}
		require.NoError(t, db.Batch(ctx, ops...))
		got, err := Orders.BatchGet(ctx, db, ids)
		require.NoError(t, err)
		for i, o := range got {
			if (i/2)%7 == 0 {
				require.Nil(t, o)
				continue
			}
			require.Equal(t, ids[i], o.ID)
			require.Equal(t, int64(i/2), o.Total)
		}
	})
}
