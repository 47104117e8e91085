package sns_test

import (
	"context"
	"fmt"
	"log"

	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/publish/sns"
)

// topic stands for the client that sns.NewFromConfig of the SDK makes.
type topic struct{}

func (topic) PublishBatch(_ context.Context, in *sdk.PublishBatchInput, _ ...func(*sdk.Options)) (*sdk.PublishBatchOutput, error) {
	out := &sdk.PublishBatchOutput{}
	for _, e := range in.PublishBatchRequestEntries {
		fmt.Println(*in.TopicArn, *e.Message)
		out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// A publisher is what a trigger of package cdc publishes with: cdc.New(publisher, …).
func ExampleNew() {
	publisher, err := sns.New(topic{}, "arn:aws:sns:eu-west-1:1:orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = publisher.Publish(context.Background(), []insideout.Event{{ID: "1", Type: "order-placed", PartitionKey: "42"}})
	fmt.Println(err)
	// Output:
	// arn:aws:sns:eu-west-1:1:orders {"id":"1","partitionKey":"42","type":"order-placed"}
	// <nil>
}
