package gdpr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/insideout-go/insideout/table"
)

// Hold forbids the erasure of something for a time, as a dispute or an order of a court does (Art. 17(3)(e), 18). What a hold covers stays as it is when a job
// runs, and the receipt says so; Release erases it.
type Hold struct {
	ID      string
	Subject string    // the id of a subject; empty is everybody
	Place   string    // the name of a place; empty is every one
	Kind    string    // a model's name; empty is every kind
	Reason  string    // why, without personal data: it goes into plans and receipts
	Until   time.Time // when it ends by itself; zero is at its release
}

// Hold places a hold, or changes the one with that id.
func (c *Controller) Hold(ctx context.Context, h Hold) error {
	row := holdRow{ID: h.ID, Place: h.Place, Kind: h.Kind, Reason: h.Reason, Until: h.Until.UTC()}
	var faults []error
	if h.ID == "" || h.Reason == "" {
		faults = append(faults, inputf("a hold needs an id and a reason"))
	}
	if h.Place != "" {
		_, err := c.place(h.Place)
		faults = append(faults, err)
	}
	if h.Subject != "" {
		ref, err := c.ref(h.Subject)
		row.Ref = ref
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return holds.Save(ctx, c.db, row)
}

// Holds yields the holds that are in force. Subject is the keyed reference.
func (c *Controller) Holds(ctx context.Context) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		for row, err := range holds.List().All(ctx, c.db) {
			if err == nil && !row.Until.IsZero() && !row.Until.After(time.Now()) {
				continue
			}
			h := Hold{ID: row.ID, Subject: row.Ref, Place: row.Place, Kind: row.Kind, Reason: row.Reason, Until: row.Until}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

// Release ends a hold and erases what it kept of subjects that were erased meanwhile: a job each, with a receipt of its own. A release that was stopped goes on
// when it is called again.
func (c *Controller) Release(ctx context.Context, id, who string) ([]Receipt, error) {
	row, err := holds.Get(ctx, c.db, id)
	if errors.Is(err, table.ErrNotFound) {
		return nil, inputf("there is no hold %q", id)
	}
	if err != nil {
		return nil, err
	}
	if row.Until.IsZero() || row.Until.After(time.Now()) { // kept, but no longer in force, until the jobs are through
		row.Until = time.Now().UTC().Truncate(time.Millisecond)
		if err := holds.Save(ctx, c.db, row); err != nil {
			return nil, err
		}
	}
	list, err := c.again(ctx, who, "the release of hold "+id, func(s suppressionRow) bool {
		return s.Held && (row.Ref == "" || row.Ref == s.Ref)
	})
	if err != nil {
		return list, err
	}
	return list, holds.DeletePermanently(ctx, c.db, id)
}

// Retention erases what was kept of erased subjects for a reason that has ended, and plans that nobody approved in time. Run it every day.
func (c *Controller) Retention(ctx context.Context, who string) ([]Receipt, error) {
	if _, err := c.Prune(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	return c.again(ctx, who, "the end of a retention", func(s suppressionRow) bool { return !s.Due.IsZero() && s.Due.Before(now) })
}

// Reapply runs every erasure again: after a table, a key table or a lake was restored from a backup, before it is read. Subjects of whom nothing came back have no
// receipt of it.
func (c *Controller) Reapply(ctx context.Context, who string) ([]Receipt, error) {
	return c.again(ctx, who, "a restore", func(suppressionRow) bool { return true })
}

// again makes and runs a job for each suppressed subject that is meant. Their ids are not known any more: the reference finds their rows.
func (c *Controller) again(ctx context.Context, who, why string, meant func(suppressionRow) bool) ([]Receipt, error) {
	list, err := c.stopped(ctx)
	if err != nil {
		return list, err
	}
	for row, err := range suppressions.List().All(ctx, c.db) {
		if err != nil {
			return list, err
		}
		if !meant(row) {
			continue
		}
		r, worked, err := c.followUp(ctx, row, cmp.Or(who, why))
		if err != nil {
			return list, fmt.Errorf("gdpr: subject %s, after %s: %w", row.Ref, why, err)
		}
		if worked {
			list = append(list, r)
		}
	}
	return list, nil
}

// stopped goes on with jobs of this kind that were stopped: what they note of their subjects is noted already, so that nobody else would find their way back.
func (c *Controller) stopped(ctx context.Context) ([]Receipt, error) {
	var list []Receipt
	for row, err := range jobs.List().All(ctx, c.db) {
		if err != nil {
			return list, err
		}
		if row.Subject != "" || row.Step == stepApprove || row.Step == stepDone {
			continue
		}
		r, err := c.Run(ctx, row.ID)
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// followUp erases what is there of a subject that was erased before. Nothing there is no job.
func (c *Controller) followUp(ctx context.Context, row suppressionRow, who string) (Receipt, bool, error) {
	t := &Task{Job: uuid.NewString(), Ref: row.Ref, known: row.Targets, refers: c.ref, pace: &pace{budget: c.opts.Budget}}
	plan, err := c.plan(ctx, t)
	if err != nil {
		return Receipt{}, false, err
	}
	if !slices.ContainsFunc(plan.Actions, func(a Action) bool { return a.Do != KeepRow && a.Hold == "" }) {
		return Receipt{}, false, c.discard(ctx, plan.Job)
	}
	r, err := c.Erase(ctx, plan, who)
	return r, true, err
}

// inForce are the holds that concern a subject.
type inForce []holdRow

func (c *Controller) holdsOn(ctx context.Context, ref string) (inForce, error) {
	var list inForce
	for row, err := range holds.List().All(ctx, c.db) {
		if err != nil {
			return nil, err
		}
		ended := !row.Until.IsZero() && !row.Until.After(time.Now())
		if !ended && (row.Ref == "" || row.Ref == ref) {
			list = append(list, row)
		}
	}
	return list, nil
}

// reason is why an action is held, or nothing.
func (list inForce) reason(a Action) string {
	for _, h := range list {
		if (h.Place == "" || h.Place == a.Place) && (h.Kind == "" || h.Kind == a.Kind) && a.Do != KeepRow {
			return h.ID + ": " + h.Reason
		}
	}
	return ""
}

// keepSealed holds back the shredding of keys that something which stays is sealed under. Its copies elsewhere can be read as long: the receipt says so.
func keepSealed(list []Action) []Action {
	classes := map[string]string{}
	for _, a := range list {
		for _, f := range a.Fields {
			if f.Class == "" {
				continue
			}
			if a.Hold != "" {
				classes[f.Class] = cmp.Or(classes[f.Class], "it opens what a hold keeps: "+a.Hold)
			} else if f.Do == doKeep {
				classes[f.Class] = cmp.Or(classes[f.Class], "it opens "+a.Kind+"."+f.Field+", which is kept: "+f.Reason)
			}
		}
	}
	for i, a := range list {
		if a.Do != ShredKey || a.Hold != "" {
			continue
		}
		for class, why := range classes {
			if a.Kind == "" || a.Kind == class {
				list[i].Hold = why
			}
		}
	}
	return list
}
