package gdpr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout"
)

// maxRounds is how often a job erases again what its verification found: what was written while it ran.
const maxRounds = 3

// Erase approves a plan and carries it out.
func (c *Controller) Erase(ctx context.Context, plan Plan, who string) (Receipt, error) {
	hash, err := plan.Hash()
	if err != nil {
		return Receipt{}, err
	}
	if err := c.Approve(ctx, plan.Job, hash, who); err != nil {
		return Receipt{}, err
	}
	return c.Run(ctx, plan.Job)
}

// Run carries out a job that was approved, or goes on with one that was stopped: every step can be done again, and what is done is not. A job that
// ended answers with its receipt. It returns ErrBusy while another process runs the job, and ErrWaiting while recipients have time to acknowledge.
func (c *Controller) Run(ctx context.Context, job string) (Receipt, error) {
	w, err := c.load(ctx, job)
	if err != nil {
		return Receipt{}, err
	}
	switch w.Step {
	case stepApprove:
		return Receipt{}, fmt.Errorf("%w: job %q", ErrNotApproved, job)
	case stepDone:
		return c.receiptOf(ctx, w)
	}
	if w.Step == stepSuppress {
		if err := c.ready(ctx); err != nil {
			return Receipt{}, err
		}
	}
	if err := c.claim(ctx, w); err != nil {
		return Receipt{}, err
	}
	r, err := c.steps(ctx, w)
	if err != nil {
		return r, errors.Join(err, c.release(context.WithoutCancel(ctx), w))
	}
	return r, nil
}

// ready finds out, before anything is touched, whether the places can be written.
func (c *Controller) ready(ctx context.Context) error {
	for _, p := range c.places {
		if r, ok := p.(interface{ ready(context.Context) error }); ok {
			if err := r.ready(ctx); err != nil {
				return fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
			}
		}
	}
	return nil
}

// claim makes this process the only one to run the job, for as long as its lease lasts; every save renews it.
func (c *Controller) claim(ctx context.Context, w *work) error {
	now := time.Now().UTC()
	if w.Runner != "" && now.Before(w.RunnerEnds) {
		return fmt.Errorf("%w: job %q, at most until %s", ErrBusy, w.ID, w.RunnerEnds.Format(time.RFC3339))
	}
	w.Runner, w.Round = uuid.NewString(), 0
	if w.StartedAt.IsZero() {
		w.StartedAt = now.Truncate(time.Millisecond)
	}
	return c.renew(ctx, w)
}

func (c *Controller) renew(ctx context.Context, w *work) error {
	w.RunnerEnds = time.Now().UTC().Add(c.lease)
	return c.save(ctx, w)
}

// release lets the next process run the job at once. A job that another one took over is its own.
func (c *Controller) release(ctx context.Context, w *work) error {
	now, err := c.load(ctx, w.ID)
	if err != nil || now.Runner != w.Runner {
		return err
	}
	now.Runner, now.RunnerEnds = "", time.Time{}
	return c.save(ctx, now)
}

// steps carries out what is left, a step at a time.
func (c *Controller) steps(ctx context.Context, w *work) (Receipt, error) {
	t := &Task{Job: w.ID, Subject: w.Subject, Ref: w.Ref, salt: w.Salt, known: w.Known, refers: c.ref, pace: &pace{budget: c.opts.Budget}}
	for _, p := range w.Probes {
		t.probes = append(t.probes, insideout.SealedField{
			Origin: insideout.Origin{Subject: w.Subject, Model: p.Model, ID: p.ID, Field: p.Field, Class: p.Class}, Ciphertext: p.Ciphertext,
		})
	}
	does := map[step]func(context.Context, *work, *Task) (step, error){
		stepSuppress: c.suppress, stepShred: c.shred, stepErase: c.erase, stepPropagate: c.propagate, stepVerify: c.verify, stepCertify: c.certify,
	}
	for w.Step != stepDone {
		c.opts.Logger.InfoContext(ctx, "gdpr: step", "job", w.ID, "step", string(w.Step), "round", w.Round)
		next, err := does[w.Step](ctx, w, t)
		if err != nil {
			return Receipt{}, fmt.Errorf("gdpr: job %q, step %s: %w", w.ID, w.Step, err)
		}
		if next == stepDone {
			break // certify has written the job together with its receipt
		}
		w.Step = next
		if err := c.renew(ctx, w); err != nil {
			return Receipt{}, err
		}
	}
	return c.Run(ctx, w.ID)
}

func (c *Controller) shred(ctx context.Context, w *work, t *Task) (step, error) {
	return stepErase, c.carryOut(ctx, w, t, func(a Action) bool { return a.Do == ShredKey })
}

