package idempotence_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
)

type charge struct {
	Amount int    `json:"amount"`
	Ref    string `json:"ref"`
}

func TestDoOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		client := &faulty{engine: e}
		l := ledger[charge](t, client, table, lease())
		got, err := l.Do(t.Context(), "order-1", returns(charge{5, "a"}))
		require.NoError(t, err)
		require.Equal(t, charge{5, "a"}, got)
		require.EqualValues(t, 2, client.requests.Load(), "claim and complete are one write each")

		again, err := ledger[charge](t, client, table, lease()).Do(t.Context(), "order-1", never[charge](t))
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.EqualValues(t, 3, client.requests.Load(), "a repetition is one write that fails")

		other, err := l.Do(t.Context(), "order-2", returns(charge{6, "b"}))
		require.NoError(t, err)
		require.Equal(t, charge{6, "b"}, other)
		refunds, err := idempotence.NewLedger[charge](e, table, "refund", lease())
		require.NoError(t, err)
		other, err = refunds.Do(t.Context(), "order-1", returns(charge{7, "c"}))
		require.NoError(t, err)
		require.Equal(t, charge{7, "c"}, other)
	})
}

// The row is stored: what it is called and what it says does not change.
func TestGoldenRow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		const pk = "charge|0bafe22156d2698c143b86040446d366ead863ba600d5c924f3d15c786ef4057"
		const payload = "sha256:ba2df4903a2c14e86dc3bcca58911b44ac1d2514b7227bf6eb08cfb978f55a1b"
		started := time.Now()
		row := func() item { return read(t, e, table, pk, "idempotence") }
		check := func(status string, lasts time.Duration, more ...string) {
			require.Equal(t, status, plain(row()["status"]))
			for name, want := range map[string]string{"discriminator": "idempotence", "format": "1", "payload": payload} {
				require.Equal(t, want, plain(row()[name]), name)
			}
			require.Equal(t, &types.AttributeValueMemberBOOL{Value: true}, row()["latched"])
			require.InDelta(t, started.UnixMilli(), millis(t, row()["timestamp"]), 60_000)
			require.InDelta(t, started.Add(lasts).Unix(), millis(t, row()["ttl"]), 60)
			require.Len(t, row(), 10+len(more))
			for _, name := range more {
				require.NotEmpty(t, plain(row()[name]), name)
			}
		}
		const retention = 33 * 24 * time.Hour
		l := ledger[charge](t, e, table, lease())
		_, err := l.Do(t.Context(), "order-1", func(context.Context) (charge, error) {
			check("in-progress", 61*time.Second+retention, "until")
			require.InDelta(t, started.Add(61*time.Second).UnixMilli(), millis(t, row()["until"]), 60_000)
			return charge{1, "x"}, nil
		}, idempotence.Payload("x"))
		require.NoError(t, err)
		check("completed", retention, "result")
		require.JSONEq(t, `{"amount":1,"ref":"x"}`, plain(row()["result"]))
	})
}

func millis(t *testing.T, v types.AttributeValue) int64 {
	t.Helper()
	var n int64
	require.NoError(t, json.Unmarshal([]byte(plain(v)), &n))
	return n
}

func TestErrorsOfEffects(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		declined, down := errors.New("card declined"), errors.New("bank is down")
		opts := lease()
		opts.Final = func(err error) bool { return strings.Contains(err.Error(), "no such account") }
		l := ledger[int](t, e, table, opts)
		fails := func(err error) func(context.Context) (int, error) {
			return func(context.Context) (int, error) { return 7, err }
		}
		got, err := l.Do(t.Context(), "transient", fails(down))
		require.ErrorIs(t, err, down)
		require.Zero(t, got)
		got, err = l.Do(t.Context(), "transient", returns(1))
		require.NoError(t, err)
		require.Equal(t, 1, got, "a transient error releases the key")

		for key, cause := range map[string]error{"marked": idempotence.Final(declined), "told": errors.New("no such account")} {
			_, err = l.Do(t.Context(), key, fails(cause))
			require.Equal(t, cause, err, "the first caller gets the error itself")
			_, err = l.Do(t.Context(), key, never[int](t))
			require.ErrorIs(t, err, idempotence.ErrFailed)
			require.EqualError(t, err, `idempotence: claim charge "`+key+`": failed before: `+cause.Error())
		}
		require.NoError(t, idempotence.Final(nil))
		require.ErrorIs(t, idempotence.Final(declined), declined)

		_, err = l.Do(t.Context(), "long", fails(idempotence.Final(errors.New(strings.Repeat("é\xff", 4000)))))
		require.Error(t, err)
		_, err = l.Do(t.Context(), "long", never[int](t))
		require.ErrorIs(t, err, idempotence.ErrFailed)
		require.Less(t, len(err.Error()), 4200)
		require.True(t, utf8.ValidString(err.Error()))
	})
}

