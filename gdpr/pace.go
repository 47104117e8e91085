package gdpr

import (
	"context"
	"sync"
	"time"

	"github.com/insideout-go/insideout/internal/backoff"
)

// Budget bounds what a job consumes, in capacity units a second. Zero is without bound.
type Budget struct {
	Reads, Writes float64
}

// pace keeps several workers within a budget: what was consumed is paid for before the next call, so that a call of unknown cost
// never has to be guessed.
type pace struct {
	budget Budget

	mu     sync.Mutex
	reads  time.Time // when every read so far is paid
	writes time.Time
}

func (p *pace) spend(ctx context.Context, used Cost) error {
	return backoff.Sleep(ctx, p.due(used))
}

func (p *pace) due(used Cost) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.reads = later(p.reads, now, used.Reads, p.budget.Reads)
	p.writes = later(p.writes, now, used.Writes, p.budget.Writes)
	return max(p.reads.Sub(now), p.writes.Sub(now))
}

// later is when so many units more are paid.
func later(free, now time.Time, units, rate float64) time.Time {
	if free.Before(now) {
		free = now
	}
	if rate <= 0 {
		return free
	}
	return free.Add(time.Duration(units / rate * float64(time.Second)))
}
