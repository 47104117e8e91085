package publishtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// answering has an answer for the events by their ids, the same each time; the others are taken.
func answering(answers map[string]Answer) *Backend {
	return &Backend{Answer: func(_ context.Context, _ int, messages []Message) ([]Answer, error) {
		list := make([]Answer, len(messages))
		for i, m := range messages {
			list[i] = answers[idOf(m)]
		}
		return list, nil
	}}
}

// times counts how often an event was sent.
func times(b *Backend, id string) int {
	n := 0
	for _, call := range b.Calls() {
		for _, m := range call {
			if idOf(m) == id {
				n++
			}
		}
	}
	return n
}

// throttled: entries that failed are sent again, and only these.
func throttled(t *testing.T, h Harness) {
	seen := map[string]int{}
	b := &Backend{Answer: func(_ context.Context, _ int, messages []Message) ([]Answer, error) {
		list := make([]Answer, len(messages))
		for i, m := range messages {
			if seen[idOf(m)]++; i%3 == 1 && seen[idOf(m)] < 3 {
				list[i] = Answer{Code: h.Throttle}
			}
		}
		return list, nil
	}}
	list := events(h.Entries, 10)
	begun := time.Now()
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.ElementsMatch(t, ids(list), b.Taken(), "each one once")
	require.Greater(t, time.Since(begun), 50*time.Millisecond, "it waits before it tries again")
	require.Less(t, len(b.Calls()), 8)
}

// exhausted: one that fails for ever is given up and reported, with its reason; the others are out.
func exhausted(t *testing.T, h Harness) {
	b := answering(map[string]Answer{"e0001": {Code: h.Throttle}})
	list := events(4, 10)
	own := failed(t, h.New(t, b, Options{Attempts: 3}).Publish(t.Context(), list))
	require.Equal(t, []int{1}, own.Failed())
	require.ErrorContains(t, own, h.Throttle)
	require.NotErrorIs(t, own, cdc.ErrRejected)
	require.Equal(t, 3, times(b, "e0001"))
	require.ElementsMatch(t, ids(list, 1), b.Taken())
}

// rejected: what the service will never take is reported as that, at once, and holds nothing up.
func rejected(t *testing.T, h Harness) {
	b := answering(map[string]Answer{"e0001": {Code: h.Invalid, Sender: true}})
	list := events(4, 10)
	list[3].PartitionKey = list[1].PartitionKey
	begun := time.Now()
	own := failed(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.Equal(t, []int{1}, own.Failed())
	require.ErrorIs(t, own, cdc.ErrRejected)
	require.Zero(t, time.Since(begun))
	require.Equal(t, 1, times(b, "e0001"))
	require.ElementsMatch(t, ids(list, 1), b.Taken())
}

// unknownCode: it may pass, and is no rejection if it does not.
func unknownCode(t *testing.T, h Harness) {
	b := answering(map[string]Answer{"e0000": {Code: "Whatever"}})
	own := failed(t, h.New(t, b, Options{Attempts: 2}).Publish(t.Context(), events(2, 10)))
	require.Equal(t, []int{0}, own.Failed())
	require.NotErrorIs(t, own, cdc.ErrRejected)
	require.Equal(t, 2, times(b, "e0000"))
}

// halfAnswers: an entry that the answer leaves out is not out.
func halfAnswers(t *testing.T, h Harness) {
	b := &Backend{Answer: func(_ context.Context, call int, messages []Message) ([]Answer, error) {
		list := make([]Answer, len(messages))
		if call == 1 {
			list[len(list)-1].Omit = true
			list[0].Omit = h.Omits
		}
		return list, nil
	}}
	list := events(5, 10)
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.ElementsMatch(t, ids(list), b.Taken())
	require.Len(t, b.Calls(), 2)

	b = answering(map[string]Answer{"e0004": {Omit: true}})
	own := failed(t, h.New(t, b, Options{Attempts: 2}).Publish(t.Context(), list))
	require.Equal(t, []int{4}, own.Failed())
	require.ErrorContains(t, own, "leaves the entry out")
}

// throttledRequest: errors of the whole request that pass.
func throttledRequest(t *testing.T, h Harness) {
	for _, code := range []string{"ThrottlingException", "InternalFailure", "ProvisionedThroughputExceededException"} {
		b := &Backend{Answer: func(_ context.Context, call int, m []Message) ([]Answer, error) {
			if call < 3 {
				return nil, APIError(code)
			}
			return make([]Answer, len(m)), nil
		}}
		list := events(3, 10)
		require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), list), code)
		require.ElementsMatch(t, ids(list), b.Taken())
	}
}

// denied: an error that says nothing about the events is reported for all of them, and not as their fault.
func denied(t *testing.T, h Harness) {
	b := &Backend{Answer: func(context.Context, int, []Message) ([]Answer, error) { return nil, APIError("AccessDeniedException") }}
	own := failed(t, h.New(t, b, Options{}).Publish(t.Context(), events(3, 10)))
	require.Equal(t, []int{0, 1, 2}, own.Failed())
	require.ErrorContains(t, own, "AccessDenied")
	require.NotErrorIs(t, own, cdc.ErrRejected)
	require.Len(t, b.Calls(), 1)
}

