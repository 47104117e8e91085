package idempotence_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
)

// counting increments a counter together with the receipt of a result.
func counting(ctx context.Context, l *idempotence.Ledger[string], e engine, table, key, result string, opts ...idempotence.CallOption) (string, error) {
	receipt, err := l.Receipt(ctx, key, result, opts...)
	if err != nil {
		return "", err
	}
	_, err = e.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{increment(table, key), receipt.Item()},
	})
	return receipt.Result(err)
}

func TestReceiptAlone(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		l := ledger[string](t, e, table, nil)
		for range 3 {
			got, err := counting(t.Context(), l, e, table, "k", "first")
			require.NoError(t, err)
			require.Equal(t, "first", got)
		}
		got, err := counting(t.Context(), l, e, table, "k", "second")
		require.NoError(t, err)
		require.Equal(t, "first", got, "what is stored")
		_, err = counting(t.Context(), l, e, table, "k", "first", idempotence.Payload("other"))
		require.ErrorIs(t, err, idempotence.ErrPayloadMismatch)
		require.Equal(t, 1, counted(t, e, table, "k"))

		got, err = ledger[string](t, e, table, lease()).Do(t.Context(), "k", never[string](t))
		require.NoError(t, err)
		require.Equal(t, "first", got, "Do knows the receipts of transactions")
	})
}

func TestReceiptOfHeldKey(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		l := ledger[string](t, e, table, lease())
		_, err := l.Do(t.Context(), "k", func(context.Context) (string, error) {
			_, err := counting(t.Context(), l, e, table, "k", "outside")
			require.ErrorIs(t, err, idempotence.ErrInProgress)
			busy, _ := errors.AsType[*idempotence.LedgerError](err)
			require.WithinDuration(t, time.Now().Add(time.Minute), busy.RetryAt, 30*time.Second)
			return "", idempotence.Final(errors.New("refused"))
		})
		require.EqualError(t, err, "refused")
		_, err = counting(t.Context(), l, e, table, "k", "after")
		require.ErrorIs(t, err, idempotence.ErrFailed)
		require.ErrorContains(t, err, "refused")
		require.Empty(t, read(t, e, table, "k", "counter"))
	})
}

func TestReceiptInDo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		client := &faulty{engine: e}
		l := ledger[string](t, client, table, lease())
		for range 2 {
			got, err := l.Do(t.Context(), "k", func(ctx context.Context) (string, error) {
				return counting(ctx, l, client, table, "k", "done")
			}, idempotence.Payload("p"))
			require.NoError(t, err)
			require.Equal(t, "done", got)
		}
		require.EqualValues(t, 3, client.requests.Load(), "a claim, a transaction; and a repetition")
		require.Equal(t, 1, counted(t, e, table, "k"))

		late := errors.New("after the commit")
		got, err := l.Do(t.Context(), "late", func(ctx context.Context) (string, error) {
			got, err := counting(ctx, l, client, table, "late", "done")
			return "not " + got, errors.Join(err, late)
		})
		require.ErrorIs(t, err, late)
		require.Equal(t, "done", got, "what is stored")
		got, err = l.Do(t.Context(), "late", never[string](t))
		require.NoError(t, err)
		require.Equal(t, "done", got)
	})
}

// The answer of the transaction is lost: the release finds the receipt.
func TestReceiptInDoWithLostAnswer(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		client := &faulty{engine: e, after: func(_ int64, kind string) error {
			if kind == "transact" {
				return errNetwork
			}
			return nil
		}}
		l := ledger[string](t, client, table, lease())
		got, err := l.Do(t.Context(), "k", func(ctx context.Context) (string, error) {
			return counting(ctx, l, client, table, "k", "done")
		})
		require.NoError(t, err)
		require.Equal(t, "done", got)
		require.Equal(t, 1, counted(t, e, table, "k"))

		_, err = counting(t.Context(), l, client, table, "alone", "done")
		require.ErrorIs(t, err, errNetwork)
		got, err = counting(t.Context(), ledger[string](t, e, table, nil), e, table, "alone", "done")
		require.NoError(t, err)
		require.Equal(t, "done", got)
		require.Equal(t, 1, counted(t, e, table, "alone"))
	})
}

