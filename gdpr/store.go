package gdpr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/insideout-go/insideout/table"
)

// jobRow is a job: a plan, who approved it, and how far it has come. Subject and Salt go when it ends.
type jobRow struct {
	ID         string     `dynamo:"id"`
	Ref        string     `dynamo:"ref"`
	Subject    string     `dynamo:"subject,omitempty"`
	Salt       []byte     `dynamo:"salt,omitempty"`
	Step       step       `dynamo:"step"`
	Round      int        `dynamo:"round"`
	Actions    int        `dynamo:"actions"`
	PlanHash   string     `dynamo:"planHash"`
	MadeAt     time.Time  `dynamo:"madeAt"`
	ExpiresAt  time.Time  `dynamo:"expiresAt"`
	Residuals  []Residual `dynamo:"residuals"`
	Known      []target   `dynamo:"known,omitempty"`
	Witnesses  []witness  `dynamo:"witnesses,omitempty"`
	Probes     []probe    `dynamo:"probes,omitempty"`
	Cost       Cost       `dynamo:"cost"`
	ApprovedBy string     `dynamo:"approvedBy,omitempty"`
	ApprovedAt time.Time  `dynamo:"approvedAt,omitempty"`
	StartedAt  time.Time  `dynamo:"startedAt,omitempty"`
	EndedAt    time.Time  `dynamo:"endedAt,omitempty"`
	Checks     []Check    `dynamo:"checks,omitempty"`
	Receipt    int64      `dynamo:"receipt,omitempty"`
	Held       bool       `dynamo:"held,omitempty"` // all of it: nothing is touched
	Runner     string     `dynamo:"runner,omitempty"`
	RunnerEnds time.Time  `dynamo:"runnerEnds,omitempty"`
}

// actionRow is one action of a job. Its bytes are JSON: the plan's hash is over them.
type actionRow struct {
	Job    string      `dynamo:"job"`
	No     int         `dynamo:"no"`
	Action []byte      `dynamo:"action"`
	State  ResultState `dynamo:"state,omitempty"`
	Result []byte      `dynamo:"result,omitempty"`
}

// ackRow says that a recipient has done its part.
type ackRow struct {
	Job       string    `dynamo:"job"`
	Recipient string    `dynamo:"recipient"`
	At        time.Time `dynamo:"at"`
}

// suppressionRow keeps a subject from coming back: what happened until Readmitted is not written again. It outlives the tables that it protects, and
// names nobody: jobs after a restore, after a hold and after a time of keeping find their way by it.
type suppressionRow struct {
	Ref        string    `dynamo:"ref"`
	Since      time.Time `dynamo:"since"`
	Readmitted time.Time `dynamo:"readmitted,omitempty"`
	Job        string    `dynamo:"job"`
	Targets    []target  `dynamo:"targets,omitempty"` // keys that were shredded
	Held       bool      `dynamo:"held,omitempty"`    // a hold kept something
	Pending    bool      `dynamo:"pending,omitempty"` // it kept everything: the subject is not erased yet, and nothing is suppressed
	Due        time.Time `dynamo:"due,omitempty"`     // when the first reason to keep something ends
}

// probe is a sealed value that must not open after the erasure.
type probe struct {
	Model      string `dynamo:"model"`
	ID         string `dynamo:"id"`
	Field      string `dynamo:"field"`
	Class      string `dynamo:"class"`
	Ciphertext []byte `dynamo:"ciphertext"`
}

// target is one target of a place.
type target struct {
	Place  string `dynamo:"place"`
	Target string `dynamo:"target"`
}

type receiptRow struct {
	Number int64  `dynamo:"number"`
	Job    string `dynamo:"job"`
	Text   []byte `dynamo:"text"`
}

// chainRow is the head of the chain of receipts.
type chainRow struct {
	ID     string `dynamo:"id"`
	Number int64  `dynamo:"number"`
	Hash   string `dynamo:"hash"`
}

type holdRow struct {
	ID     string    `dynamo:"id"`
	Ref    string    `dynamo:"ref,omitempty"`
	Place  string    `dynamo:"place,omitempty"`
	Kind   string    `dynamo:"kind,omitempty"`
	Reason string    `dynamo:"reason"`
	Until  time.Time `dynamo:"until,omitempty"`
}

