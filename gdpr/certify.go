package gdpr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// propagate tells other services (Art. 17(2) and 19), and waits for those that must acknowledge. The event's id and bytes depend on the job alone.
func (c *Controller) propagate(ctx context.Context, w *work, _ *Task) (step, error) {
	if w.Round > 0 || c.opts.Publisher == nil || w.Held {
		return stepVerify, nil
	}
	e := insideout.Event{
		ID: idempotence.ID("gdpr.subject-erased", w.ID), Type: "subject-erased", Timestamp: w.StartedAt, PartitionKey: w.Ref,
	}
	if err := e.SetBody("subject", map[string]string{"ref": w.Ref, "job": w.ID}); err != nil {
		return "", err
	}
	if err := c.opts.Publisher.Publish(ctx, []insideout.Event{e}); err != nil {
		return "", err
	}
	missing, err := c.missing(ctx, w.ID)
	if err != nil {
		return "", err
	}
	if deadline := w.StartedAt.Add(c.opts.Patience); len(missing) > 0 && time.Now().Before(deadline) {
		return "", fmt.Errorf("%w: %s have time until %s; run the job again then", ErrWaiting, strings.Join(missing, ", "), deadline.Format(time.RFC3339))
	}
	return stepVerify, nil
}

// Acknowledge notes that a recipient has erased its part of a job, as the event "subject-erased" asked it to.
func (c *Controller) Acknowledge(ctx context.Context, job, recipient string) error {
	if !slices.Contains(c.opts.Recipients, recipient) {
		return inputf("%q is none of the recipients", recipient)
	}
	if _, err := c.load(ctx, job); err != nil {
		return err
	}
	return acks.Save(ctx, c.db, ackRow{Job: job, Recipient: recipient, At: time.Now().UTC()})
}

func (c *Controller) missing(ctx context.Context, job string) ([]string, error) {
	left := slices.Clone(c.opts.Recipients)
	for a, err := range acks.Of(job).All(ctx, c.db) {
		if err != nil {
			return nil, err
		}
		left = slices.DeleteFunc(left, func(r string) bool { return r == a.Recipient })
	}
	return left, nil
}

// certify writes the receipt. The number of the receipt is written down first, so that a stop in between finds it again; the row with that number is
// created by one job only, which makes the chain.
func (c *Controller) certify(ctx context.Context, w *work, _ *Task) (step, error) {
	if done, err := c.certified(ctx, w); done || err != nil {
		return stepDone, err
	}
	for {
		previous, err := c.lastReceipt(ctx, w.Receipt-1)
		if err != nil {
			return "", err
		}
		if w.Receipt != previous.Number+1 {
			w.Receipt, w.EndedAt = previous.Number+1, time.Now().UTC().Truncate(time.Millisecond)
			if err := c.renew(ctx, w); err != nil {
				return "", err
			}
		}
		r, err := c.receipt(ctx, w, previous)
		if err != nil {
			return "", err
		}
		err = c.keep(ctx, w, r)
		if errors.Is(err, table.ErrExists) {
			w.Receipt = 0 // another job took the number
			continue
		}
		return stepDone, err
	}
}