// A zombie's transaction is cancelled by its receipt, whatever the other caller is at.
func TestReceiptOfZombie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := ledger[string](t, m, "rows", short())
		count := func(result string) func(context.Context) (string, error) {
			return func(ctx context.Context) (string, error) {
				return counting(context.WithoutCancel(ctx), l, m, "rows", "k", result)
			}
		}
		first := holding(t, l, 15*time.Second, count("first"))
		time.Sleep(12 * time.Second)
		second := holding(t, l, 9*time.Second, count("second"))
		_, err := first()
		require.ErrorIs(t, err, idempotence.ErrLost)
		got, err := second()
		require.NoError(t, err)
		require.Equal(t, "second", got)
		require.Equal(t, 1, counted(t, m, "rows", "k"))
	})
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := ledger[string](t, m, "rows", short())
		first := holding(t, l, 15*time.Second, func(ctx context.Context) (string, error) {
			return counting(context.WithoutCancel(ctx), l, m, "rows", "k", "first")
		})
		time.Sleep(12 * time.Second)
		_, err := l.Do(t.Context(), "k", func(ctx context.Context) (string, error) {
			return counting(ctx, l, m, "rows", "k", "second")
		})
		require.NoError(t, err)
		got, err := first()
		require.NoError(t, err)
		require.Equal(t, "second", got)
		require.Equal(t, 1, counted(t, m, "rows", "k"))
	})
}

// What stands in the way is not always the receipt.
func TestReceiptOfOtherCancellations(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		l := ledger[string](t, e, table, nil)
		receipt, err := l.Receipt(t.Context(), "k", "x")
		require.NoError(t, err)
		guarded := increment(table, "k")
		guarded.Update.ConditionExpression = new("attribute_not_exists(#x) AND #y = :one")
		guarded.Update.ExpressionAttributeNames = map[string]string{"#x": "x", "#y": "y"}
		guarded.Update.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
		_, err = e.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{guarded, receipt.Item()},
		})
		_, err = receipt.Result(err)
		canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
		require.True(t, ok, "%v", err)
		require.Len(t, canceled.CancellationReasons, 2)
		require.NotErrorIs(t, err, idempotence.ErrInProgress)
		_, err = receipt.Result(errNetwork)
		require.ErrorIs(t, err, errNetwork)
		require.ErrorContains(t, err, `transact charge "k"`)

		_, err = l.Receipt(t.Context(), "", "x")
		require.ErrorIs(t, err, idempotence.ErrInvalid)
		_, err = l.Receipt(t.Context(), "k", strings.Repeat("x", 64<<10))
		require.ErrorIs(t, err, idempotence.ErrResult)
	})
}

// Two receipts in one transaction: each answers for its own key.
func TestReceiptsTogether(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		l := ledger[string](t, e, table, nil)
		_, err := counting(t.Context(), l, e, table, "known", "stored")
		require.NoError(t, err)
		known, err := l.Receipt(t.Context(), "known", "x")
		require.NoError(t, err)
		fresh, err := l.Receipt(t.Context(), "fresh", "y")
		require.NoError(t, err)
		_, canceled := e.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{known.Item(), fresh.Item()},
		})
		got, err := known.Result(canceled)
		require.NoError(t, err)
		require.Equal(t, "stored", got)
		_, err = fresh.Result(canceled)
		require.ErrorIs(t, err, canceled)
	})
}

// A transaction at the same moment is no failure of the claim.
func TestConflictsWithTransactions(t *testing.T) {
	t.Parallel()
	conflict := &types.TransactionConflictException{Message: new("ongoing")}
	client := &faulty{engine: newMemory(), before: func(n int64, _ string) error {
		if n <= 2 || n == 4 {
			return conflict
		}
		return nil
	}}
	l := ledger[string](t, client, "rows", lease())
	_, err := l.Do(t.Context(), "k", never[string](t))
	require.ErrorIs(t, err, idempotence.ErrInProgress)
	require.EqualValues(t, 1, client.requests.Load(), "there is nothing to release")
	opts := lease()
	opts.Wait = true
	got, err := ledger[string](t, client, "rows", opts).Do(t.Context(), "k", returns("done"))
	require.NoError(t, err)
	require.Equal(t, "done", got)
	require.EqualValues(t, 5, client.requests.Load())
}

func TestHandler(t *testing.T) {
	t.Parallel()
	type request struct{ Order, Receipt string }
	runs := 0
	handle := idempotence.Handler(ledger[string](t, newMemory(), "rows", lease()),
		func(r request) (string, any, error) {
			if r.Order == "" {
				return "", nil, errNetwork
			}
			return r.Order[:1], r.Order, nil
		},
		func(_ context.Context, r request) (string, error) { runs++; return r.Order + r.Receipt, nil },
	)
	for _, r := range []request{{"a1", "x"}, {"a1", "y"}} {
		got, err := handle(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, "a1x", got)
	}
	_, err := handle(t.Context(), request{"a2", "x"})
	require.ErrorIs(t, err, idempotence.ErrPayloadMismatch)
	_, err = handle(t.Context(), request{})
	require.ErrorIs(t, err, errNetwork)
	require.Equal(t, 1, runs)
	_, err = idempotence.Handler[request, string](nil, nil, nil)(t.Context(), request{})
	require.ErrorIs(t, err, idempotence.ErrInvalid)
}
