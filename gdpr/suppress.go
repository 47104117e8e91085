package gdpr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/insideout-go/insideout/internal/backoff"
	"github.com/insideout-go/insideout/table"
)

// suppress keeps the subject from coming back before anything is erased: from now on listeners drop what is about them. An order of 14:03 that
// arrives tomorrow is dropped too; what happens after Readmit is not. Whom no place knows is not suppressed, since an id may be mistyped, nor is one
// who is held in everything.
func (c *Controller) suppress(ctx context.Context, w *work, t *Task) (step, error) {
	row := suppressionRow{Ref: w.Ref, Since: w.StartedAt, Job: w.ID}
	was, meta, err := suppressions.GetMeta(ctx, c.db, w.Ref)
	known := err == nil
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return "", err
	}
	row.Targets = was.Targets
	n, still, err := c.remember(ctx, w, &row)
	if err != nil || n == 0 {
		return stepShred, err
	}
	w.Held = row.Held && still == n
	row.Pending = w.Held && (!known || was.Pending)
	if known {
		err = suppressions.Save(ctx, c.db, row, table.IfUnchanged(meta.Timestamp))
	} else {
		err = suppressions.Create(ctx, c.db, row)
	}
	if err != nil {
		return "", err
	}
	c.tell(row)
	return stepShred, backoff.Sleep(ctx, c.opts.Settle)
}

// tell lets listeners of this process know at once.
func (c *Controller) tell(row suppressionRow) {
	if c.opts.Suppression != nil {
		c.opts.Suppression.add(row)
	}
}

// remember notes what was shredded, to do it again after a restore, and when something that is kept is to be looked at again. It counts the actions, and those that change nothing.
func (c *Controller) remember(ctx context.Context, w *work, row *suppressionRow) (n, still int, err error) {
	for p, err := range c.each(ctx, w.ID) {
		if err != nil {
			return n, still, err
		}
		if n++; p.Hold != "" || p.Do == KeepRow {
			still++
		}
		shredded := target{Place: p.Place, Target: p.Target}
		if p.Do == ShredKey && p.Hold == "" && !slices.Contains(row.Targets, shredded) {
			row.Targets = append(row.Targets, shredded)
		}
		row.Held = row.Held || p.Hold != ""
		for _, f := range p.Fields {
			if f.Do == doKeep && (row.Due.IsZero() || f.Until.Before(row.Due)) {
				row.Due = f.Until
			}
		}
	}
	return n, still, nil
}

// Readmit lets a subject that was erased come back, as when somebody registers again: what happens from now on is written, what happened before stays
// dropped. Their old keys stay destroyed.
func (c *Controller) Readmit(ctx context.Context, subject string) error {
	ref, err := c.ref(subject)
	if err != nil {
		return err
	}
	row, meta, err := suppressions.GetMeta(ctx, c.db, ref)
	if errors.Is(err, table.ErrNotFound) {
		return inputf("subject %s was never erased: there is nothing to readmit", ref)
	}
	if err != nil {
		return err
	}
	row.Readmitted = time.Now().UTC().Truncate(time.Millisecond)
	if err := suppressions.Save(ctx, c.db, row, table.IfUnchanged(meta.Timestamp)); err != nil {
		return err
	}
	c.tell(row)
	return nil
}

// Suppression knows whom listeners must not write about. It is kept in memory, about 100 bytes a subject, so that an event costs no read.
type Suppression struct {
	db *table.DB

	mu   sync.RWMutex
	rows map[string]span
}

// span is the time of which nothing about a subject is written. The zero end is: for good.
type span struct{ readmitted time.Time }

// Suppressions reads whom the controller's table suppresses, and reads on every few seconds until the context ends; a failed reading is told to failed (which
// may be nil), and the last one holds. What it knows is as old as that interval at most: give the controller's Options.Settle the same.
func Suppressions(ctx context.Context, db *table.DB, every time.Duration, failed func(error)) (*Suppression, error) {
	s := &Suppression{db: db, rows: map[string]span{}}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	go func() {
		for backoff.Sleep(ctx, max(every, time.Second)) == nil {
			if err := s.Refresh(ctx); err != nil && failed != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}()
	return s, nil
}

// Refresh reads all suppressions again.
func (s *Suppression) Refresh(ctx context.Context) error {
	for row, err := range suppressions.List().All(ctx, s.db) {
		if err != nil {
			return fmt.Errorf("gdpr: suppressions: %w", err)
		}
		s.add(row)
	}
	return nil
}

func (s *Suppression) add(row suppressionRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row.Pending {
		delete(s.rows, row.Ref)
		return
	}
	s.rows[row.Ref] = span{readmitted: row.Readmitted}
}

// Suppressed reports whether what happened to a subject at a time must not be written: the hook of a listener's table, table.Options.Suppressed.
func (s *Suppression) Suppressed(ref string, at time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	span, ok := s.rows[ref]
	return ok && (span.readmitted.IsZero() || at.Before(span.readmitted))
}
