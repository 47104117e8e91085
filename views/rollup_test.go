package views_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func withdrawn(n int, customer, order string) insideout.Event {
	e := placed(n, customer, order, 0)
	e.Type = "order-withdrawn"
	return e
}

// between is a table with a hook that runs once, when a roll-up has read the edges and not written yet.
func between(t *testing.T) (db *table.DB, once func(func())) {
	t.Helper()
	client := &counting{}
	var mu sync.Mutex
	var hook func()
	client.after = func(op string) error {
		mu.Lock()
		run := hook
		if op == "Query" {
			hook = nil
		}
		mu.Unlock()
		if op == "Query" && run != nil {
			run()
		}
		return nil
	}
	db = newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	return db, func(f func()) { mu.Lock(); defer mu.Unlock(); hook = f }
}

func totals(t *testing.T, db *table.DB, id string) (orders, amount int) {
	t.Helper()
	c, err := customers.Get(t.Context(), db, id)
	require.NoError(t, err)
	return c.Orders, c.Amount
}

// TestRollupRaces lets one listener do its whole work while another has read the edges and not yet written the totals.
// The slower one must not win with what it read.
func TestRollupRaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		before         []insideout.Event
		slow, fast     insideout.Event
		orders, amount int
	}{
		{"both add", nil, placed(5, "ann", "c", 1), placed(6, "ann", "d", 2), 2, 3},
		{
			// The fast one finds the totals as they were: 10, from another order. To write nothing would leave the way
			// to the slow one.
			"the totals are right by chance",
			[]insideout.Event{placed(2, "ann", "d", 10)},
			withdrawn(5, "ann", "d"), placed(6, "ann", "c", 10), 1, 10,
		},
		{
			// Among the orders that are not withdrawn, the fast one finds those of the totals: none.
			"the orders are right by chance",
			[]insideout.Event{placed(2, "ann", "a", 10), withdrawn(3, "ann", "a")},
			placed(5, "ann", "c", 10), withdrawn(6, "ann", "c"), 0, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, once := between(t)
			slow, fast := newListener(t, db), newListener(t, db)
			require.NoError(t, slow.Handle(t.Context(), []insideout.Event{registered(1, "ann", "Ann")}))
			for _, e := range c.before {
				require.NoError(t, slow.Handle(t.Context(), []insideout.Event{e}))
			}
			once(func() { require.NoError(t, fast.Handle(context.Background(), []insideout.Event{c.fast})) })
			require.NoError(t, slow.Handle(t.Context(), []insideout.Event{c.slow}))
			orders, amount := totals(t, db, "ann")
			require.Equal(t, c.orders, orders)
			require.Equal(t, c.amount, amount)
			require.EqualValues(t, 1, slow.Stats().Conflicted)
		})
	}
}

// TestRollupAfterCrash: the contribution is there and the totals are not; the event that comes again makes up for it,
// though its own write finds nothing to do.
func TestRollupAfterCrash(t *testing.T) {
	t.Parallel()
	client := &counting{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l := newListener(t, db)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, "ann", "Ann")}))
	client.before = func(op string) error {
		if op == "Query" {
			return &types.ProvisionedThroughputExceededException{}
		}
		return nil
	}
	batch := []insideout.Event{placed(2, "ann", "o1", 5), placed(3, "ann", "o1", 7)}
	failed, ok := errors.AsType[*views.BatchError](l.Handle(t.Context(), batch))
	require.True(t, ok)
	require.Equal(t, []int{0, 1}, failed.Failed(), "all that the totals lack must come again")
	client.before = nil
	require.NoError(t, l.Handle(t.Context(), batch))
	orders, amount := totals(t, db, "ann")
	require.Equal(t, []int{1, 7}, []int{orders, amount})
	require.EqualValues(t, 1, l.Stats().Duplicate)
}

// TestRollupCost: once a node and batch; and nothing is written that is there already.
func TestRollupCost(t *testing.T) {
	t.Parallel()
	client := &counting{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l := newListener(t, db)
	var batch []insideout.Event
	for n := range 20 {
		batch = append(batch, placed(n, []string{"ann", "bob"}[n%2], fmt.Sprint("o", n), 1))
	}
	require.NoError(t, l.Handle(t.Context(), batch))
	want := views.Stats{In: 20, Applied: 20, Writes: 22, Reads: 4, RolledUp: 2}
	require.Equal(t, want, l.Stats())
	require.EqualValues(t, 22, client.writes.Load())
	require.EqualValues(t, 4, client.reads.Load())

	require.NoError(t, l.Handle(t.Context(), batch))
	require.Equal(t, views.Stats{In: 40, Applied: 20, Duplicate: 20, Writes: 42, Reads: 8, RolledUp: 2}, l.Stats())
}

// TestRollupOfOddIDs: the node is found by the key of its edges, whatever characters its id has.
func TestRollupOfOddIDs(t *testing.T) {
	t.Parallel()
	db := newTable(t, nil)
	l := newListener(t, db)
	const id = "a|b{0 c"
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, id, "Odd"), placed(2, id, "o|1", 4)}))
	orders, amount := totals(t, db, id)
	require.Equal(t, []int{1, 4}, []int{orders, amount})
}

