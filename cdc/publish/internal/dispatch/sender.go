package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/internal/backoff"
)

// Defaults of a Destination.
const (
	InFlight      = 8
	Attempts      = 8
	CompressAbove = 10 << 10

	callTimeout = 10 * time.Second
	firstPause  = 100 * time.Millisecond
	maxPause    = 5 * time.Second
)

// Destination is what a publisher of a service has of its own.
type Destination struct {
	Name    string // of the service and the resource, for errors
	Entries int    // of one request, at most
	Bytes   int    // of one request, at most
	Entry   int    // bytes of one entry, at most
	Ordered bool   // the destination keeps the order of a partition key

	// Check finds what the destination would refuse whatever the size. Default: nothing.
	Check func(e *insideout.Event) error
	// Overhead is what the destination counts besides the event's JSON. Default: nothing.
	Overhead func(e *insideout.Event) int
	// Growth is by how much the JSON becomes longer on its way. Default: not at all.
	Growth func(data []byte) int
	// Send makes one request, and returns the reason for each entry, nil for one that is out; or an error for all of them. Reasons
	// are made by Refused, Rejected and NoAnswer.
	Send func(ctx context.Context, entries []Entry) ([]error, error)

	InFlight      int             // requests at a time; 0 is the default
	Attempts      int             // for an entry; 0 is the default
	CompressAbove int             // members of more bytes are compressed; 0 is the default, less is never
	ClaimChecks   cdc.ClaimChecks // or nil
}

// Entry is an event as it travels.
type Entry struct {
	Event *insideout.Event
	Data  []byte // its JSON
	Key   string // its partition key, or its id where it has none: it has no order to keep then

	place int // in the call
	size  int // as the destination counts
}

// Sender publishes to a destination. It is safe for concurrent use; the bound on requests in flight holds for all calls together.
type Sender struct {
	d     Destination
	slots chan struct{}
}

// New makes a sender.
func New(d Destination) *Sender {
	d.InFlight = cmp.Or(max(0, d.InFlight), InFlight)
	d.Attempts = cmp.Or(max(0, d.Attempts), Attempts)
	d.CompressAbove = cmp.Or(d.CompressAbove, CompressAbove)
	return &Sender{d: d, slots: make(chan struct{}, d.InFlight)}
}

// Publish returns nil if every event is out, or a *cdc.PublishError with the reason for each one that is not.
func (s *Sender) Publish(ctx context.Context, events []insideout.Event) error {
	r := &run{Sender: s, failed: map[int]error{}}
	entries := r.pack(ctx, events)
	for len(entries) > 0 {
		var wave []Entry
		wave, entries = r.wave(entries)
		r.sendAll(ctx, wave)
	}
	if len(r.failed) == 0 {
		return nil
	}
	return &cdc.PublishError{Errors: r.failed}
}

// run is one call of Publish.
type run struct {
	*Sender
	mu     sync.Mutex
	failed map[int]error
	stuck  map[string]string // partition keys, and the event that holds them up
}

func (r *run) fail(e Entry, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[e.place] = fmt.Errorf("%s: event %q: %w", r.d.Name, e.Event.ID, err)
	if r.d.Ordered && !errors.Is(err, cdc.ErrRejected) {
		if r.stuck == nil {
			r.stuck = map[string]string{}
		}
		r.stuck[e.Key] = cmp.Or(r.stuck[e.Key], e.Event.ID)
	}
}

// wave takes what may be sent side by side: everything, or the first event of each partition key. What is behind an event that
// failed fails too.
func (r *run) wave(entries []Entry) (wave, rest []Entry) {
	if !r.d.Ordered {
		return entries, nil
	}
	taken := make(map[string]bool, len(entries))
	for _, e := range entries {
		switch {
		case r.stuck[e.Key] != "":
			r.fail(e, fmt.Errorf("held back, since the event %q of its partition key is not out", r.stuck[e.Key]))
		case taken[e.Key]:
			rest = append(rest, e)
		default:
			taken[e.Key] = true
			wave = append(wave, e)
		}
	}
	return wave, rest
}

// sendAll sends the entries in as few requests as they fit in.
func (r *run) sendAll(ctx context.Context, entries []Entry) {
	var senders sync.WaitGroup
	defer senders.Wait()
	for len(entries) > 0 {
		n, bytes := 0, 0
		for n < min(len(entries), r.d.Entries) && (n == 0 || bytes+entries[n].size <= r.d.Bytes) {
			bytes += entries[n].size
			n++
		}
		request := entries[:n:n]
		entries = entries[n:]
		if err := r.enter(ctx); err != nil {
			for _, e := range request {
				r.fail(e, err)
			}
			continue
		}
		senders.Go(func() {
			defer func() { <-r.slots }()
			r.send(ctx, request)
		})
	}
}

func (s *Sender) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send makes requests of the entries until each is out, or has failed for good.
func (r *run) send(ctx context.Context, entries []Entry) {
	for attempt := 1; ; attempt++ {
		reasons, err := r.call(ctx, entries)
		if err != nil && len(entries) > 1 && content(err) {
			// One of them spoils the request for all.
			r.send(ctx, entries[:len(entries)/2])
			r.send(ctx, entries[len(entries)/2:])
			return
		}
		var again []Entry
		var last error
		for i, e := range entries {
			reason := verdict(reasons, err, i)
			switch {
			case reason == nil:
			case !retryable(reason) || attempt == r.d.Attempts:
				r.fail(e, reason)
			default:
				again, last = append(again, e), reason
			}
		}
		if entries = again; len(entries) == 0 {
			return
		}
		if err := pause(ctx, attempt); err != nil {
			for _, e := range entries {
				r.fail(e, errors.Join(last, err))
			}
			return
		}
	}
}

// verdict is the reason for one entry of a request. An answer that leaves an entry out says nothing about it.
func verdict(reasons []error, err error, i int) error {
	switch {
	case err != nil && content(err):
		return Rejected(err)
	case err != nil:
		return err
	case i >= len(reasons):
		return NoAnswer
	}
	return reasons[i]
}

// call makes one request. One that gets no answer is given up, while there is time for another.
func (r *run) call(ctx context.Context, entries []Entry) ([]error, error) {
	inner, cancel := context.WithTimeoutCause(ctx, callTimeout, errSlow)
	defer cancel()
	reasons, err := r.d.Send(inner, entries)
	if err != nil && ctx.Err() == nil && inner.Err() != nil {
		err = errSlow
	}
	return reasons, err
}

// pause waits before another attempt, unless the time is up before it ends. Its length is random, so that many senders do not come
// back at once.
func pause(ctx context.Context, attempt int) error {
	d := backoff.Jitter(min(maxPause, firstPause<<min(attempt-1, 10)))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("no time for another attempt: %w", context.DeadlineExceeded)
	}
	return backoff.Sleep(ctx, d)
}
