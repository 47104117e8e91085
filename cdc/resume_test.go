package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// TestTailResumes kills a follower at random while things are written, starts another one, and so on: every change is
// published, those of one thing in order, though some of them twice. The checkpoints lie in the table that is followed.
func TestTailResumes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			engine, db := newTable(t, &embedded.Options{Shards: 3})
			random := rand.New(rand.NewPCG(seed, 0))
			// A publisher that gets stuck now and then in the middle of a batch, and takes its time.
			var mu sync.Mutex
			out := &sink{fail: func(_ int, events []insideout.Event) error {
				mu.Lock()
				defer mu.Unlock()
				time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
				failed := map[int]error{}
				for n := random.IntN(3 * len(events)); n < len(events); n++ {
					failed[n] = errors.New("full")
				}
				if len(failed) == 0 {
					return nil
				}
				return &cdc.PublishError{Errors: failed}
			}}
			trigger := newTrigger(t, out, thingEvent)
			written := make(chan struct{})
			go writeThings(t, db, written)
			for attempt := 0; ; attempt++ {
				mu.Lock()
				life := time.Duration(1+random.IntN(15)) * time.Millisecond
				mu.Unlock()
				if follow(t, engine, db, trigger, written, life<<min(attempt/8, 8)) {
					break
				}
			}
			requireComplete(t, out.all())
		})
	}
}

const (
	writtenThings  = 10
	writtenChanges = 30
)

func writeThings(t *testing.T, db *table.DB, written chan<- struct{}) {
	defer close(written)
	for count := 1; count <= writtenChanges; count++ {
		for id := range writtenThings {
			if err := things.Save(context.Background(), db, thing{ID: fmt.Sprint("t", id), Count: count}); err != nil {
				t.Error(err)
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// follow runs a follower for a while and reports whether it had time to read everything.
func follow(t *testing.T, engine *embedded.DB, db *table.DB, trigger *cdc.Trigger, written <-chan struct{}, life time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), life)
	defer cancel()
	err := cdc.Tail(ctx, engine, "things", trigger, &cdc.TailOptions{
		Checkpoints: cdc.CheckpointsIn(db), Drain: written, Idle: time.Millisecond, Interval: time.Millisecond, Limit: 7,
	})
	if err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	return err == nil
}

// requireComplete checks that every change of every thing came, and that the first time each came was in order.
func requireComplete(t *testing.T, events []insideout.Event) {
	t.Helper()
	seen := map[string]int{}
	for _, e := range events {
		v, err := insideout.Body[thing](e, "thing")
		require.NoError(t, err)
		require.LessOrEqual(t, v.Count, seen[v.ID]+1, "%s: %d came before %d", v.ID, v.Count, seen[v.ID]+1)
		seen[v.ID] = max(seen[v.ID], v.Count)
	}
	require.Len(t, seen, writtenThings)
	for id, count := range seen {
		require.Equal(t, writtenChanges, count, id)
	}
}

// TestCheckpointsIn: a swap is done if nothing was written since, or if it was done already; none is published.
func TestCheckpointsIn(t *testing.T) {
	t.Parallel()
	engine, db := newTable(t, nil)
	checkpoints := cdc.CheckpointsIn(db)
	shard := cdc.Shard{Consumer: "c", Stream: "arn:a|b", ID: "s"}
	others := []cdc.Shard{{Consumer: "d", Stream: shard.Stream, ID: shard.ID}, shard, {Consumer: "c", Stream: shard.Stream, ID: "t"}}
	load := func() cdc.Checkpoint {
		list, err := checkpoints.Load(t.Context(), others)
		require.NoError(t, err)
		require.Zero(t, list[0])
		require.Zero(t, list[2])
		return list[1]
	}
	require.Zero(t, load())
	var last cdc.Checkpoint
	at := time.Unix(1_900_000_000, 0).UTC()
	for i, next := range []cdc.Checkpoint{
		{Sequence: "99", At: at, Beat: 1},
		{Sequence: "100", At: at, Beat: 2, Holder: "a", Lease: 1500 * time.Millisecond},
		{Sequence: "100", At: at, Beat: 3, Holder: "a", Wanted: "b"},
		{Sequence: "101", At: at.Add(time.Second), Beat: 4, End: true},
	} {
		for range 2 { // the second time as after a lost answer
			kept, swapped, err := checkpoints.Swap(t.Context(), shard, last, next)
			require.NoError(t, err)
			require.True(t, swapped)
			require.Equal(t, next, kept)
		}
		require.Equal(t, next, load())
		late := cdc.Checkpoint{Sequence: "7", At: at, Beat: int64(i + 1), Holder: "late"}
		kept, swapped, err := checkpoints.Swap(t.Context(), shard, last, late)
		require.NoError(t, err)
		require.False(t, swapped, "who saw what was there before comes too late")
		require.Equal(t, next, kept)
		last = next
	}
	var out sink
	drained(t, engine, newTrigger(t, &out, thingEvent), 100)
	require.Empty(t, out.all())
}

// TestTailFindsNoStream: a table without one, and one that is not there.
func TestTailFindsNoStream(t *testing.T) {
	t.Parallel()
	engine, _ := newTable(t, nil)
	in, err := table.Schema(things).CreateTableInput("silent")
	require.NoError(t, err)
	in.StreamSpecification = nil
	_, err = engine.CreateTable(t.Context(), in)
	require.NoError(t, err)
	for _, name := range []string{"silent", "nowhere"} {
		err := cdc.Tail(t.Context(), engine, name, newTrigger(t, &sink{}, thingEvent), nil)
		require.ErrorIs(t, err, cdc.ErrNoStream, name)
		require.ErrorContains(t, err, name)
	}
}

// TestShareInTable: several followers, which end and start again, share the shards by leases in the table that they follow.
func TestShareInTable(t *testing.T) {
	t.Parallel()
	engine, db := newTable(t, &embedded.Options{Shards: 4})
	out := &sink{}
	trigger := newTrigger(t, out, thingEvent)
	written := make(chan struct{})
	go writeThings(t, db, written)
	var followers sync.WaitGroup
	for n := range 3 {
		followers.Go(func() {
			for life := 20 * time.Millisecond; ; life += 40 * time.Millisecond {
				ctx, cancel := context.WithTimeout(t.Context(), life)
				err := cdc.Tail(ctx, engine, "things", trigger, &cdc.TailOptions{
					Checkpoints: cdc.CheckpointsIn(db), Lease: 300 * time.Millisecond, Worker: fmt.Sprint("f", n), Interval: time.Millisecond, Limit: 7,
				})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if isClosed(written) && life > 500*time.Millisecond {
					return
				}
			}
		})
	}
	followers.Wait()
	requireComplete(t, out.all())
	require.Less(t, len(out.all()), 2*writtenThings*writtenChanges, "shards are handed over, not read twice")
}
