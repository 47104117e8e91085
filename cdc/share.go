package cdc

import (
	"context"
	"math/rand/v2"
	"time"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// sighting is when this run saw a checkpoint change for the last time. Clocks of different machines are never compared.
type sighting struct {
	beat int64
	at   time.Time
}

// shardRow is a shard with its checkpoint.
type shardRow struct {
	id, parent string
	kept       Checkpoint
}

// load reads the checkpoints of the shards.
func (f *follower) load(ctx context.Context, list []streams.Shard) ([]shardRow, error) {
	places := make([]Shard, len(list))
	for i, s := range list {
		places[i] = f.place(deref(s.ShardId))
	}
	var kept []Checkpoint
	begun := time.Now()
	err := f.retry(ctx, "Load", func() (err error) {
		kept, err = f.opts.Checkpoints.Load(ctx, places)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, sighted := make([]shardRow, len(list)), make(map[string]sighting, len(list))
	for i, s := range list {
		id := deref(s.ShardId)
		rows[i] = shardRow{id: id, parent: deref(s.ParentShardId), kept: kept[i]}
		if sighted[id] = f.sighted[id]; sighted[id].at.IsZero() || sighted[id].beat != kept[i].Beat {
			sighted[id] = sighting{beat: kept[i].Beat, at: begun}
		}
	}
	f.sighted = sighted
	return rows, nil
}

func (f *follower) place(shard string) Shard {
	return Shard{Consumer: f.opts.Consumer, Stream: f.arn, ID: shard}
}

// open are the shards that may be read: those with something left in them, whose parent was read to its end, or is gone from the
// stream.
func open(rows []shardRow) []shardRow {
	ended := make(map[string]bool, len(rows))
	for _, r := range rows {
		ended[r.id] = r.kept.End
	}
	var list []shardRow
	for _, r := range rows {
		if parentEnded, known := ended[r.parent]; !r.kept.End && (parentEnded || !known) {
			list = append(list, r)
		}
	}
	return list
}

// claim returns leases for the shards that this run is to read from now on: all of them, if it shares them with nobody.
func (f *follower) claim(ctx context.Context, rows []shardRow) ([]*lease, error) {
	if f.opts.Lease > 0 {
		return f.share(ctx, rows)
	}
	var leases []*lease
	for _, r := range rows {
		if !f.isRunning(r.id) && !f.hasEnded(r.id) {
			leases = append(leases, f.newLease(f.place(r.id), r.kept, time.Now()))
		}
	}
	return leases, nil
}

// share takes this run's share of the shards: of those that nobody reads, as many as every run would have if they were spread evenly.
// If it has two less than another run then, it asks that one for one of its shards.
func (f *follower) share(ctx context.Context, rows []shardRow) ([]*lease, error) {
	var leases []*lease
	var free []shardRow
	held := map[string][]shardRow{f.me: nil} // by living runs
	for _, r := range rows {
		switch handed := r.kept.Holder == f.me && !f.isRunning(r.id); {
		case handed:
			l, err := f.take(ctx, r)
			if err != nil {
				return leases, err
			}
			if l != nil {
				leases = append(leases, l)
				held[f.me] = append(held[f.me], r)
			}
		case r.kept.Holder == "" || f.lapsed(r):
			free = append(free, r)
		case r.kept.Wanted == f.me: // it is on its way
			held[f.me] = append(held[f.me], r)
		default:
			held[r.kept.Holder] = append(held[r.kept.Holder], r)
		}
	}
	mine, fair := len(held[f.me]), (len(rows)+len(held)-1)/len(held)
	for _, n := range rand.Perm(len(free)) { // others look for free shards, too
		if mine >= fair {
			return leases, nil
		}
		l, err := f.take(ctx, free[n])
		if err != nil {
			return leases, err
		}
		if l != nil {
			leases = append(leases, l)
			mine++
		}
	}
	return leases, f.ask(ctx, held, mine)
}

// lapsed reports whether the holder of a shard has given no sign for as long as its lease lasts.
func (f *follower) lapsed(r shardRow) bool {
	return !f.isRunning(r.id) && time.Since(f.sighted[r.id].at) >= max(r.kept.Lease, f.opts.Lease)
}

// take makes this run the holder of a shard, unless something has happened to it meanwhile.
func (f *follower) take(ctx context.Context, r shardRow) (*lease, error) {
	if f.isRunning(r.id) {
		return nil, nil
	}
	next := r.kept
	next.Holder, next.Wanted, next.Lease, next.Beat = f.me, "", f.opts.Lease, next.Beat+1
	begun := time.Now()
	kept, swapped, err := f.trySwap(ctx, r, next)
	if err != nil || !swapped {
		return nil, err
	}
	f.opts.Logger.InfoContext(ctx, "cdc: took a shard", "shard", r.id, "from", r.kept.Holder, "run", f.me)
	return f.newLease(f.place(r.id), kept, begun), nil
}

// ask asks the run with the most shards for one of them, if that makes their numbers more even.
func (f *follower) ask(ctx context.Context, held map[string][]shardRow, mine int) error {
	var most []shardRow
	for run, rows := range held {
		if run != f.me && len(rows) > len(most) {
			most = rows
		}
	}
	if len(most) < mine+2 {
		return nil
	}
	r := most[rand.N(len(most))]
	for range askAttempts { // the holder writes checkpoints meanwhile
		if r.kept.Wanted != "" || r.kept.Holder != most[0].kept.Holder {
			return nil
		}
		next := r.kept
		next.Wanted, next.Beat = f.me, next.Beat+1
		kept, swapped, err := f.trySwap(ctx, r, next)
		if err != nil || swapped {
			return err
		}
		r.kept = kept
	}
	return nil
}

const askAttempts = 8

func (f *follower) trySwap(ctx context.Context, r shardRow, next Checkpoint) (kept Checkpoint, swapped bool, err error) {
	err = f.retry(ctx, "Swap", func() (err error) {
		kept, swapped, err = f.opts.Checkpoints.Swap(ctx, f.place(r.id), r.kept, next)
		return err
	})
	return kept, swapped, err
}

// hasEnded knows what the checkpoints, which were read before, may not say yet.
func (f *follower) hasEnded(shard string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended[shard]
}

func (f *follower) isRunning(shard string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[shard]
}
