package cdc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// follower runs a reader for each shard that may be read.
type follower struct {
	streams Streams
	trigger *Trigger
	opts    TailOptions
	arn     string

	mu      sync.Mutex
	shards  map[string]shardState
	silent  map[string]time.Time // running shards that are at their tip, and since when
	ends    int                  // how many shards have ended
	work    int                  // how often records were found, and done with
	looked  bool                 // the shards were listed since the drain began and the last shard ended
	changed chan struct{}        // a shard has ended: look for its children
	drain   chan struct{}        // closed when the drain begins
	drained chan struct{}        // closed once everything was read
}

// shardState is what a follower knows of a shard that it has met.
type shardState uint8

const (
	running shardState = iota + 1
	ended              // read to its end
)

// run starts readers until the context ends, one of them fails, or the stream is drained.
func (f *follower) run(ctx context.Context) error {
	f.shards, f.silent = map[string]shardState{}, map[string]time.Time{}
	f.changed, f.drain, f.drained = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readers sync.WaitGroup
	err := f.discover(inner, func(shard string) {
		readers.Go(func() {
			if err := f.read(inner, shard); err != nil {
				cancel(err)
			}
		})
	})
	if err != nil {
		cancel(err)
	}
	readers.Wait()
	switch cause := context.Cause(inner); {
	case ctx.Err() != nil:
		return ctx.Err()
	case cause != nil:
		return cause
	default:
		return nil
	}
}

// discover looks for shards again and again and starts those whose turn it is.
func (f *follower) discover(ctx context.Context, start func(shard string)) error {
	drain := f.opts.Drain
	for {
		if err := f.look(ctx, start); err != nil {
			return err
		}
		timer := time.NewTimer(f.opts.Discover)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-f.drained:
			timer.Stop()
			return nil
		case <-drain:
			drain = nil
			f.beginDrain()
		case <-f.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look lists the shards and starts each one that is new and whose parent was read to its end, or is gone from the
// stream.
func (f *follower) look(ctx context.Context, start func(shard string)) error {
	f.mu.Lock()
	draining, ends := closed(f.drain), f.ends
	f.mu.Unlock()
	list, err := f.listShards(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(list))
	for _, s := range list {
		known[deref(s.ShardId)] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range list {
		id, parent := deref(s.ShardId), deref(s.ParentShardId)
		if f.shards[id] != 0 || known[parent] && f.shards[parent] != ended {
			continue
		}
		f.shards[id] = running
		start(id)
	}
	f.looked = draining && ends == f.ends
	f.checkDrained()
	return nil
}

// listShards returns every shard that the stream still has.
func (f *follower) listShards(ctx context.Context) ([]streams.Shard, error) {
	var list []streams.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &f.arn}
	for {
		var out *dynamodbstreams.DescribeStreamOutput
		err := f.retry(ctx, "DescribeStream", func() (err error) {
			out, err = f.streams.DescribeStream(ctx, in)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cdc: shards of stream %q: %w", f.arn, err)
		}
		list = append(list, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return list, nil
		}
	}
}

// end notes that a shard was read to its end, and has its children looked for. Until that was done the stream is not
// drained.
func (f *follower) end(shard string) {
	f.mu.Lock()
	f.shards[shard] = ended
	delete(f.silent, shard)
	f.ends++
	f.looked = false
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *follower) beginDrain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work++ // what was silent before must be seen silent after
	clear(f.silent)
	close(f.drain)
}

// tip notes that there was nothing to read in the shard, and tells whether the whole stream is drained. A read only
// counts if it was begun after all work that was done until now, since that may have written what the read missed.
func (f *follower) tip(shard string, begun int) (drained bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.silent[shard]; !ok && begun == f.work {
		f.silent[shard] = time.Now()
	}
	return f.checkDrained()
}

// begin is to be called before a read, for tip.
func (f *follower) begin() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.work
}

// busy notes that a shard had records, or that they are done with: whoever is told of them may write others.
func (f *follower) busy() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work++
	clear(f.silent)
}

// checkDrained closes drained once every running shard was silent for long enough. The caller holds mu.
func (f *follower) checkDrained() bool {
	if closed(f.drained) {
		return true
	}
	if !closed(f.drain) || !f.looked {
		return false
	}
	for shard, state := range f.shards {
		if since, ok := f.silent[shard]; state == running && (!ok || time.Since(since) < f.opts.Idle) {
			return false
		}
	}
	close(f.drained)
	return true
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// errDrained ends a reader whose shard is still open.
var errDrained = errors.New("cdc: drained")