// TestRollupPanics: a fold that can never succeed makes faults of what touched the node, and holds up nothing else.
func TestRollupPanics(t *testing.T) {
	t.Parallel()
	var faults faultSink
	parts := rules()
	parts[len(parts)-1] = views.Rollup(purchases, customers, "totals", func(c *customer, list []purchase) {
		if c.ID == "ann" {
			panic("out of cheese")
		}
		sum(c, list)
	})
	db := newTable(t, nil)
	l, err := views.New(db, append(parts, &views.Options{Faults: &faults})...)
	require.NoError(t, err)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, "bob", "Bob"), placed(2, "ann", "o1", 1), placed(3, "bob", "o2", 1)}))
	require.Len(t, faults.events, 1)
	require.Equal(t, "rollup-customer-totals", faults.events[0].Tags[insideout.TagPipeline])
	orders, _ := totals(t, db, "bob")
	require.Equal(t, 1, orders)
}

// movedOrder is what an event tells of an order that goes from one customer to another.
type movedOrder struct {
	Order struct {
		ID, CustomerID, From string
		Amount               int
	} `json:"order"`
}

// TestRollupOfMoves: contributions that go from one node to another, and back, are in the totals of the one that has them last, in whatever
// order and however often that comes.
func TestRollupOfMoves(t *testing.T) {
	t.Parallel()
	parts := append(rules()[:1:1],
		views.Upsert(purchases, views.On("order-placed", "order-moved"), func(e movedOrder) (purchase, error) {
			return purchase{CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, Amount: e.Order.Amount}, nil
		}),
		views.Remove(purchases, views.On("order-moved"), func(e movedOrder) (table.ID, error) { return table.Of(e.Order.From, e.Order.ID), nil }),
		views.Remove(purchases, views.On("order-withdrawn"), func(e movedOrder) (table.ID, error) {
			return table.Of(e.Order.CustomerID, e.Order.ID), nil
		}),
		views.Rollup(purchases, customers, "totals", sum))
	moved := func(n int, from, to, order string, amount int) insideout.Event {
		return event(fmt.Sprint("e", n), "order-moved", n, "order", map[string]any{"id": order, "customerId": to, "from": from, "amount": amount})
	}
	history := []insideout.Event{
		registered(1, "ann", "Ann"), registered(2, "bob", "Bob"), registered(3, "eve", "Eve"),
		placed(4, "ann", "away", 1), moved(5, "ann", "bob", "away", 2), moved(6, "bob", "eve", "away", 3),
		placed(7, "bob", "back", 10), moved(8, "bob", "ann", "back", 20), moved(9, "ann", "bob", "back", 30),
		placed(10, "eve", "gone", 100), moved(11, "eve", "ann", "gone", 200), withdrawn(12, "ann", "gone"),
		moved(13, "ann", "ann", "away", 4), // corrected where it no longer is: of one event and row, the first rule wins
	}
	rapid.Check(t, func(rt *rapid.T) {
		db := newTable(t, nil)
		l, err := views.New(db, parts...)
		require.NoError(rt, err)
		queue := rapid.Permutation(append(history[:13:13], rapid.SliceOfN(rapid.SampledFrom(history), 0, 8).Draw(rt, "twice")...)).Draw(rt, "order")
		for len(queue) > 0 {
			n := rapid.IntRange(1, len(queue)).Draw(rt, "batch")
			require.NoError(rt, l.Handle(t.Context(), queue[:n]))
			queue = queue[n:]
		}
		for id, want := range map[string][]int{"ann": {1, 4}, "bob": {1, 30}, "eve": {1, 3}} {
			orders, amount := totals(t, db, id)
			require.Equal(rt, want, []int{orders, amount}, id)
		}
	})
}

// TestRollupConcurrently has many listeners add to the same totals at the same time.
func TestRollupConcurrently(t *testing.T) {
	t.Parallel()
	db := newTable(t, nil)
	var wg sync.WaitGroup
	for n := range 16 {
		l := newListener(t, db)
		wg.Go(func() {
			for i := range 8 {
				if err := l.Handle(context.Background(), []insideout.Event{placed(n*100+i, "ann", fmt.Sprint(n, "-", i), 1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, newListener(t, db).Handle(t.Context(), []insideout.Event{registered(1, "ann", "Ann")}))
	orders, amount := totals(t, db, "ann")
	require.Equal(t, []int{128, 128}, []int{orders, amount})
}
