package kinesis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/kinesis"
	"github.com/stretchr/testify/require"
)

// serve runs a source until it has done enough, and returns its error.
func serve(t *testing.T, source views.Source, l *views.Listener, until func() bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- views.Serve(ctx, source, l) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(100 * time.Millisecond):
			if until() {
				cancel()
				return <-done
			}
			require.NoError(t, ctx.Err(), "not read in time")
		}
	}
}

// TestReshardingKeepsOrder: the events of a key come in order through splits and merges, and none is missing.
func TestReshardingKeepsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(2), newTable(t)
		const keys, each = 7, 60
		for n := range each {
			switch n {
			case 15:
				s.split(0)
			case 30:
				s.merge(3, 1)
			case 45:
				s.split(4)
			}
			for k := range keys {
				s.put(fmt.Sprint("k", k), changed(fmt.Sprint("k", k), n))
			}
		}
		var seen seen
		l := seen.listener(t, db, nil)
		progress := map[string]bool{}
		var mu sync.Mutex
		opts := &kinesis.Options{Limit: 11, Discover: time.Hour, OnProgress: func(p kinesis.Progress) {
			mu.Lock()
			defer mu.Unlock()
			progress[p.Shard] = p.End
		}}
		require.NoError(t, serveOn(t, s, "events", l, opts, func() bool { return seen.count() == keys*each }))
		for key, values := range seen.values {
			require.True(t, slices.IsSorted(values), "%s: %v", key, values)
			a, err := accounts.Get(t.Context(), db, key)
			require.NoError(t, err)
			require.Equal(t, each-1, a.Value)
		}
		require.Equal(t, map[string]bool{"shardId-000": true, "shardId-001": true, "shardId-002": false, "shardId-003": true, "shardId-004": true, "shardId-005": false, "shardId-006": false}, progress)
	})
}

// failing breaks the saving of checkpoints: the run ends, as if it were killed between the effect and the checkpoint.
type failing struct {
	kinesis.Checkpoints
	mu     *sync.Mutex // random is no use to several shards at a time
	random *rand.Rand
}

var errKilled = errors.New("killed")

func (f failing) Save(ctx context.Context, s kinesis.Shard, c kinesis.Checkpoint) error {
	f.mu.Lock()
	kill := f.random.IntN(3) == 0
	f.mu.Unlock()
	if kill {
		return errKilled
	}
	return f.Checkpoints.Save(ctx, s, c)
}

// TestKilled: runs that are killed at any place, while shards split, lose nothing, and the view converges.
func TestKilled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random, kill := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
				var mu sync.Mutex
				s, db := newStream(1), newTable(t)
				var seen seen
				l := seen.listener(t, db, nil)
				const keys, each = 5, 40
				n, kills := 0, 0
				feed := func() bool {
					for range min(3, each-n) {
						for k := range keys {
							s.put(fmt.Sprint("k", k), changed(fmt.Sprint("k", k), n))
						}
						n++
					}
					if n < each && random.IntN(3) == 0 {
						s.split(len(s.shards) - 1)
					}
					return n == each && complete(t, &seen, keys, each)
				}
				for ended := false; !ended; {
					opts := &kinesis.Options{Limit: 1 + random.IntN(20), Discover: time.Second, Checkpoints: failing{kinesis.CheckpointsIn(db), &mu, kill}}
					err := serveOn(t, s, "events", l, opts, feed)
					if ended = err == nil; !ended {
						require.ErrorIs(t, err, errKilled)
						kills++
					}
				}
				require.Positive(t, kills)
				for k := range keys {
					a, err := accounts.Get(t.Context(), db, fmt.Sprint("k", k))
					require.NoError(t, err)
					require.Equal(t, each-1, a.Value)
				}
			})
		})
	}
}

// complete reports whether each value of each key was seen at least once.
func complete(t *testing.T, s *seen, keys, each int) bool {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range keys {
		values := slices.Clone(s.values[fmt.Sprint("k", k)])
		slices.Sort(values)
		if len(slices.Compact(values)) < each {
			return false
		}
	}
	return true
}

// TestResume: a second run begins where the first one ended.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(1), newTable(t)
		opts := &kinesis.Options{Checkpoints: kinesis.CheckpointsIn(db)}
		var first, second, third seen
		for n := range 3 {
			s.put("k", changed("k", n))
		}
		l := first.listener(t, db, nil)
		require.NoError(t, serveOn(t, s, "events", l, opts, func() bool { return first.count() == 3 }))
		s.put("k", changed("k", 3))
		s.split(0)
		s.put("k", changed("k", 4))
		require.NoError(t, serveOn(t, s, "events", second.listener(t, db, nil), opts, func() bool { return second.count() == 2 }))
		require.Equal(t, []int{3, 4}, second.values["k"])
		other := *opts
		other.Consumer = "other"
		require.NoError(t, serveOn(t, s, "events", third.listener(t, db, nil), &other, func() bool { return third.count() == 5 }))
	})
}

