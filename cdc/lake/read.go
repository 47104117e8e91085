package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"github.com/insideout-go/insideout"
)

const (
	readAhead      = 8        // objects that are read at a time at most, so that a store far away does not make the reader wait
	readAheadBytes = 64 << 20 // of them, compressed; a larger object is read alone
)

// Events reads the events of the query: hour by hour, regions of the same hour by name, the objects of an hour by name, and
// within that in the order in which they were published, which need not be the order of their timestamps.
//
// It reads ahead, on all processors, but holds no more than some tens of MiB of events, and of a store that is not a folder what
// [Options.FileBytes] allows an object. For
// a query by types or partition keys it skips the objects that have none according to the index, and adds to the index what is
// missing in it, unless the lake is read-only. An event that is being written meanwhile may or may not be seen; an object that
// is being rewritten is seen as it was or as it will be.
//
// An error is yielded once, as the last element: [ErrDamaged] wrapped with the object and the line if something cannot be read,
// ctx's if it ends. The sequence can be ranged over again and reads anew.
func (l *Lake) Events(ctx context.Context, q Query) iter.Seq2[insideout.Event, error] {
	return func(yield func(insideout.Event, error) bool) {
		if err := l.read(ctx, q, q.selective(), false, func(e insideout.Event) bool { return yield(e, nil) }); err != nil {
			yield(insideout.Event{}, err)
		}
	}
}

