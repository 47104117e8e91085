package lake_test

import (
	"context"
	"encoding/json"
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

// A person is forgotten in events that were published before their data was sealed: what is about them goes, or loses what it says in
// plain. The same call again goes on where one was broken off, and finds nothing to do in the end.
func ExampleLake_Rewrite() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		fmt.Println(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	l, err := lake.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
	}
	defer l.Close()
	at := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)
	err = l.Publish(ctx, []insideout.Event{
		{ID: "e-1", Type: "customer-registered", Timestamp: at, PartitionKey: "17850", Body: map[string]json.RawMessage{"customer": json.RawMessage(`{"email":"17850@example.com"}`)}},
		{ID: "e-2", Type: "customer-visited", Timestamp: at, PartitionKey: "17850"},
		{ID: "e-3", Type: "customer-visited", Timestamp: at, PartitionKey: "13047"},
	})
	if err != nil {
		fmt.Println(err)
	}

	done, err := l.Rewrite(ctx, lake.Query{PartitionKeys: []string{"17850"}}, func(e *insideout.Event) (lake.Edit, error) {
		if e.Type == "customer-visited" {
			return lake.Drop, nil
		}
		return lake.Replace, e.SetBody("customer", map[string]bool{"erased": true})
	}, nil)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(done.Changed, "object rewritten:", done.Dropped, "dropped,", done.Replaced, "replaced")
	for e, err := range l.Events(ctx, lake.Query{}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(e.ID, e.PartitionKey, string(e.Body["customer"]))
	}
	// Output:
	// 1 object rewritten: 1 dropped, 1 replaced
	// e-1 17850 {"erased":true}
	// e-3 13047
}
