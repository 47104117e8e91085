package main

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// However the facts are delivered, and whatever fails meanwhile, the view is the one of a run without chaos.
func TestChaosLeavesTheViewAsItIs(t *testing.T) {
	t.Parallel()
	seeds := 50
	if testing.Short() {
		seeds = 5
	}
	want := runJSON(t)
	for seed := range seeds {
		r := runJSON(t, "-chaos", strconv.Itoa(seed+1))
		require.Equal(t, want.dump, r.dump, "seed %d", seed+1)
		require.NotNil(t, r.summary.Chaos)
		require.Zero(t, r.summary.Faults, "a fault of the network is not one of the event")
	}
}

func TestChaosDoesHappen(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(realData); err != nil {
		t.Skip("the Online Retail invoices are not beside the project:", err)
	}
	want := runJSON(t, "-in", realData)
	all := []string{"1", "-2"}
	if testing.Short() {
		all = all[:1]
	}
	for _, seed := range all {
		r := runJSON(t, "-in", realData, "-chaos", seed)
		require.Equal(t, want.summary.ViewDigest, r.summary.ViewDigest)
		s := r.summary
		for what, n := range map[string]int64{
			"duplicate": s.Duplicate, "stale": s.Stale, "coalesced": s.Coalesced, "throttles": s.Chaos.Throttles,
			"lost answers": s.Chaos.LostAnswers, "crashes": s.Chaos.Crashes, "redelivered": s.Chaos.Redelivered,
		} {
			require.Positive(t, n, what)
		}
		require.Greater(t, s.EventsDelivered, s.EventsPublished)
	}
}