var (
	jobs         = table.DefineNode("job", func(j *jobRow, d *table.Def[jobRow]) { d.ID(&j.ID) })
	suppressions = table.DefineNode("suppression", func(s *suppressionRow, d *table.Def[suppressionRow]) { d.ID(&s.Ref) })
	receipts     = table.DefineNode("receipt", func(r *receiptRow, d *table.Def[receiptRow]) { d.ID(&r.Number) })
	chains       = table.DefineNode("chain", func(c *chainRow, d *table.Def[chainRow]) { d.ID(&c.ID) })
	holds        = table.DefineNode("hold", func(h *holdRow, d *table.Def[holdRow]) { d.ID(&h.ID) })
	actions      = table.DefineEdge("action", "action", func(a *actionRow, d *table.Def[actionRow]) {
		d.Owner(&a.Job)
		d.ID(&a.No)
	})
	acks = table.DefineEdge("acknowledgement", "ack", func(a *ackRow, d *table.Def[ackRow]) {
		d.Owner(&a.Job)
		d.ID(&a.Recipient)
	})
)

// Schema is the controller's own table: jobs, receipts, suppressions and holds. Keep it apart from the tables that it protects, with backups of its own.
func Schema() *table.TableSchema {
	return table.Schema(jobs, actions, acks, suppressions, receipts, chains, holds)
}

// step is what a job does next.
type step string

const (
	stepApprove   step = "approve"
	stepSuppress  step = "suppress"
	stepShred     step = "shred"
	stepErase     step = "erase"
	stepPropagate step = "propagate"
	stepVerify    step = "verify"
	stepCertify   step = "certify"
	stepDone      step = "done"
)

// work is a job that is being carried out.
type work struct {
	jobRow
	seen time.Time // the timestamp of the row, for the optimistic lock
}

func (c *Controller) load(ctx context.Context, id string) (*work, error) {
	row, meta, err := jobs.GetMeta(ctx, c.db, id)
	if errors.Is(err, table.ErrNotFound) {
		return nil, fmt.Errorf("%w: %q", ErrNoJob, id)
	}
	if err != nil {
		return nil, err
	}
	return &work{jobRow: row, seen: meta.Timestamp}, nil
}

// save writes the job, unless another runner did meanwhile.
func (c *Controller) save(ctx context.Context, w *work) error {
	if err := jobs.Save(ctx, c.db, w.jobRow, table.IfUnchanged(w.seen)); err != nil {
		return fmt.Errorf("gdpr: job %q: %w", w.ID, err)
	}
	row, meta, err := jobs.GetMeta(ctx, c.db, w.ID)
	if err == nil && row.Runner != w.Runner {
		err = fmt.Errorf("%w: %q", ErrBusy, w.ID)
	}
	w.seen = meta.Timestamp
	return err
}

// each yields the actions of a job, in the order of the plan.
func (c *Controller) each(ctx context.Context, job string) iter.Seq2[planned, error] {
	return func(yield func(planned, error) bool) {
		for row, err := range actions.Of(job).All(ctx, c.db) {
			p := planned{No: row.No, State: row.State}
			if err == nil {
				err = p.decode(row)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// planned is an action with what became of it; State is empty until then.
type planned struct {
	Action
	No     int
	State  ResultState
	Result Result
}

func (p *planned) decode(row actionRow) error {
	err := json.Unmarshal(row.Action, &p.Action)
	if err == nil && row.Result != nil {
		err = json.Unmarshal(row.Result, &p.Result)
	}
	if err != nil {
		return fmt.Errorf("gdpr: job %q, action %d: %w", row.Job, row.No, err)
	}
	return nil
}

// append stores actions behind those that the job has.
func (c *Controller) append(ctx context.Context, job string, from int, list []Action) error {
	ops := make([]table.Op, len(list))
	for i, a := range list {
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		ops[i] = actions.Put(actionRow{Job: job, No: from + i, Action: text})
	}
	if len(ops) == 0 {
		return nil
	}
	return c.db.Batch(ctx, ops...)
}

// finish stores what became of an action.
func (c *Controller) finish(ctx context.Context, job string, p planned, r Result) error {
	action, err := json.Marshal(p.Action)
	if err != nil {
		return err
	}
	result, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return actions.Save(ctx, c.db, actionRow{Job: job, No: p.No, Action: action, State: r.State, Result: result})
}
