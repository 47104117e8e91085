// Package embedded is DynamoDB and DynamoDB Streams in process: tables, items
// with expressions, indexes, transactions, streams and time to live, in memory.
// Package disk opens the same in a folder.
//
// Start with [New] and the methods of [DB], which are those of the AWS SDK's
// clients: a *DB stands wherever an interface with the methods of
// *dynamodb.Client or *dynamodbstreams.Client is asked for. Other programs reach it
// through [DB.Handler].
//
// It is meant for development, tests and small deployments on one machine. The
// same program runs on DynamoDB by using the SDK's client instead. It
// guarantees that what it answers is what DynamoDB answers, errors included, or a
// clear error that says what it does not implement; that writes to one item are
// linearizable, transactions serializable, and pages of queries consistent; and
// that with package disk an answered write is on the disk.
package embedded

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/insideout-go/insideout/table/embedded/internal/engine"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// ErrClosed is the error of every call after [DB.Close].
var ErrClosed = engine.ErrClosed

// Options change what [New] and disk.Open make. The zero value has all
// defaults.
type Options struct {
	// Region is the region in ARNs and stream records. Default: us-east-1.
	Region string
	// Shards is how many shards a new stream has, 1 to 256. All changes of one
	// partition key are in one shard. Default: 1.
	Shards int
	// ShardAge is how long a shard takes records before it closes and a child
	// takes its place; a stream that is not used makes no children. Tests of
	// consumers set it low, or split shards with [DB.Reshard]. A shard that
	// has been closed for 24 hours is gone, with its records. Negative: shards
	// stay open. Default: four hours, about DynamoDB's.
	ShardAge time.Duration
	// TTLInterval is the time between two removals of expired items. Negative:
	// never. Default: one minute.
	TTLInterval time.Duration
	// NoSync answers writes before they are on the disk: ten times as fast or more
	// for a single writer, and a crash of the process or machine takes the last
	// writes with it (never parts of one). Only package disk looks at it.
	NoSync bool
	// Intercept is called instead of every operation, for tests of what can go
	// wrong: it may delay the operation, return an error without calling next
	// (a throttle), or call next and return an error all the same (an answer
	// that is lost after the write), or [Unprocessed]. The operation is DynamoDB's name of it,
	// such as "PutItem"; the input is the SDK's, such as *dynamodb.PutItemInput.
	// It is called from many goroutines. [Faults] makes one. Default: none.
	Intercept func(ctx context.Context, operation string, input any, next func() error) error
	// Logger gets what nobody waits for: failures of the removal of expired
	// items, and of the storage's background work. Default: none.
	Logger *slog.Logger
}

// DB is one database. It may be used from any number of goroutines.
type DB struct {
	engine    *engine.Engine
	intercept func(ctx context.Context, operation string, input any, next func() error) error
}

// New returns an empty database in memory. A nil opts has all defaults. Close
// it if a table of it has a time to live, else a goroutine is left behind.
func New(opts *Options) *DB {
	if opts == nil {
		opts = &Options{}
	}
	return &DB{engine: engine.NewMemory(opts.engine()), intercept: opts.Intercept}
}

// Open returns a database on a store of this module; see disk.Open. It owns the
// store, also when it fails.
func Open(store kv.Store, opts *Options) (*DB, error) {
	if opts == nil {
		opts = &Options{}
	}
	e, err := engine.Open(store, opts.engine())
	if err != nil {
		return nil, err
	}
	return &DB{engine: e, intercept: opts.Intercept}, nil
}

func (o *Options) engine() *engine.Options {
	return &engine.Options{
		Region: o.Region, Shards: o.Shards, ShardAge: o.ShardAge, TTLInterval: o.TTLInterval, NoSync: o.NoSync, Logger: o.Logger,
	}
}

// Reshard closes the open shards of a table's stream and puts new ones in the
// place of each, 1 to 16, that share the partition keys it took: 2 is a split, as DynamoDB does when a partition
// grows, 1 is what it does every few hours; see also [Options].ShardAge. The table may be written to and its stream
// read meanwhile, and no record is lost or out of its row's order: a consumer has to read a parent to its end before its children.
// A test of a consumer calls it in a loop beside its writers.
func (db *DB) Reshard(ctx context.Context, table string, children int) error {
	leave, err := db.engine.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return db.engine.Reshard(table, children)
}

// Close waits for calls under way, stops the background work and releases what
// the database holds. Calls after it fail with [ErrClosed]. A second Close does
// nothing.
func (db *DB) Close() error { return db.engine.Close() }

// call runs an operation between the checks that all of them share. A nil input
// is an empty one, as for the SDK's client.
func call[I, O any](ctx context.Context, db *DB, operation string, in *I, op func(context.Context, *I) (*O, error)) (*O, error) {
	if in == nil {
		in = new(I)
	}
	if db.intercept == nil {
		return run(ctx, db, in, op)
	}
	var out *O
	err := db.intercept(ctx, operation, in, func() error {
		var err error
		out, err = run(ctx, db, in, op)
		return err
	})
	if left, ok := errors.AsType[unprocessed](err); ok {
		return leave(ctx, db, in, op, int(left))
	}
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, errNotCalled
	}
	return out, nil
}

// leave runs a batch but for its last entries.
func leave[I, O any](ctx context.Context, db *DB, in *I, op func(context.Context, *I) (*O, error), n int) (*O, error) {
	switch any(in).(type) {
	case *dynamodb.BatchWriteItemInput, *dynamodb.BatchGetItemInput:
		return run(engine.LeaveUnprocessed(ctx, n), db, in, op)
	}
	return nil, engine.Throttled()
}

// errNotCalled keeps an interceptor from answering nothing.
var errNotCalled = errors.New("embedded: the interceptor neither called the operation nor returned an error")

func run[I, O any](ctx context.Context, db *DB, in *I, op func(context.Context, *I) (*O, error)) (*O, error) {
	leave, err := db.engine.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return op(ctx, in)
}
