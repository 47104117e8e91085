package views_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fact is an event of a random history, in the terms of the reference.
type fact struct {
	id, kind        string
	millis          int
	customer, order string
	text, more      string // more may be empty, which a replacement must carry over
	amount          int
}

func (f fact) event() insideout.Event {
	body := map[string]any{"id": f.customer, "name": f.text, "email": f.more, "street": f.text, "city": f.more}
	member := "customer"
	if f.order != "" {
		body, member = map[string]any{"id": f.order, "customerId": f.customer, "amount": f.amount}, "order"
	}
	return event(f.id, f.kind, f.millis, member, body)
}

// lane names what the fact is about: facts of one lane replace each other.
func (f fact) lane() string {
	switch f.kind {
	case "order-placed", "order-withdrawn":
		return f.customer + " " + f.order
	case "address-changed", "address-cleared":
		return f.customer + " address"
	}
	return f.customer
}

func drawFact(t *rapid.T, n int) fact {
	f := fact{
		// Ids do not grow with time, and few milliseconds make many ties.
		id:       fmt.Sprintf("%02x-%d", rapid.IntRange(0, 255).Draw(t, "id"), n),
		kind:     rapid.SampledFrom([]string{"customer-registered", "customer-closed", "address-changed", "address-cleared", "order-placed", "order-placed", "order-withdrawn"}).Draw(t, "kind"),
		millis:   rapid.IntRange(0, 3).Draw(t, "millis"),
		customer: rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "customer"),
		text:     rapid.StringMatching(`[a-z]`).Draw(t, "text"),
		more:     rapid.StringMatching(`[a-z]?`).Draw(t, "more"),
		amount:   rapid.IntRange(-3, 3).Draw(t, "amount"),
	}
	if f.kind == "order-placed" || f.kind == "order-withdrawn" {
		f.order = rapid.SampledFrom([]string{"o1", "o2", "o3"}).Draw(t, "order")
	}
	return f
}

// state is what a view shows of a customer.
type state struct {
	visible      bool
	name, email  string
	street, city string
	purchases    map[string]int
	orders, sum  int
}

// reference folds the facts in order, once each, in the plainest way.
func reference(facts []fact) map[string]state {
	newest := map[string]fact{}
	for _, f := range facts {
		have, ok := newest[f.lane()]
		if !ok || f.millis > have.millis || f.millis == have.millis && f.id > have.id {
			newest[f.lane()] = f
		}
	}
	want := map[string]state{}
	for _, f := range newest {
		s, ok := want[f.customer]
		if !ok {
			s.purchases = map[string]int{}
		}
		switch f.kind {
		case "customer-registered":
			s.visible, s.name, s.email = true, f.text, f.more
		case "address-changed":
			s.street, s.city = f.text, f.more
		case "order-placed":
			s.purchases[f.order] = f.amount
			s.orders++
			s.sum += f.amount
		}
		want[f.customer] = s
	}
	return want
}

// view reads the same from the table.
func view(t require.TestingT, db *table.DB, client table.Client, ids map[string]state) map[string]state {
	got := map[string]state{}
	name := db.Name()
	for id := range ids {
		out, err := client.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: &name, Key: table.RowKey{PK: id, SK: "customer"}.Item()})
		require.NoError(t, err)
		s := state{purchases: map[string]int{}}
		if len(out.Item) > 0 {
			c, err := customers.Decode(out.Item)
			require.NoError(t, err)
			s = state{customers.Visible(out.Item), c.Name, c.Email, c.Street, c.City, s.purchases, c.Orders, c.Amount}
		}
		for item, err := range purchases.Collection(context.Background(), db, id) {
			require.NoError(t, err)
			if purchases.Visible(item) {
				p, err := purchases.Decode(item)
				require.NoError(t, err)
				s.purchases[p.OrderID] = p.Amount
			}
		}
		got[id] = s
	}
	return got
}

// TestConvergence is the first guarantee: random histories with ties, deletions before creations, re-creations and
// several lanes, each event delivered one to three times, shuffled into random batches, to several listeners at once,
// with throttles and lost answers. What failed is delivered again, as a queue does.
func TestConvergence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var facts []fact
		for n := range rapid.IntRange(1, 25).Draw(rt, "events") {
			facts = append(facts, drawFact(rt, n))
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		listeners := rapid.IntRange(1, 4).Draw(rt, "listeners")
		client := flaky(seed)
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		deliverAll(rt, db, facts, rand.New(rand.NewPCG(seed, 1)), listeners)
		client.before, client.after = nil, nil
		want := reference(facts)
		require.Equal(rt, want, view(rt, db, client, want))
	})
}

// flaky throttles one request in eight, and loses the answer of another.
func flaky(seed uint64) *counting {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 2))
	sometimes := func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(8) == 0 {
			return &types.ProvisionedThroughputExceededException{}
		}
		return nil
	}
	return &counting{before: sometimes, after: sometimes}
}

// deliverAll deals the facts out to listeners that work at the same time, until none is left.
func deliverAll(t *rapid.T, db *table.DB, facts []fact, random *rand.Rand, listeners int) {
	var queue []insideout.Event
	for _, f := range facts {
		for range 1 + random.IntN(3) {
			queue = append(queue, f.event())
		}
	}
	random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	batches := make([][][]insideout.Event, listeners)
	for len(queue) > 0 {
		n := 1 + random.IntN(min(len(queue), 6))
		to := random.IntN(listeners)
		batches[to] = append(batches[to], queue[:n])
		queue = queue[n:]
	}
	var wg sync.WaitGroup
	for _, mine := range batches {
		listener, err := views.New(db, append(rules(), &views.Options{Workers: 3})...)
		require.NoError(t, err)
		wg.Go(func() {
			for _, batch := range mine {
				for len(batch) > 0 {
					batch = redeliver(listener, batch)
				}
			}
		})
	}
	wg.Wait()
}

// redeliver returns what must come again.
func redeliver(l *views.Listener, batch []insideout.Event) []insideout.Event {
	err := l.Handle(context.Background(), batch)
	if err == nil {
		return nil
	}
	var again []insideout.Event
	for _, i := range err.(*views.BatchError).Failed() {
		again = append(again, batch[i])
	}
	return again
}
