package cdc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/insideout-go/insideout/internal/backoff"
)

var (
	// errTaken ends a reader whose shard another run reads now.
	errTaken = errors.New("cdc: another run has taken the shard over")
	// errAsked ends a reader whose shard another run has asked for.
	errAsked = errors.New("cdc: another run has asked for the shard")
)

// lease is this run's right to read a shard, and the place of its checkpoint. What is written is written on the condition that nothing
// else was written since: a run that was given up for dead cannot move the checkpoint of the one that took over.
type lease struct {
	*follower
	shard Shard
	asked chan struct{} // closed when another run asks for the shard

	turn chan struct{} // holds one token: whoever took it owns what follows
	kept Checkpoint
	seen time.Time // the start of the last write: others wait for as long as the lease from here
}

func (f *follower) newLease(s Shard, kept Checkpoint, seen time.Time) *lease {
	l := &lease{follower: f, shard: s, asked: make(chan struct{}), turn: make(chan struct{}, 1), kept: kept, seen: seen}
	l.turn <- struct{}{}
	return l
}

// swap changes what is kept. It returns errTaken if the shard is another run's by now.
func (l *lease) swap(ctx context.Context, change func(*Checkpoint)) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	for {
		next := l.kept
		change(&next)
		next.Beat++
		begun := time.Now()
		var kept Checkpoint
		var swapped bool
		err := l.retry(ctx, "Swap", func() (err error) {
			kept, swapped, err = l.opts.Checkpoints.Swap(ctx, l.shard, l.kept, next)
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("checkpoint: %w", err)
		case !swapped && kept.Holder != l.kept.Holder:
			return errTaken
		case !swapped && l.opts.Lease == 0 && next.behind(kept): // another run without leases is further
			l.kept = kept
			return nil
		}
		l.kept = kept
		if swapped {
			l.seen = begun
			return nil
		}
		if kept.Beat == next.Beat-1 {
			return fmt.Errorf("checkpoint: the swap from beat %d was refused, which is what is kept", kept.Beat)
		}
	}
}

// save moves the checkpoint.
func (l *lease) save(ctx context.Context, at Checkpoint) error {
	return l.swap(ctx, func(c *Checkpoint) { c.Sequence, c.At, c.End = at.Sequence, at.At, at.End })
}

// keep renews the lease for as long as the work goes on. The context that it returns ends when the lease is lost, or may be.
func (l *lease) keep(ctx context.Context) (context.Context, func()) {
	if l.opts.Lease == 0 {
		return ctx, func() {}
	}
	work, lose := context.WithCancelCause(ctx)
	var renewals sync.WaitGroup
	renewals.Go(func() {
		if err := l.renew(work); err != nil && ctx.Err() == nil {
			lose(err)
		}
	})
	return work, func() {
		lose(nil)
		renewals.Wait()
	}
}

// renew writes a sign of life a few times within each lease. Without an answer in time, the others will take the shard over, and it
// must not be read any longer.
func (l *lease) renew(ctx context.Context) error {
	for {
		seen, asked := l.sign()
		if asked && !closed(l.asked) {
			close(l.asked)
		}
		if err := backoff.Sleep(ctx, max(time.Millisecond, time.Until(seen.Add(l.opts.Lease/3)))); err != nil {
			return err
		}
		if seen, _ = l.sign(); time.Since(seen) < l.opts.Lease/3 { // a checkpoint was written meanwhile
			continue
		}
		inner, cancel := context.WithDeadline(ctx, seen.Add(l.opts.Lease))
		err := l.swap(inner, func(*Checkpoint) {})
		late := inner.Err() != nil
		cancel()
		switch {
		case late && ctx.Err() == nil:
			return errTaken
		case err != nil:
			return err
		}
	}
}

// sign is when the last write was begun, and whether another run asks for the shard.
func (l *lease) sign() (seen time.Time, asked bool) {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	return l.seen, l.kept.Wanted != "" && l.kept.Wanted != l.me
}

// release gives the shard to the run that asked for it, or to whoever comes first. It does so even if the context has ended.
func (l *lease) release(ctx context.Context) {
	if l.opts.Lease == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := l.swap(ctx, func(c *Checkpoint) {
		c.Holder, c.Wanted = c.Wanted, ""
		if c.Holder == l.me {
			c.Holder = ""
		}
	})
	if err != nil && !errors.Is(err, errTaken) {
		l.opts.Logger.WarnContext(ctx, "cdc: a shard was not released, and is free when its lease is over", "shard", l.shard.ID, "error", err)
	}
}
