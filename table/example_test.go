package table_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// shop is a table on the embedded engine.
func shop(ctx context.Context, models ...table.Definition) *table.DB {
	client := embedded.New(nil)
	if err := table.Create(ctx, client, "orders-entities", table.Schema(models...)); err != nil {
		log.Fatal(err)
	}
	db, err := table.Open(client, "orders-entities", nil)
	if err != nil {
		log.Fatal(err)
	}
	return db
}

func Example() {
	ctx := context.Background()
	db := shop(ctx, Orders, Lines, Notes)

	// Commands stamp who and when, and are published by the change stream.
	placed := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for i, id := range []string{"41", "42", "43"} {
		order := Order{ID: id, CustomerID: "7", Status: "OPEN", PlacedAt: placed.Add(time.Duration(i) * time.Hour)}
		if err := Orders.Save(ctx, db, order); err != nil {
			log.Fatal(err)
		}
	}
	if err := db.Batch(ctx, Lines.Put(Line{"42", 2, "pencil", 10}), Lines.Put(Line{"42", 1, "eraser", 3})); err != nil {
		log.Fatal(err)
	}
	if err := Orders.Delete(ctx, db, "43"); err != nil {
		log.Fatal(err)
	}

	_, err := Orders.Get(ctx, db, "43")
	fmt.Println(errors.Is(err, table.ErrNotFound), err)

	basket, err := Baskets.Get(ctx, db, "42") // one Query
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(basket.Order.ID, basket.Lines)

	f := Orders.F
	for order, err := range Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).All(ctx, db, table.Desc()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(order.ID, order.PlacedAt.Format(time.TimeOnly))
	}
	// Output:
	// true table: get order "43" "order": not found
	// 42 [{42 1 eraser 3} {42 2 pencil 10}]
	// 42 09:00:00
	// 41 08:00:00
}

func ExampleQuery_Page() {
	ctx := context.Background()
	db := shop(ctx, Orders)
	for i := range 5 {
		if err := Orders.Save(ctx, db, Order{ID: fmt.Sprint(i), Status: "OPEN", PlacedAt: day(1 + i)}); err != nil {
			log.Fatal(err)
		}
	}
	f, cursor := Orders.F, ""
	for {
		page, err := Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).Page(ctx, db, table.Limit(2), table.After(cursor))
		if err != nil {
			log.Fatal(err)
		}
		for _, order := range page.Items {
			fmt.Print(order.ID, " ")
		}
		fmt.Println("more:", page.Next != "")
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	// Output:
	// 0 1 more: true
	// 2 3 more: true
	// 4 more: false
}

// A listener's writes come out the same in whatever order events arrive.
func ExampleModel_upsert() {
	ctx := context.Background()
	db := shop(ctx, Customers)
	first, _ := idempotence.NewVersion(day(1), "e1")
	second, _ := idempotence.NewVersion(day(2), "e2")
	for _, event := range []struct {
		name    string
		version idempotence.Version
	}{{"Ann Smith", second}, {"Ann", first}, {"Ann Smith", second}} {
		outcome, err := Customers.Upsert(ctx, db, Customer{ID: "7", Name: event.name}, event.version)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.name, outcome)
	}
	customer, err := Customers.Get(ctx, db, "7")
	fmt.Println(customer.Name, err)
	// Output:
	// Ann Smith applied
	// Ann stale
	// Ann Smith duplicate
	// Ann Smith <nil>
}

func ExampleNewNode() {
	type Product struct {
		SKU   string  `dynamo:"sku,omitemtpy"`
		Price float64 `dynamo:"ttl"`
	}
	_, err := table.NewNode("product", func(p *Product, d *table.Def[Product]) {
		d.ID(&p.Price)
	})
	fmt.Println(err)
	// Output:
	// table: the definition of "product" (table_test.Product) has 2 mistakes:
	// 	SKU: unknown option "omitemtpy" in tag `dynamo:"sku,omitemtpy"` (did you mean "omitempty"?)
	// 	Price: ID: a float64 cannot be part of a key (ids are strings, integers, bools or times)
}

func ExampleDB_Params() {
	ctx := context.Background()
	db, _ := table.Open(nobody{}, "orders-entities", nil)
	requests, err := db.Params(func(db *table.DB) error { return Orders.DeletePermanently(ctx, db, "42") })
	fmt.Printf("%T %v\n", requests[0], err)
	// Output: *dynamodb.DeleteItemInput <nil>
}

