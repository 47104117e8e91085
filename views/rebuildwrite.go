package views

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/backoff"
)

// rebuildTries bounds the attempts at something that keeps failing for a reason that may pass: most of a minute.
const rebuildTries = 20

// pauseLong waits the longer, the more attempts there were.
func pauseLong(ctx context.Context, attempt int) error {
	return backoff.Sleep(ctx, min(5*time.Second, time.Millisecond<<min(attempt, 13)))
}

func compareKept(x, y *kept) int {
	return cmp.Or(cmp.Compare(x.hash, y.hash), strings.Compare(x.m.key.PK, y.m.key.PK),
		strings.Compare(x.m.key.SK, y.m.key.SK), strings.Compare(string(x.m.rule.lane), string(y.m.rule.lane)))
}

// writeRange writes what a fold has kept, or some of it, sorted. Where the table refuses a version for good, the next smaller one takes its place, as with a
// live listener: the history is read again for these lanes.
func (r *rebuild) writeRange(ctx context.Context, f *fold, all []*kept) error {
	r.done.Lanes += int64(len(all))
	r.meter.begin(writing, r.done.Passes, int64(len(all)))
	hidden, err := r.writeAll(ctx, all)
	if err != nil {
		return err
	}
	for len(hidden) > 0 {
		again := newFold(r, f.from)
		again.to, again.only = f.to, hidden
		for id := range hidden {
			delete(f.lanes, id)
		}
		r.done.Lanes -= int64(len(hidden))
		if err := again.read(ctx); err != nil {
			return err
		}
		next := again.sorted()
		for id, k := range again.lanes {
			f.lanes[id] = k
		}
		r.done.Lanes += int64(len(next))
		if hidden, err = r.writeAll(ctx, next); err != nil {
			return err
		}
	}
	if len(r.refused) > 0 {
		return nil // what was written in the place of what was refused must be found out again
	}
	return r.state.save(ctx, f.to, true)
}

// writeAll writes lanes, chunk by chunk, and notes how far it is, until the first is refused. It returns the lanes of which a version was refused.
func (r *rebuild) writeAll(ctx context.Context, all []*kept) (hidden map[laneKey]bool, err error) {
	size := rebuildChunk
	if r.opts.Rate > 0 {
		size = max(1, min(size, r.opts.Rate/4))
	}
	for len(all) > 0 {
		began := time.Now()
		chunk := all[:min(size, len(all))]
		all = all[len(chunk):]
		refused, err := r.writeChunk(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for id := range refused {
			if hidden == nil {
				hidden = map[laneKey]bool{}
			}
			hidden[id] = true
		}
		r.meter.add(len(chunk))
		last := chunk[len(chunk)-1].hash
		if len(r.refused) == 0 && (len(all) == 0 || all[0].hash > last) {
			if err := r.state.save(ctx, last, false); err != nil {
				return nil, err
			}
		}
		if err := r.slow(ctx, began, len(chunk)); err != nil {
			return nil, err
		}
	}
	return hidden, nil
}

// slow keeps the rate.
func (r *rebuild) slow(ctx context.Context, began time.Time, writes int) error {
	if r.opts.Rate <= 0 {
		return nil
	}
	return backoff.Sleep(ctx, time.Duration(writes)*time.Second/time.Duration(r.opts.Rate)-time.Since(began))
}

// writeChunk writes lanes until each one is written or refused, and rolls up what they belong to.
func (r *rebuild) writeChunk(ctx context.Context, chunk []*kept) (refused map[laneKey]bool, err error) {
	left := make([]*kept, 0, len(chunk))
	for _, k := range chunk {
		if !k.anew && r.state.wrote(k.hash) && r.foresee(ctx, k) {
			r.done.Resumed++
			continue
		}
		left = append(left, k)
	}
	refused = map[laneKey]bool{}
	for attempt := 0; len(left) > 0; attempt++ {
		b := r.chunkBatch(left)
		b.write(ctx)
		b.rollUp(ctx)
		r.count(b.stats)
		for _, fault := range b.faults {
			k := left[fault.source]
			if fault.pipeline != k.m.rule.name {
				return nil, fmt.Errorf("views: the totals of %q: %w", k.m.key.PK, fault.err)
			}
			id := laneKey{k.m.key, k.m.rule.lane}
			refused[id] = true
			r.refused[refusal{id, string(k.version())}] = fault.err
		}
		var again []*kept
		var cause error
		for i, k := range left {
			if b.failed[i] != nil {
				again, cause = append(again, k), b.failed[i]
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(again) < len(left) {
			attempt = 0
		}
		if left = again; len(left) == 0 {
			break
		}
		if attempt == rebuildTries {
			return nil, fmt.Errorf("views: %d rows cannot be written now: %w", len(left), cause)
		}
		if err := pauseLong(ctx, attempt); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

// chunkBatch is a batch with one mutation of each lane. The lanes of a row stand together.
func (r *rebuild) chunkBatch(chunk []*kept) *batch {
	b := newBatch(r.Listener, nil)
	b.deliveries = make([]delivery, len(chunk))
	works, mutations := make([]laneWork, len(chunk)), make([]mutation, len(chunk))
	var first *laneWork // of the row
	for i, k := range chunk {
		b.deliveries[i] = delivery{event: insideout.Event{ID: k.eventID()}, version: k.version()}
		m, work := &mutations[i], &works[i]
		*m = k.m
		m.source, m.write = i, r.writeOf(k)
		work.laneKey = laneKey{m.key, m.rule.lane}
		work.add(m)
		if first != nil && first.key == work.key {
			first.next, work.next = work, first.next
			continue
		}
		first = work
		b.rows = append(b.rows, work)
	}
	return b
}

func (r *rebuild) count(s Stats) {
	r.done.Applied += s.Applied
	r.done.Stale += s.Stale
	r.done.Duplicate += s.Duplicate
	r.done.Withheld += s.Withheld + s.Skipped
	r.done.RolledUp += s.RolledUp
}
