package cdc_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Order and its lines are the entities of the examples.
type Order struct {
	ID     string `dynamo:"id" json:"id"`
	Status string `dynamo:"status" json:"status"`
}

type Line struct {
	OrderID string `dynamo:"orderId" json:"-"`
	No      int    `dynamo:"no" json:"no"`
	Item    string `dynamo:"item" json:"item"`
}

type Basket struct {
	Order Order  `json:"order"`
	Lines []Line `json:"lines"`
}

var (
	Orders = table.DefineNode("order", func(o *Order, d *table.Def[Order]) { d.ID(&o.ID) })
	Lines  = table.DefineEdge("line", "lines", func(l *Line, d *table.Def[Line]) {
		d.Owner(&l.OrderID)
		d.ID(&l.No)
	})
	Baskets = table.DefineAggregate(
		table.Root(Orders, func(b *Basket) *Order { return &b.Order }),
		table.Many(Lines, func(b *Basket) *[]Line { return &b.Lines }),
	)
)

// printer is a bus for the examples: it prints what is published.
type printer struct{}

func (printer) Publish(_ context.Context, events []insideout.Event) error {
	for _, e := range events {
		fmt.Printf("%s %s %s\n", e.Type, e.PartitionKey, e.Body["order"])
	}
	return nil
}

// openOrders makes the table of the examples on the embedded engine.
func openOrders(ctx context.Context) (*embedded.DB, *table.DB) {
	engine := embedded.New(nil)
	in, err := table.Schema(Orders, Lines).CreateTableInput("orders")
	if err != nil {
		log.Fatal(err)
	}
	if _, err = engine.CreateTable(ctx, in); err != nil {
		log.Fatal(err)
	}
	db, err := table.Open(engine, "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	return engine, db
}

// A service states facts by writing its table. The trigger turns the changes into events; what the mapper leaves empty is
// filled in. Tail follows the stream, here until everything that was written is out.
func Example() {
	ctx := context.Background()
	engine, db := openOrders(ctx)
	defer engine.Close()

	trigger, err := cdc.New(printer{},
		&cdc.Options{Source: "orders"},
		cdc.Publish(Orders, func(c cdc.Change[Order]) (insideout.Event, error) {
			var e insideout.Event
			if c.Kind == cdc.Updated && c.New.Status == "shipped" {
				e.Type = "order-shipped"
			}
			return e, e.SetBody("order", c.State())
		}),
	)
	if err != nil {
		log.Fatal(err)
	}

	_ = Orders.Save(ctx, db, Order{ID: "42", Status: "open"})
	_ = Orders.Save(ctx, db, Order{ID: "42", Status: "shipped"})
	_ = Orders.Delete(ctx, db, "42")

	written := make(chan struct{})
	close(written)
	if err := cdc.Tail(ctx, engine, "orders", trigger, &cdc.TailOptions{Drain: written}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// order-created 42 {"id":"42","status":"open"}
	// order-shipped 42 {"id":"42","status":"shipped"}
	// order-deleted 42 {"id":"42","status":"shipped"}
}

// An aggregate is published as one event, however many of its rows have changed, with what one read of it gives.
func ExamplePublishAggregate() {
	ctx := context.Background()
	engine, db := openOrders(ctx)
	defer engine.Close()

	trigger, err := cdc.New(printer{},
		cdc.PublishAggregate(db, Baskets, func(c cdc.Change[Basket]) (insideout.Event, error) {
			e := insideout.Event{Type: "order-placed"}
			return e, e.SetBody("order", c.State())
		}),
	)
	if err != nil {
		log.Fatal(err)
	}

	_ = Lines.Save(ctx, db, Line{OrderID: "42", No: 1, Item: "lamp"})
	_ = Lines.Save(ctx, db, Line{OrderID: "42", No: 2, Item: "shade"})
	_ = Orders.Save(ctx, db, Order{ID: "42", Status: "open"})

	written := make(chan struct{})
	close(written)
	if err := cdc.Tail(ctx, engine, "orders", trigger, &cdc.TailOptions{Drain: written}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// order-placed 42 {"order":{"id":"42","status":"open"},"lines":[{"no":1,"item":"lamp"},{"no":2,"item":"shade"}]}
}

// The function on the stream of a table.
func ExampleTrigger_HandleDynamoDB() {
	trigger, err := cdc.New(printer{}, cdc.Publish(Orders, func(c cdc.Change[Order]) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("order", c.State())
	}))
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(trigger.HandleDynamoDB)
}

// A follower that goes on where the last one stopped keeps checkpoints, here in the table that it follows.
func ExampleCheckpointsIn() {
	ctx := context.Background()
	engine, db := openOrders(ctx)
	defer engine.Close()
	trigger, err := cdc.New(printer{}, cdc.Publish(Orders, func(c cdc.Change[Order]) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("order", c.State())
	}))
	if err != nil {
		log.Fatal(err)
	}
	written := make(chan struct{})
	close(written)
	for _, id := range []string{"1", "2"} {
		_ = Orders.Save(ctx, db, Order{ID: id, Status: "open"})
		options := &cdc.TailOptions{Checkpoints: cdc.CheckpointsIn(db), Drain: written}
		if err := cdc.Tail(ctx, engine, "orders", trigger, options); err != nil {
			log.Fatal(err)
		}
		fmt.Println("stopped")
	}
	// Output:
	// order-created 1 {"id":"1","status":"open"}
	// stopped
	// order-created 2 {"id":"2","status":"open"}
	// stopped
}

// FanOut keeps every event in one place before it goes to another.
func ExampleFanOut() {
	first, second := printer{}, printer{}
	publisher := cdc.FanOut(first, second)
	e := insideout.Event{Type: "order-placed", PartitionKey: "42"}
	_ = e.SetBody("order", Order{ID: "42", Status: "open"})
	fmt.Println(publisher.Publish(context.Background(), []insideout.Event{e}))
	// Output:
	// order-placed 42 {"id":"42","status":"open"}
	// order-placed 42 {"id":"42","status":"open"}
	// <nil>
}
