package gdpr

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Errors of a controller. Each says what to do; none holds personal data.
var (
	ErrNoJob       = errors.New("gdpr: there is no such job")
	ErrNotApproved = errors.New("gdpr: the plan is not approved")
	ErrApproval    = errors.New("gdpr: the approval does not fit the plan")
	ErrBusy        = errors.New("gdpr: the job is being run by another process")
	ErrRemains     = errors.New("gdpr: the verification found data that should be gone")
	ErrWaiting     = errors.New("gdpr: recipients have not acknowledged yet")
)

// Options of a controller. The zero value of each field is its default.
type Options struct {
	// Signer signs receipts. It is required.
	Signer ed25519.PrivateKey
	// Budget bounds the capacity that a job consumes in the tables it works on. The default is no bound.
	Budget Budget
	// Workers is how many actions are carried out at a time. The default is 8.
	Workers int
	// Approval is how long a plan can be approved. The default is a day.
	Approval time.Duration
	// Publisher hears of every erasure, as an event of type "subject-erased": a cdc.Publisher. The default is nobody.
	Publisher interface {
		Publish(ctx context.Context, events []insideout.Event) error
	}
	// Recipients are the services that must acknowledge it (Art. 19), and Patience is how long a job waits for them; after that the receipt names those
	// that did, and those that did not. The default is to wait for nobody.
	Recipients []string
	Patience   time.Duration
	// Suppression, if this process has one, is told at once whom a job suppresses.
	Suppression *Suppression
	// Settle is how long listeners of other processes need to hear of a suppression: the interval of their Suppressions. A job waits for it before it
	// erases. The default is not to wait: what listeners write meanwhile is found by the verification, but for what comes after it.
	Settle time.Duration
	// Logger hears of steps, at info level, without personal data. The default is none.
	Logger *slog.Logger
	// Progress is called after each action, and after each page that the verification has read, from one goroutine at a time. The default is none.
	Progress func(Progress)
}

// Progress is how far a job has come.
type Progress struct {
	Job   string
	Step  string
	Place string        // which is being verified; empty in other steps
	Done  int           // actions; rows and events of a verification
	Total int           // of a table, as its service counts them; zero where that is not known
	ETA   time.Duration // at the rate so far; zero while unknown
}

// Controller makes plans and carries them out. Its methods may be called from several goroutines and processes.
type Controller struct {
	db     *table.DB
	places []Place
	opts   Options
	lease  time.Duration
}

// subjects turns ids of people into the keyed references that rows carry. A *table.DB is one.
type subjects interface {
	SubjectRef(id string) (string, error)
}

const (
	defaultWorkers  = 8
	defaultApproval = 24 * time.Hour
	leaseTime       = time.Minute
)

// New makes a controller that keeps its jobs in db, a table of Schema. It reports every fault at once, those of the places' policies among them.
func New(db *table.DB, places []Place, opts *Options) (*Controller, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Workers, o.Approval = cmp.Or(o.Workers, defaultWorkers), cmp.Or(o.Approval, defaultApproval)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Controller{db: db, places: slices.Clone(places), opts: o, lease: leaseTime}
	if err := c.faults(); err != nil {
		return nil, fmt.Errorf("gdpr: %w", err)
	}
	return c, nil
}

func (c *Controller) public() ed25519.PublicKey {
	public, _ := c.opts.Signer.Public().(ed25519.PublicKey)
	return public
}

func (c *Controller) faults() error {
	var faults []error
	if c.db == nil {
		faults = append(faults, errors.New("the controller has no table of its own: open one of Schema"))
	}
	if len(c.places) == 0 {
		faults = append(faults, errors.New("there is no place to look for a subject: give it tables, keys and the lake"))
	}
	if len(c.opts.Signer) != ed25519.PrivateKeySize {
		faults = append(faults, errors.New("Options.Signer is no Ed25519 key: receipts could not be signed"))
	}
	if c.opts.Workers < 0 || c.opts.Approval < 0 || c.opts.Budget.Reads < 0 || c.opts.Budget.Writes < 0 || c.opts.Patience < 0 {
		faults = append(faults, errors.New("Options: Workers, Approval, Budget and Patience cannot be negative"))
	}
	names := map[string]bool{}
	for i, p := range c.places {
		switch {
		case p == nil:
			faults = append(faults, fmt.Errorf("place %d is nil", i))
		case p.Name() == "" || names[p.Name()]:
			faults = append(faults, fmt.Errorf("place %d: the name %q is empty or taken", i, p.Name()))
		default:
			names[p.Name()] = true
			faults = append(faults, lintOf(p)...)
		}
	}
	return errors.Join(append(faults, keyFaults(c.places)...)...)
}

// linter is a place that can tell whether it is set up well.
type linter interface{ lint() []error }

func lintOf(p Place) []error {
	l, ok := p.(linter)
	if !ok {
		return nil
	}
	var faults []error
	for _, err := range l.lint() {
		faults = append(faults, fmt.Errorf("place %q: %w", p.Name(), err))
	}
	return faults
}

