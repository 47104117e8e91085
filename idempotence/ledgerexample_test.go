package idempotence_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// A card is charged once, however often the request comes.
func ExampleLedger_Do() {
	client := newMemory() // or a *dynamodb.Client
	type Charge struct{ OrderID, Reference string }
	charges, err := idempotence.NewLedger[Charge](client, "orders", "charge-card", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the lease
	defer cancel()

	effect := func(context.Context) (Charge, error) {
		fmt.Println("charging the card")
		return Charge{"order-17", "ref-1"}, nil
	}
	for range 2 {
		charge, err := charges.Do(ctx, "order-17", effect, idempotence.Payload("EUR 12.00"))
		fmt.Println(charge.Reference, err)
	}
	_, err = charges.Do(ctx, "order-17", effect, idempotence.Payload("EUR 99.00"))
	fmt.Println(errors.Is(err, idempotence.ErrPayloadMismatch))
	// Output:
	// charging the card
	// ref-1 <nil>
	// ref-1 <nil>
	// true
}

// An increment and its receipt commit together, so that it is counted once.
func ExampleLedger_Receipt() {
	client := newMemory() // or a *dynamodb.Client
	visits, err := idempotence.NewLedger[string](client, "visits", "count-visit", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	increment := types.TransactWriteItem{Update: &types.Update{
		TableName: new("visits"), Key: keyItem("page-1", "page"), UpdateExpression: new("ADD n :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
	for range 3 { // the event comes three times
		receipt, err := visits.Receipt(ctx, "event-1", "counted")
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{increment, receipt.Item()},
		})
		fmt.Println(receipt.Result(err))
	}
	page, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: new("visits"), Key: keyItem("page-1", "page")})
	fmt.Println(plain(page.Item["n"]), err)
	// Output:
	// counted <nil>
	// counted <nil>
	// counted <nil>
	// 1 <nil>
}

// The handler of a Lambda function, for lambda.Start.
func ExampleHandler() {
	type Order struct{ ID string }
	ledger, err := idempotence.NewLedger[string](newMemory(), "orders", "confirm", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := idempotence.Handler(ledger,
		func(o Order) (key string, payload any, err error) { return o.ID, o, nil },
		func(_ context.Context, o Order) (string, error) {
			fmt.Println("sending the mail")
			return "confirmed " + o.ID, nil
		},
	)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // as Lambda does
	defer cancel()
	fmt.Println(handler(ctx, Order{"order-17"}))
	fmt.Println(handler(ctx, Order{"order-17"}))
	// Output:
	// sending the mail
	// confirmed order-17 <nil>
	// confirmed order-17 <nil>
}
