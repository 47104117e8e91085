package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/internal/backoff"
)

// TestPausesGrowToTheLimit: each pause is between half of what it may be and all of it, and what it may be doubles until the limit.
func TestPausesGrowToTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "first"))
		most := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "most"))
		b := backoff.Backoff{First: first, Most: most}
		for longest := first; longest < 100*most; longest *= 2 {
			next := b.Next()
			require.LessOrEqual(t, next, min(longest, most))
			require.GreaterOrEqual(t, next, min(longest, most)/2)
		}
		b.Reset()
		require.LessOrEqual(t, b.Next(), min(first, most))
	})
}

func TestPausesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[backoff.Jitter(time.Hour)] = true
	}
	require.Greater(t, len(seen), 90)
	require.Zero(t, backoff.Jitter(0))
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := backoff.Backoff{First: time.Second, Most: 4 * time.Second}
		for range 4 { // up to 1, 2, 4 and 4 seconds
			require.NoError(t, b.Wait(t.Context()))
		}
		require.LessOrEqual(t, time.Since(start), 11*time.Second)
		require.GreaterOrEqual(t, time.Since(start), 5500*time.Millisecond)
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, late := time.Now(), errors.New("the shop is closed")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		err := backoff.Sleep(ctx, time.Hour)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, late)
		require.Equal(t, time.Second, time.Since(start))

		canceled, stop := context.WithCancel(t.Context())
		stop()
		require.Equal(t, context.Canceled, backoff.Sleep(canceled, time.Hour))
	})
}