// certified finds the receipt that this job wrote before it was stopped.
func (c *Controller) certified(ctx context.Context, w *work) (bool, error) {
	if w.Receipt == 0 {
		return false, nil
	}
	row, err := receipts.Get(ctx, c.db, w.Receipt)
	if errors.Is(err, table.ErrNotFound) || err == nil && row.Job != w.ID {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, c.end(ctx, w)
}

// keep stores the receipt, and ends the job.
func (c *Controller) keep(ctx context.Context, w *work, r Receipt) error {
	text, err := r.Bytes()
	if err != nil {
		return err
	}
	if err := receipts.Create(ctx, c.db, receiptRow{Number: r.Number, Job: w.ID, Text: text}); err != nil {
		return err
	}
	return c.end(ctx, w)
}

// end takes what is personal out of the job's rows.
func (c *Controller) end(ctx context.Context, w *work) error {
	if err := c.forget(ctx, w.ID); err != nil {
		return err
	}
	w.Step, w.Subject, w.Salt, w.Witnesses, w.Probes = stepDone, "", nil, nil, nil
	w.Runner, w.RunnerEnds = "", time.Time{}
	if err := jobs.Save(ctx, c.db, w.jobRow, table.IfUnchanged(w.seen)); err != nil {
		return fmt.Errorf("the job cannot be ended: %w", err)
	}
	return nil
}

// forget removes the actions of a job, whose targets may name a person.
func (c *Controller) forget(ctx context.Context, job string) error {
	for p, err := range c.each(ctx, job) {
		if err != nil {
			return err
		}
		if err := actions.DeletePermanently(ctx, c.db, table.Of(job, p.No)); err != nil && !errors.Is(err, table.ErrNotFound) {
			return err
		}
	}
	return nil
}

// lastReceipt is the end of the chain. It looks from a number that is known to be there, or from what the index knows, which may be late.
func (c *Controller) lastReceipt(ctx context.Context, from int64) (Receipt, error) {
	var last Receipt
	if from < 1 {
		from = 1
		page, err := receipts.List().Page(ctx, c.db, table.Desc(), table.Limit(1))
		if err != nil {
			return last, err
		}
		for _, row := range page.Items {
			from = row.Number
		}
	}
	for number := from; ; number++ {
		row, err := receipts.Get(ctx, c.db, number)
		if errors.Is(err, table.ErrNotFound) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		if last, err = VerifyReceipt(row.Text, c.public()); err != nil {
			return last, fmt.Errorf("gdpr: receipt number %d: %w", number, err)
		}
	}
}

// receipt says what the job did. It depends on what is stored alone, so that it is the same when it is made again.
func (c *Controller) receipt(ctx context.Context, w *work, previous Receipt) (Receipt, error) {
	r := Receipt{
		Number: w.Receipt, Previous: previous.Hash, Job: w.ID, Subject: w.Ref, Plan: w.PlanHash, ApprovedBy: w.ApprovedBy, ApprovedAt: w.ApprovedAt.UTC(),
		StartedAt: w.StartedAt.UTC(), EndedAt: w.EndedAt.UTC(), Checks: w.Checks, Residuals: w.Residuals,
	}
	t := newTally()
	for p, err := range c.each(ctx, w.ID) {
		if err != nil {
			return Receipt{}, err
		}
		t.add(p)
	}
	r.Outcome, r.Done, r.Kept, r.Actions = t.outcome(), t.done(), t.keeps(), hex.EncodeToString(t.digest.Sum(nil))
	missing, err := c.missing(ctx, w.ID)
	if err != nil {
		return Receipt{}, err
	}
	for _, recipient := range c.opts.Recipients {
		if slices.Contains(missing, recipient) {
			r.Residuals = append(r.Residuals, Residual{Place: recipient, What: "has not acknowledged that it erased its part"})
		} else {
			r.Done = append(r.Done, Done{Place: recipient, Do: "acknowledge", Count: 1})
		}
	}
	return r, r.sign(c.opts.Signer)
}

func (c *Controller) receiptOf(ctx context.Context, w *work) (Receipt, error) {
	row, err := receipts.Get(ctx, c.db, w.Receipt)
	if err != nil {
		return Receipt{}, err
	}
	return VerifyReceipt(row.Text, c.public())
}

// Receipts yields the bytes of every receipt, in the order of the chain: see VerifyChain.
func (c *Controller) Receipts(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for number := int64(1); ; number++ {
			row, err := receipts.Get(ctx, c.db, number)
			if errors.Is(err, table.ErrNotFound) || !yield(row.Text, err) || err != nil {
				return
			}
		}
	}
}

// tally sums up the actions of a job for its receipt.
type tally struct {
	counts map[[2]string]int
	kept   map[[3]string]*Kept
	digest interface {
		Write([]byte) (int, error)
		Sum([]byte) []byte
	}
}

func newTally() *tally {
	return &tally{counts: map[[2]string]int{}, kept: map[[3]string]*Kept{}, digest: sha256.New()}
}

func (t *tally) add(p planned) {
	text, _ := json.Marshal(struct {
		Action Action
		State  ResultState
		Note   string
	}{p.Action, p.State, p.Result.Note})
	fmt.Fprintf(t.digest, "%d:", len(text))
	_, _ = t.digest.Write(text)
	do := string(p.Do)
	if p.State == actionHeld || p.State == ActionGone {
		do = string(p.State)
	}
	t.counts[[2]string{p.Place, do}]++
	if p.State == actionHeld {
		t.keep(p, "", "hold: "+p.Hold, time.Time{}, true)
		return
	}
	for _, f := range p.Fields {
		if f.Do == doKeep {
			t.keep(p, f.Field, f.Reason, f.Until, false)
		}
	}
}

func (t *tally) keep(p planned, field, reason string, until time.Time, blocked bool) {
	at := [3]string{p.Place, p.Kind + "." + field, reason}
	k := t.kept[at]
	if k == nil {
		k = &Kept{Place: p.Place, Field: strings.TrimSuffix(p.Kind+"."+field, "."), Reason: reason, Blocked: blocked}
		t.kept[at] = k
	}
	k.Count++
	if until.After(k.Until) {
		k.Until = until.UTC()
	}
}

func (t *tally) outcome() Outcome {
	held, did := 0, 0
	for at, n := range t.counts {
		switch at[1] {
		case string(actionHeld):
			held += n
		case string(KeepRow):
		default:
			did += n
		}
	}
	switch {
	case held > 0 && did == 0:
		return AllHeld
	case len(t.kept) > 0:
		return ErasedInPart
	case len(t.counts) == 0:
		return NothingFound
	}
	return Erased
}

func (t *tally) done() []Done {
	list := []Done{}
	for at, n := range t.counts {
		list = append(list, Done{Place: at[0], Do: at[1], Count: n})
	}
	slices.SortFunc(list, func(a, b Done) int { return strings.Compare(a.Place+"\x00"+a.Do, b.Place+"\x00"+b.Do) })
	return list
}

func (t *tally) keeps() []Kept {
	list := []Kept{}
	for _, k := range t.kept {
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b Kept) int {
		return strings.Compare(a.Place+"\x00"+a.Field+"\x00"+a.Reason, b.Place+"\x00"+b.Field+"\x00"+b.Reason)
	})
	return list
}
