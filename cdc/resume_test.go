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

// TestCheckpointsIn: of two checkpoints the one that is further stays, and none is published.
func TestCheckpointsIn(t *testing.T) {
	t.Parallel()
	engine, db := newTable(t, nil)
	checkpoints := cdc.CheckpointsIn(db)
	shard := cdc.Shard{Consumer: "c", Stream: "arn:a|b", ID: "s"}
	at := time.Unix(1_900_000_000, 0).UTC()
	got, err := checkpoints.Load(t.Context(), shard)
	require.NoError(t, err)
	require.Zero(t, got)
	steps := []cdc.Checkpoint{
		{Sequence: "99", At: at}, {Sequence: "100", At: at}, {Sequence: "101", At: at.Add(time.Second)}, {Sequence: "101", At: at.Add(time.Second), End: true},
	}
	for i, c := range steps {
		require.NoError(t, checkpoints.Save(t.Context(), shard, c))
		if i > 0 {
			require.NoError(t, checkpoints.Save(t.Context(), shard, steps[i-1]), "an older one is no error")
		}
		got, err := checkpoints.Load(t.Context(), shard)
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	other, err := checkpoints.Load(t.Context(), cdc.Shard{Consumer: "d", Stream: shard.Stream, ID: shard.ID})
	require.NoError(t, err)
	require.Zero(t, other)

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
