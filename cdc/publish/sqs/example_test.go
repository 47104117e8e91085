package sqs_test

import (
	"context"
	"fmt"
	"log"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/publish/sqs"
)

// queue stands for the client that sqs.NewFromConfig of the SDK makes.
type queue struct{}

func (queue) SendMessageBatch(_ context.Context, in *sdk.SendMessageBatchInput, _ ...func(*sdk.Options)) (*sdk.SendMessageBatchOutput, error) {
	out := &sdk.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		fmt.Println(*e.MessageGroupId, *e.MessageDeduplicationId, *e.MessageBody)
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// A publisher is what a trigger of package cdc publishes with: cdc.New(publisher, …). In a FIFO queue the events of an order stay in
// their order, and one that is published twice is there once.
func ExampleNew() {
	publisher, err := sqs.New(queue{}, "https://sqs.eu-west-1.amazonaws.com/1/orders.fifo", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = publisher.Publish(context.Background(), []insideout.Event{{ID: "1", Type: "order-placed", PartitionKey: "42"}})
	fmt.Println(err)
	// Output:
	// 42 1 {"id":"1","partitionKey":"42","type":"order-placed"}
	// <nil>
}
