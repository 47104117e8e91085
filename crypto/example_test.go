package crypto_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table/embedded"
)

// A service seals with the keys of its customers, and forgets one of them.
func Example() {
	ctx := context.Background()
	db := embedded.New(nil)
	if _, err := db.CreateTable(ctx, crypto.KeyTableSchema("shop-keys")); err != nil {
		panic(err)
	}
	master, err := crypto.ParseLocalKey("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=") // in production: awskms.New
	if err != nil {
		panic(err)
	}
	keys, err := crypto.New(db, "shop-keys", master, nil)
	if err != nil {
		panic(err)
	}
	shop, err := keys.Namespace("shop")
	if err != nil {
		panic(err)
	}

	row := []insideout.SealedField{{
		Origin:    insideout.Origin{Subject: "17850", Model: "customer", ID: "17850", Field: "email", Class: "contact"},
		Plaintext: []byte(`"17850@example.com"`),
	}}
	fmt.Println("sealed:", shop.Seal(ctx, row) == nil, len(row[0].Ciphertext)-len(row[0].Plaintext), "bytes longer")
	fmt.Println("opened:", shop.Open(ctx, row) == nil, string(row[0].Plaintext))

	moved := row[0]
	moved.Origin.ID = "13047"
	err = shop.Open(ctx, []insideout.SealedField{moved})
	fmt.Println("moved to another row:", errors.Is(err, crypto.ErrAuthentication))

	if _, err := shop.ShredSubject(ctx, "17850"); err != nil {
		panic(err)
	}
	fmt.Println("shredded:", shop.Open(ctx, row) == nil, row[0].Plaintext == nil, row[0].Err)
	// Output:
	// sealed: true 45 bytes longer
	// opened: true "17850@example.com"
	// moved to another row: true
	// shredded: true true insideout: the value's key has been destroyed
}

// A model is printed as its classes allow.
func ExampleViews_Redact() {
	type Customer struct {
		ID      string   `json:"id"`
		Email   string   `json:"email" seal:"contact"`
		Illness []string `json:"illness" seal:"health"`
		Card    string   `json:"card" seal:"payment"`
	}
	c := Customer{"17850", "ada@example.com", []string{"flu"}, "4111 1111 1111 1111"}
	fmt.Println(crypto.Views{"contact": crypto.Masked, "health": crypto.Absent}.Redact(c))
	// Output: {"card":"[REDACTED]","email":"a****@example.com","id":"17850"}
}
