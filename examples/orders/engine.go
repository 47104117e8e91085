package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// engine is where the tables of the two services live. Everything else is the same on every engine.
type engine struct {
	client            client
	orders, customers *table.DB
	erasures          *table.DB // jobs, receipts, and whom listeners must not write about any more
	secrets           *secrets
	suppression       *gdpr.Suppression
	checkpoints       *table.DB // how far the trigger has followed the orders: a table of its own, for its changes are no news
	streams           cdc.Streams
	idle              time.Duration // how long a stream must be silent to be at its end
	close             func() error
}

// client is what the program needs of a DynamoDB client: met by the SDK's and by the embedded engine.
type client interface {
	table.Client
	table.Admin
}

func openEngine(ctx context.Context, opts options) (*engine, error) {
	switch {
	case opts.endpoint == "aws":
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, badInput{fmt.Errorf("-endpoint aws: %w", err)}
		}
		return newEngine(ctx, opts, dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg), 5*time.Second)
	case opts.endpoint != "":
		if u, err := url.Parse(opts.endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, badInput{fmt.Errorf("-endpoint %q is neither aws nor a URL such as http://127.0.0.1:8000", opts.endpoint)}
		}
		db, streams := local.Clients(opts.endpoint)
		return newEngine(ctx, opts, db, streams, time.Second)
	}
	db, err := openEmbedded(opts.data)
	if err != nil {
		return nil, badInput{fmt.Errorf("-data: %w", err)}
	}
	e, err := newEngine(ctx, opts, db, db, 0)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	e.close = db.Close
	return e, nil
}

func openEmbedded(dir string) (*embedded.DB, error) {
	if dir == "" {
		return embedded.New(nil), nil
	}
	return disk.Open(dir, nil)
}

func newEngine(ctx context.Context, opts options, c client, streams cdc.Streams, idle time.Duration) (*engine, error) {
	e := &engine{client: c, streams: streams, idle: idle, close: func() error { return nil }}
	if err := reach(ctx, opts, c); err != nil {
		return nil, err
	}
	var err error
	if e.secrets, err = openSecrets(ctx, opts, c); err != nil {
		return nil, err
	}
	if e.erasures, err = createTable(ctx, c, "orders-erasures", gdpr.Schema(), nil); err != nil {
		return nil, err
	}
	if e.suppression, err = gdpr.Suppressions(ctx, e.erasures, 10*time.Second, nil); err != nil {
		return nil, err
	}
	e.orders, err = createTable(ctx, c, "orders-entities", table.Schema(Orders, Lines, Buyers, Imports), &table.Options{
		SubjectKey: e.secrets.references, Sealer: e.secrets.sealer,
	})
	if err != nil {
		return nil, err
	}
	if e.customers, err = createTable(ctx, c, "customers-entities", table.Schema(Customers, Purchases), e.viewOptions()); err != nil {
		return nil, err
	}
	e.checkpoints, err = createTable(ctx, c, "orders-checkpoints", table.Schema(), nil)
	return e, err
}

// viewOptions are those of the view's table: a listener drops what is about people who were erased.
func (e *engine) viewOptions() *table.Options {
	return &table.Options{SubjectKey: e.secrets.references, Suppressed: e.suppression.Suppressed}
}

// reach fails soon, and in one line, where nothing answers.
func reach(ctx context.Context, opts options, c client) error {
	if opts.endpoint == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: new("orders-entities")})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); err == nil || missing {
		return nil
	}
	return badInput{fmt.Errorf("-endpoint %s does not answer as DynamoDB does: %w", opts.endpoint, err)}
}

func createTable(ctx context.Context, c client, name string, schema *table.TableSchema, opts *table.Options) (*table.DB, error) {
	if err := table.Create(ctx, c, name, schema); err != nil {
		return nil, err
	}
	return table.Open(c, name, opts)
}
