package table_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

var ByShard = table.Index{Name: "gsi2"}

// spread is the model of orders with an index in so many shards.
func spread(shards int) *table.Node[Order] {
	return table.DefineNode("order", func(o *Order, d *table.Def[Order]) {
		d.ID(&o.ID)
		d.Index(table.Index{Name: ByShard.Name, Shards: shards}, table.Key(&o.Status), table.Key(&o.PlacedAt))
	})
}

func openOf(m *table.Node[Order], conds ...table.Cond) table.Query[Order] {
	return m.Query(ByShard, append([]table.Cond{table.Eq(&m.F.Status, "OPEN")}, conds...)...)
}

// TestShardsMergeInOrder is the law of sharded indexes: while the number of shards grows, a query has every row once, in order, and its pages
// make up the whole.
func TestShardsMergeInOrder(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	models := map[int]*table.Node[Order]{}
	for n := range 13 {
		models[n] = spread(n)
	}
	rapid.Check(t, func(rt *rapid.T) {
		db := create(t, e, models[0])
		defer func() {
			_, err := e.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: new(db.Name())})
			require.NoError(rt, err)
		}()
		want := map[string]Order{}
		shards := 0
		for range rapid.IntRange(1, 4).Draw(rt, "growths") {
			shards = rapid.IntRange(shards, 12).Draw(rt, "shards")
			var ops []table.Op
			for _, id := range rapid.SliceOfNDistinct(rapid.IntRange(0, 60), 0, 30, rapid.ID).Draw(rt, "ids") {
				o := Order{ID: fmt.Sprint(id), Status: rapid.SampledFrom([]string{"OPEN", "OPEN", "PAID"}).Draw(rt, "status")}
				o.PlacedAt = day(rapid.IntRange(1, 28).Draw(rt, "day"))
				want[o.ID] = o
				ops = append(ops, models[shards].Put(o))
			}
			require.NoError(rt, db.Batch(rt.Context(), ops...))
		}
		covers(rt, db, models[shards], want)
	})
}

// covers compares a query, its range and its pages with what was written.
func covers(rt *rapid.T, db *table.DB, m *table.Node[Order], written map[string]Order) {
	from := day(rapid.IntRange(1, 28).Draw(rt, "from"))
	var want []Order
	for _, o := range written {
		if o.Status == "OPEN" && !o.PlacedAt.Before(from) {
			want = append(want, o)
		}
	}
	order := func(a, b Order) int { return a.PlacedAt.Compare(b.PlacedAt) }
	opts := []table.ReadOption{}
	if rapid.Bool().Draw(rt, "desc") {
		opts = append(opts, table.Desc())
		order = func(a, b Order) int { return b.PlacedAt.Compare(a.PlacedAt) }
	}
	q := openOf(m, table.Gte(&m.F.PlacedAt, from))
	var got []Order
	for o, err := range q.All(rt.Context(), db, opts...) {
		require.NoError(rt, err)
		got = append(got, o)
	}
	require.True(rt, slices.IsSortedFunc(got, order))
	byID := func(a, b Order) int { return cmp.Compare(a.ID, b.ID) }
	require.Equal(rt, slices.SortedFunc(slices.Values(want), byID), slices.SortedFunc(slices.Values(got), byID))
	limit := rapid.IntRange(1, 12).Draw(rt, "limit")
	var paged []Order
	pages := walk(rt, db, q, append(opts, table.Limit(limit)))
	for i, p := range pages {
		require.Equal(rt, i == len(pages)-1, p.Next == "")
		require.True(rt, p.Next == "" || len(p.Items) == limit, "page %d has %d", i, len(p.Items))
		paged = append(paged, p.Items...)
	}
	require.Equal(rt, got, paged)
}

// TestShardsOfRowsArePinned: the shard is in stored keys.
func TestShardsOfRowsArePinned(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	m, ctx := spread(4), t.Context()
	db := create(t, e, m)
	raw, _ := db.Dynamo()
	want := []string{"order|OPEN|3", "order|OPEN", "order|OPEN|2", "order|OPEN|2", "order|OPEN", "order|OPEN|3", "order|OPEN|3", "order|OPEN|1"}
	for i, pk := range want {
		id := fmt.Sprint(i)
		require.NoError(t, m.Save(ctx, db, Order{ID: id, Status: "NEW", PlacedAt: day(1)}))
		require.NoError(t, m.Update(ctx, db, id, table.Set(&m.F.Status, "OPEN"), table.Set(&m.F.PlacedAt, day(1+i))))
		var row map[string]any
		require.NoError(t, raw.Get("pk", id).Range("sk", "EQ", "order").One(ctx, &row))
		require.Equal(t, pk, row["gsi2pk"], "an update writes the key that a full write does")
		require.NoError(t, m.Save(ctx, db, Order{ID: id, Status: "OPEN", PlacedAt: day(1 + i)}))
		row = nil
		require.NoError(t, raw.Get("pk", id).Range("sk", "EQ", "order").One(ctx, &row))
		require.Equal(t, pk, row["gsi2pk"], id)
	}
}

