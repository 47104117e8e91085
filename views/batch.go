package views

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// delivery is an event on its way in, with what is known of where it comes from.
type delivery struct {
	event   insideout.Event
	raw     string // the event's JSON, made when it is needed if it did not come with it
	lazy    bool   // event has only what routes it, and eem; whole gets the rest from raw
	source  string // the tag, where lazy
	test    bool   // whether it has the tag "skip", where lazy
	decoded any    // a pointer to what the mapper of the first rule gets, if that was read with the header
	version idempotence.Version
	wrong   error  // why the record is no event
	nothing bool   // the record says nothing to listeners
	id      string // of the record, where it is no event
	at      time.Time
	record  any // the source record as it was delivered; nil in process
	origin
	came   *insideout.Event // as it was delivered, where the body was elsewhere or compressed
	rules  []*rule          // that get it
	packed bool             // its body is elsewhere or compressed
	failed error            // why it could not be read or unpacked

	mutations []mutation
}

// json returns the event's JSON.
func (d *delivery) json() (string, error) {
	if d.raw != "" {
		return d.raw, nil
	}
	raw, ok := assemble(d.event)
	if !ok {
		var err error
		if raw, err = d.event.MarshalJSON(); err != nil {
			return "", err
		}
	}
	d.raw = string(raw)
	return d.raw, nil
}

// whole decodes the rest of an event of which only the header was read.
func (d *delivery) whole() error {
	if !d.lazy {
		return nil
	}
	if err := d.event.UnmarshalJSON([]byte(d.raw)); err != nil {
		return err
	}
	d.lazy = false
	return nil
}

// from is the service that published the event.
func (d *delivery) from() string {
	if d.lazy {
		return d.source
	}
	return d.event.Tags[insideout.TagSource]
}

func (d *delivery) isTest() bool {
	if d.lazy {
		return d.test
	}
	return d.event.Skipped()
}

// delivered returns the event as it came.
func (d *delivery) delivered() (insideout.Event, error) {
	if d.came != nil {
		return *d.came, nil
	}
	err := d.whole()
	return d.event, err
}

// batch is the work on one delivery of events.
type batch struct {
	*Listener
	began      time.Time
	deliveries []delivery
	rows       []*laneWork // the first lane of each row, which is written by one worker
	rowIndex   map[table.RowKey]*laneWork
	lanes      []laneWork // room for more

	mu     sync.Mutex // guards what follows while workers run
	stats  Stats
	failed map[int]error
	faults []faultOf

	latencies []time.Duration // of the writes of rows
}

// laneKey names what is written as one: a lane of a row.
type laneKey struct {
	key  table.RowKey
	lane idempotence.Lane
}

// laneWork is what a batch has for one lane of a row.
type laneWork struct {
	laneKey
	next   *laneWork // another lane of the row
	first  *mutation // the greatest version
	others *mutation // linked, in no order
	count  int       // of both
	done   bool      // one of them was written, whatever its outcome
}

// add takes a mutation in.
func (w *laneWork) add(m *mutation) {
	if w.count++; w.first == nil || m.before(w.first) {
		m, w.first = w.first, m
	}
	if m != nil {
		m.other, w.others = w.others, m
	}
}

// pass gives the first one up for the next in order.
func (w *laneWork) pass() {
	others := w.others
	w.first, w.others, w.count = nil, nil, 0
	for m := others; m != nil; m = others {
		others = m.other
		w.add(m)
	}
}

// all calls f for each mutation.
func (w *laneWork) all(f func(m *mutation)) {
	f(w.first)
	for m := w.others; m != nil; m = m.other {
		f(m)
	}
}

func newBatch(l *Listener, deliveries []delivery) *batch {
	return &batch{
		Listener: l, began: time.Now(), deliveries: deliveries, failed: map[int]error{},
		rowIndex: make(map[table.RowKey]*laneWork, len(deliveries)),
	}
}

