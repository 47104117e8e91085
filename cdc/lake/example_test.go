package lake_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

func background() context.Context { return context.Background() }

func Example() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		fmt.Println(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	l, err := lake.Open(dir, &lake.Options{Region: "us-east-1"})
	if err != nil {
		fmt.Println(err)
	}
	defer l.Close()
	at := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)
	err = l.Publish(ctx, []insideout.Event{
		{ID: "e-1", Type: "order-placed", Timestamp: at, PartitionKey: "536365"},
		{ID: "e-2", Type: "customer-registered", Timestamp: at, PartitionKey: "17850"},
		{ID: "e-3", Type: "order-placed", Timestamp: at.Add(-24 * time.Hour), PartitionKey: "536364"},
	})
	if err != nil {
		fmt.Println(err)
	}
	for e, err := range l.Events(ctx, lake.Query{Types: []string{"order-placed"}}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(e.Timestamp.Format(time.DateTime), e.ID, e.PartitionKey)
	}
	// Output:
	// 2026-11-20 12:30:00 e-3 536364
	// 2026-11-21 12:30:00 e-1 536365
}
