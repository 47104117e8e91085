package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
)

// The customers service: it listens to facts, and keeps a lean view of what each customer bought.

// Customer is one row of the view. The totals are a lane of their own: the roll-up writes them, the registration does not.
type Customer struct {
	ID           string    `dynamo:"id" gdpr:"erase,category=identity,purpose=customer care"`
	RegisteredAt time.Time `dynamo:"registeredAt" gdpr:"erase,category=history,purpose=customer care"`

	Orders  int    `dynamo:"orders" gdpr:"erase,category=history,purpose=customer care"`
	Credits int    `dynamo:"credits" gdpr:"erase,category=history,purpose=customer care"`
	Units   int64  `dynamo:"units" gdpr:"erase,category=history,purpose=customer care"`
	Amount  Amount `dynamo:"amount" gdpr:"erase,category=history,purpose=customer care"`
}

// Purchase is what one order contributes to its customer's totals.
type Purchase struct {
	CustomerID string    `dynamo:"customerId" gdpr:"erase,category=identity,purpose=customer care"`
	OrderID    string    `dynamo:"orderId" gdpr:"none"`
	Credit     bool      `dynamo:"credit,omitempty" gdpr:"none"`
	PlacedAt   time.Time `dynamo:"placedAt" gdpr:"none"`
	Units      int64     `dynamo:"units" gdpr:"none"`
	Amount     Amount    `dynamo:"amount" gdpr:"none"`
}

var (
	Customers = table.DefineNode("customer", func(c *Customer, d *table.Def[Customer]) {
		d.ID(&c.ID)
		d.Subject(&c.ID)
		d.Lane("totals", &c.Orders, &c.Credits, &c.Units, &c.Amount)
	})
	Purchases = table.DefineEdge("purchase", "purchases", func(p *Purchase, d *table.Def[Purchase]) {
		d.Owner(&p.CustomerID)
		d.ID(&p.OrderID)
		d.Subject(&p.CustomerID)
	})
)

// customerEvent and orderEvent are what this service reads of the facts of the orders service: its own types, the wire is the contract.
type customerEvent struct {
	Customer struct {
		ID           string    `json:"id"`
		RegisteredAt time.Time `json:"registeredAt"`
	} `json:"customer"`
}

type orderEvent struct {
	Order struct {
		ID         string    `json:"id"`
		CustomerID string    `json:"customerId"`
		Credit     bool      `json:"credit"`
		PlacedAt   time.Time `json:"placedAt"`
		Units      int64     `json:"units"`
		Amount     Amount    `json:"amount"`
	} `json:"order"`
}

// newListener folds the facts into the view.
func newListener(db *table.DB, faults views.Faults) (*views.Listener, error) {
	return views.New(db,
		&views.Options{Source: "customers", Faults: faults},
		views.Upsert(Customers, views.On("customer-registered"), func(e customerEvent) (Customer, error) {
			return Customer{ID: e.Customer.ID, RegisteredAt: e.Customer.RegisteredAt}, nil
		}),
		views.Upsert(Purchases, views.On("order-placed", "order-credited"), func(e orderEvent) (Purchase, error) {
			if e.Order.CustomerID == "" {
				return Purchase{}, views.Skip("a guest's order belongs to no customer")
			}
			return Purchase{
				CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, Credit: e.Order.Credit,
				PlacedAt: e.Order.PlacedAt, Units: e.Order.Units, Amount: e.Order.Amount,
			}, nil
		}),
		views.Rollup(Purchases, Customers, "totals", total),
	)
}

// total adds up what a customer bought.
func total(c *Customer, purchases []Purchase) {
	for _, p := range purchases {
		if p.Credit {
			c.Credits++
		} else {
			c.Orders++
		}
		c.Units += p.Units
		c.Amount = c.Amount.Add(p.Amount)
	}
}

// dumpView writes the view as CSV, sorted by customer, and returns the customers who spent most and the SHA-256 of what it wrote.
func dumpView(ctx context.Context, db *table.DB, to io.Writer) (top []Customer, digest string, err error) {
	hash := sha256.New()
	out := csv.NewWriter(io.MultiWriter(to, hash))
	if err := out.Write([]string{"customer", "orders", "credits", "units", "amount"}); err != nil {
		return nil, "", err
	}
	for c, err := range Customers.List().All(ctx, db) {
		if err != nil {
			return nil, "", err
		}
		top = keepTop(top, c)
		row := []string{c.ID, strconv.Itoa(c.Orders), strconv.Itoa(c.Credits), strconv.FormatInt(c.Units, 10), c.Amount.Fixed()}
		if err := out.Write(row); err != nil {
			return nil, "", err
		}
	}
	out.Flush()
	return top, hex.EncodeToString(hash.Sum(nil)), out.Error()
}

// keepTop keeps the ten customers with the largest amounts, the largest first.
func keepTop(top []Customer, c Customer) []Customer {
	at, _ := slices.BinarySearchFunc(top, c, func(a, b Customer) int { return b.Amount.Cmp(a.Amount) })
	if at >= 10 {
		return top
	}
	top = slices.Insert(top, at, c)
	return top[:min(len(top), 10)]
}