// read takes the deliveries in, several at a time, and puts their mutations where they belong, in the order of the events.
func (b *batch) read(ctx context.Context, decode func(i int, d *delivery)) {
	first := make([]mutation, len(b.deliveries)) // most events have one rule
	// Decoding and mapping is computing: more workers than processors, or workers for a few events, would only get in each other's way.
	workers := min(b.opts.Workers, runtime.GOMAXPROCS(0), 1+len(b.deliveries)/mappedByOne)
	if b.opts.Opener != nil { // which may ask for keys
		workers = b.opts.Workers
	}
	b.work(len(b.deliveries), workers, func(i int) {
		d := &b.deliveries[i]
		decode(i, d)
		d.mutations = first[i : i : i+1]
		if d.packed = b.admit(d); !d.packed {
			b.mapEvent(ctx, i)
		}
	})
	b.unpackAll(ctx, func(i int) { b.mapEvent(ctx, i) })
	for i := range b.deliveries {
		d := &b.deliveries[i]
		if len(d.rules) == 0 && d.failed == nil {
			b.stats.Skipped++
		}
		for i := range d.mutations {
			b.put(&d.mutations[i])
		}
	}
}

const mappedByOne = 16 // events that are not worth another worker

// route finds the rules for each event, and fetches and unpacks what they need of it.
func (b *batch) route(ctx context.Context) {
	for i := range b.deliveries {
		b.deliveries[i].packed = b.admit(&b.deliveries[i])
	}
	b.unpackAll(ctx, func(int) {})
}

// unpackAll unpacks what is packed, each event followed by what comes next for it.
func (b *batch) unpackAll(ctx context.Context, then func(i int)) {
	var packed []int
	for i := range b.deliveries {
		if b.deliveries[i].packed {
			packed = append(packed, i)
		}
	}
	b.each(len(packed), func(n int) {
		d := &b.deliveries[packed[n]]
		if d.failed = context.Cause(ctx); d.failed == nil {
			d.failed = b.unpack(ctx, d)
		}
		then(packed[n])
	})
}

// mapEvent makes a mutation for each rule of an event that has one for it.
func (b *batch) mapEvent(ctx context.Context, i int) {
	d := &b.deliveries[i]
	if d.failed != nil {
		b.judge(i, "", d.failed, judgeMapper(d.failed))
		return
	}
	if len(d.rules) > 0 && ctx.Err() != nil {
		b.judge(i, "", context.Cause(ctx), retry)
		return
	}
	for _, r := range d.rules {
		m, err := safely(func() (mutation, error) { return r.prepare(ctx, b.opts.Opener, d) })
		if err != nil {
			b.judge(i, r.name, err, judgeMapper(err))
			continue
		}
		m.rule, m.source, m.version = r, i, d.version
		d.mutations = append(d.mutations, m)
	}
}

// admit finds the rules for an event, and reports whether it is packed.
func (b *batch) admit(d *delivery) (packed bool) {
	if d.failed = d.wrong; d.failed == nil {
		d.rules, d.failed = b.rulesFor(d)
	}
	return len(d.rules) > 0 && isPacked(d.event)
}

// rulesFor returns the rules for an event, none if it is not for this listener.
func (b *batch) rulesFor(d *delivery) ([]*rule, error) {
	if d.nothing {
		return nil, nil
	}
	if d.event.Type == "" {
		return nil, fmt.Errorf("views: the event %q has no type, such as \"order-placed\"", cmp.Or(d.event.ID, d.id))
	}
	rules := b.routes.to(d.event.Type)
	if len(rules) == 0 || d.isTest() || b.opts.Source != "" && d.from() == b.opts.Source {
		return nil, nil
	}
	if d.event.Timestamp.IsZero() {
		return nil, fmt.Errorf("views: the event %q has no timestamp, and so no place in the order of changes", cmp.Or(d.event.ID, d.id))
	}
	var err error
	if d.version, err = idempotence.VersionOf(d.event); err != nil {
		return nil, err
	}
	if ahead := d.event.Timestamp.Sub(b.began); ahead > b.opts.MaxSkew {
		return nil, fmt.Errorf("views: the timestamp of the event %q is %s ahead of the clock, more than the %s of MaxSkew: it would win over all others until then",
			d.event.ID, ahead.Round(time.Second), b.opts.MaxSkew)
	}
	return rules, nil
}

