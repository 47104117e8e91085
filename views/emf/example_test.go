package emf_test

import (
	"context"
	"log"
	"os"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/emf"
)

type account struct {
	ID string `dynamo:"id"`
}

var accounts = table.DefineNode("account", func(a *account, d *table.Def[account]) { d.ID(&a.ID) })

// A listener of which the metrics are on standard output, which is where CloudWatch finds those of a Lambda function.
func Example() {
	engine := embedded.New(nil)
	defer engine.Close()
	db, err := table.Open(engine, "accounts", nil)
	if err != nil {
		log.Fatal(err)
	}
	metrics, err := emf.New(os.Stdout, &emf.Options{Dimensions: map[string]string{"functionname": "accounts-listener"}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := views.New(db, &views.Options{OnBatch: metrics.OnBatch},
		views.Upsert(accounts, views.On("account-opened"), func(e insideout.Event) (account, error) {
			return account{ID: e.PartitionKey}, nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	err = listener.Handle(context.Background(), nil) // each batch is a line
	if err != nil {
		log.Fatal(err)
	}
}
