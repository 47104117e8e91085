package publishtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// Options are the options that all publishers have.
type Options struct {
	ClaimChecks   cdc.ClaimChecks
	CompressAbove int
	InFlight      int
	Attempts      int
}

// Harness is a publisher under test.
type Harness struct {
	New      func(t *testing.T, b *Backend, o Options) cdc.Publisher
	Entries  int    // of a request
	Bytes    int    // of a request
	Entry    int    // bytes of an entry
	Ordered  bool   // a key's events are in order
	Throttle string // the code of an entry that should come again later
	Invalid  string // the code of an entry that should not
	Omits    bool   // an answer may leave out any entry, not only the last ones
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"whole": whole, "nothing": nothing, "count": byCount, "bytes": byBytes, "throttled entries": throttled, "throttled for ever": exhausted,
		"rejected entry": rejected, "unknown code": unknownCode, "half answers": halfAnswers, "throttled request": throttledRequest,
		"denied": denied, "one spoils the request": spoilt, "no answer": silent, "out of time": outOfTime, "cancelled": cancelled,
		"in flight": inFlight, "too large": tooLarge, "not JSON": notJSON, "claim checks": claimChecks, "claim checks fail": claimsFail,
		"compression": compression, "faults": faults, "random": random, "held back": heldBack, "at the same time": concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, h) })
		})
	}
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 123e6, time.UTC)

// noise is text that does not become small by compression; the same for the same seed.
func noise(seed string, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	var sum uint64
	for _, c := range seed {
		sum = sum*131 + uint64(c)
	}
	random := rand.New(rand.NewPCG(sum, 1))
	text := make([]byte, 0, n+10)
	for len(text) < n {
		for bits, i := random.Uint64(), 0; i < 10; i++ {
			text = append(text, letters[bits>>(6*i)&63])
		}
	}
	return string(text[:n])
}

// events of n different keys.
func events(n, bytes int) []insideout.Event {
	list := make([]insideout.Event, n)
	for i := range list {
		list[i] = event(fmt.Sprintf("e%04d", i), fmt.Sprintf("k%04d", i), bytes)
	}
	return list
}

func ids(list []insideout.Event, without ...int) []string {
	var out []string
	for i, e := range list {
		if !slices.Contains(without, i) {
			out = append(out, e.ID)
		}
	}
	return out
}

// failed are the indexes that a publisher reports, with their reasons.
func failed(t *testing.T, err error) *cdc.PublishError {
	t.Helper()
	own, ok := errors.AsType[*cdc.PublishError](err)
	require.True(t, ok, "the error names the events: %v", err)
	return own
}

// whole: what is published arrives as it was, once.
func whole(t *testing.T, h Harness) {
	b := &Backend{}
	list := events(2*h.Entries+3, 100)
	list[1].Body["odd"] = []byte(`"<&>\ud800 \u0000\ufffe` + "\uFFFF\u00e4" + `"`)
	list[2].PartitionKey = ""
	list[3].ID, list[3].PartitionKey = "ä b", "ö ü"
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	got := map[string]insideout.Event{}
	for _, call := range b.Calls() {
		for _, m := range call {
			got[idOf(m)] = eventOf(m)
			if h.Ordered {
				require.NotEmpty(t, m.Key)
			}
		}
	}
	require.Len(t, b.Taken(), len(list))
	for _, e := range list {
		want, err := insideout.Body[any](e, "thing")
		require.NoError(t, err)
		have, err := insideout.Body[any](got[e.ID], "thing")
		require.NoError(t, err)
		require.Equal(t, want, have)
		require.Equal(t, e.Tags, got[e.ID].Tags)
		require.True(t, e.Timestamp.Equal(got[e.ID].Timestamp))
	}
	odd, err := insideout.Body[string](list[1], "odd")
	require.NoError(t, err)
	have, err := insideout.Body[string](got["e0001"], "odd")
	require.NoError(t, err)
	require.Equal(t, odd, have)
}

func nothing(t *testing.T, h Harness) {
	b := &Backend{}
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), nil))
	require.Empty(t, b.Calls())
}

// byCount: as few requests as the count allows.
func byCount(t *testing.T, h Harness) {
	b := &Backend{}
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), events(10*h.Entries, 10)))
	require.Len(t, b.Calls(), 10)
	for _, call := range b.Calls() {
		require.Len(t, call, h.Entries)
	}
}

// byBytes: no request is larger than the service takes, and none is sent that the one before it had room for.
func byBytes(t *testing.T, h Harness) {
	b := &Backend{}
	list := events(9, min(h.Entry, h.Bytes/2)-h.Bytes/40)
	require.NoError(t, h.New(t, b, Options{CompressAbove: -1}).Publish(t.Context(), list))
	total := 0
	for _, call := range b.Calls() {
		size := 0
		for _, m := range call {
			size += m.Size
		}
		require.LessOrEqual(t, size, h.Bytes)
		total += size
	}
	each := total / len(list)
	require.Len(t, b.Calls(), (len(list)+h.Bytes/each-1)/(h.Bytes/each))
	require.ElementsMatch(t, ids(list), b.Taken())
}

// inFlight: a bounded number of requests is under way, over all calls together.
func inFlight(t *testing.T, h Harness) {
	b := &Backend{Answer: func(_ context.Context, _ int, m []Message) ([]Answer, error) {
		time.Sleep(time.Second)
		return make([]Answer, len(m)), nil
	}}
	p := h.New(t, b, Options{InFlight: 3})
	results := make(chan error)
	for n := range 2 {
		go func() { results <- p.Publish(t.Context(), events(8*h.Entries, 10+n)) }()
	}
	begun := time.Now()
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.Equal(t, 3, b.InFlight())
	require.Equal(t, 6*time.Second, time.Since(begun), "16 requests, three at a time")
}

// concurrent: a publisher is used by several at a time.
func concurrent(t *testing.T, h Harness) {
	b := &Backend{}
	p := h.New(t, b, Options{})
	results := make(chan error)
	for n := range 8 {
		go func() {
			list := events(h.Entries+n, 20)
			for i := range list {
				list[i].ID += fmt.Sprint("-", n)
			}
			results <- p.Publish(t.Context(), list)
		}()
	}
	for range 8 {
		require.NoError(t, <-results)
	}
	require.Len(t, b.Taken(), 8*h.Entries+28)
}