// Objects lists the objects that may have events of the query, in the order in which Events reads them, with what the index knows.
func (l *Lake) Objects(ctx context.Context, q Query) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := l.check(ctx); err != nil {
			yield(Object{}, err)
			return
		}
		f := q.filter()
		for h, err := range l.hours(ctx, q) {
			var known *index
			if err == nil {
				known, err = l.hourIndex(ctx, h)
			}
			if err != nil {
				if err = f.damaged(err); err != nil {
					yield(Object{}, err)
					return
				}
				continue
			}
			for _, object := range h.objects {
				object.Summary = known.summary(object)
				if object.Summary != nil && !f.may(object.Summary) {
					continue
				}
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// Index brings the index up to date for the objects in the range of the query, whatever its other filters say, and returns how many
// it had to read. Readers do so as they go; this is for doing it ahead.
func (l *Lake) Index(ctx context.Context, q Query) (read int, err error) {
	if err := l.checkWrite(ctx); err != nil {
		return 0, err
	}
	done := q.Done
	all := Query{From: q.From, To: q.To, Region: q.Region, After: q.After, Damaged: q.Damaged}
	all.Done = func(o Object) {
		if o.Summary == nil {
			read++
		}
		if done != nil {
			done(o)
		}
	}
	return read, l.read(ctx, all, true, true, func(insideout.Event) bool { return true })
}

// hourIndex returns the index of an hour, or why the hour cannot be read.
func (l *Lake) hourIndex(ctx context.Context, h *hour) (*index, error) {
	if h.err != nil {
		return nil, h.err
	}
	if h.index == nil {
		return &index{}, nil
	}
	return l.loadIndex(ctx, h.folder())
}

// damaged hands damage to whoever decides about it. Other errors end the reading.
func (f *filter) damaged(err error) error {
	if f.Damaged == nil || !errors.Is(err, ErrDamaged) {
		return err
	}
	return f.Damaged(err)
}

// reading is one run through the lake: one goroutine plans which objects to read, some read them, some decode what was read,
// and the caller's own hands the events out in order.
type reading struct {
	lake     *Lake
	filter   *filter
	indexing bool // make what the index lacks
	only     bool // do nothing else
	wg       sync.WaitGroup
	jobs     chan *job
	gate     gate
	decoding chan struct{}
}

// job is the reading of one object.
type job struct {
	object  Object
	hour    *hourJob
	skipped bool
	err     error            // instead of an object
	results chan chan *chunk // in the order of the object
	read    Object           // the version that was read, set once results is closed
	whole   bool             // all of it was read
	summary *Summary         // of what was read
}

// hourJob gathers what the index of an hour lacks.
type hourJob struct {
	folder string
	left   int
	lines  []indexLine
}

// chunk is what was decoded of a part of an object.
type chunk struct {
	items   []item
	summary *Summary
	bytes   int64 // of the object, compressed
}

type item struct {
	event insideout.Event
	err   error
}

// read visits the events of the query until visit returns false.
func (l *Lake) read(ctx context.Context, q Query, indexing, only bool, visit func(insideout.Event) bool) error {
	if err := l.check(ctx); err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	r := &reading{
		lake: l, filter: q.filter(), indexing: indexing && !l.opts.ReadOnly, only: only,
		jobs: make(chan *job, readAhead), decoding: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	r.gate.freed = make(chan struct{})
	defer r.wg.Wait()
	defer cancel()
	r.wg.Go(func() { r.plan(inner) })
	for j := range r.jobs {
		more, err := r.deliver(inner, j, visit)
		if err != nil || !more {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// plan finds the objects and starts to read them.
func (r *reading) plan(ctx context.Context) {
	defer close(r.jobs)
	for h, err := range r.lake.hours(ctx, r.filter.Query) {
		known := &index{}
		if err == nil && (r.filter.selective() || r.indexing || h.err != nil) {
			known, err = r.lake.hourIndex(ctx, h)
		}
		if err != nil {
			if !r.send(ctx, &job{err: err}) {
				return
			}
			continue
		}
		hj := &hourJob{folder: h.folder(), left: len(h.objects)}
		for _, object := range h.objects {
			object.Summary = known.summary(object)
			j := &job{object: object, hour: hj, results: make(chan chan *chunk, 1)}
			j.skipped = object.Summary != nil && (r.only || !r.filter.may(object.Summary))
			if !j.skipped {
				if !r.gate.enter(ctx, object.Bytes) {
					return
				}
				r.wg.Go(func() { r.run(ctx, j) })
			}
			if !r.send(ctx, j) {
				return
			}
		}
	}
}

func (r *reading) send(ctx context.Context, j *job) bool {
	select {
	case r.jobs <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// run reads one object.
func (r *reading) run(ctx context.Context, j *job) {
	defer close(j.results)
	c, err := r.lake.store.Open(ctx, j.object.Name)
	if err == nil {
		j.read = c.Object
		err = r.runContent(ctx, j, c)
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		failed := make(chan *chunk, 1)
		failed <- &chunk{items: []item{{err: err}}}
		select {
		case j.results <- failed:
		case <-ctx.Done():
		}
		return
	}
	j.whole = ctx.Err() == nil
}

func (r *reading) runContent(ctx context.Context, j *job, c Content) error {
	line := 1
	for m, err := range members(c) {
		if err != nil {
			return err
		}
		for part := range cut(m.data, memberBytes) {
			share := (m.end - m.start) * int64(len(part)) / int64(len(m.data))
			result := make(chan *chunk, 1)
			select {
			case j.results <- result:
			case <-ctx.Done():
				return nil
			}
			select {
			case r.decoding <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			first := line
			r.wg.Go(func() {
				ch := r.decode(part, j.object.Name, first)
				ch.bytes = share
				result <- ch
				<-r.decoding
			})
			line += bytes.Count(part, newline)
		}
	}
	return nil
}

// decode turns a part of an object into the events of the query.
func (r *reading) decode(part []byte, name string, line int) *chunk {
	var d decoder
	ch := &chunk{}
	keys := map[string]uint32{}
	if r.indexing {
		ch.summary = newSummary()
	}
	for v := range values(part, line) {
		var e insideout.Event
		wanted, err := false, v.err
		if err == nil {
			e, wanted, err = d.decode(v.json, r.filter)
		}
		switch {
		case err != nil:
			ch.items = append(ch.items, item{err: damage(name, v.line, 0, err)})
			ch.summary = nil
			continue
		case wanted && !r.only:
			ch.items = append(ch.items, item{event: e})
		}
		if ch.summary != nil {
			ch.summary.add(&e, keys)
		}
	}
	if ch.summary != nil {
		for _, hash := range keys {
			ch.summary.keys = append(ch.summary.keys, hash)
		}
	}
	return ch
}

// deliver hands out the events of one object.
func (r *reading) deliver(ctx context.Context, j *job, visit func(insideout.Event) bool) (more bool, err error) {
	if j.err != nil {
		return true, r.filter.damaged(j.err)
	}
	j.summary = newSummary()
	told := int64(0)
	if !j.skipped {
		for result := range j.results {
			select {
			case ch := <-result:
				if more, err := r.handOut(j, ch, visit); err != nil || !more {
					return false, err
				}
				told += r.tell(ch.bytes)
			case <-ctx.Done():
				return false, fmt.Errorf("lake: %w", ctx.Err())
			}
		}
		r.gate.leave(j.object.Bytes)
	}
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("lake: %w", err)
	}
	if err := r.remember(ctx, j); err != nil {
		r.lake.warn("lake: the index was not written", "folder", j.hour.folder, "error", err)
	}
	r.tell(j.object.Bytes - told) // what was rounded, skipped, or damaged
	if r.filter.Done != nil {
		r.filter.Done(j.object)
	}
	return true, nil
}

// tell tells how far the reading is, and returns what it told.
func (r *reading) tell(bytes int64) int64 {
	if r.filter.Read != nil {
		r.filter.Read(bytes)
	}
	return bytes
}

func (r *reading) handOut(j *job, ch *chunk, visit func(insideout.Event) bool) (more bool, err error) {
	for _, it := range ch.items {
		if it.err != nil {
			if err := r.filter.damaged(it.err); err != nil {
				return false, err
			}
			continue
		}
		if !visit(it.event) {
			return false, nil
		}
	}
	switch {
	case ch.summary == nil: // of an object with damage the index knows nothing, so that it is found again
		j.summary = nil
	case j.summary != nil:
		j.summary.merge(ch.summary)
	}
	return true, nil
}

// remember adds what was learnt about an object to the index of its hour, once all objects of the hour were read.
func (r *reading) remember(ctx context.Context, j *job) error {
	j.hour.left--
	if r.indexing && j.object.Summary == nil && j.whole && j.summary != nil {
		j.summary.sort()
		j.hour.lines = append(j.hour.lines, j.summary.line(j.read))
	}
	if j.hour.left > 0 || len(j.hour.lines) == 0 {
		return nil
	}
	return r.lake.saveIndex(ctx, j.hour.folder, j.hour.lines)
}

// gate bounds the objects that are being read.
type gate struct {
	mu    sync.Mutex
	n     int
	bytes int64
	freed chan struct{}
}

// enter waits until there is room for an object. It returns false if ctx ends first.
func (g *gate) enter(ctx context.Context, bytes int64) bool {
	for {
		g.mu.Lock()
		if g.n == 0 || g.n < readAhead && g.bytes+bytes <= readAheadBytes {
			g.n++
			g.bytes += bytes
			g.mu.Unlock()
			return true
		}
		freed := g.freed
		g.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (g *gate) leave(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	g.bytes -= bytes
	close(g.freed)
	g.freed = make(chan struct{})
}
