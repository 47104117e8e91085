package insideout_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// The entities of a service that takes orders, and the row of a view in a service that watches customers.
type (
	Order struct {
		ID         string    `dynamo:"id" json:"id"`
		CustomerID string    `dynamo:"customerId" json:"customerId"`
		Status     string    `dynamo:"status" json:"status"`
		PlacedAt   time.Time `dynamo:"placedAt" json:"placedAt"`
	}
	Purchase struct {
		CustomerID string    `dynamo:"customerId"`
		OrderID    string    `dynamo:"orderId"`
		At         time.Time `dynamo:"at"`
	}
	OrderPlaced struct {
		Order Order `json:"order"`
	}
)

var ByStatus = table.Index{Name: "gsi2", PK: "gsi2pk", SK: "gsi2sk"}

var Orders = table.DefineNode("order", func(o *Order, d *table.Def[Order]) {
	d.ID(&o.ID)
	d.Index(ByStatus, table.Key(&o.Status), table.Key(&o.PlacedAt))
})

var Purchases = table.DefineEdge("purchase", "purchases", func(p *Purchase, d *table.Def[Purchase]) {
	d.Owner(&p.CustomerID)
	d.ID(&p.OrderID)
})

// A command writes a row; the trigger publishes its change as a fact; the listener folds the fact into a view; a query reads the view.
func Example() {
	ctx := context.Background()
	engine := embedded.New(nil) // or *dynamodb.Client: the rest stays as it is
	defer engine.Close()
	sales, customers := open(ctx, engine, "sales", Orders), open(ctx, engine, "customers", Purchases)

	listener, err := views.New(customers,
		views.Upsert(Purchases, views.On("order-placed"), func(e OrderPlaced) (Purchase, error) {
			return Purchase{CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, At: e.Order.PlacedAt}, nil
		}),
	)
	check(err)
	trigger, err := cdc.New(views.NewBus(listener),
		cdc.Publish(Orders, func(c cdc.Change[Order]) (insideout.Event, error) {
			event := insideout.Event{Type: "order-placed"}
			return event, event.SetBody("order", c.New)
		}),
	)
	check(err)

	placed := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	check(Orders.Save(ctx, sales, Order{ID: "42", CustomerID: "ann", Status: "OPEN", PlacedAt: placed}))
	check(Orders.Save(ctx, sales, Order{ID: "43", CustomerID: "ann", Status: "OPEN", PlacedAt: placed.Add(time.Hour)}))

	committed := make(chan struct{})
	close(committed) // a service would follow its stream for ever; see cdc.Trigger.HandleDynamoDB for Lambda
	check(cdc.Tail(ctx, engine, "sales", trigger, &cdc.TailOptions{Drain: committed}))

	for o, err := range Orders.Query(ByStatus, table.Eq(&Orders.F.Status, "OPEN")).All(ctx, sales, table.Desc()) {
		check(err)
		fmt.Println("open:", o.ID)
	}
	for p, err := range Purchases.Of("ann").All(ctx, customers) {
		check(err)
		fmt.Println("ann bought:", p.OrderID)
	}
	// Output:
	// open: 43
	// open: 42
	// ann bought: 42
	// ann bought: 43
}

func open(ctx context.Context, engine *embedded.DB, name string, models ...table.Definition) *table.DB {
	check(table.Create(ctx, engine, name, table.Schema(models...)))
	db, err := table.Open(engine, name, nil)
	check(err)
	return db
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
