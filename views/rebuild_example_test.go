package views_test

import (
	"context"
	"fmt"
	"log"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
)

// The view is rebuilt into another table while the first one serves its readers, verified, and switched to. The history is a lake's
// Events(ctx, lake.Query{}), or any other sequence that can be read again.
func ExampleRebuild() {
	ctx := context.Background()
	engine, blue := openBuyers(ctx)
	defer engine.Close()
	if err := table.Create(ctx, engine, "buyers-2", table.Schema(Buyers, Purchases)); err != nil {
		log.Fatal(err)
	}
	green, err := table.Open(engine, "buyers-2", nil)
	if err != nil {
		log.Fatal(err)
	}
	alias, err := views.NewAlias(blue, "buyers")
	if err != nil {
		log.Fatal(err)
	}
	if err := alias.Switch(ctx, "", "buyers"); err != nil { // where the readers are
		log.Fatal(err)
	}

	events := []insideout.Event{
		happened("e1", "customer-registered", 1, "customer", customer7("Ada")),
		happened("e2", "customer-renamed", 2, "customer", customer7("Ada Lovelace")),
		happened("e3", "order-placed", 3, "order", map[string]any{"id": "o1", "customerId": "7", "amount": 5}),
	}
	listener, err := views.New(green, buyerRules()...) // beside the live one, which takes new events
	if err != nil {
		log.Fatal(err)
	}
	done, err := views.Rebuild(ctx, listener, historyOf(events), &views.RebuildOptions{
		Name:   "with-totals",
		Switch: func(ctx context.Context, _ views.Rebuilt) error { return alias.Switch(ctx, "buyers", "buyers-2") },
	})
	if err != nil {
		log.Fatal(err)
	}
	now, err := alias.Table(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Events, "events,", done.Applied, "rows written,", done.Verified.Want == done.Verified.Have, "readers on", now)
	// Output: 3 events, 2 rows written, true readers on buyers-2
}
