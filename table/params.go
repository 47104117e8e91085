package table

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Params runs do with a DB that sends nothing, and returns the requests that it would have sent, in order: *dynamodb.UpdateItemInput and
// its like. Writes seem to succeed, and reads find nothing (ErrNotFound is not an error of Params).
//
//	requests, err := db.Params(func(db *table.DB) error { return Orders.Save(ctx, db, order) })
func (db *DB) Params(do func(db *DB) error) ([]any, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	if do == nil {
		return nil, invalid("Params needs a function: what it asks of its DB is recorded")
	}
	rec := &recorder{}
	dry := *db
	dry.client, dry.given, dry.clock = meter(rec, db.hook), rec, new(clock)
	dry.readers = 1 // for the order of the requests
	err := do(&dry)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return rec.requests, err
}

// Through is the same table behind another client, that wrap makes of the one it has: such as one that looks at each request.
func (db *DB) Through(wrap func(Client) Client) *DB {
	if db == nil {
		return nil
	}
	other := *db
	other.client = wrap(db.client)
	return &other
}

// recorder is a client that keeps what it is given.
type recorder struct {
	mu       sync.Mutex
	requests []any
}

func record[O any](r *recorder, in any) (*O, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, in)
	return new(O), nil
}

func (r *recorder) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return record[dynamodb.GetItemOutput](r, in)
}

func (r *recorder) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return record[dynamodb.PutItemOutput](r, in)
}

func (r *recorder) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return record[dynamodb.UpdateItemOutput](r, in)
}

func (r *recorder) DeleteItem(_ context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return record[dynamodb.DeleteItemOutput](r, in)
}

func (r *recorder) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return record[dynamodb.QueryOutput](r, in)
}

func (r *recorder) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return record[dynamodb.ScanOutput](r, in)
}

func (r *recorder) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return record[dynamodb.BatchGetItemOutput](r, in)
}

func (r *recorder) BatchWriteItem(_ context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return record[dynamodb.BatchWriteItemOutput](r, in)
}

func (r *recorder) TransactGetItems(_ context.Context, in *dynamodb.TransactGetItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactGetItemsOutput, error) {
	return record[dynamodb.TransactGetItemsOutput](r, in)
}

func (r *recorder) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return record[dynamodb.TransactWriteItemsOutput](r, in)
}
