package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
)

const (
	rebuildChunk = 1024    // events that are mapped, or lanes that are written, at a time at most
	chunkBytes   = 4 << 20 // of the bodies of events that are mapped at a time, about, or the eighth part of what may be kept
	keptBytes    = 512     // of a kept event, besides what the mapper has made of its body
)

// kept is the newest event of a lane so far, ready to be written.
type kept struct {
	m       mutation
	hash    uint64
	bytes   int64
	content [contentBytes]byte // what it makes of the row
	shape   *laneShape         // nil until it is written
	found   bool               // in the table, when that is verified
	anew    bool               // to be written, though an earlier run says it did
	// withheld is for a write that would be about someone who was erased.
	withheld bool
	expires  time.Time
}

// fold maps and compacts the part of a history whose partition keys hash into a range.
type fold struct {
	*rebuild
	from, to uint64 // both included
	only     map[laneKey]bool
	lanes    map[laneKey]*kept
	bytes    int64
	counts   bool // it counts events and faults: they are the same each time that the history is read
}

func newFold(r *rebuild, from uint64) *fold {
	return &fold{rebuild: r, from: from, to: wholeRange, lanes: map[laneKey]*kept{}, counts: r.done.Passes == 0}
}

// read takes the history in. Events are mapped by workers while the next ones are being read.
func (f *fold) read(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.done.Passes++
	chunks, ended := make(chan []delivery), make(chan struct{})
	go func() {
		defer close(ended)
		for chunk := range chunks {
			if err := f.take(ctx, chunk); err != nil {
				cancel(err)
			}
		}
	}()
	err := f.feed(ctx, chunks)
	close(chunks)
	<-ended
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("views: the history ended after %d events: %w", f.meter.done, err)
	}
	if f.counts {
		f.opts.Events = f.done.Events
	}
	return nil
}

func (f *fold) feed(ctx context.Context, chunks chan<- []delivery) error {
	f.meter.begin(reading, f.done.Passes, f.opts.Events)
	chunk, bytes, most := make([]delivery, 0, rebuildChunk), int64(0), min(chunkBytes, f.opts.Memory/8)
	for e, err := range f.history {
		if err != nil {
			return err
		}
		if len(chunk) == 0 {
			f.meter.guess(e.Timestamp)
		}
		chunk, bytes = append(chunk, delivery{event: e}), bytes+bodyBytes(e)
		if len(chunk) < rebuildChunk && bytes < most {
			continue
		}
		if !send(ctx, chunks, chunk) {
			return context.Cause(ctx)
		}
		f.meter.guess(e.Timestamp)
		f.meter.add(len(chunk))
		chunk, bytes = make([]delivery, 0, rebuildChunk), 0
	}
	send(ctx, chunks, chunk)
	f.meter.add(len(chunk))
	return nil
}

func bodyBytes(e insideout.Event) (n int64) {
	for name, raw := range e.Body {
		n += int64(len(name) + len(raw))
	}
	return n
}

func send(ctx context.Context, chunks chan<- []delivery, chunk []delivery) bool {
	select {
	case <-ctx.Done():
		return false
	case chunks <- chunk:
		return true
	}
}

