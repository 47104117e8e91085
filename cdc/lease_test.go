package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

const lease = 9 * time.Second

// crew is a number of runs that share the shards of a fake stream.
type crew struct {
	t           *testing.T
	streams     *fakeStreams
	checkpoints *memory
	publisher   cdc.Publisher
	cut         func(name string) bool
}

// worker is one of them. What it does goes through it, so that it can die.
type worker struct {
	cdc.Publisher
	cdc.Checkpoints
	cdc.Streams
	dead func() bool
	cut  func(name string) bool // the checkpoints are out of reach
	name string
}

var errDead = errors.New("dead")

func (w *worker) Load(ctx context.Context, s []cdc.Shard) ([]cdc.Checkpoint, error) {
	if w.dead() {
		return nil, errDead
	}
	return w.Checkpoints.Load(ctx, s)
}

func (w *worker) Swap(ctx context.Context, s cdc.Shard, seen, next cdc.Checkpoint) (cdc.Checkpoint, bool, error) {
	if w.dead() {
		return cdc.Checkpoint{}, false, errDead
	}
	if w.cut(w.name) {
		<-ctx.Done()
		return cdc.Checkpoint{}, false, ctx.Err()
	}
	return w.Checkpoints.Swap(ctx, s, seen, next)
}

func (w *worker) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, o ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	if w.dead() {
		return nil, errDead
	}
	return w.Streams.GetRecords(ctx, in, o...)
}

// start starts a run; leave ends it with its word, and kill without.
func (c *crew) start(name string) (leave, kill func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	dead := make(chan struct{})
	w := &worker{Publisher: c.publisher, Checkpoints: c.checkpoints, Streams: c.streams, name: name, cut: c.cut, dead: func() bool {
		select {
		case <-dead:
			return true
		default:
			return false
		}
	}}
	done := make(chan error, 1)
	trigger := newTrigger(c.t, w, thingEvent)
	go func() {
		done <- cdc.Tail(ctx, w, "things", trigger, &cdc.TailOptions{Checkpoints: w, Lease: lease, Worker: name, Limit: 3})
	}()
	end := func() {
		cancel()
		err := <-done
		require.True(c.t, errors.Is(err, context.Canceled) || errors.Is(err, errDead), "%v", err)
	}
	return end, func() { close(dead); end() }
}

// holders tells which shards each run holds.
func (m *memory) holders() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := map[string][]string{}
	for s, c := range m.at {
		name, _, _ := strings.Cut(c.Holder, "/")
		held[name] = append(held[name], s.ID)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		parts = append(parts, fmt.Sprintf("%s:%d", name, len(held[name])))
	}
	return strings.Join(parts, " ")
}

func newCrew(t *testing.T, out cdc.Publisher, shards ...*fakeShard) *crew {
	return &crew{
		t: t, streams: &fakeStreams{shards: shards}, checkpoints: &memory{}, publisher: out, cut: func(string) bool { return false },
	}
}

// TestShare: runs share the shards evenly as they come and go, one shard is read by one of them, and nothing is published twice by
// handing over.
func TestShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out sink
		var shards []*fakeShard
		for n := range 6 {
			shards = append(shards, &fakeShard{id: fmt.Sprint("s", n), records: records(10*n, 10*n+1, 10*n+2, 10*n+3)})
		}
		c := newCrew(t, &out, shards...)
		leaveA, _ := c.start("a")
		time.Sleep(time.Second)
		require.Equal(t, "a:6", c.checkpoints.holders())
		leaveB, _ := c.start("b")
		time.Sleep(4 * lease)
		require.Equal(t, "a:3 b:3", c.checkpoints.holders())
		leaveC, _ := c.start("c")
		leaveD, _ := c.start("d")
		time.Sleep(6 * lease)
		require.Regexp(t, "^a:[12] b:[12] c:[12] d:[12]$", c.checkpoints.holders())
		for n := range 6 {
			c.streams.put(fmt.Sprint("s", n), 10*n+4)
		}
		time.Sleep(time.Second)
		leaveA()
		leaveC()
		time.Sleep(lease / 2)
		require.Equal(t, "b:3 d:3", c.checkpoints.holders(), "what was released is free at once")
		for n := range 6 {
			c.streams.put(fmt.Sprint("s", n), 10*n+5)
		}
		time.Sleep(time.Second)
		leaveB()
		leaveD()
		require.Equal(t, ":6", c.checkpoints.holders())
		got := out.all()
		require.Len(t, got, 36, "each once")
	})
}

