package views_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// customer has three sources: its registration, its address, and the totals of its purchases.
type customer struct {
	ID     string `dynamo:"id"`
	Name   string `dynamo:"name,omitempty"`
	Email  string `dynamo:"email,omitempty"`
	Street string `dynamo:"street,omitempty"`
	City   string `dynamo:"city,omitempty"`
	Orders int    `dynamo:"orders"`
	Amount int    `dynamo:"amount"`
}

type purchase struct {
	CustomerID string `dynamo:"customerId"`
	OrderID    string `dynamo:"orderId"`
	Amount     int    `dynamo:"amount"`
}

var (
	customers = table.DefineNode("customer", func(c *customer, d *table.Def[customer]) {
		d.ID(&c.ID)
		d.Lane("address", &c.Street, &c.City)
		d.Lane("totals", &c.Orders, &c.Amount)
	})
	purchases = table.DefineEdge("purchase", "purchases", func(p *purchase, d *table.Def[purchase]) {
		d.Owner(&p.CustomerID)
		d.ID(&p.OrderID)
	})
)

// customerEvent and orderEvent are what the listener reads of events.
type customerEvent struct {
	Customer struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Email  string `json:"email"`
		Street string `json:"street"`
		City   string `json:"city"`
	} `json:"customer"`
}

type orderEvent struct {
	Order struct {
		ID         string `json:"id"`
		CustomerID string `json:"customerId"`
		Amount     int    `json:"amount"`
	} `json:"order"`
}

func sum(c *customer, list []purchase) {
	for _, p := range list {
		c.Orders++
		c.Amount += p.Amount
	}
}

// rules are those of the tests' service.
func rules() []views.Part {
	return []views.Part{
		views.Upsert(customers, views.On("customer-registered"), func(e customerEvent) (customer, error) {
			return customer{ID: e.Customer.ID, Name: e.Customer.Name, Email: e.Customer.Email}, nil
		}),
		views.Remove(customers, views.On("customer-closed"), func(e customerEvent) (table.ID, error) { return e.Customer.ID, nil }),
		views.Upsert(customers, views.On("address-changed"), func(e customerEvent) (customer, error) {
			return customer{ID: e.Customer.ID, Street: e.Customer.Street, City: e.Customer.City}, nil
		}, views.InLane("address")),
		views.Remove(customers, views.On("address-cleared"), func(e customerEvent) (table.ID, error) {
			return e.Customer.ID, nil
		}, views.InLane("address")),
		views.Upsert(purchases, views.On("order-placed"), func(e orderEvent) (purchase, error) {
			return purchase{CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, Amount: e.Order.Amount}, nil
		}),
		views.Remove(purchases, views.On("order-withdrawn"), func(e orderEvent) (table.ID, error) {
			return table.Of(e.Order.CustomerID, e.Order.ID), nil
		}),
		views.Rollup(purchases, customers, "totals", sum),
	}
}

// newTable makes a table on an engine of its own. wrap, if not nil, stands between the two.
func newTable(t testing.TB, wrap func(*embedded.DB) table.Client) *table.DB {
	t.Helper()
	return newTableOn(t, embedded.New(nil), wrap)
}

func newTableOn(t testing.TB, engine *embedded.DB, wrap func(*embedded.DB) table.Client) *table.DB {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	in, err := table.Schema(customers, purchases).CreateTableInput("customers")
	require.NoError(t, err)
	_, err = engine.CreateTable(context.Background(), in)
	require.NoError(t, err)
	var client table.Client = engine
	if wrap != nil {
		client = wrap(engine)
	}
	db, err := table.Open(client, "customers", nil)
	require.NoError(t, err)
	return db
}

// start is the time of the tests' events, which lies behind all clocks.
var start = time.UnixMilli(1_700_000_000_000).UTC()

func event(id, kind string, millis int, member string, body any) insideout.Event {
	e := insideout.Event{ID: id, Type: kind, Timestamp: start.Add(time.Duration(millis) * time.Millisecond), PartitionKey: "p"}
	if err := e.SetBody(member, body); err != nil {
		panic(err)
	}
	return e
}

func registered(n int, id, name string) insideout.Event {
	return event(fmt.Sprintf("e%d", n), "customer-registered", n, "customer", map[string]string{"id": id, "name": name})
}

func placed(n int, customer, order string, amount int) insideout.Event {
	return event(fmt.Sprintf("e%d", n), "order-placed", n, "order", map[string]any{"id": order, "customerId": customer, "amount": amount})
}

// counting counts requests and lets tests break them.
type counting struct {
	*embedded.DB
	reads, writes atomic.Int64
	before        func(op string) error // the request is not made
	after         func(op string) error // the request is made, and the answer is lost
}

func (c *counting) around(op string, n *atomic.Int64, call func() error) error {
	n.Add(1)
	if c.before != nil {
		if err := c.before(op); err != nil {
			return err
		}
	}
	if err := call(); err != nil {
		return err
	}
	if c.after != nil {
		return c.after(op)
	}
	return nil
}

func (c *counting) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (out *dynamodb.UpdateItemOutput, err error) {
	err = c.around("UpdateItem", &c.writes, func() (err error) { out, err = c.DB.UpdateItem(ctx, in, opts...); return err })
	return out, err
}

func (c *counting) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (out *dynamodb.GetItemOutput, err error) {
	err = c.around("GetItem", &c.reads, func() (err error) { out, err = c.DB.GetItem(ctx, in, opts...); return err })
	return out, err
}

func (c *counting) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (out *dynamodb.QueryOutput, err error) {
	err = c.around("Query", &c.reads, func() (err error) { out, err = c.DB.Query(ctx, in, opts...); return err })
	return out, err
}

// faultSink keeps fault events.
type faultSink struct {
	mu     sync.Mutex
	events []insideout.Event
	err    error
}

func (s *faultSink) Publish(_ context.Context, events []insideout.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.events = append(s.events, events...)
	return nil
}
