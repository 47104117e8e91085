package views

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Faults takes the fault events of a listener. Every publisher of package cdc is one.
type Faults interface {
	// Publish returns nil when every event is out. An error that has a method Failed() []int names the events that are
	// not; any other error means that none may be.
	Publish(ctx context.Context, events []insideout.Event) error
}

// Options are what the rules of a listener share. The zero value and nil are fine.
type Options struct {
	// Name is the tag "functionname" of fault events: the function to which a fault is resubmitted. Default:
	// "undefined".
	Name string

	// Source is the name of this service. Events with it in their tag "source" are this service's own and are ignored.
	// Default: no event is.
	Source string

	// Workers is how many rows are written at a time, of all batches together. While the table throttles it is fewer:
	// half as many at each burst of throttles, and one more for each round of writes that get through. Default: 16.
	Workers int

	// Faults takes a fault event for each event that cannot be applied, ever. Default: none; such events are then
	// reported as failed, again and again, which blocks a stream until they are too old.
	Faults Faults

	// ClaimChecks fetches the bodies of events that were too large for the bus: those with a member s3 that has a bucket
	// and a key. Default: none; such an event is then a fault.
	ClaimChecks ClaimChecks

	// Opener opens the [insideout.Sealed] values of events before a mapper gets them, those of an event in one call. What does not
	// open is a fault; where keys cannot be had, the event is tried again. A key that was destroyed or may not be used is neither:
	// the mapper finds out when it reveals the value. Default: none; mappers hand on what is sealed as it is.
	Opener insideout.Opener

	// MaxSkew is how far the timestamp of an event may be ahead of the clock. An event from the far future would win
	// over all others until then, so it is a fault. Default: one hour.
	MaxSkew time.Duration

	// MaxAttempts is how often an event is delivered whose write fails for a reason that is neither known to pass nor
	// known to be the event's fault, such as a missing permission, before it becomes a fault. A queue counts the
	// deliveries; in process the listener does. Keep it below the maxReceiveCount of the queue. Default: 3.
	MaxAttempts int

	// MaxAge is the same for the records of a stream, which nobody counts: the age from which on such a record becomes a
	// fault. Default: 15 minutes. For what EventBridge hands to the function it is two minutes at most, since Lambda
	// gives such an event up after three.
	MaxAge time.Duration

	// OnBatch is called after each batch with what was done, and must be safe for concurrent use. If it panics, the batch is done
	// all the same. Default: nothing.
	OnBatch func(Batch)
}

const (
	defaultWorkers = 16
	defaultSkew    = time.Hour
	unknown        = "undefined" // the value of tags that are not known
)

// Part is a rule of a listener, or its *Options.
type Part interface {
	apply(*Listener) error
}

func (o *Options) apply(l *Listener) error {
	if o == nil {
		return nil
	}
	if l.given {
		return errors.New("views: more than one Options")
	}
	l.opts, l.given = *o, true
	return nil
}

// Listener folds events into the rows of a table by its rules. It is safe for concurrent use, and any number of
// listeners may work on the same rows.
type Listener struct {
	db      *table.DB
	opts    Options
	given   bool
	rules   []*rule
	routes  routes
	rollups []*rollup
	anew    bool // totals are written in any case

	tried   tried
	limiter *limiter

	mu    sync.Mutex
	stats Stats
}

// New returns a listener that writes to db what the rules among parts make of events. It needs at least one rule; the
// error lists every mistake.
func New(db *table.DB, parts ...Part) (*Listener, error) {
	l := &Listener{db: db, routes: routes{whole: map[string][]*rule{}}}
	var faults []error
	if db == nil {
		faults = append(faults, errors.New("views: no table"))
	}
	for i, part := range parts {
		if part == nil {
			faults = append(faults, fmt.Errorf("views: part %d is nil", i))
			continue
		}
		faults = append(faults, part.apply(l))
	}
	if len(l.rules) == 0 {
		faults = append(faults, errors.New("views: no rules: a listener needs Upsert or Remove"))
	}
	for _, r := range l.rollups {
		faults = append(faults, r.check(l))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	l.opts.setDefaults()
	l.limiter = newLimiter(l.opts.Workers)
	return l, nil
}

func (o *Options) setDefaults() {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.MaxSkew <= 0 {
		o.MaxSkew = defaultSkew
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = defaultAttempts
	}
	if o.MaxAge <= 0 {
		o.MaxAge = defaultAge
	}
}

// Stats returns the counts of all batches that are done.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Handle applies a batch of events. It returns nil when each one is applied, has nothing to say to this listener, or is
// out as a fault event; otherwise a [*BatchError] names those that must be delivered again. Deliver again what you
// like: events that were applied before change nothing.
//
// Where ctx has a deadline, the work ends a fifth of the time before it, at most a second, and what was not done by then is
// among those that must be delivered again.
//
// The events and what they refer to must not be changed meanwhile.
func (l *Listener) Handle(ctx context.Context, events []insideout.Event) error {
	failed := l.process(ctx, "", len(events), func(i int, d *delivery) { d.event = events[i] })
	if len(failed) > 0 {
		return &BatchError{Errors: failed}
	}
	return nil
}

// process takes a batch of n through all steps and returns the reasons of those that must be delivered again. read, which is called
// for several of them at a time, decodes one into a delivery.
func (l *Listener) process(ctx context.Context, from string, n int, read func(i int, d *delivery)) map[int]error {
	b := newBatch(l, make([]delivery, n))
	work, cancel := working(ctx)
	defer cancel()
	b.read(work, read)
	b.write(work)
	b.rollUp(work)
	b.publishFaults(ctx)
	l.tried.done(b.deliveries, b.failed)
	b.stats.In, b.stats.Failed = int64(n), int64(len(b.failed))
	l.mu.Lock()
	l.stats.add(b.stats)
	l.mu.Unlock()
	if l.opts.OnBatch != nil {
		_, _ = safely(func() (struct{}, error) { l.opts.OnBatch(b.report(from)); return struct{}{}, nil })
	}
	return b.failed
}
