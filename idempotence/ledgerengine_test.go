package idempotence_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// engine is what tests run on.
type engine interface {
	idempotence.Client
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
}

const endpointVariable = "INSIDEOUT_DYNAMODB_ENDPOINT"

// everywhere runs a test in memory, on the embedded engine, and on a DynamoDB endpoint where one is named, with a table of its own.
func everywhere(t *testing.T, test func(t *testing.T, e engine, table string)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		withTable(t, newMemory(), test)
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		e := embedded.New(nil)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		withTable(t, e, test)
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv(endpointVariable)
		if url == "" {
			t.Skipf("set %s to the URL of a DynamoDB endpoint to run this test on it", endpointVariable)
		}
		client, _ := local.Clients(url)
		withTable(t, client, test)
	})
}

func withTable(t *testing.T, e engine, test func(t *testing.T, e engine, table string)) {
	t.Helper()
	table := "ledger-test-" + uuid.NewString()
	_, err := e.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: new("pk"), KeyType: types.KeyTypeHash}, {AttributeName: new("sk"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: new("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
	})
	require.NoError(t, err)
	test(t, e, table)
}

func ledger[T any](t require.TestingT, client idempotence.Client, table string, opts *idempotence.Options) *idempotence.Ledger[T] {
	l, err := idempotence.NewLedger[T](client, table, "charge", opts)
	require.NoError(t, err)
	return l
}

// lease is the usual option of the tests, which have no deadline.
func lease() *idempotence.Options { return &idempotence.Options{Lease: time.Minute} }

func returns[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

// never is the effect of a call that must not have one.
func never[T any](t *testing.T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) {
		t.Error("the effect runs again")
		return *new(T), nil
	}
}

func keyItem(pk, sk string) item {
	return item{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}}
}

func read(t require.TestingT, e engine, table, pk, sk string) item {
	out, err := e.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: &table, Key: keyItem(pk, sk), ConsistentRead: new(true)})
	require.NoError(t, err)
	return out.Item
}

// increment is an effect inside DynamoDB that shows when it happens twice.
func increment(table, name string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: keyItem(name, "counter"), UpdateExpression: new("ADD n :one"),
		ExpressionAttributeValues: item{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

func counted(t require.TestingT, e engine, table, name string) int {
	n, err := strconv.Atoi(plain(read(t, e, table, name, "counter")["n"]))
	require.NoError(t, err)
	return n
}

var errNetwork = errors.New("the connection is lost")

// faulty is a client with faults. Before and after are called around each request, with its number from 1; an error of before stops the
// request, one of after takes its answer away.
type faulty struct {
	engine
	requests      atomic.Int64
	before, after func(n int64, kind string) error
	twice         bool // every request is sent again, as the SDK does when it misses an answer
}

func around[O any](f *faulty, kind string, request func() (O, error)) (O, error) {
	n := f.requests.Add(1)
	if f.before != nil {
		if err := f.before(n, kind); err != nil {
			return *new(O), err
		}
	}
	out, err := request()
	if f.twice {
		out, err = request()
	}
	if f.after != nil {
		if lost := f.after(n, kind); lost != nil {
			return *new(O), lost
		}
	}
	return out, err
}

func (f *faulty) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return around(f, "update", func() (*dynamodb.UpdateItemOutput, error) { return f.engine.UpdateItem(ctx, in, opts...) })
}

func (f *faulty) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return around(f, "delete", func() (*dynamodb.DeleteItemOutput, error) { return f.engine.DeleteItem(ctx, in, opts...) })
}

func (f *faulty) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return around(f, "transact", func() (*dynamodb.TransactWriteItemsOutput, error) {
		return f.engine.TransactWriteItems(ctx, in, opts...)
	})
}