func TestPanicAndGoexitRelease(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		l := ledger[int](t, e, table, lease())
		require.PanicsWithValue(t, "oh", func() {
			_, _ = l.Do(t.Context(), "k", func(context.Context) (int, error) { panic("oh") })
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = l.Do(t.Context(), "k", func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		})
		wg.Wait()
		got, err := l.Do(t.Context(), "k", returns(3))
		require.NoError(t, err)
		require.Equal(t, 3, got)
	})
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		opts := lease()
		opts.Cache = 1
		l := ledger[int](t, e, table, opts)
		raw := func(text string) idempotence.CallOption { return idempotence.Payload(json.RawMessage(text)) }
		_, err := l.Do(t.Context(), "k", returns(1), raw(`{"a":1,"b":[2.50,{"d":1,"c":2}]}`))
		require.NoError(t, err)
		for _, from := range []*idempotence.Ledger[int]{l, ledger[int](t, e, table, lease())} { // with the cache, and without
			got, err := from.Do(t.Context(), "k", never[int](t), raw(`{ "b": [2.50, {"c":2,"d":1}], "a": 1 }`))
			require.NoError(t, err)
			require.Equal(t, 1, got)
			for _, other := range []idempotence.CallOption{
				raw(`{"a":2,"b":[2.50,{"d":1,"c":2}]}`), raw(`{"a":1,"b":[{"d":1,"c":2},2.50]}`), idempotence.Payload(nil), nil,
			} {
				_, err = from.Do(t.Context(), "k", never[int](t), other)
				require.ErrorIs(t, err, idempotence.ErrPayloadMismatch)
			}
		}
		_, err = l.Do(t.Context(), "k2", never[int](t), idempotence.Payload(func() {}))
		require.ErrorIs(t, err, idempotence.ErrInvalid)
	})
}

func TestResultsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		opts := lease()
		opts.MaxResult = 10
		l := ledger[any](t, e, table, opts)
		_, err := l.Do(t.Context(), "fits", returns[any]("12345678"))
		require.NoError(t, err)
		got, err := l.Do(t.Context(), "large", returns[any]("123456789"))
		require.ErrorIs(t, err, idempotence.ErrResult)
		require.EqualError(t, err, `idempotence: complete charge "large": the result cannot be stored: it has 11 bytes of JSON, more than the 10 of Options.MaxResult`)
		require.Equal(t, "123456789", got, "the caller gets what it paid for")
		_, err = l.Do(t.Context(), "large", never[any](t))
		require.ErrorIs(t, err, idempotence.ErrFailed, "the effect is not repeated")

		opts.MaxResult = 380 << 10 // the most that fits into a row, with all else that it has
		largest, err := idempotence.NewLedger[string](e, table, strings.Repeat("o", 64), opts)
		require.NoError(t, err)
		want := strings.Repeat("é", (opts.MaxResult-2)/2)
		for range 2 {
			stored, err := largest.Do(t.Context(), "k", returns(want), idempotence.Payload("p"))
			require.NoError(t, err)
			require.Equal(t, len(want), len(stored))
		}
		opts.MaxResult = 10

		_, err = l.Do(t.Context(), "no JSON", returns[any](func() {}))
		require.ErrorIs(t, err, idempotence.ErrResult)
		_, err = ledger[int](t, e, table, opts).Do(t.Context(), "fits", never[int](t))
		require.ErrorIs(t, err, idempotence.ErrResult, "a string is no int")
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	client := &faulty{engine: newMemory()}
	l := ledger[int](t, client, "rows", nil)
	_, err := l.Do(t.Context(), "k", never[int](t))
	require.ErrorIs(t, err, idempotence.ErrNoLease)
	_, err = l.Do(t.Context(), "", never[int](t))
	require.EqualError(t, err, `idempotence: claim charge "": invalid: the key is empty`)
	_, err = l.Do(t.Context(), "k", nil)
	require.ErrorIs(t, err, idempotence.ErrInvalid)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ledger[int](t, client, "rows", lease()).Do(ended, "k", never[int](t))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, client.requests.Load())

	_, err = idempotence.NewLedger[int](nil, "", "no operation", &idempotence.Options{
		Lease: -1, Margin: -1, Retention: time.Millisecond, MaxResult: 1 << 20, Cache: -1,
	})
	require.ErrorIs(t, err, idempotence.ErrInvalid)
	for _, fault := range []string{"client", "table", "operation", "Lease", "Margin", "Retention", "MaxResult", "Cache"} {
		require.ErrorContains(t, err, fault)
	}
}

func TestOtherFormats(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := ledger[int](t, m, "rows", lease())
	_, err := l.Do(t.Context(), "k", returns(1))
	require.NoError(t, err)
	for _, row := range m.rows {
		row["format"] = &types.AttributeValueMemberN{Value: "2"}
	}
	_, err = l.Do(t.Context(), "k", never[int](t))
	require.ErrorContains(t, err, `the row has format "2", and this version knows "1"`)
}

func TestCache(t *testing.T) {
	t.Parallel()
	client := &faulty{engine: newMemory()}
	opts := lease()
	opts.Cache = 2
	l := ledger[string](t, client, "rows", opts)
	requests := func(key string) int64 {
		before := client.requests.Load()
		got, err := l.Do(t.Context(), key, returns("result of "+key))
		require.NoError(t, err)
		require.Equal(t, "result of "+key, got)
		return client.requests.Load() - before
	}
	require.EqualValues(t, 2, requests("a"))
	require.EqualValues(t, 2, requests("b"))
	require.EqualValues(t, 0, requests("a"))
	require.EqualValues(t, 2, requests("c"), "b goes: it was used longest ago")
	require.EqualValues(t, 0, requests("a"))
	require.EqualValues(t, 1, requests("b"))

	for range 2 { // what failed is asked again
		before := client.requests.Load()
		_, err := l.Do(t.Context(), "f", func(context.Context) (string, error) { return "", idempotence.Final(errors.New("no")) })
		require.Error(t, err)
		require.Greater(t, client.requests.Load(), before)
	}
}
