package sqs_test

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	queues "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/sqs"
)

// A program that keeps a view of what comes from a queue, until it is told to end.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	conf, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	db, err := table.Open(dynamodb.NewFromConfig(conf), "accounts", nil)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := views.New(db, views.Upsert(accounts, views.On("account-changed"), func(e insideout.Event) (account, error) {
		value, err := insideout.Body[int](e, "value")
		return account{ID: e.PartitionKey, Value: value}, err
	}))
	if err != nil {
		log.Fatal(err)
	}
	source, err := sqs.New(queues.NewFromConfig(conf), os.Getenv("QUEUE_URL"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := views.Serve(ctx, source, listener); err != nil {
		log.Fatal(err)
	}
}
