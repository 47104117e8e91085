package views_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// slow is a table that takes a second for each write, and throttles those beyond what it can take at a time.
type slow struct {
	*embedded.DB
	mu                             sync.Mutex
	capacity, busy, peak, throttle int
}

func (s *slow) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	s.peak = max(s.peak, s.busy)
	if s.busy > s.capacity {
		s.throttle++
		return false
	}
	return true
}

func (s *slow) UpdateItem(ctx context.Context, _ *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	taken := s.enter()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy--
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
	}
	if !taken {
		return nil, &types.ProvisionedThroughputExceededException{}
	}
	return &dynamodb.UpdateItemOutput{}, nil
}

// reset returns what was seen and starts again with another capacity.
func (s *slow) reset(capacity int) (peak, throttled int) {
	peak, throttled = s.peak, s.throttle
	s.capacity, s.peak, s.throttle = capacity, 0, 0
	return peak, throttled
}

func slowListener(t *testing.T, workers, capacity int, more ...views.Part) (*views.Listener, *slow) {
	t.Helper()
	client := &slow{capacity: capacity}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l, err := views.New(db, append(more, rules()[0], &views.Options{Workers: workers, MaxSkew: century})...)
	require.NoError(t, err)
	return l, client
}

// crowd is a batch of n events for as many rows.
func crowd(n int) []insideout.Event {
	batch := make([]insideout.Event, n)
	for i := range batch {
		batch[i] = registered(i, fmt.Sprint("c", i), "Ann")
	}
	return batch
}

// TestAdaptsToThrottling: under throttling the listener asks for less, finds what the table takes, and goes back up
// afterwards.
func TestAdaptsToThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, client := slowListener(t, 32, 4)
		_ = l.Handle(t.Context(), crowd(64))
		_, first := client.reset(4)
		require.Positive(t, first)
		_ = l.Handle(t.Context(), crowd(64))
		peak, second := client.reset(1000)
		require.LessOrEqual(t, peak, 8, "it asks for no more than twice what the table takes")
		require.Less(t, second, 64/4, "most writes get through")
		require.EqualValues(t, first+second, l.Stats().Throttled)
		require.NoError(t, l.Handle(t.Context(), crowd(1000)))
		peak, _ = client.reset(4)
		require.Equal(t, 32, peak, "and no more than Workers")
	})
}

// TestWorkersAreSharedByBatches: batches that are handled at the same time do not add up.
func TestWorkersAreSharedByBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, client := slowListener(t, 4, 1000)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _ = l.Handle(context.Background(), crowd(20)) })
		}
		wg.Wait()
		peak, _ := client.reset(0)
		require.Equal(t, 4, peak)
	})
}

// TestDeadline: before the time of the function is over, the listener says what it did not do, and what it did stays done.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, client := slowListener(t, 2, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		failed, ok := errors.AsType[*views.BatchError](l.Handle(ctx, crowd(100)))
		require.True(t, ok)
		require.Equal(t, 9*time.Second, time.Since(began), "a second is left for the answer")
		require.ErrorIs(t, failed, context.DeadlineExceeded)
		require.ErrorContains(t, failed.Errors[99], "the time of the function is nearly over")
		require.NoError(t, ctx.Err())
		require.InDelta(t, 100-2*9, len(failed.Failed()), 2)
		require.Zero(t, client.busy)
		require.EqualValues(t, 100-len(failed.Failed()), l.Stats().Applied)
	})
}

// TestFaultsBeforeTheDeadline: faults are published in the time that is left for them.
func TestFaultsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &slow{capacity: 1000}
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		var faults faultSink
		l := judging(t, db, &views.Options{Workers: 1, MaxSkew: century, Faults: publishing(func(ctx context.Context, events []insideout.Event) error {
			return errors.Join(ctx.Err(), faults.Publish(ctx, events))
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		failed, ok := errors.AsType[*views.BatchError](l.Handle(ctx, append(crowd(5), registered(9, "bob", "error"))))
		require.True(t, ok)
		require.Equal(t, []int{1, 2, 3, 4}, failed.Failed())
		require.Len(t, faults.events, 1)
	})
}

type publishing func(context.Context, []insideout.Event) error

func (f publishing) Publish(ctx context.Context, events []insideout.Event) error {
	return f(ctx, events)
}
