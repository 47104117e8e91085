package insideout_test

import (
	"context"
	"fmt"

	"github.com/insideout-go/insideout"
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
