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
	"log/slog"
	"time"

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
	// TTLInterval is the time between two removals of expired items. Negative:
	// never. Default: one minute.
	TTLInterval time.Duration
	// NoSync answers writes before they are on the disk: about ten times as fast
	// for a single writer, and a crash of the process or machine takes the last
	// writes with it (never parts of one). Only package disk looks at it.
	NoSync bool
	// Logger gets what nobody waits for: failures of the removal of expired
	// items, and of the storage's background work. Default: none.
	Logger *slog.Logger
}

// DB is one database. It may be used from any number of goroutines.
type DB struct {
	engine *engine.Engine
}

// New returns an empty database in memory. A nil opts has all defaults. Close
// it if a table of it has a time to live, else a goroutine is left behind.
func New(opts *Options) *DB {
	return &DB{engine.NewMemory((*engine.Options)(opts))}
}

// Open returns a database on a store of this module; see disk.Open. It owns the
// store, also when it fails.
func Open(store kv.Store, opts *Options) (*DB, error) {
	e, err := engine.Open(store, (*engine.Options)(opts))
	if err != nil {
		return nil, err
	}
	return &DB{e}, nil
}

// Close waits for calls under way, stops the background work and releases what
// the database holds. Calls after it fail with [ErrClosed]. A second Close does
// nothing.
func (db *DB) Close() error { return db.engine.Close() }

// call runs an operation between the checks that all of them share. A nil input
// is an empty one, as for the SDK's client.
func call[I, O any](ctx context.Context, db *DB, in *I, op func(context.Context, *I) (*O, error)) (*O, error) {
	if in == nil {
		in = new(I)
	}
	leave, err := db.engine.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return op(ctx, in)
}
