package kinesis_test

import (
	"context"
	"fmt"
	"log"

	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/publish/kinesis"
)

// stream stands for the client that kinesis.NewFromConfig of the SDK makes.
type stream struct{}

func (stream) PutRecords(_ context.Context, in *sdk.PutRecordsInput, _ ...func(*sdk.Options)) (*sdk.PutRecordsOutput, error) {
	out := &sdk.PutRecordsOutput{}
	for _, r := range in.Records {
		fmt.Printf("%s %s\n", *r.PartitionKey, r.Data)
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: new("1")})
	}
	return out, nil
}

// A publisher is what a trigger of package cdc publishes with: cdc.New(publisher, …).
func ExampleNew() {
	publisher, err := kinesis.New(stream{}, "orders-stream", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = publisher.Publish(context.Background(), []insideout.Event{{ID: "1", Type: "order-placed", PartitionKey: "42"}})
	fmt.Println(err)
	// Output:
	// 42 {"id":"1","partitionKey":"42","type":"order-placed"}
	// <nil>
}
