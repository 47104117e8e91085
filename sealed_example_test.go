package insideout_test

import (
	"context"
	"fmt"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// A sealed value travels from a row through an event into a view as ciphertext. It leaves by Reveal alone, for whoever has the key.
func ExampleSealed() {
	type Customer struct {
		ID    string                   `json:"id"`
		Email insideout.Sealed[string] `json:"email"`
	}
	ctx, keys := context.Background(), &mirror{} // in production: a crypto.Sealer

	// The writer: table seals what is new, and keeps where.
	c := Customer{ID: "17850", Email: insideout.Seal("17850@example.com")}
	f, _, _ := c.Email.Field()
	f.Origin = insideout.Origin{Subject: "17850", Model: "customer", ID: "17850", Field: "email", Class: "contact"}
	row := []insideout.SealedField{f}
	_ = keys.Seal(ctx, row)
	_ = c.Email.SetField(row[0])
	fmt.Printf("%+v\n", c)

	// The event carries it. The eem tells what is sealed, and whose it is.
	e := insideout.Event{ID: "1", Type: "customer-registered"}
	_ = e.SetBody("customer", c)
	origins, _ := e.Origins()
	fmt.Println(origins["/customer/email"].Subject, origins["/customer/email"].Class)

	// A reader: without the key, and with it.
	received, _ := insideout.Body[Customer](e, "customer")
	_, err := received.Email.Reveal()
	fmt.Println(err)
	_ = insideout.OpenSealed(ctx, keys, &received)
	email, err := received.Email.Reveal()
	fmt.Println(email, err)
	// Output:
	// {ID:17850 Email:[REDACTED]}
	// 17850 contact
	// insideout: the value is sealed; open it with OpenSealed, or give the reader a sealer
	// 17850@example.com <nil>
}

// The key of a customer may be known to others, and in older rows phone numbers are plain text: a job moves every row to the current keys, while the service
// runs. Should it be interrupted, it goes on from its cursor.
func ExampleSealedRows() {
	type Customer struct {
		ID    string
		Email string `dynamo:"email" seal:"contact"`
		Phone string `dynamo:"phone" seal:"contact,plain"` // plain: rows may hold it as it was
	}
	customers := table.DefineNode("customer", func(c *Customer, d *table.Def[Customer]) {
		d.ID(&c.ID)
		d.Subject(&c.ID)
	})
	ctx, engine := context.Background(), embedded.New(nil)
	_ = table.Create(ctx, engine, "customers", table.Schema(customers))
	_, _ = engine.CreateTable(ctx, crypto.KeyTableSchema("shop-keys"))
	master, _ := crypto.NewLocalKey(make([]byte, 32)) // in production: awskms.New
	keys, _ := crypto.New(engine, "shop-keys", master, nil)
	shop, _ := keys.Namespace("shop")
	db, _ := table.Open(engine, "customers", &table.Options{Sealer: shop, Opener: shop})
	_ = customers.Save(ctx, db, Customer{"17850", "17850@example.com", "555-1234"})
	_ = customers.Save(ctx, db, Customer{"13047", "13047@example.com", "555-4321"})

	_ = shop.RotateSubject(ctx, "17850")
	cursor := "" // or what the file says where the last run wrote it down
	p, err := shop.Reseal(ctx, db.Sealed(customers), cursor, func(p crypto.ResealProgress) error {
		return nil // write p.Cursor down, and print how far it is
	})
	fmt.Println(p.Rows, "rows,", p.Resealed, "fields resealed,", p.Left, "left,", err)
	c, err := customers.Get(ctx, db, "17850")
	fmt.Println(c.Email, err)
	// Output:
	// 2 rows, 2 fields resealed, 0 left, <nil>
	// 17850@example.com <nil>
}