// take maps a chunk and keeps what is newest. After the context has ended it does nothing.
func (f *fold) take(ctx context.Context, chunk []delivery) error {
	if ctx.Err() != nil {
		return nil
	}
	b := newBatch(f.Listener, chunk)
	b.route(ctx)
	first, errs := make([]mutation, len(chunk)), make([]error, len(chunk)) // most events have one rule
	b.each(len(chunk), func(i int) {
		chunk[i].mutations = first[i : i : i+1]
		errs[i] = f.mapOne(ctx, b, i)
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	mapped := 0
	for i := range chunk {
		mapped += len(chunk[i].mutations)
		for _, m := range chunk[i].mutations {
			f.keep(b, m)
		}
	}
	f.shrink()
	if f.counts {
		f.done.Events += int64(len(chunk))
		f.done.Skipped += b.stats.Skipped
		f.mapped += int64(mapped)
	} else {
		b.faults = slices.DeleteFunc(b.faults, func(fault faultOf) bool { return !fault.refused })
	}
	return f.report(ctx, b)
}

// mapOne makes a mutation for each rule of an event that has one for it. The error is one that ends the rebuild: it may pass, but
// has not for a while.
func (f *fold) mapOne(ctx context.Context, b *batch, i int) error {
	d := &b.deliveries[i]
	if d.failed != nil {
		if err := f.insist(ctx, b, i, "", d.failed, func() error { return b.unpack(ctx, d) }); err != nil || d.failed != nil {
			return err
		}
	}
	if len(d.rules) == 0 {
		b.judge(i, "", nil, skip)
		return nil
	}
	for _, r := range d.rules {
		prepare := func() error {
			m, err := safely(func() (mutation, error) { return r.prepare(ctx, b.opts.Opener, d) })
			if err == nil {
				m.rule, m.source, m.version = r, i, d.version
				d.mutations = append(d.mutations, m)
			}
			return err
		}
		if err := prepare(); err != nil {
			if err := f.insist(ctx, b, i, r.name, err, prepare); err != nil {
				return err
			}
		}
	}
	return nil
}

// insist tries again what may pass. It returns nil when do went well, or never will: then the event is skipped or a fault.
func (f *fold) insist(ctx context.Context, b *batch, i int, pipeline string, err error, do func() error) error {
	d := &b.deliveries[i]
	for attempt := 0; err != nil; attempt++ {
		v := judgeMapper(err)
		if v == unsure && attempt >= f.Listener.opts.MaxAttempts {
			v = poison
		}
		if v == poison || v == skip {
			b.judge(i, pipeline, err, v)
			return nil
		}
		if attempt == rebuildTries {
			return fmt.Errorf("views: the event %q cannot be mapped now, after %d attempts: %w", d.event.ID, attempt, err)
		}
		if err := pauseLong(ctx, attempt); err != nil {
			return err
		}
		err = do()
	}
	if pipeline == "" {
		d.failed = nil
	}
	return nil
}

// keep takes a mutation in, if its row is in the range and it is the newest of its lane so far.
func (f *fold) keep(b *batch, m mutation) {
	id := laneKey{m.key, m.rule.lane}
	if !f.known[m.rule] { // whatever the range: the rows of a model, or of its lane, are of one kind
		f.known[m.rule], f.kinds[kindOfLane(id)] = true, true
	}
	hash := hashOf(m.key.PK)
	if hash < f.from || hash > f.to || f.only != nil && !f.only[id] {
		return
	}
	if err, ok := f.refused[refusal{id, string(m.version)}]; ok {
		if f.only != nil {
			b.faults = append(b.faults, faultOf{source: m.source, pipeline: m.rule.name, err: err, refused: true})
		}
		return
	}
	have := f.lanes[id]
	if have != nil && !m.before(&have.m) {
		return
	}
	if have != nil {
		f.bytes -= have.bytes
	}
	k := &kept{m: m, hash: hash, bytes: keptBytes + bodyBytes(b.deliveries[m.source].event)}
	f.lanes[id] = k
	f.bytes += k.bytes
}

// shrink gives up an eighth of the range, for a later pass, as often as what is kept takes too much memory.
func (f *fold) shrink() {
	for f.bytes > f.opts.Memory && f.to > f.from {
		f.to -= max(1, (f.to-f.from)/8)
		for id, k := range f.lanes {
			if k.hash > f.to {
				f.bytes -= k.bytes
				delete(f.lanes, id)
			}
		}
	}
}

// report counts faults, and publishes them if that was asked for.
func (f *fold) report(ctx context.Context, b *batch) error {
	for _, fault := range b.faults {
		f.done.Faults++
		note(&f.done.Reasons, fmt.Sprintf("the event %q: %s", b.deliveries[fault.source].event.ID, fault.err))
	}
	if f.opts.Faults == nil || len(b.faults) == 0 {
		return nil
	}
	b.failed = map[int]error{}
	b.publishFaults(ctx)
	for _, err := range b.failed {
		return err
	}
	return nil
}

// sorted are the kept lanes by the hashes of their partition keys, which is the order in which they are written.
func (f *fold) sorted() []*kept {
	all := make([]*kept, 0, len(f.lanes))
	for _, k := range f.lanes {
		all = append(all, k)
	}
	slices.SortFunc(all, compareKept)
	return all
}

// hashOf spreads partition keys evenly, and in the same way for ever: FNV-1a, and a finish since its upper bits are poor where keys are short.
func hashOf(pk string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(pk) {
		h = (h ^ uint64(pk[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// kindOfLane tells the rows and lanes of one kind, as far as their keys do: a node's sort key, an edge's role, and the lane.
func kindOfLane(id laneKey) string { return sortKind(id.key.SK) + "\x00" + string(id.lane) }

func (k *kept) version() idempotence.Version { return k.m.version }

func (k *kept) eventID() string { return k.m.version.EventID() }
