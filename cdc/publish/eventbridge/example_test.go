package eventbridge_test

import (
	"context"
	"fmt"
	"log"

	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/publish/eventbridge"
)

// bus stands for the client that eventbridge.NewFromConfig of the SDK makes.
type bus struct{}

func (bus) PutEvents(_ context.Context, in *sdk.PutEventsInput, _ ...func(*sdk.Options)) (*sdk.PutEventsOutput, error) {
	out := &sdk.PutEventsOutput{}
	for _, e := range in.Entries {
		fmt.Println(*e.EventBusName, *e.Source, *e.DetailType, *e.Detail)
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: new("1")})
	}
	return out, nil
}

// A publisher is what a trigger of package cdc publishes with: cdc.New(publisher, …).
func ExampleNew() {
	publisher, err := eventbridge.New(bus{}, "orders-bus", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = publisher.Publish(context.Background(), []insideout.Event{{ID: "1", Type: "order-placed", PartitionKey: "42"}})
	fmt.Println(err)
	// Output:
	// orders-bus custom order-placed {"id":"1","partitionKey":"42","type":"order-placed"}
	// <nil>
}
