package main

import (
	"context"
	"errors"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"golang.org/x/sync/errgroup"
)

// The orders service: it takes commands, and its trigger publishes what changed.

// Order is an invoice, or a credit: an invoice that takes goods back.
type Order struct {
	ID         string    `dynamo:"id" json:"id" gdpr:"none"`
	CustomerID string    `dynamo:"customerId,omitempty" json:"customerId,omitempty" gdpr:"keep=Art. 17(3)(b): tax law,until=10y,category=identity,purpose=accounting"` // empty: a guest's
	Credit     bool      `dynamo:"credit,omitempty" json:"credit,omitempty" gdpr:"none"`
	PlacedAt   time.Time `dynamo:"placedAt" json:"placedAt" gdpr:"none"`
}

// Line is one line of an order.
type Line struct {
	OrderID     string `dynamo:"orderId" json:"-" gdpr:"none"`
	No          int    `dynamo:"no" json:"no" gdpr:"none"`
	StockCode   string `dynamo:"stockCode" json:"stockCode" gdpr:"none"`
	Description string `dynamo:"description,omitempty" json:"description,omitempty" gdpr:"none"`
	Quantity    int64  `dynamo:"quantity" json:"quantity" gdpr:"none"`
	Price       Amount `dynamo:"price" json:"price" gdpr:"none"`
}

// Basket is an order with its lines: one item collection, read in one Query.
type Basket struct {
	Order
	Lines []Line
}

// Buyer is a customer as the orders service knows one: registered at the first order. What is sealed leaves this service as it is stored, sealed.
type Buyer struct {
	ID           string                   `dynamo:"id" json:"id" gdpr:"erase,category=identity,purpose=order handling"`
	RegisteredAt time.Time                `dynamo:"registeredAt" json:"registeredAt" gdpr:"erase,category=history,purpose=order handling"`
	Email        insideout.Sealed[string] `dynamo:"email,omitempty" json:"email,omitzero" seal:"contact" gdpr:"erase,category=contact,purpose=order handling"`
	Country      insideout.Sealed[string] `dynamo:"country,omitempty" json:"country,omitzero" seal:"contact" gdpr:"erase,category=contact,purpose=order handling"`
}

var (
	Orders = table.DefineNode("order", func(o *Order, d *table.Def[Order]) {
		d.ID(&o.ID)
		d.Subject(&o.CustomerID)
	})
	Lines = table.DefineEdge("line", "lines", func(l *Line, d *table.Def[Line]) {
		d.Owner(&l.OrderID)
		d.ID(&l.No)
	})
	Baskets = table.DefineAggregate(
		table.Root(Orders, func(b *Basket) *Order { return &b.Order }),
		table.Many(Lines, func(b *Basket) *[]Line { return &b.Lines }),
	)
	Buyers = table.DefineNode("customer", func(b *Buyer, d *table.Def[Buyer]) {
		d.ID(&b.ID)
		d.Subject(&b.ID)
	})
)

// OrderPlaced is the body of order-placed and of order-credited.
type OrderPlaced struct {
	Order
	Units  int64  `json:"units"`
	Amount Amount `json:"amount"`
	Lines  []Line `json:"lines"`
}

// newTrigger turns the changes of the orders table into facts on the bus.
func newTrigger(db *table.DB, bus cdc.Publisher) (*cdc.Trigger, error) {
	return cdc.New(bus,
		&cdc.Options{Source: "orders"},
		cdc.Publish(Buyers, func(c cdc.Change[Buyer]) (insideout.Event, error) {
			if c.Kind != cdc.Created { // erasures change and delete customers: nobody needs to hear who they were
				return insideout.Event{}, cdc.ErrSkip
			}
			return fact("customer-registered", "customer", c.New)
		}),
		cdc.PublishAggregate(db, Baskets, func(c cdc.Change[Basket]) (insideout.Event, error) {
			placed := OrderPlaced{Order: c.New.Order, Lines: c.New.Lines}
			for _, l := range c.New.Lines {
				placed.Units += l.Quantity
				placed.Amount = placed.Amount.Add(l.Price.Times(l.Quantity))
			}
			if placed.Credit {
				return fact("order-credited", "order", placed)
			}
			return fact("order-placed", "order", placed)
		}, cdc.WhenRootChanges()), // placeOrders writes the order row last
	)
}

// fact is an event with one body member; the trigger fills in id, timestamp, partition key and tags from the change.
func fact(eventType, member string, body any) (insideout.Event, error) {
	event := insideout.Event{Type: eventType}
	err := event.SetBody(member, body)
	return event, err
}

// placeOrders stores a batch of orders. The order rows come last: the trigger publishes an order once its row is there, and a
// stop in between leaves lines that the next run writes again.
func placeOrders(ctx context.Context, db *table.DB, b batch) error {
	if err := each(ctx, b.buyers(), func(ctx context.Context, buyer Buyer) error {
		err := Buyers.Create(ctx, db, buyer)
		if errors.Is(err, table.ErrExists) || errors.Is(err, insideout.ErrShredded) {
			return nil // registered before, or erased: an old file brings nobody back
		}
		return err
	}); err != nil {
		return err
	}
	lines := make([]table.Op, len(b.lines))
	for i, l := range b.lines {
		lines[i] = Lines.Put(l)
	}
	if err := db.Batch(ctx, lines...); err != nil {
		return err
	}
	return each(ctx, b.orders, func(ctx context.Context, o Order) error { return Orders.Save(ctx, db, o) })
}

// each runs f for all values, a few at a time, until the first error.
func each[T any](ctx context.Context, values []T, f func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, v := range values {
		group.Go(func() error { return f(ctx, v) })
	}
	return group.Wait()
}
