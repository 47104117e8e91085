package gdpr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insideout-go/insideout/table"
)

// Status is where a job stands.
type Status struct {
	Job        string    `json:"job"`
	Subject    string    `json:"subject"` // the keyed reference
	Step       string    `json:"step"`    // what it does next: "approve" waits for somebody, "done" has a receipt
	Plan       string    `json:"plan"`    // the hash to approve
	Actions    int       `json:"actions"`
	MadeAt     time.Time `json:"made_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Running    bool      `json:"running"`
	Receipt    int64     `json:"receipt,omitempty"`
}

func statusOf(row jobRow) Status {
	return Status{
		Job: row.ID, Subject: row.Ref, Step: string(row.Step), Plan: row.PlanHash, Actions: row.Actions, MadeAt: row.MadeAt, ExpiresAt: row.ExpiresAt,
		ApprovedBy: row.ApprovedBy, Running: row.Runner != "" && time.Now().Before(row.RunnerEnds), Receipt: row.Receipt,
	}
}

// Status is where a job stands.
func (c *Controller) Status(ctx context.Context, job string) (Status, error) {
	w, err := c.load(ctx, job)
	if err != nil {
		return Status{}, err
	}
	return statusOf(w.jobRow), nil
}

// Jobs yields all jobs, in no order.
func (c *Controller) Jobs(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		for row, err := range jobs.List().All(ctx, c.db) {
			if !yield(statusOf(row), err) || err != nil {
				return
			}
		}
	}
}

// Prune removes plans that nobody approved in time, since they name a person. Retention does it too.
func (c *Controller) Prune(ctx context.Context) (int, error) {
	n := 0
	for row, err := range jobs.List().All(ctx, c.db) {
		if err != nil {
			return n, err
		}
		if row.Step != stepApprove || time.Now().Before(row.ExpiresAt) {
			continue
		}
		if err := c.discard(ctx, row.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// discard removes a job that was not approved, with its actions.
func (c *Controller) discard(ctx context.Context, job string) error {
	if err := c.forget(ctx, job); err != nil {
		return err
	}
	if err := jobs.DeletePermanently(ctx, c.db, job); err != nil && !errors.Is(err, table.ErrNotFound) {
		return err
	}
	return nil
}

// Describe writes a plan for a person to read: what would be done, what is kept and why, and which copies remain.
func (p Plan) Describe(w io.Writer) error {
	hash, err := p.Hash()
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "job\t%s\nsubject\t%s\nplan\t%s\nmade\t%s, can be approved until %s\n", p.Job, p.Subject, hash, p.MadeAt.Format(time.RFC3339), p.ExpiresAt.Format(time.RFC3339))
	fmt.Fprintf(tw, "cost\tabout %.0f read and %.0f write units, and a reading of each table to verify\n\n", p.Cost.Reads, p.Cost.Writes)
	if len(p.Actions) == 0 {
		fmt.Fprintln(tw, "No place that was asked knows this subject.")
	}
	for _, a := range p.Actions {
		fmt.Fprintf(tw, "%s\t%s\t%s %s\t%s\n", a.Do, a.Place, a.Kind, a.Target, a.fieldText())
	}
	describeResiduals(tw, p.Residuals)
	return tw.Flush()
}

func (a Action) fieldText() string {
	if a.Hold != "" {
		return "HELD " + a.Hold
	}
	var parts []string
	for _, f := range a.Fields {
		part := string(f.Do) + " " + f.Field
		if f.Do == doKeep {
			part += fmt.Sprintf(" (%s, until %s)", f.Reason, f.Until.Format(time.DateOnly))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// Describe writes a receipt for a person to read.
func (r Receipt) Describe(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "receipt\t%d\njob\t%s\nsubject\t%s\noutcome\t%s\n", r.Number, r.Job, r.Subject, r.Outcome)
	fmt.Fprintf(tw, "approved\t%s, by %s\ndone\t%s\n\n", r.ApprovedAt.Format(time.RFC3339), r.ApprovedBy, r.EndedAt.Format(time.RFC3339))
	for _, d := range r.Done {
		fmt.Fprintf(tw, "%s\t%s\t%d\n", d.Place, d.Do, d.Count)
	}
	for _, k := range r.Kept {
		fmt.Fprintf(tw, "%s\tkept %s\t%d\t%s%s\n", k.Place, k.Field, k.Count, k.Reason, untilText(k.Until))
	}
	for _, check := range r.Checks {
		fmt.Fprintf(tw, "%s\tverified\t%d of %d found\t%s; %s\n", check.Place, check.Found, check.Seen, check.Route, check.Note)
	}
	describeResiduals(tw, r.Residuals)
	fmt.Fprintf(tw, "\nhash\t%s\nkey\t%s\nsignature\t%s\n", r.Hash, r.Key, r.Signature)
	return tw.Flush()
}

func describeResiduals(w io.Writer, list []Residual) {
	for _, r := range list {
		fmt.Fprintf(w, "%s\tremains\t%s%s\n", r.Place, r.What, untilText(r.Until))
	}
}

func untilText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", until " + t.Format(time.DateOnly)
}
