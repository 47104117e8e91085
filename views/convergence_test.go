package views_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/assert"
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

// facts are random histories.
func facts(most int) *rapid.Generator[[]fact] {
	return rapid.Custom(func(t *rapid.T) []fact {
		var list []fact
		for n := range rapid.IntRange(1, most).Draw(t, "events") {
			list = append(list, drawFact(t, n))
		}
		return list
	})
}

// TestConvergence is the first guarantee: random histories with ties, deletions before creations, re-creations and
// several lanes, each event delivered one to three times, shuffled into random batches, to several listeners at once that crash between
// any two of their requests, with throttles and lost answers. What failed is delivered again, as a queue does.
func TestConvergence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		history := facts(25).Draw(rt, "facts")
		seed := rapid.Uint64().Draw(rt, "seed")
		listeners := rapid.IntRange(1, 4).Draw(rt, "listeners")
		var engine *embedded.DB
		db := newTable(t, func(e *embedded.DB) table.Client { engine = e; return e })
		d := &disorder{client: engine, name: db.Name(), seed: seed}
		d.deliver(rt, history, listeners)
		want := reference(history)
		require.Equal(rt, want, view(rt, db, engine, want))
		require.Empty(rt, d.faults.events)
	})
}

// TestConvergenceAtAnEndpoint is the same on a DynamoDB endpoint, with a smaller budget.
func TestConvergenceAtAnEndpoint(t *testing.T) {
	t.Parallel()
	for seed := range 12 {
		client, db := endpoint(t)
		history := facts(15).Example(seed)
		d := &disorder{client: client, name: db.Name(), seed: uint64(seed)}
		d.deliver(t, history, 3)
		want := reference(history)
		require.Equal(t, want, view(t, db, client, want), "seed %d", seed)
		_, err := client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: new(db.Name())})
		require.NoError(t, err)
	}
}

var tables atomic.Int64

// endpoint makes a table at the DynamoDB endpoint that the environment names.
func endpoint(t *testing.T) (*dynamodb.Client, *table.DB) {
	t.Helper()
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("set INSIDEOUT_DYNAMODB_ENDPOINT to the URL of a DynamoDB endpoint to run this test on it")
	}
	client, _ := local.Clients(url)
	name := fmt.Sprintf("views-%d-%d", time.Now().UnixNano(), tables.Add(1))
	in, err := table.Schema(customers, purchases).CreateTableInput(name)
	require.NoError(t, err)
	_, err = client.CreateTable(t.Context(), in)
	require.NoError(t, err)
	db, err := table.Open(client, name, nil)
	require.NoError(t, err)
	return client, db
}

// TestConvergenceFindsFaults: with any one part of the algebra switched off, views diverge, and the test above finds it.
func TestConvergenceFindsFaults(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*dynamodb.UpdateItemInput){
		"nothing":     func(*dynamodb.UpdateItemInput) {},
		"tie-break":   withoutTieBreak,
		"replacement": withoutReplacement,
		"lanes":       withoutLanes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diverged := 0
			for seed := 0; seed < 60 && diverged == 0; seed++ {
				var engine *embedded.DB
				db := newTable(t, func(e *embedded.DB) table.Client { engine = e; return e })
				history := facts(25).Example(seed)
				d := &disorder{client: engine, name: db.Name(), seed: uint64(seed), spoil: spoil}
				d.deliver(t, history, 2)
				if want := reference(history); !assert.ObjectsAreEqual(want, view(t, db, engine, want)) {
					diverged++
				}
			}
			require.Equal(t, name != "nothing", diverged > 0)
		})
	}
}

// aliasOf is the placeholder of an attribute, without its mark.
func aliasOf(in *dynamodb.UpdateItemInput, attribute string) string {
	for alias, name := range in.ExpressionAttributeNames {
		if name == attribute {
			return alias[1:]
		}
	}
	return ""
}

// withoutTieBreak leaves only the time of a version.
func withoutTieBreak(in *dynamodb.UpdateItemInput) {
	for _, lane := range []idempotence.Lane{"", "address"} {
		if alias := aliasOf(in, lane.VersionAttribute()); alias != "" {
			v := in.ExpressionAttributeValues[":"+alias].(*types.AttributeValueMemberS)
			millis, _, _ := strings.Cut(v.Value, "#")
			in.ExpressionAttributeValues[":"+alias] = &types.AttributeValueMemberS{Value: millis + "#"}
		}
	}
}

