package kinesis

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout/views"
)

// follower runs a reader for each shard that may be read.
type follower struct {
	*Source
	listener *views.Listener

	mu      sync.Mutex
	shards  map[string]state
	changed chan struct{} // a shard has ended: look for its children
}

// state is what a follower knows of a shard that it has met.
type state uint8

const (
	running state = iota + 1
	ended         // read to its end
)

// run starts readers until the context ends, or one of them fails.
func (f *follower) run(ctx context.Context) error {
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
	cancel(err)
	readers.Wait()
	return cmp.Or(ctx.Err(), context.Cause(inner))
}

// discover looks for shards again and again and starts those whose turn it is.
func (f *follower) discover(ctx context.Context, start func(shard string)) error {
	ticker := time.NewTicker(f.opts.Discover)
	defer ticker.Stop()
	for {
		if err := f.look(ctx, start); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.changed:
		case <-ticker.C:
		}
	}
}

// look lists the shards and starts each one that is new and whose parents, two after a merge, were read to their ends or
// are gone from the stream.
func (f *follower) look(ctx context.Context, start func(shard string)) error {
	list, err := f.listShards(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(list))
	for _, s := range list {
		known[text(s.ShardId)] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	waits := func(parent *string) bool { return known[text(parent)] && f.shards[text(parent)] != ended }
	for _, s := range list {
		id := text(s.ShardId)
		if f.shards[id] == 0 && !waits(s.ParentShardId) && !waits(s.AdjacentParentShardId) {
			f.shards[id] = running
			start(id)
		}
	}
	return nil
}

// listShards returns every shard that the stream still has.
func (f *follower) listShards(ctx context.Context) ([]types.Shard, error) {
	var list []types.Shard
	in := &kinesis.ListShardsInput{}
	in.StreamName, in.StreamARN = f.names()
	for {
		var out *kinesis.ListShardsOutput
		err := f.retry(ctx, "ListShards", func() (err error) {
			out, err = f.client.ListShards(ctx, in)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("kinesis: shards of the stream %q: %w", f.stream, err)
		}
		list = append(list, out.Shards...)
		if out.NextToken == nil {
			return list, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken} // which names the stream: the two exclude each other
	}
}

// end notes that a shard was read to its end, and has its children looked for.
func (f *follower) end(shard string) {
	f.mu.Lock()
	f.shards[shard] = ended
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
