package table_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

func TestCapacityOfEveryCall(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		plain, ctx := create(t, e, Orders, Lines), t.Context()
		var mu sync.Mutex
		var calls []string
		db, err := table.Open(e, plain.Name(), &table.Options{Capacity: func(_ context.Context, op string, used []types.ConsumedCapacity) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, op)
			for _, u := range used {
				require.Equal(t, plain.Name(), *u.TableName)
				require.Positive(t, *u.CapacityUnits, op)
			}
		}})
		require.NoError(t, err)
		require.NoError(t, Orders.Save(ctx, db, order()))
		require.ErrorIs(t, Orders.Create(ctx, db, order()), table.ErrExists) // a call that fails does not say
		_, err = Orders.Get(ctx, db, "42")
		require.NoError(t, err)
		_, err = Orders.BatchGet(ctx, db, []table.ID{"42"})
		require.NoError(t, err)
		require.Len(t, collect(t, db, Orders.List()), 1)
		require.NoError(t, db.Batch(ctx, Lines.Put(Line{OrderID: "42", No: 1})))
		require.NoError(t, db.Transact(ctx, Lines.Put(Line{OrderID: "42", No: 2})))
		require.NoError(t, Orders.DeletePermanently(ctx, db, "42"))
		_, ok := db.Dynamo()
		require.True(t, ok, "the hook does not hide the client")
		require.Equal(t, []string{"UpdateItem", "GetItem", "BatchGetItem", "Query", "BatchWriteItem", "TransactWriteItems", "DeleteItem"}, calls)
	})
}

func TestCapacityIsAskedForOnlyWithAHook(t *testing.T) {
	t.Parallel()
	asked := func(opts *table.Options) types.ReturnConsumedCapacity {
		db, err := table.Open(nobody{}, "shop-entities", opts)
		require.NoError(t, err)
		requests, err := db.Params(func(db *table.DB) error { return Orders.Save(t.Context(), db, order()) })
		require.NoError(t, err)
		return requests[0].(*dynamodb.UpdateItemInput).ReturnConsumedCapacity
	}
	require.Empty(t, asked(nil))
	require.Equal(t, types.ReturnConsumedCapacityIndexes, asked(&table.Options{Capacity: func(context.Context, string, []types.ConsumedCapacity) {}}))
}

// forgetful carries out transactions, and loses the answer to the first.
type forgetful struct {
	endpoint
	tokens []string
}

func (l *forgetful) TransactWriteItems(
	ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options),
) (*dynamodb.TransactWriteItemsOutput, error) {
	l.tokens = append(l.tokens, *in.ClientRequestToken)
	out, err := l.endpoint.TransactWriteItems(ctx, in, opts...)
	if len(l.tokens) == 1 && err == nil {
		return nil, context.DeadlineExceeded
	}
	return out, err
}

func TestTransactOnceIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		l := &forgetful{endpoint: e}
		plain, ctx := create(t, e, Orders, Lines), t.Context()
		db, err := table.Open(l, plain.Name(), nil)
		require.NoError(t, err)
		once := func(token string, quantity int64) error {
			return db.TransactOnce(ctx, token, Orders.Put(Order{ID: "42"}), Lines.Put(Line{OrderID: "42", No: 1, Quantity: quantity}))
		}
		quantity := func() int64 {
			line, err := Lines.Get(ctx, db, table.Of("42", 1))
			require.NoError(t, err)
			return line.Quantity
		}
		require.ErrorIs(t, once("a", 1), context.DeadlineExceeded)
		require.NoError(t, Lines.Save(ctx, db, Line{OrderID: "42", No: 1, Quantity: 2}), "somebody goes on")
		require.NoError(t, once("a", 1))
		require.EqualValues(t, 2, quantity(), "it was carried out before")
		require.NoError(t, once("a", 3))
		require.EqualValues(t, 3, quantity(), "it is another one")
		require.NoError(t, once("b", 1))
		require.EqualValues(t, 1, quantity(), "it has another token")
		require.Equal(t, l.tokens[0], l.tokens[1])
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(l.tokens))), 3)
		require.ErrorIs(t, once("", 1), table.ErrInvalid)
	})
}
