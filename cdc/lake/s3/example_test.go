package s3_test

import (
	"context"
	"fmt"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/s3"
)

// In a service the client is s3.NewFromConfig(cfg), and the lake a publisher beside the bus and the claim checks of both.
func Example() {
	client := newBucket() // in the place of S3
	store, err := s3.New(client, "event-lake", nil)
	if err != nil {
		fmt.Println(err)
	}
	l, err := lake.New(store, &lake.Options{Region: "us-east-1"})
	if err != nil {
		fmt.Println(err)
	}
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)
	for range 2 { // an answer that is lost makes the same batch come again
		err = l.Publish(ctx, []insideout.Event{{ID: "e-1", Type: "order-placed", Timestamp: at, PartitionKey: "536365"}})
		if err != nil {
			fmt.Println(err)
		}
	}
	for o, err := range l.Objects(ctx, lake.Query{From: at, To: at.Add(time.Hour)}) {
		fmt.Println(o.Name, err)
	}
	// Output:
	// us-east-1/2026/11/21/12/1795264200000-d67cd341fe408aa6e6b6f2fb132b0016.jsonl.gz <nil>
}