// crowd counts the queries that are under way.
type crowd struct {
	endpoint
	now, most atomic.Int64
}

func (c *crowd) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(2 * time.Millisecond)
	return c.endpoint.Query(ctx, in, opts...)
}

func TestShardsAreReadEightAtATime(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	c := &crowd{endpoint: e}
	m := spread(64)
	db := create(t, c, m)
	require.Empty(t, collect(t, db, openOf(m)))
	require.EqualValues(t, 8, c.most.Load())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range openOf(m).All(ctx, db) {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestCursorsOfShards(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		m, ctx := spread(5), t.Context()
		db := create(t, e, m)
		put := func(id string, at int) {
			require.NoError(t, m.Save(ctx, db, Order{ID: id, Status: "OPEN", PlacedAt: day(at)}))
		}
		for i := range 20 {
			put(fmt.Sprint(i), 1+i)
		}
		page, err := openOf(m).Page(ctx, db, table.Limit(10))
		require.NoError(t, err)
		for i := range 10 { // before the cursor, and behind the end
			put(fmt.Sprint("early", i), 1+i/2)
			put(fmt.Sprint("late", i), 21+i/2)
		}
		var rest []time.Time
		for next := page.Next; next != ""; next = page.Next {
			page, err = openOf(m).Page(ctx, db, table.Limit(7), table.After(next))
			require.NoError(t, err)
			for _, o := range page.Items {
				rest = append(rest, o.PlacedAt)
			}
		}
		require.Len(t, rest, 20, "the ten that were left, and the ten behind them")
		require.True(t, slices.IsSortedFunc(rest, time.Time.Compare))
		first, err := openOf(m).Page(ctx, db, table.Limit(1))
		require.NoError(t, err)
		grown := spread(6)
		require.ErrorIs(t, second(openOf(grown).Page(ctx, db, table.After(first.Next))), table.ErrCursor, "the shards are others")
		more, err := openOf(grown).Page(ctx, db, table.Limit(1))
		require.NoError(t, err)
		require.ErrorIs(t, second(openOf(m).Page(ctx, db, table.After(more.Next))), table.ErrCursor, "the shards are fewer")
	})
}

// TestPagesOfShardsSkipWhatIsFilteredOut: a shard goes on where a whole request of it found nothing.
func TestPagesOfShardsSkipWhatIsFilteredOut(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		m := spread(3)
		db := create(t, e, m)
		var ops []table.Op
		for i := range 600 {
			o := Order{ID: fmt.Sprint(i), Status: "OPEN", PlacedAt: day(1).Add(time.Duration(i) * time.Second)}
			if i >= 590 {
				o.Note = "rare"
			}
			ops = append(ops, m.Put(o))
		}
		require.NoError(t, db.Batch(t.Context(), ops...))
		var got []string
		for _, p := range walk(t, db, openOf(m).Where(table.Eq(&m.F.Note, "rare")), []table.ReadOption{table.Limit(4)}) {
			for _, o := range p.Items {
				got = append(got, o.ID)
			}
		}
		require.Equal(t, []string{"590", "591", "592", "593", "594", "595", "596", "597", "598", "599"}, got)
	})
}

func TestShardsRefuse(t *testing.T) {
	t.Parallel()
	for _, x := range []table.Index{{Name: "gsi2", Shards: -1}, {Name: "gsi2", Shards: 65}, {Name: "gsi2", PK: "discriminator", Shards: 2}} {
		_, err := table.NewNode("order", func(o *Order, d *table.Def[Order]) {
			d.ID(&o.ID)
			d.Index(x, table.Key(&o.Status))
		})
		require.ErrorContains(t, err, fmt.Sprintf("it cannot have %d shards", x.Shards))
	}
	notes := table.DefineEdge("note", "notes", func(n *Note, d *table.Def[Note]) {
		d.Owner(&n.OrderID)
		d.ID(&n.ID)
		d.Index(table.Index{Name: "gsi2", Shards: 2}, table.Key(&n.Text))
	})
	require.NoError(t, schema(spread(4), notes), "each model has its own shards in an index")
	chart, err := table.Schema(spread(4)).Markdown()
	require.NoError(t, err)
	require.Contains(t, chart, "gsi2pk = `order\\|{Status}` in 4 shards")
}