// put adds a mutation to the work on its lane.
func (b *batch) put(m *mutation) {
	first := b.rowIndex[m.key]
	work := first
	for work != nil && work.lane != m.rule.lane {
		work = work.next
	}
	if work == nil {
		if len(b.lanes) == 0 {
			b.lanes = make([]laneWork, len(b.deliveries))
		}
		work, b.lanes = &b.lanes[0], b.lanes[1:]
		work.laneKey = laneKey{m.key, m.rule.lane}
		if first == nil {
			b.rowIndex[m.key], b.rows = work, append(b.rows, work)
		} else {
			work.next, first.next = first.next, work
		}
	}
	work.add(m)
}

// judge notes and returns what becomes of an event that cannot be applied.
func (b *batch) judge(source int, pipeline string, err error, v verdict) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v = b.settle(source, v)
	switch v {
	case skip:
		b.stats.Skipped++
	case retry:
		b.fail(source, err)
	default:
		b.faults = append(b.faults, faultOf{source: source, pipeline: pipeline, err: err})
	}
	return v
}

// fail notes that the event must come again. The caller holds mu.
func (b *batch) fail(source int, err error) {
	if b.failed[source] == nil {
		b.failed[source] = err
	}
}

// write makes the writes, each row by one worker.
func (b *batch) write(ctx context.Context) {
	b.each(len(b.rows), func(row int) {
		for work := b.rows[row]; work != nil; work = work.next {
			b.writeLane(ctx, work)
		}
	})
}

// each runs f for 0 to n-1 with a bounded number of workers.
func (b *batch) each(n int, f func(int)) { b.work(n, b.opts.Workers, f) }

func (b *batch) work(n, workers int, f func(int)) {
	if n == 1 || workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var taken atomic.Int64
	var running sync.WaitGroup
	take := func() {
		for i := int(taken.Add(1)) - 1; i < n; i = int(taken.Add(1)) - 1 {
			f(i)
		}
	}
	for range min(n, workers) - 1 {
		running.Go(take)
	}
	take() // here, too
	running.Wait()
}

// writeLane writes the greatest version of the lane. The others need no write: the lane ends with the greatest, in
// whatever order they are written. If the table refuses that one for good it is a fault, and the next one takes its
// place.
func (b *batch) writeLane(ctx context.Context, work *laneWork) {
	for ; work.first != nil; work.pass() {
		if ctx.Err() != nil {
			b.failAll(work, context.Cause(ctx))
			return
		}
		m, began := work.first, time.Time{}
		outcome, err := limited(ctx, b, func(now time.Time) (idempotence.Outcome, error) {
			began = now
			return m.write(ctx, b.db)
		})
		b.count(work, began, outcome, err)
		if err == nil {
			return
		}
		if b.judge(m.source, m.rule.name, err, judgeWrite(err)) == retry {
			b.failAll(work, err)
			return
		}
	}
}

// count notes what became of the first mutation. A request was made if it began, and nothing was withheld.
func (b *batch) count(work *laneWork, began time.Time, outcome idempotence.Outcome, err error) {
	var took time.Duration
	if b.opts.OnBatch != nil {
		took = time.Since(began)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !began.IsZero() && outcome != idempotence.Withheld {
		b.stats.Writes++
		if b.opts.OnBatch != nil {
			b.latencies = append(b.latencies, took)
		}
	}
	if err != nil {
		return
	}
	work.done = outcome != idempotence.Withheld
	b.stats.Coalesced += int64(work.count - 1)
	switch outcome {
	case idempotence.Applied:
		b.stats.Applied++
	case idempotence.Duplicate:
		b.stats.Duplicate++
	case idempotence.Withheld:
		b.stats.Withheld++
	default:
		b.stats.Stale++
	}
}

func (b *batch) failAll(work *laneWork, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	work.all(func(m *mutation) { b.fail(m.source, err) })
}
