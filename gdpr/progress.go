package gdpr

import (
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

func (r *reporter) done() {
	if r.tell == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Done++
	rate := float64(time.Since(r.begun)) / float64(r.p.Done-r.first)
	r.p.ETA = time.Duration(rate * float64(r.p.Total-r.p.Done))
	r.tell(r.p)
}
