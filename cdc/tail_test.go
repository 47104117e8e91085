package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// tail drains a fake stream within a bubble of virtual time, so that pauses cost nothing.
func tail(t *testing.T, f *fakeStreams, out cdc.Publisher, opts cdc.TailOptions) error {
	t.Helper()
	done := make(chan struct{})
	close(done)
	opts.Drain = done
	return cdc.Tail(t.Context(), f, "things", newTrigger(t, out, thingEvent), &opts)
}

func ids(events []insideout.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, strings.TrimPrefix(e.ID, "id"))
	}
	return strings.Join(list, " ")
}

// TestTailLineage: a shard is read after its parent, whatever the order in which they are listed; a parent that is gone
// from the stream holds nothing up.
func TestTailLineage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{
			{id: "grandchild", parent: "child", records: records(7, 8)},
			{id: "child", parent: "root", records: records(4, 5, 6), closed: true},
			{id: "root", parent: "long gone", records: records(1, 2, 3), closed: true},
		}}
		var out sink
		checkpoints := &memory{}
		require.NoError(t, tail(t, f, &out, cdc.TailOptions{Checkpoints: checkpoints, Limit: 2}))
		require.Equal(t, "1 2 3 4 5 6 7 8", ids(out.all()))
		require.Equal(t, "grandchild 000000000000000000008 false", checkpoints.saved[len(checkpoints.saved)-1])

		require.NoError(t, tail(t, f, &out, cdc.TailOptions{Checkpoints: checkpoints}))
		require.Equal(t, "1 2 3 4 5 6 7 8", ids(out.all()), "the second run resumes, and does not read closed shards again")
	})
}

// TestTailRetries: what a retry mends is retried, and an iterator that has expired is replaced at the place where it
// stood.
func TestTailRetries(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"limit": &streams.LimitExceededException{}, "internal": &streams.InternalServerError{}, "expired": &streams.ExpiredIteratorException{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				failed := map[string]int{}
				f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2, 3), closed: true}}}
				f.fail = func(call, _ string) error {
					if failed[call]++; failed[call]%2 == 1 && (name != "expired" || call == "GetRecords" && failed[call] > 1) {
						return err
					}
					return nil
				}
				var out sink
				require.NoError(t, tail(t, f, &out, cdc.TailOptions{Limit: 1}))
				require.Equal(t, "1 2 3", ids(out.all()))
				if name == "expired" {
					require.Contains(t, f.calls[5:], "GetShardIterator a", "an expired iterator is of no use any more")
				}
			})
		})
	}
}

// TestTailFails: what a retry does not mend ends the run with an error that says where.
func TestTailFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, call := range []string{"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"} {
			f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1)}, {id: "b", records: records(2)}}}
			f.fail = func(c, _ string) error {
				if c == call {
					return &streams.ResourceNotFoundException{Message: new("no such stream")}
				}
				return nil
			}
			require.ErrorContains(t, tail(t, f, &sink{}, cdc.TailOptions{}), "no such stream", call)
		}
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1)}}}
		require.ErrorContains(t, tail(t, f, &sink{}, cdc.TailOptions{Checkpoints: &memory{err: errors.New("no table")}}), "no table")
	})
}

func TestTailTrimmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shard := &fakeShard{id: "a", records: records(1, 2, 3, 4)}
		f := &fakeStreams{shards: []*fakeShard{shard}}
		checkpoints := &memory{at: map[cdc.Shard]cdc.Checkpoint{
			{Consumer: "tail", Stream: fakeARN, ID: "a"}: {Sequence: "000000000000000000001"},
		}}
		shard.trimmed = 3 // the records 2 and 3 were never read
		var out sink
		err := tail(t, f, &out, cdc.TailOptions{Checkpoints: checkpoints})
		require.ErrorIs(t, err, cdc.ErrTrimmed)
		require.ErrorContains(t, err, `shard "a"`)
		require.Empty(t, out.all())
		require.NoError(t, tail(t, f, &out, cdc.TailOptions{Checkpoints: checkpoints, SkipTrimmed: true}))
		require.Equal(t, "4", ids(out.all()))
	})
}