// withoutReplacement leaves attributes that the event does not have as they are; the tombstone goes.
func withoutReplacement(in *dynamodb.UpdateItemInput) {
	set, _, found := strings.Cut(*in.UpdateExpression, " REMOVE ")
	if !found {
		return
	}
	in.ExpressionAttributeNames = maps.Clone(in.ExpressionAttributeNames)
	remove := ""
	for alias, name := range in.ExpressionAttributeNames {
		if in.ExpressionAttributeValues[":"+alias[1:]] != nil {
			continue
		}
		if name == "email" || name == "city" {
			delete(in.ExpressionAttributeNames, alias)
		} else {
			remove += ", " + alias
		}
	}
	in.UpdateExpression = &set
	if remove != "" {
		in.UpdateExpression = new(set + " REMOVE " + remove[2:])
	}
}

// withoutLanes gives the whole row one version.
func withoutLanes(in *dynamodb.UpdateItemInput) {
	if alias := aliasOf(in, "_v_address"); alias != "" {
		in.ExpressionAttributeNames = maps.Clone(in.ExpressionAttributeNames)
		in.ExpressionAttributeNames["#"+alias] = "_v"
	}
}

// disorder delivers events as badly as a queue and a cluster may.
type disorder struct {
	client table.Client
	name   string
	seed   uint64
	spoil  func(*dynamodb.UpdateItemInput) // nil for nothing
	faults faultSink

	mu     sync.Mutex
	random *rand.Rand
}

func (d *disorder) n(limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.IntN(limit)
}

// process is a listener that lives until it crashes: none of its requests leaves it then.
type process struct {
	table.Client
	*disorder
	*views.Listener
	ctx   context.Context
	crash context.CancelFunc
	left  atomic.Int64 // requests until it does
}

func (d *disorder) start(t require.TestingT) *process {
	p := &process{Client: d.client, disorder: d}
	p.left.Store(int64(1 + d.n(40)))
	p.ctx, p.crash = context.WithCancel(context.Background())
	db, err := table.Open(p, d.name, nil)
	require.NoError(t, err)
	p.Listener, err = views.New(db, append(rules(), &views.Options{Workers: 3, Faults: &d.faults})...)
	require.NoError(t, err)
	return p
}

// request crashes the process, throttles, makes the request and loses its answer, or makes it.
func request[Out any](p *process, do func() (*Out, error)) (*Out, error) {
	if p.left.Add(-1) == 0 {
		p.crash()
	}
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	switch p.n(12) {
	case 0:
		return nil, &types.ProvisionedThroughputExceededException{}
	case 1:
		_, _ = do()
		return nil, io.ErrUnexpectedEOF
	}
	return do()
}

func (p *process) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if p.spoil != nil {
		p.spoil(in)
	}
	out, err := request(p, func() (*dynamodb.UpdateItemOutput, error) { return p.Client.UpdateItem(ctx, in, o...) })
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok && p.spoil != nil {
		failed.Item = nil
	}
	return out, err
}

func (p *process) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return request(p, func() (*dynamodb.GetItemOutput, error) { return p.Client.GetItem(ctx, in, o...) })
}

func (p *process) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return request(p, func() (*dynamodb.QueryOutput, error) { return p.Client.Query(ctx, in, o...) })
}

// deliver deals the facts out to listeners that work at the same time, until none is left.
func (d *disorder) deliver(t require.TestingT, history []fact, listeners int) {
	d.random = rand.New(rand.NewPCG(d.seed, 1))
	var queue []insideout.Event
	for _, f := range history {
		for range 1 + d.random.IntN(3) {
			queue = append(queue, f.event())
		}
	}
	d.random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	batches := make([][][]insideout.Event, listeners)
	for len(queue) > 0 {
		n := 1 + d.random.IntN(min(len(queue), 6))
		to := d.random.IntN(listeners)
		batches[to] = append(batches[to], queue[:n])
		queue = queue[n:]
	}
	var wg sync.WaitGroup
	for _, mine := range batches {
		wg.Go(func() {
			p := d.start(t)
			for _, batch := range mine {
				for len(batch) > 0 {
					if p.ctx.Err() != nil {
						p = d.start(t)
					}
					batch = redeliver(p, batch)
				}
			}
		})
	}
	wg.Wait()
}

// redeliver returns what must come again: everything, if the listener has crashed.
func redeliver(p *process, batch []insideout.Event) []insideout.Event {
	err := p.Handle(p.ctx, batch)
	if p.ctx.Err() != nil {
		return batch
	}
	if err == nil {
		return nil
	}
	var again []insideout.Event
	for _, i := range err.(*views.BatchError).Failed() {
		again = append(again, batch[i])
	}
	return again
}
