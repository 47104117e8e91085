package cdc_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// split closes the shard a of a fake stream, and gives it two children and a grandchild.
func split(f *fakeStreams) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shards[f.index("a")].closed = true
	f.shards = append(f.shards,
		&fakeShard{id: "b", parent: "a", records: records(2), closed: true},
		&fakeShard{id: "c", parent: "a", records: records(3)},
		&fakeShard{id: "d", parent: "b", records: records(4)})
}

// TestDrainDiscovers: children that appear during a drain belong to what must be read, also while another shard is
// silent and the list of shards takes its time: if their parent ends while the list is on its way, or long after it
// came.
func TestDrainDiscovers(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"list on its way": false, "list is there": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1)}, {id: "z"}}}
				var mu sync.Mutex
				begun, pages, done := time.Now(), 0, false
				f.after = func(call, _ string) {
					mu.Lock()
					if call == "DescribeStream" {
						pages++
						mu.Unlock()
						time.Sleep(time.Second)
						mu.Lock()
					}
					defer mu.Unlock()
					if lastOfDrain := pages == 4; !done && (!late && lastOfDrain || late && time.Since(begun) > 4500*time.Millisecond) {
						done = true
						split(f)
					}
				}
				var out sink
				require.NoError(t, tail(t, f, &out, cdc.TailOptions{Interval: 10 * time.Millisecond, Idle: 3 * time.Second}))
				require.Len(t, out.all(), 4)
			})
		})
	}
}

// TestDrainChains: what is written because of an event belongs to what a drain reads, also if it comes into another
// shard, and late.
func TestDrainChains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1)}, {id: "b"}}}
		out := &sink{}
		out.fail = func(call int, _ []insideout.Event) error {
			time.Sleep(time.Second)
			if call < 6 {
				f.put([]string{"a", "b"}[call%2], call+1)
			}
			return nil
		}
		require.NoError(t, tail(t, f, out, cdc.TailOptions{}))
		require.Equal(t, "1 2 3 4 5 6", ids(out.all()))
	})
}

// TestDrainAfterSilence: a shard that was silent and has a record again is not silent while the record is published.
func TestDrainAfterSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{{id: "a"}, {id: "b"}}}
		out := &sink{}
		out.fail = func(call int, _ []insideout.Event) error {
			time.Sleep(time.Second)
			if call == 1 {
				f.put("a", 2)
			}
			return nil
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			f.put("b", 1)
		}()
		require.NoError(t, tail(t, f, out, cdc.TailOptions{Interval: 10 * time.Millisecond}))
		require.Equal(t, "1 2", ids(out.all()))
	})
}

// TestDrainSlowReads: an answer that was empty when it was made says nothing about what was written before it came.
func TestDrainSlowReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{{id: "a"}, {id: "b", records: records(1)}}}
		f.after = func(call, shard string) {
			if call == "GetRecords" && shard == "a" {
				time.Sleep(time.Second)
			}
		}
		out := &sink{}
		out.fail = func(call int, _ []insideout.Event) error {
			time.Sleep(500 * time.Millisecond)
			if call < 4 {
				f.put([]string{"b", "a"}[call%2], call+1)
			}
			return nil
		}
		require.NoError(t, tail(t, f, out, cdc.TailOptions{Interval: 10 * time.Millisecond}))
		require.Equal(t, "1 2 3 4", ids(out.all()))
	})
}

// TestCancelKeepsThePlace: what is out when the context ends is not published again by the next run.
func TestCancelKeepsThePlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2)}}}
		out := &sink{fail: func(int, []insideout.Event) error { cancel(); return nil }}
		checkpoints := &memory{}
		err := cdc.Tail(ctx, f, "things", newTrigger(t, out, thingEvent), &cdc.TailOptions{Checkpoints: checkpoints})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []string{"a 000000000000000000002 false"}, checkpoints.saved)
	})
}