func (c *Controller) erase(ctx context.Context, w *work, t *Task) (step, error) {
	return stepPropagate, c.carryOut(ctx, w, t, func(a Action) bool { return a.Do != ShredKey })
}

// carryOut does what is left of the actions that are meant, several at a time.
func (c *Controller) carryOut(ctx context.Context, w *work, t *Task, meant func(Action) bool) error {
	var todo []planned
	total := 0
	for p, err := range c.each(ctx, w.ID) {
		if err != nil {
			return err
		}
		t.know(p.Action)
		if !meant(p.Action) {
			continue
		}
		if total++; p.State == "" {
			todo = append(todo, p)
		}
	}
	report := newReporter(c.opts.Progress, w, total, total-len(todo))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	keeper := c.keepLease(ctx, w, stop)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Workers)
	for _, p := range todo {
		group.Go(func() error {
			if err := c.one(inner, w.ID, t, p); err != nil {
				return err
			}
			report.done()
			return nil
		})
	}
	err := group.Wait()
	return errors.Join(err, keeper())
}

// keepLease renews the lease while actions are carried out; losing it stops them. Call the result when they are done.
func (c *Controller) keepLease(ctx context.Context, w *work, stop context.CancelCauseFunc) func() error {
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(c.lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				ended <- nil
				return
			case <-tick.C:
				if err := c.renew(ctx, w); err != nil {
					stop(err)
					ended <- err
					return
				}
			}
		}
	}()
	return func() error {
		close(done)
		return <-ended
	}
}

// one carries out an action and stores what became of it. A stop in between does it again, which does no harm.
func (c *Controller) one(ctx context.Context, job string, t *Task, p planned) error {
	result := Result{State: actionHeld, Note: p.Hold}
	if p.Hold == "" {
		place, err := c.place(p.Place)
		if err != nil {
			return err
		}
		if result, err = place.Do(ctx, t, p.Action); err != nil {
			return fmt.Errorf("place %q, %s number %d: %w", p.Place, p.Kind, p.No, err)
		}
	}
	return c.finish(ctx, job, p, result)
}

// verify looks for the subject in other ways. What was written while the job ran is erased in another round; what remains after the last one is an error,
// and the job can be run again.
func (c *Controller) verify(ctx context.Context, w *work, t *Task) (step, error) {
	count := 0
	for p, err := range c.each(ctx, w.ID) {
		if err != nil {
			return "", err
		}
		t.know(p.Action)
		count = p.No + 1
	}
	w.Checks = nil
	remains := 0
	for _, p := range c.places {
		report := newReporter(c.opts.Progress, w, 0, 0)
		report.p.Place = p.Name()
		t.looked = report.add
		check, err := p.Verify(ctx, t)
		if err != nil {
			return "", fmt.Errorf("place %q: %w", p.Name(), err)
		}
		check.Place = p.Name()
		w.Checks = append(w.Checks, check)
		remains += check.Found
		if b, ok := p.(bystander); ok {
			others := slices.DeleteFunc(slices.Clone(w.Witnesses), func(x witness) bool { return x.Place != p.Name() })
			check, err := b.unchanged(ctx, t, others)
			if err != nil {
				return "", fmt.Errorf("place %q: %w", p.Name(), err)
			}
			w.Checks = append(w.Checks, check)
		}
	}
	if remains == 0 {
		return stepCertify, nil
	}
	if w.Round++; w.Round >= maxRounds {
		return "", fmt.Errorf("%w: %s", ErrRemains, found(w.Checks))
	}
	more, err := c.find(ctx, t)
	if err != nil {
		return "", err
	}
	return stepSuppress, c.append(ctx, w.ID, count, t.fresh(more))
}

// fresh leaves out what the plan has already and will not do again.
func (t *Task) fresh(list []Action) []Action {
	var more []Action
	for _, a := range list {
		if was, ok := t.Planned(a.Place, a.Target); !ok || was.Seen != a.Seen && a.Do != KeepRow {
			more = append(more, a)
		}
	}
	return more
}

func found(checks []Check) string {
	text := ""
	for _, check := range checks {
		if check.Found > 0 {
			text += fmt.Sprintf("%d in %q by %s (%s); ", check.Found, check.Place, check.Route, check.Note)
		}
	}
	return text + "find out who writes them, and run the job again"
}

// TakeOver ends the lease of a process that is known to be dead, so that the job need not wait for its end.
func (c *Controller) TakeOver(ctx context.Context, job string) error {
	w, err := c.load(ctx, job)
	if err != nil {
		return err
	}
	w.Runner, w.RunnerEnds = "", time.Time{}
	return c.save(ctx, w)
}
