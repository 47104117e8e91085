package views_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// Buyer is a lean view: what this service needs to know of the customers of another one, and what they bought.
type Buyer struct {
	ID     string `dynamo:"id"`
	Name   string `dynamo:"name"`
	Orders int    `dynamo:"orders"`
	Amount int    `dynamo:"amount"`
}

// Purchase is what one order adds to its buyer's totals.
type Purchase struct {
	BuyerID string `dynamo:"buyerId"`
	OrderID string `dynamo:"orderId"`
	Amount  int    `dynamo:"amount"`
}

var (
	Buyers = table.DefineNode("buyer", func(b *Buyer, d *table.Def[Buyer]) {
		d.ID(&b.ID)
		d.Lane("totals", &b.Orders, &b.Amount)
	})
	Purchases = table.DefineEdge("purchase", "purchases", func(p *Purchase, d *table.Def[Purchase]) {
		d.Owner(&p.BuyerID)
		d.ID(&p.OrderID)
	})
)

// CustomerEvent and OrderEvent are what this service reads of events: its own types, since the JSON is the contract.
type CustomerEvent struct {
	Customer struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"customer"`
}

type OrderEvent struct {
	Order struct {
		ID         string `json:"id"`
		CustomerID string `json:"customerId"`
		Amount     int    `json:"amount"`
	} `json:"order"`
}

func openBuyers(ctx context.Context) (*embedded.DB, *table.DB) {
	engine := embedded.New(nil) // or a *dynamodb.Client
	if err := table.Create(ctx, engine, "buyers", table.Schema(Buyers, Purchases)); err != nil {
		log.Fatal(err)
	}
	db, err := table.Open(engine, "buyers", nil)
	if err != nil {
		log.Fatal(err)
	}
	return engine, db
}

// happened is an event as it comes from a bus.
func happened(id, kind string, second int, member string, body any) insideout.Event {
	e := insideout.Event{ID: id, Type: kind, Timestamp: time.Date(2024, 11, 21, 10, 0, second, 0, time.UTC), PartitionKey: "7"}
	if err := e.SetBody(member, body); err != nil {
		log.Fatal(err)
	}
	return e
}

func customer7(name string) any { return map[string]string{"id": "7", "name": name} }

func buyerRules() []views.Part {
	return []views.Part{
		views.Upsert(Buyers, views.On("customer-registered", "customer-renamed"), func(e CustomerEvent) (Buyer, error) {
			return Buyer{ID: e.Customer.ID, Name: e.Customer.Name}, nil
		}),
		views.Remove(Buyers, views.On("customer-closed"), func(e CustomerEvent) (table.ID, error) {
			return e.Customer.ID, nil
		}),
		views.Upsert(Purchases, views.On("order-placed"), func(e OrderEvent) (Purchase, error) {
			if e.Order.CustomerID == "" {
				return Purchase{}, views.Skip("a guest's order belongs to nobody")
			}
			return Purchase{BuyerID: e.Order.CustomerID, OrderID: e.Order.ID, Amount: e.Order.Amount}, nil
		}),
		views.Rollup(Purchases, Buyers, "totals", func(b *Buyer, purchases []Purchase) {
			for _, p := range purchases {
				b.Orders++
				b.Amount += p.Amount
			}
		}),
	}
}

// Events may come late, twice and out of order: the view is the same in the end.
func Example() {
	ctx := context.Background()
	engine, db := openBuyers(ctx)
	defer engine.Close()
	listener, err := views.New(db, buyerRules()...)
	if err != nil {
		log.Fatal(err)
	}
	batches := [][]insideout.Event{
		{happened("e3", "order-placed", 3, "order", map[string]any{"id": "a", "customerId": "7", "amount": 20})},
		{happened("e2", "customer-renamed", 2, "customer", customer7("Ann Lee")), happened("e1", "customer-registered", 1, "customer", customer7("Ann"))},
		{happened("e1", "customer-registered", 1, "customer", customer7("Ann"))},
		{happened("e4", "order-placed", 4, "order", map[string]any{"id": "b", "customerId": "7", "amount": 5})},
		{happened("e3", "order-placed", 3, "order", map[string]any{"id": "a", "customerId": "7", "amount": 20})},
	}
	for _, batch := range batches {
		if err := listener.Handle(ctx, batch); err != nil {
			log.Fatal(err)
		}
	}
	buyer, err := Buyers.Get(ctx, db, "7")
	fmt.Printf("%+v %v\n", buyer, err)
	s := listener.Stats()
	fmt.Println(s.Applied, "applied,", s.Stale, "stale,", s.Duplicate, "duplicate,", s.Coalesced, "coalesced")
	// Output:
	// {ID:7 Name:Ann Lee Orders:2 Amount:25} <nil>
	// 3 applied, 1 stale, 1 duplicate, 1 coalesced
}

// A bus carries the events of a trigger to listeners in the same process.
func ExampleBus() {
	ctx := context.Background()
	engine, db := openBuyers(ctx)
	defer engine.Close()
	listener, err := views.New(db, buyerRules()...)
	if err != nil {
		log.Fatal(err)
	}
	bus := views.NewBus(listener)
	err = bus.Publish(ctx, []insideout.Event{happened("e1", "customer-registered", 1, "customer", customer7("Ann"))})
	fmt.Println(err, listener.Stats().Applied)
	// Output: <nil> 1
}

// printFaults is where the faults of the example go. In a service it is the bus.
type printFaults struct{}

func (printFaults) Publish(_ context.Context, events []insideout.Event) error {
	for _, e := range events {
		fmt.Println(e.Type, e.Tags[insideout.TagPipeline], string(e.Body["err"]))
	}
	return nil
}

// An event that cannot be mapped becomes a fault event, which carries it; the others go on.
func ExamplePoison() {
	ctx := context.Background()
	engine, db := openBuyers(ctx)
	defer engine.Close()
	listener, err := views.New(db, &views.Options{Faults: printFaults{}},
		views.Upsert(Buyers, views.On("customer-registered"), func(e CustomerEvent) (Buyer, error) {
			if e.Customer.Name == "" {
				return Buyer{}, views.Poison(errors.New("a buyer needs a name"))
			}
			return Buyer{ID: e.Customer.ID, Name: e.Customer.Name}, nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	err = listener.Handle(ctx, []insideout.Event{happened("e1", "customer-registered", 1, "customer", customer7(""))})
	fmt.Println(err)
	// Output:
	// fault upsert-buyer {"name":"Error","message":"a buyer needs a name","stack":""}
	// <nil>
}

// A row with two sources has a lane for each of them.
func ExampleInLane() {
	type profile struct {
		ID    string `dynamo:"id"`
		Name  string `dynamo:"name"`
		Score int    `dynamo:"score"`
	}
	profiles := table.DefineNode("profile", func(p *profile, d *table.Def[profile]) {
		d.ID(&p.ID)
		d.Lane("rating", &p.Score)
	})
	ctx := context.Background()
	engine, db := openBuyers(ctx)
	defer engine.Close()
	listener, err := views.New(db,
		views.Upsert(profiles, views.On("customer-registered"), func(e CustomerEvent) (profile, error) {
			return profile{ID: e.Customer.ID, Name: e.Customer.Name}, nil
		}),
		views.Upsert(profiles, views.On("customer-rated"), func(e insideout.Event) (profile, error) {
			score, err := insideout.Body[int](e, "score")
			return profile{ID: e.PartitionKey, Score: score}, err
		}, views.InLane("rating")),
	)
	if err != nil {
		log.Fatal(err)
	}
	_ = listener.Handle(ctx, []insideout.Event{
		happened("e9", "customer-rated", 9, "score", 5),
		happened("e1", "customer-registered", 1, "customer", customer7("Ann")), // older, but of another source
	})
	p, err := profiles.Get(ctx, db, "7")
	fmt.Printf("%+v %v\n", p, err)
	// Output: {ID:7 Name:Ann Score:5} <nil>
}

// Functions on a queue, a Kinesis stream and a rule of EventBridge.
func ExampleListener_HandleSQS() {
	_, db := openBuyers(context.Background())
	listener, err := views.New(db, buyerRules()...)
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(listener.HandleSQS) // or HandleKinesis, HandleEventBridge, HandleSNS, HandleDynamoDB
}
