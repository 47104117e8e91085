package table_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// reluctant takes one write of each batch, and no more than some in all.
type reluctant struct {
	table.Client
	takes int
	fault error

	mu    sync.Mutex // Batch sends several requests at a time
	sizes []int
}

func (r *reluctant) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &dynamodb.BatchWriteItemOutput{UnprocessedItems: map[string][]types.WriteRequest{}}
	for name, writes := range in.RequestItems {
		r.sizes = append(r.sizes, len(writes))
		if r.takes == 0 {
			out.UnprocessedItems[name] = writes
			return out, r.fault
		}
		r.takes--
		in.RequestItems[name] = writes[:1]
		out.UnprocessedItems[name] = writes[1:]
	}
	if _, err := r.Client.BatchWriteItem(ctx, in); err != nil {
		return nil, err
	}
	return out, nil
}

func puts(n int) []table.Op {
	ops := make([]table.Op, n)
	for i := range ops {
		ops[i] = Lines.Put(Line{"42", i, "x", int64(i)})
	}
	return ops
}

func TestBatchSendsAgainWhatWasNotProcessed(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	whole := create(t, e, Lines)
	client := &reluctant{Client: e, takes: 1000}
	db, err := table.Open(client, whole.Name(), nil)
	require.NoError(t, err)
	require.NoError(t, db.Batch(t.Context(), puts(4)...))
	require.Len(t, collect(t, whole, Lines.Of("42")), 4)
	require.Equal(t, []int{4, 3, 2, 1}, client.sizes)
	require.NoError(t, db.Batch(t.Context(), puts(130)...))
	require.Len(t, collect(t, whole, Lines.Of("42")), 130)

	last := append(puts(2), Lines.Put(Line{"42", 0, "last", 0}))
	require.NoError(t, whole.Batch(t.Context(), last...))
	got, err := Lines.Get(t.Context(), whole, table.Of("42", 0))
	require.NoError(t, err)
	require.Equal(t, "last", got.SKU, "of two operations on one row the last wins")
}

func TestBatchTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, err := table.Open(&reluctant{}, "table", nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err = db.Batch(ctx, puts(30)...)
		left, ok := errors.AsType[*table.UnprocessedError](err)
		require.True(t, ok)
		require.Len(t, left.Ops, 30)
		require.Equal(t, table.RowKey{PK: "42", SK: "lines|0000000000000000000"}, left.Ops[0].Key())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, table.Retryable(err))

		broken, err := table.Open(&reluctant{fault: io.ErrUnexpectedEOF}, "table", nil)
		require.NoError(t, err)
		err = broken.Batch(t.Context(), puts(3)...)
		require.ErrorAs(t, err, &left)
		require.Len(t, left.Ops, 3)
	})
}

func TestBatchRefuses(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, dry(t).Batch(t.Context(), table.Op{}), "an Op is empty")
	require.ErrorContains(t, dry(t).Batch(t.Context(), Lines.Put(Line{})), "field OrderID: a part of a key cannot be empty")
	require.NoError(t, dry(t).Batch(t.Context()))
	for _, ops := range [][]table.Op{nil, puts(101)} {
		require.ErrorContains(t, dry(t).Transact(t.Context(), ops...), "1 to 100 operations")
	}
	require.ErrorContains(t, dry(t).Transact(t.Context(), append(puts(1), puts(1)...)...), `table: transact line "42" "lines|0000000000000000000": invalid: operations 0 and 1 are on this row`)
}

// cancelling refuses transactions.
type cancelling struct {
	table.Client
	codes []string
}

func (c cancelling) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	e := &types.TransactionCanceledException{}
	for _, code := range c.codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: &code})
	}
	return nil, e
}

func TestTransactTellsTheReasons(t *testing.T) {
	t.Parallel()
	synctest.Test(t, transactTellsTheReasons) // it waits between attempts
}

func transactTellsTheReasons(t *testing.T) {
	db, err := table.Open(cancelling{codes: []string{"None", "TransactionConflict"}}, "table", nil)
	require.NoError(t, err)
	err = db.Transact(t.Context(), puts(2)...)
	first, ok := errors.AsType[*table.Error](err)
	require.True(t, ok)
	require.Equal(t, table.RowKey{PK: "42", SK: "lines|0000000000000000001"}, first.Key)
	require.ErrorContains(t, err, "operation 1: TransactionConflict")
	require.True(t, table.Retryable(err))

	db, err = table.Open(cancelling{codes: []string{"ValidationError", "TransactionConflict"}}, "table", nil)
	require.NoError(t, err)
	require.False(t, table.Retryable(db.Transact(t.Context(), puts(2)...)))
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("other"), false},
		{context.Canceled, false},
		{context.DeadlineExceeded, true},
		{fmt.Errorf("wrapped: %w", &types.ProvisionedThroughputExceededException{}), true},
		{&types.InternalServerError{}, true},
		{&types.ConditionalCheckFailedException{}, false},
		{&types.ResourceNotFoundException{}, false},
		{&smithy.GenericAPIError{Code: "ThrottlingException"}, true},
		{&smithy.GenericAPIError{Code: "ValidationException"}, false},
		{&smithy.GenericAPIError{Code: "Anything", Fault: smithy.FaultServer}, true},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{&table.Error{Op: "get", Model: "order", Err: table.ErrNotFound}, false},
		{table.ErrInvalid, false},
	} {
		require.Equal(t, c.want, table.Retryable(c.err), "%v", c.err)
	}
}