// TestTailOldestIsTrimmed: without a checkpoint, the oldest record may go while it is asked for; DynamoDB Local says so of a new stream.
func TestTailOldestIsTrimmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, call := range []string{"GetShardIterator", "GetRecords"} {
			f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2)}}}
			times := 3
			f.fail = func(c, _ string) error {
				if c != call || times == 0 {
					return nil
				}
				times--
				return &streams.TrimmedDataAccessException{}
			}
			var out sink
			require.NoError(t, tail(t, f, &out, cdc.TailOptions{}), call)
			require.Equal(t, "1 2", ids(out.all()), call)
			require.Zero(t, times, call)
		}
	})
}

// TestTailPublishes again what was not published, from the first event that failed, and keeps the place in front of it.
func TestTailPublishesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2, 3)}}}
		out := &sink{fail: func(call int, events []insideout.Event) error {
			if call <= 3 {
				return &cdc.PublishError{Errors: map[int]error{min(1, len(events)-1): errors.New("full")}}
			}
			return nil
		}}
		checkpoints := &memory{}
		require.NoError(t, tail(t, f, out, cdc.TailOptions{Checkpoints: checkpoints}))
		require.Equal(t, "1 3 2 3", ids(out.all()))
		require.Equal(t, []string{"a 000000000000000000001 false", "a 000000000000000000002 false", "a 000000000000000000003 false"}, checkpoints.saved)
	})
}

// TestTailEnds with the context: while it waits, while it retries, and while the publisher is stuck.
func TestTailEnds(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(int, []insideout.Event) error{
		"at the tip": nil, "publisher down": func(int, []insideout.Event) error { return errors.New("down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1)}}}
				trigger := newTrigger(t, &sink{fail: fail}, thingEvent)
				require.ErrorIs(t, cdc.Tail(ctx, f, "things", trigger, nil), context.DeadlineExceeded)
				require.Less(t, len(f.calls), 20_000, "an idle run polls politely")
			})
		})
	}
}

// TestTailIgnoresCheckpoints: a batch of nothing but checkpoints writes none, or it would feed itself.
func TestTailIgnoresCheckpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shard := &fakeShard{id: "a", records: []streams.Record{streamRecord(1, "checkpoint"), streamRecord(2, "checkpoint")}}
		checkpoints := &memory{}
		require.NoError(t, tail(t, &fakeStreams{shards: []*fakeShard{shard}}, &sink{}, cdc.TailOptions{Checkpoints: checkpoints}))
		require.Empty(t, checkpoints.saved)
		shard.records = append(shard.records, streamRecord(3, "thing"), streamRecord(4, "checkpoint"))
		require.NoError(t, tail(t, &fakeStreams{shards: []*fakeShard{shard}}, &sink{}, cdc.TailOptions{Checkpoints: checkpoints}))
		require.Equal(t, []string{"a 000000000000000000004 false"}, checkpoints.saved)
	})
}

func TestTailProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{shards: []*fakeShard{{id: "a", records: records(1, 2), closed: true}, {id: "b", records: records(3)}}}
		var mu sync.Mutex
		var got []string
		require.NoError(t, tail(t, f, &sink{}, cdc.TailOptions{OnProgress: func(p cdc.Progress) {
			mu.Lock()
			defer mu.Unlock()
			if p.Records > 0 && p.Lag != time.Since(p.At) {
				t.Errorf("got lag %v, want %v", p.Lag, time.Since(p.At))
			}
			got = append(got, fmt.Sprintf("%s %d %v %v", p.Shard, p.Records, p.Tip, p.End))
		}}))
		require.Subset(t, got, []string{"a 2 false false", "a 0 false true", "b 1 false false", "b 0 true false"})
	})
}
