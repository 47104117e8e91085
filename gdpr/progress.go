package gdpr

import (
	"fmt"
	"sync"
	"time"
)

// reporter counts what is done of a step.
type reporter struct {
	tell  func(Progress)
	begun time.Time

	mu    sync.Mutex
	p     Progress
	first int // done before this run
}

func newReporter(tell func(Progress), w *work, total, done int) *reporter {
	return &reporter{tell: tell, begun: time.Now(), first: done, p: Progress{Job: w.ID, Step: string(w.Step), Done: done, Total: total}}
}

func (r *reporter) done() { r.add(1, 0) }

// add counts n more. Of a total that is given, it makes do with what is known: a table grows, and nobody counts it all the time.
func (r *reporter) add(n, total int) {
	if r.tell == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Done += n
	if total > 0 {
		r.p.Total = max(total, r.p.Done)
	}
	if made := r.p.Done - r.first; made > 0 && r.p.Total > 0 {
		rate := float64(time.Since(r.begun)) / float64(made)
		r.p.ETA = time.Duration(rate * float64(r.p.Total-r.p.Done))
	}
	r.tell(r.p)
}

// String is a line for a person to read: "erase: 120 of 1000, 3s left".
func (p Progress) String() string {
	text := p.Step
	if p.Place != "" {
		text += " " + p.Place
	}
	text += fmt.Sprintf(": %d", p.Done)
	if p.Total > 0 {
		text += fmt.Sprintf(" of %d", p.Total)
	}
	if p.ETA > 0 {
		text += fmt.Sprintf(", %s left", p.ETA.Round(time.Second))
	}
	return text
}
