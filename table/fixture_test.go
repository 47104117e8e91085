package table_test

import (
	"time"

	"github.com/insideout-go/insideout/table"
)

type Order struct {
	ID         string    `dynamo:"id"`
	CustomerID string    `dynamo:"customerId"`
	Status     string    `dynamo:"status"`
	PlacedAt   time.Time `dynamo:"placedAt"`
	Note       string    `dynamo:"note"`
	Total      int64     `dynamo:"total,omitempty"`
	Labels     []string  `dynamo:"labels,set"`
	Stops      []string  `dynamo:"stops,omitempty"`
	Address    *Address  `dynamo:"address"`
}

type Address struct {
	City   string `dynamo:"city"`
	Street string `dynamo:"street"`
}

type Line struct {
	OrderID  string
	No       int
	SKU      string `dynamo:"sku"`
	Quantity int64  `dynamo:"quantity"`
}

type Note struct {
	OrderID, ID string
	Text        string `dynamo:"text"`
}

type Basket struct {
	Order Order
	Lines []Line
	Note  *Note
}

var ByStatus = table.Index{Name: "gsi2"}

var Orders = table.DefineNode("order", func(o *Order, d *table.Def[Order]) {
	d.ID(&o.ID)
	d.Subject(&o.CustomerID)
	d.Retain(365 * table.Day)
	d.Index(ByStatus, table.Key(&o.Status), table.Key(&o.PlacedAt))
})

var Lines = table.DefineEdge("line", "lines", func(l *Line, d *table.Def[Line]) {
	d.Owner(&l.OrderID)
	d.ID(&l.No) // numbers in keys are padded, so that they sort
})

var Notes = table.DefineEdge("note", "notes", func(n *Note, d *table.Def[Note]) {
	d.Owner(&n.OrderID)
	d.ID(&n.ID)
})

var Baskets = table.DefineAggregate(
	table.Root(Orders, func(b *Basket) *Order { return &b.Order }),
	table.Many(Lines, func(b *Basket) *[]Line { return &b.Lines }),
	table.One(Notes, func(b *Basket) **Note { return &b.Note }),
)

// Customer has totals in a lane of their own.
type Customer struct {
	ID     string
	Name   string `dynamo:"name"`
	Orders int    `dynamo:"orders"`
	Units  int64  `dynamo:"units"`
}

var Customers = table.DefineNode("customer", func(c *Customer, d *table.Def[Customer]) {
	d.ID(&c.ID)
	d.Lane("totals", &c.Orders, &c.Units)
})
