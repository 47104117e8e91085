package views

import (
	"strings"
	"sync"
	"time"
)

const (
	defaultAttempts = 3
	defaultAge      = 15 * time.Minute

	// directAge is the patience with what EventBridge hands to the function itself. Lambda tries such an event three
	// times within three minutes and then gives it up, so the third time must be soon enough.
	directAge = 2 * time.Minute

	// maxTried bounds the memory of the attempts in process. Beyond it, counting starts again.
	maxTried = 10_000
)

// origin is how a delivery tells how often it was tried: a queue counts, a stream only knows since when.
type origin struct {
	attempt int           // how often it was delivered, this time included; 0 where nobody counts
	age     time.Duration // how long ago the record was made, where nobody counts
	limit   time.Duration // the age from which on the record is not tried again
}

// since is the origin of a record without a counter.
func since(at time.Time, limit time.Duration) origin {
	if at.IsZero() {
		return origin{}
	}
	return origin{age: time.Since(at), limit: limit}
}

// tried counts the deliveries of events that come without a counter, as those in process do.
type tried struct {
	mu    sync.Mutex
	count map[string]int // by event id
}

func (t *tried) more(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil || len(t.count) >= maxTried {
		t.count = map[string]int{}
	}
	n := t.count[id] + 1
	t.count[strings.Clone(id)] = n // the id may share the memory of its event
	return n
}

// done forgets the events of a batch that need not come again.
func (t *tried) done(deliveries []delivery, failed map[int]error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.count) == 0 {
		return
	}
	for i := range deliveries {
		if failed[i] == nil {
			delete(t.count, deliveries[i].event.ID)
		}
	}
}

// settle decides about an event with an error of unknown kind: it is tried again until it has been tried often or long
// enough, and then is a fault. The caller holds b.mu.
func (b *batch) settle(source int, v verdict) verdict {
	if v != unsure {
		return v
	}
	d := &b.deliveries[source]
	if d.limit == 0 && d.attempt == 0 {
		d.attempt = b.tried.more(d.event.ID)
	}
	if d.limit > 0 && d.age >= d.limit || d.limit == 0 && d.attempt >= b.opts.MaxAttempts {
		return poison
	}
	return retry
}
