package insideout_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

type indexed struct {
	ID      string
	Email   string `dynamo:"email" seal:"contact"`
	ByEmail string `dynamo:"byEmail"`
	ByMail2 string `dynamo:"byMail2,omitempty"` // the next version of it
	Zip     string `dynamo:"zip" seal:"contact"`
	ByZip   string `dynamo:"byZip"` // a beacon: some rows too many are found
}

// A sealed address is found by a blind index of it, which is an ordinary field that is unique, or queried. To change the index, rows carry two of them
// for a while: the new one is filled, queried, and then the old one goes.
func Example_blindIndex() {
	byEmail, byMail2, byZip := table.Index{Name: "gsi2"}, table.Index{Name: "gsi3"}, table.Index{Name: "gsi4"}
	customers := table.DefineNode("customer", func(c *indexed, d *table.Def[indexed]) {
		d.ID(&c.ID)
		d.Subject(&c.ID)
		d.Index(byEmail, table.Key(&c.ByEmail))
		d.Index(byMail2, table.Key(&c.ByMail2))
		d.Index(byZip, table.Key(&c.ByZip))
	})
	first := crypto.Index{Name: "customer.email"}
	second := crypto.Index{Name: "customer.email", Version: 1, Normalize: strings.ToLower}
	zips := crypto.Index{Name: "customer.zip", Bits: 4, Population: 100}

	ctx := context.Background()
	db, shop := sealedTable(customers)
	for i := range 100 {
		c := indexed{ID: fmt.Sprint(i), Email: fmt.Sprint(i, "@Example.com"), Zip: fmt.Sprint(50600 + i)}
		c.ByEmail, _ = shop.BlindIndex(ctx, first, c.Email)
		c.ByZip, _ = shop.BlindIndex(ctx, zips, c.Zip)
		_ = customers.Save(ctx, db, c)
	}
	find := func(ix table.Index, field *string, hash string, matches func(indexed) bool) (found, rows int) {
		for c, err := range customers.Query(ix, table.Eq(field, hash)).All(ctx, db) {
			if err != nil {
				fmt.Println(err)
			}
			rows++
			if matches(c) {
				found++
			}
		}
		return found, rows
	}

	f := customers.F
	hash, _ := shop.BlindIndex(ctx, first, "17@Example.com")
	fmt.Println(find(byEmail, &f.ByEmail, hash, func(c indexed) bool { return c.ID == "17" }))
	beacon, _ := shop.BlindIndex(ctx, zips, "50617")
	found, rows := find(byZip, &f.ByZip, beacon, func(c indexed) bool { return c.Zip == "50617" })
	fmt.Println(found, rows > 1 && rows < 30)

	for c, err := range customers.Scan(ctx, db, 1) { // writers fill both from now on
		if err != nil {
			fmt.Println(err)
		}
		next, _ := shop.BlindIndex(ctx, second, c.Email)
		_ = customers.Update(ctx, db, c.ID, table.Set(&f.ByMail2, next))
	}
	hash, _ = shop.BlindIndex(ctx, second, "17@EXAMPLE.COM")
	fmt.Println(find(byMail2, &f.ByMail2, hash, func(c indexed) bool { return c.ID == "17" }))
	err := customers.Update(ctx, db, "17", table.Set(&f.ByEmail, ""), table.If(table.Eq(&f.Email, "17@Example.com")))
	fmt.Println(err)
	// Output:
	// 1 1
	// 1 true
	// 1 1
	// table: update customer "17" "customer": invalid: field Email is sealed: DynamoDB has its ciphertext alone, which differs every time; for equality keep a blind index of the value in a field of its own
}

// sealedTable is a table with the keys of a namespace.
func sealedTable(models ...table.Definition) (*table.DB, *crypto.Sealer) {
	ctx, engine := context.Background(), embedded.New(nil)
	_ = table.Create(ctx, engine, "customers", table.Schema(models...))
	_, _ = engine.CreateTable(ctx, crypto.KeyTableSchema("shop-keys"))
	master, _ := crypto.NewLocalKey(make([]byte, 32))
	keys, _ := crypto.New(engine, "shop-keys", master, nil)
	shop, _ := keys.Namespace("shop")
	db, _ := table.Open(engine, "customers", &table.Options{Sealer: shop, Opener: shop})
	return db, shop
}