func (c *Controller) place(name string) (Place, error) {
	for _, p := range c.places {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, inputf("there is no place %q: give it to New, under the name that it had", name)
}

// Plan finds everything that the places know of a subject, and says what an erasure would do. It changes nothing but the controller's own table, where
// the plan waits for its approval.
func (c *Controller) Plan(ctx context.Context, subject string) (Plan, error) {
	ref, err := c.ref(subject)
	if err != nil {
		return Plan{}, err
	}
	return c.plan(ctx, &Task{Job: uuid.NewString(), Subject: subject, Ref: ref, refers: c.ref, pace: &pace{budget: c.opts.Budget}})
}

// plan finds, and stores what it found: the actions first, so that a job is there whole or not at all.
func (c *Controller) plan(ctx context.Context, t *Task) (Plan, error) {
	if t.salt == nil {
		t.salt = make([]byte, 32)
		rand.Read(t.salt)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	plan := Plan{Version: planVersion, Job: t.Job, Subject: t.Ref, MadeAt: now, ExpiresAt: now.Add(c.opts.Approval)}
	var err error
	if plan.Actions, err = c.find(ctx, t); err != nil {
		return Plan{}, err
	}
	for _, a := range plan.Actions {
		plan.Cost = plan.Cost.plus(a.Cost)
	}
	if plan.Residuals, err = c.residuals(ctx); err != nil {
		return Plan{}, err
	}
	witnesses, err := c.witnesses(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	probes, err := c.probes(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	hash, err := plan.Hash()
	if err != nil {
		return Plan{}, err
	}
	if err := c.append(ctx, t.Job, 0, plan.Actions); err != nil {
		return Plan{}, err
	}
	return plan, jobs.Create(ctx, c.db, jobRow{
		ID: t.Job, Ref: t.Ref, Subject: t.Subject, Salt: t.salt, Step: stepApprove, Actions: len(plan.Actions), PlanHash: hash,
		MadeAt: plan.MadeAt, ExpiresAt: plan.ExpiresAt, Residuals: plan.Residuals, Cost: plan.Cost, Known: t.known, Witnesses: witnesses, Probes: probes,
	})
}

// ref is the keyed reference that all places share.
func (c *Controller) ref(subject string) (string, error) {
	if err := validSubject(subject); err != nil {
		return "", err
	}
	for _, p := range c.places {
		if s, ok := p.(subjects); ok {
			return s.SubjectRef(subject)
		}
	}
	return "", errors.New("gdpr: no place knows how subjects are referred to: give the controller a Table")
}

// bystander is a place that can tell whether an erasure touched somebody else.
type bystander interface {
	witnesses(ctx context.Context, t *Task) ([]witness, error)
	unchanged(ctx context.Context, t *Task, list []witness) (Check, error)
}

func (c *Controller) witnesses(ctx context.Context, t *Task) ([]witness, error) {
	var list []witness
	for _, p := range c.places {
		b, ok := p.(bystander)
		if !ok {
			continue
		}
		more, err := b.witnesses(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
		list = append(list, more...)
	}
	return list, nil
}

// find asks every place, and marks what a hold forbids.
func (c *Controller) find(ctx context.Context, t *Task) ([]Action, error) {
	held, err := c.holdsOn(ctx, t.Ref)
	if err != nil {
		return nil, err
	}
	var list []Action
	for _, p := range c.places {
		for a, err := range p.Find(ctx, t) {
			if err != nil {
				return nil, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
			}
			a.Place = p.Name()
			a.Hold = held.reason(a)
			list = append(list, a)
		}
	}
	return keepSealed(list), nil
}

func (c *Controller) residuals(ctx context.Context) ([]Residual, error) {
	list := []Residual{}
	for _, p := range c.places {
		more, err := p.Residuals(ctx)
		if err != nil {
			return nil, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
		list = append(list, more...)
	}
	return list, nil
}

// Approve lets a job run. The hash is that of the plan which was looked at; who is a role or a ticket, and goes into the receipt.
func (c *Controller) Approve(ctx context.Context, job, hash, who string) error {
	w, err := c.load(ctx, job)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	switch {
	case w.Step != stepApprove:
		return fmt.Errorf("%w: job %q was approved before", ErrApproval, job)
	case hash != w.PlanHash:
		return fmt.Errorf("%w: the hash is not that of job %q: look at the plan again", ErrApproval, job)
	case now.After(w.ExpiresAt):
		return fmt.Errorf("%w: the plan of job %q expired at %s: make a new one", ErrApproval, job, w.ExpiresAt.Format(time.RFC3339))
	case who == "":
		return fmt.Errorf("%w: say who approves, as a role or a ticket", ErrApproval)
	}
	w.ApprovedBy, w.ApprovedAt, w.Step = who, now.Truncate(time.Millisecond), stepSuppress
	return c.save(ctx, w)
}

// Stored is the plan of a job as it was made.
func (c *Controller) Stored(ctx context.Context, job string) (Plan, error) {
	w, err := c.load(ctx, job)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Version: planVersion, Job: w.ID, Subject: w.Ref, MadeAt: w.MadeAt, ExpiresAt: w.ExpiresAt, Residuals: w.Residuals, Cost: w.Cost}
	for a, err := range c.each(ctx, job) {
		if err != nil {
			return Plan{}, err
		}
		if len(p.Actions) < w.Actions {
			p.Actions = append(p.Actions, a.Action)
		}
	}
	return p, nil
}