// A transaction takes commands of any kind, and tells which of them stood in its way.
func ExampleDB_Transact() {
	ctx := context.Background()
	db := shop(ctx, Orders, Lines)
	order := Order{ID: "42", CustomerID: "7", Status: "OPEN", PlacedAt: day(1)}
	if err := Orders.Save(ctx, db, order); err != nil {
		log.Fatal(err)
	}
	f := Orders.F
	open := Orders.CheckOp("42", table.If(table.Eq(&f.Status, "OPEN")))
	line := Lines.CreateOp(Line{"42", 1, "pencil", 10})
	fmt.Println(db.Transact(ctx, open, line))

	err := db.Transact(ctx, open, line)
	fmt.Println(open.Reason(err) == nil, errors.Is(line.Reason(err), table.ErrExists))
	existing, _, _ := Lines.Current(err)
	fmt.Println(existing.SKU, existing.Quantity)
	// Output:
	// <nil>
	// true true
	// pencil 10
}

func ExampleDef_Unique() {
	type User struct {
		ID    string
		Email string `dynamo:"email"`
	}
	users := table.DefineNode("user", func(u *User, d *table.Def[User]) {
		d.ID(&u.ID)
		d.Unique(&u.Email)
	})
	ctx := context.Background()
	db := shop(ctx, users)
	fmt.Println(users.Create(ctx, db, User{"1", "ann@example.com"}))
	fmt.Println(users.Create(ctx, db, User{"2", "ann@example.com"}))
	fmt.Println(users.Delete(ctx, db, "1"))
	fmt.Println(users.Create(ctx, db, User{"2", "ann@example.com"}))
	// Output:
	// <nil>
	// table: create user "2" "user": already exists: row "1" "user" has the same "email", which is unique
	// <nil>
	// <nil>
}

func ExampleDef_Upgrades() {
	type User struct {
		ID    string
		Email string `dynamo:"email"` // "mail" in rows from before the first upgrade
	}
	users := table.DefineNode("user", func(u *User, d *table.Def[User]) {
		d.ID(&u.ID)
		d.Upgrades(func(row table.Item) error {
			row["email"] = row["mail"]
			return nil
		})
	})
	ctx := context.Background()
	db := shop(ctx, users)
	raw, _ := db.Dynamo()
	if err := raw.Put(map[string]any{"pk": "1", "sk": "user", "discriminator": "user", "mail": "ann@example.com"}).Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(users.Get(ctx, db, "1"))
	// Output: {1 ann@example.com} <nil>
}

// A list needs a part of each row only.
func ExampleProject() {
	type Summary struct {
		Number string `dynamo:"id"`
		Total  int64  `dynamo:"total"`
	}
	ctx := context.Background()
	db := shop(ctx, Orders)
	for i, id := range []string{"41", "42"} {
		if err := Orders.Save(ctx, db, Order{ID: id, Status: "OPEN", Total: int64(100 * i), Note: "a long text"}); err != nil {
			log.Fatal(err)
		}
	}
	for summary, err := range table.Project[Summary](Orders.List()).All(ctx, db) {
		fmt.Println(summary, err)
	}
	// Output:
	// {41 0} <nil>
	// {42 100} <nil>
}

// Data about people are stored as ciphertexts. Whoever has no opener can still carry an insideout.Sealed from place to place.
func Example_sealing() {
	type Contact struct {
		ID    string
		Email insideout.Sealed[string] `dynamo:"email" seal:"contact"`
	}
	contacts := table.DefineNode("contact", func(c *Contact, d *table.Def[Contact]) {
		d.ID(&c.ID)
		d.Subject(&c.ID) // whose key seals
	})
	ctx, client := context.Background(), embedded.New(nil)
	if err := table.Create(ctx, client, "contacts", table.Schema(contacts)); err != nil {
		log.Fatal(err)
	}
	sealer := newVault() // in a service: the *crypto.Sealer of a namespace
	db, err := table.Open(client, "contacts", &table.Options{Sealer: sealer, Opener: sealer})
	if err != nil {
		log.Fatal(err)
	}
	if err := contacts.Save(ctx, db, Contact{"7", insideout.Seal("ann@example.com")}); err != nil {
		log.Fatal(err)
	}
	ann, err := contacts.Get(ctx, db, "7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ann)
	fmt.Println(ann.Email.Reveal())

	blind, err := table.Open(client, "contacts", nil)
	if err != nil {
		log.Fatal(err)
	}
	ann, err = contacts.Get(ctx, blind, "7")
	if err != nil {
		log.Fatal(err)
	}
	_, err = ann.Email.Reveal()
	fmt.Println(err)
	// Output:
	// {7 [REDACTED]}
	// ann@example.com <nil>
	// insideout: the value is sealed; open it with OpenSealed, or give the reader a sealer
}