// spoilt: where one entry makes the service refuse the request, the others get out without it.
func spoilt(t *testing.T, h Harness) {
	b := &Backend{Answer: func(_ context.Context, _ int, messages []Message) ([]Answer, error) {
		if slices.ContainsFunc(messages, func(m Message) bool { return idOf(m) == "e0002" }) {
			return nil, APIError("ValidationException")
		}
		return make([]Answer, len(messages)), nil
	}}
	list := events(7, 10)
	own := failed(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.Equal(t, []int{2}, own.Failed())
	require.ErrorIs(t, own, cdc.ErrRejected)
	require.ElementsMatch(t, ids(list, 2), b.Taken())
}

// silent: a request that gets no answer is given up and sent again.
func silent(t *testing.T, h Harness) {
	b := &Backend{Answer: func(ctx context.Context, call int, messages []Message) ([]Answer, error) {
		if call == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return make([]Answer, len(messages)), nil
	}}
	list := events(3, 10)
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.ElementsMatch(t, ids(list), b.Taken())
}

// outOfTime: what is not out by the deadline is reported, in time.
func outOfTime(t *testing.T, h Harness) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	b := &Backend{Answer: func(ctx context.Context, _ int, messages []Message) ([]Answer, error) {
		if idOf(messages[0]) == "e0000" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return make([]Answer, len(messages)), nil
	}}
	list := events(2*h.Entries, 10)
	begun := time.Now()
	own := failed(t, h.New(t, b, Options{InFlight: 1}).Publish(ctx, list))
	require.Len(t, own.Failed(), len(list), "those behind have no time left")
	require.ErrorIs(t, own, context.DeadlineExceeded)
	require.LessOrEqual(t, time.Since(begun), 3*time.Second)

	b = answering(map[string]Answer{"e0000": {Code: h.Throttle}})
	own = failed(t, h.New(t, b, Options{Attempts: 1000}).Publish(timeout(t, 2*time.Second), list))
	require.Equal(t, []int{0}, own.Failed())
	require.ErrorContains(t, own, h.Throttle, "the reason is what the service said")
	require.ElementsMatch(t, ids(list, 0), b.Taken())
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func cancelled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &Backend{}
	own := failed(t, h.New(t, b, Options{}).Publish(ctx, events(3, 10)))
	require.Equal(t, []int{0, 1, 2}, own.Failed())
	require.ErrorIs(t, own, context.Canceled)
	require.Empty(t, b.Calls())
}

// random: whatever fails, every event is either taken or reported; none that was taken is sent again; and of an ordered
// destination the events of a key are in their order, without a gap.
func random(t *testing.T, h Harness) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		b := &Backend{Answer: func(_ context.Context, _ int, messages []Message) ([]Answer, error) {
			list := make([]Answer, len(messages))
			if r.IntN(8) == 0 {
				return nil, APIError("ThrottlingException")
			}
			for i := range list {
				if r.IntN(3) == 0 {
					list[i] = Answer{Code: h.Throttle}
				}
			}
			return list, nil
		}}
		list := events(r.IntN(min(3*h.Entries, 60))+1, 10)
		for i := range list {
			list[i].PartitionKey = fmt.Sprint("k", r.IntN(7))
		}
		failures := map[int]error{}
		if err := h.New(t, b, Options{Attempts: 3, InFlight: 1}).Publish(t.Context(), list); err != nil {
			failures = failed(t, err).Errors
		}
		taken := b.Taken()
		require.Len(t, taken, len(list)-len(failures))
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(taken))), len(taken), "none is taken twice")
		if h.Ordered {
			requireOrder(t, list, taken)
		}
	}
}

// requireOrder: of each key, the first events are taken, in their order.
func requireOrder(t *testing.T, list []insideout.Event, taken []string) {
	t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	key := map[string]string{}
	for _, e := range list {
		want[e.PartitionKey] = append(want[e.PartitionKey], e.ID)
		key[e.ID] = e.PartitionKey
	}
	for _, id := range taken {
		got[key[id]] = append(got[key[id]], id)
	}
	for k, ids := range got {
		require.Equal(t, want[k][:len(ids)], ids, k)
	}
}

// heldBack: what is behind an event that is not out waits for the next call, where there is an order to keep.
func heldBack(t *testing.T, h Harness) {
	if !h.Ordered {
		return
	}
	b := answering(map[string]Answer{"e0001": {Code: h.Throttle}})
	list := events(6, 10)
	for i := range list {
		list[i].PartitionKey = fmt.Sprint("k", i%2)
	}
	own := failed(t, h.New(t, b, Options{Attempts: 2}).Publish(t.Context(), list))
	require.Equal(t, []int{1, 3, 5}, own.Failed())
	require.Equal(t, []string{"e0000", "e0002", "e0004"}, b.Taken())
	require.ErrorContains(t, own.Errors[5], `the event "e0001"`)
}