// TestDeath: the shards of a run that gives no sign are free when its lease is over, and not before.
func TestDeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out sink
		c := newCrew(t, &out, &fakeShard{id: "s", records: records(1, 2)})
		_, killA := c.start("a")
		time.Sleep(2 * lease)
		require.Equal(t, "1 2", ids(out.all()))
		killA()
		c.streams.put("s", 3)
		leaveB, _ := c.start("b")
		time.Sleep(lease - time.Second)
		require.Equal(t, "a:1", c.checkpoints.holders())
		time.Sleep(lease)
		require.Equal(t, "b:1", c.checkpoints.holders())
		require.Equal(t, "1 2 3", ids(out.all()))
		leaveB()
	})
}

// TestZombie: a run that hangs and does not reach the checkpoints for longer than its lease cannot move the checkpoint of the one that
// took over, and leaves the shard.
func TestZombie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Value
		out := &sink{}
		var stall atomic.Int64
		slow := publisherFunc(func(ctx context.Context, events []insideout.Event) error {
			if d := time.Duration(stall.Swap(0)); d > 0 {
				time.Sleep(d) // whatever the context says
				late.Store(fmt.Sprint(ids(events), " ", ctx.Err() != nil))
			}
			return out.Publish(ctx, events)
		})
		c := newCrew(t, slow, &fakeShard{id: "s", records: records(1)})
		begun := time.Now()
		c.cut = func(name string) bool {
			return name == "a" && time.Since(begun) > time.Second && time.Since(begun) < 4*lease
		}
		leaveA, _ := c.start("a")
		time.Sleep(time.Second)
		stall.Store(int64(5 * lease))
		c.streams.put("s", 2, 3)
		time.Sleep(time.Second)
		leaveB, _ := c.start("b")
		time.Sleep(2 * lease)
		c.streams.put("s", 4)
		time.Sleep(time.Second)
		require.Equal(t, "1 2 3 4", ids(out.all()))
		before := c.checkpoints.last("s")
		time.Sleep(4 * lease)
		require.Equal(t, "2 3 true", late.Load())
		require.Equal(t, "1 2 3 4 2 3", ids(out.all()), "what was under way came twice")
		after := c.checkpoints.last("s")
		require.Equal(t, before.Sequence, after.Sequence)
		require.Equal(t, before.Holder, after.Holder, "it is still b's")
		require.Equal(t, "b:1", c.checkpoints.holders())
		leaveB()
		time.Sleep(lease)
		require.Equal(t, "a:1", c.checkpoints.holders(), "it is a run like any other again")
		leaveA()
	})
}

// TestSlow: a run that takes long over a batch keeps its shard, as long as it says so.
func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &sink{fail: func(int, []insideout.Event) error { time.Sleep(5 * lease); return nil }}
		c := newCrew(t, out, &fakeShard{id: "s", records: records(1, 2, 3, 4, 5, 6)})
		leaveA, _ := c.start("a")
		leaveB, _ := c.start("b")
		time.Sleep(20 * lease)
		require.Equal(t, "1 2 3 4 5 6", ids(out.all()))
		leaveA()
		leaveB()
	})
}

type publisherFunc func(context.Context, []insideout.Event) error

func (f publisherFunc) Publish(ctx context.Context, events []insideout.Event) error {
	return f(ctx, events)
}

func (m *memory) last(shard string) cdc.Checkpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, c := range m.at {
		if s.ID == shard {
			return c
		}
	}
	return cdc.Checkpoint{}
}

// lossy is Checkpoints of which some answers are lost after the write.
type lossy struct {
	cdc.Checkpoints
	calls int
}