// TestRetried: a record that fails holds up what is behind it in its shard until it gets through, and the checkpoint does not
// pass it.
func TestRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(1), newTable(t)
		for n := range 5 {
			s.put("k", changed("k", n))
		}
		seen := seen{}
		var attempts atomic.Int64
		seen.verdict = func(_ string, value int) error {
			if value == 2 && attempts.Add(1) <= 4 {
				return views.Retry(errors.New("not now"))
			}
			return nil
		}
		checkpoints := kinesis.CheckpointsIn(db)
		l := seen.listener(t, db, nil)
		require.NoError(t, serveOn(t, s, "events", l, &kinesis.Options{Checkpoints: checkpoints}, func() bool {
			c, err := checkpoints.Load(t.Context(), kinesis.Shard{Consumer: "views", Stream: "events", ID: "shardId-000"})
			require.NoError(t, err)
			if attempts.Load() <= 4 {
				require.Contains(t, []string{"", "2"}, c.Sequence)
			}
			return c.Sequence == "5"
		}))
		require.EqualValues(t, 5, attempts.Load())
	})
}

// TestTrouble: what passes is tried again: throttles, iterators that expire. What does not ends the run.
func TestTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(1), newTable(t)
		for n := range 30 {
			s.put("k", changed("k", n))
		}
		random := rand.New(rand.NewPCG(1, 1))
		s.broken = func(op string) error {
			switch n := random.IntN(4); {
			case n == 0:
				return &types.ProvisionedThroughputExceededException{}
			case n == 1 && op == "GetRecords":
				return &types.ExpiredIteratorException{}
			}
			return nil
		}
		var seen seen
		l := seen.listener(t, db, nil)
		require.NoError(t, serveOn(t, s, "events", l, &kinesis.Options{Limit: 1}, func() bool { return seen.count() == 30 }))
		require.True(t, slices.IsSorted(seen.values["k"]))

		s.broken = func(string) error { return &types.ResourceNotFoundException{} }
		err := serveOn(t, s, "events", l, nil, func() bool { return false })
		require.ErrorContains(t, err, `"events"`)
		require.NotNil(t, errAs[*types.ResourceNotFoundException](err))
		s.broken = func(op string) error {
			if op == "GetRecords" {
				return &smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}
			}
			return nil
		}
		require.ErrorContains(t, serveOn(t, s, "events", l, nil, func() bool { return false }), `"shardId-000"`)
	})
}

func errAs[E error](err error) E {
	e, _ := errors.AsType[E](err)
	return e
}

// TestGracefulStop: the batch in hand is finished and its checkpoint written when the context ends.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(1), newTable(t)
		s.put("k", changed("k", 0))
		ctx, cancel := context.WithCancel(t.Context())
		seen := seen{verdict: func(string, int) error {
			cancel()
			time.Sleep(time.Second)
			return nil
		}}
		checkpoints := kinesis.CheckpointsIn(db)
		source, err := kinesis.New(s, "events", &kinesis.Options{Checkpoints: checkpoints})
		require.NoError(t, err)
		require.NoError(t, views.Serve(ctx, source, seen.listener(t, db, nil)))
		a, err := accounts.Get(t.Context(), db, "k")
		require.NoError(t, err)
		require.Equal(t, account{ID: "k"}, a)
		c, err := checkpoints.Load(t.Context(), kinesis.Shard{Consumer: "views", Stream: "events", ID: "shardId-000"})
		require.NoError(t, err)
		require.Equal(t, kinesis.Checkpoint{Sequence: "1"}, c)
	})
}

// TestFrom: a shard without a checkpoint is begun at the given time.
func TestFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, db := newStream(1), newTable(t)
		s.put("k", changed("k", 0))
		time.Sleep(time.Minute)
		from := time.Now()
		s.put("k", changed("k", 1))
		var seen seen
		l := seen.listener(t, db, nil)
		require.NoError(t, serveOn(t, s, "events", l, &kinesis.Options{From: from}, func() bool { return seen.count() > 0 }))
		require.Equal(t, []int{1}, seen.values["k"])
	})
}

// TestCheckpointsDoNotGoBack: sequence numbers are compared as numbers, and nothing comes behind the end.
func TestCheckpointsDoNotGoBack(t *testing.T) {
	t.Parallel()
	c, place := kinesis.CheckpointsIn(newTable(t)), kinesis.Shard{Consumer: "c", Stream: "s", ID: "1"}
	for _, step := range []struct{ save, want kinesis.Checkpoint }{
		{kinesis.Checkpoint{Sequence: "9"}, kinesis.Checkpoint{Sequence: "9"}},
		{kinesis.Checkpoint{Sequence: "10"}, kinesis.Checkpoint{Sequence: "10"}},
		{kinesis.Checkpoint{Sequence: "9"}, kinesis.Checkpoint{Sequence: "10"}},
		{kinesis.Checkpoint{Sequence: "10", End: true}, kinesis.Checkpoint{Sequence: "10", End: true}},
		{kinesis.Checkpoint{Sequence: "10"}, kinesis.Checkpoint{Sequence: "10", End: true}},
	} {
		require.NoError(t, c.Save(t.Context(), place, step.save))
		got, err := c.Load(t.Context(), place)
		require.NoError(t, err)
		require.Equal(t, step.want, got)
	}
	empty := kinesis.Shard{Consumer: "c", Stream: "s", ID: "2"}
	require.NoError(t, c.Save(t.Context(), empty, kinesis.Checkpoint{End: true}))
	got, err := c.Load(t.Context(), empty)
	require.NoError(t, err)
	require.Equal(t, kinesis.Checkpoint{End: true}, got)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := kinesis.New(nil, "", &kinesis.Options{Limit: 20_000})
	for _, text := range []string{"no client", "no stream", `"Limit"`} {
		require.ErrorContains(t, err, text)
	}
	require.Error(t, views.Serve(t.Context(), nil, nil))
}
