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
	me      string              // this run, among those that share the shards
	sighted map[string]sighting // checkpoints; only look uses it

	mu      sync.Mutex
	running map[string]bool      // shards that are being read
	ended   map[string]bool      // shards that were read to their end
	silent  map[string]time.Time // running shards that are at their tip, and since when
	ends    int                  // how many shards have ended
	work    int                  // how often records were found, and done with
	looked  bool                 // the shards were listed since the drain began and the last shard ended
	changed chan struct{}        // a shard has ended: look for its children
	drain   chan struct{}        // closed when the drain begins
	drained chan struct{}        // closed once everything was read
}

// run starts readers until the context ends, one of them fails, or the stream is drained.
func (f *follower) run(ctx context.Context) error {
	f.running, f.ended, f.silent = map[string]bool{}, map[string]bool{}, map[string]time.Time{}
	f.changed, f.drain, f.drained = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readers sync.WaitGroup
	err := f.discover(inner, func(l *lease) {
		readers.Go(func() {
			if err := f.read(inner, l); err != nil {
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
func (f *follower) discover(ctx context.Context, start func(*lease)) error {
	drain, interval := f.opts.Drain, f.opts.Discover
	if f.opts.Lease > 0 {
		interval = min(interval, f.opts.Lease/3)
	}
	for {
		if err := f.look(ctx, start); err != nil {
			return err
		}
		timer := time.NewTimer(interval)
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

// look lists the shards and starts those that this run is to read.
func (f *follower) look(ctx context.Context, start func(*lease)) error {
	f.mu.Lock()
	draining, ends := closed(f.drain), f.ends
	f.mu.Unlock()
	list, err := f.listShards(ctx)
	if err != nil {
		return err
	}
	rows, err := f.load(ctx, list)
	if err != nil {
		return fmt.Errorf("cdc: checkpoints of stream %q: %w", f.arn, err)
	}
	leases, err := f.claim(ctx, open(rows))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range leases {
		f.running[l.shard.ID] = true
		start(l)
	}
	if err != nil {
		return fmt.Errorf("cdc: checkpoints of stream %q: %w", f.arn, err)
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

// leave notes that a shard is not read any longer, and has its children, or its new reader, looked for. Until that was done the stream
// is not drained.
func (f *follower) leave(shard string, ended bool) {
	f.mu.Lock()
	delete(f.running, shard)
	f.ended[shard] = ended
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
	for shard := range f.running {
		if since, ok := f.silent[shard]; !ok || time.Since(since) < f.opts.Idle {
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