func (l *lossy) Swap(ctx context.Context, s cdc.Shard, seen, next cdc.Checkpoint) (cdc.Checkpoint, bool, error) {
	kept, swapped, err := l.Checkpoints.Swap(ctx, s, seen, next)
	if l.calls++; l.calls%2 == 0 && err == nil {
		return cdc.Checkpoint{}, false, context.DeadlineExceeded
	}
	return kept, swapped || kept == next, err
}

// TestLostAnswers: a write that was done is not taken for another run's.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{0, lease} {
		synctest.Test(t, func(t *testing.T) {
			var out sink
			f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2, 3, 4, 5, 6), closed: true}, {id: "b", parent: "a", records: records(7)}}}
			done := make(chan struct{})
			go func() { time.Sleep(5 * lease); close(done) }()
			checkpoints := &lossy{Checkpoints: &memory{}}
			require.NoError(t, cdc.Tail(t.Context(), f, "things", newTrigger(t, &out, thingEvent), &cdc.TailOptions{
				Checkpoints: checkpoints, Lease: length, Limit: 2, Drain: done,
			}))
			require.Equal(t, "1 2 3 4 5 6 7", ids(out.all()))
		})
	}
}

// TestUnsharedOverlap: two runs without leases publish twice, as a deployment does that starts the next run before the last one has
// ended; neither fails, and the checkpoint does not go back.
func TestUnsharedOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out sink
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2, 3)}}}
		checkpoints := &memory{}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		for n := range 2 {
			go func() {
				time.Sleep(time.Duration(n) * 10 * time.Millisecond)
				errs <- cdc.Tail(ctx, f, "things", newTrigger(t, &out, thingEvent), &cdc.TailOptions{Checkpoints: checkpoints, Limit: 1 + n})
			}()
		}
		for n := range 20 {
			time.Sleep(100 * time.Millisecond)
			f.put("a", 4+n)
		}
		time.Sleep(time.Second)
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		require.ErrorIs(t, <-errs, context.Canceled)
		require.Equal(t, fmt.Sprintf("%021d", 23), checkpoints.last("a").Sequence)
		require.True(t, slices.IsSorted(checkpoints.saved))
	})
}

// tardy is Checkpoints of which each Load takes its time to come back.
type tardy struct{ cdc.Checkpoints }

func (l tardy) Load(ctx context.Context, s []cdc.Shard) ([]cdc.Checkpoint, error) {
	list, err := l.Checkpoints.Load(ctx, s)
	time.Sleep(time.Second)
	return list, err
}

// TestOldNews: checkpoints that were read before a shard was read to its end do not have it read again.
func TestOldNews(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{0, lease} {
		synctest.Test(t, func(t *testing.T) {
			out := &sink{fail: func(int, []insideout.Event) error { time.Sleep(500 * time.Millisecond); return nil }}
			f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2), closed: true}, {id: "b", parent: "a", records: records(3)}, {id: "c"}}}
			done := make(chan struct{})
			go func() { time.Sleep(10 * lease); close(done) }()
			require.NoError(t, cdc.Tail(t.Context(), f, "things", newTrigger(t, out, thingEvent), &cdc.TailOptions{
				Checkpoints: tardy{&memory{}}, Lease: length, Limit: 1, Drain: done, Discover: 300 * time.Millisecond,
			}))
			require.Equal(t, "1 2 3", ids(out.all()))
		})
	}
}

// TestLeaseOptions: what cannot work is refused.
func TestLeaseOptions(t *testing.T) {
	t.Parallel()
	trigger := newTrigger(t, &sink{}, thingEvent)
	err := cdc.Tail(t.Context(), &fakeStreams{}, "things", trigger, &cdc.TailOptions{Lease: time.Millisecond, Checkpoints: &memory{}})
	require.ErrorContains(t, err, "must be 100ms or more")
	err = cdc.Tail(t.Context(), &fakeStreams{}, "things", trigger, &cdc.TailOptions{Lease: time.Second})
	require.ErrorContains(t, err, "need Checkpoints")
}
