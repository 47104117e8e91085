package gdpr_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

var signer = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))

func public() ed25519.PublicKey { return signer.Public().(ed25519.PublicKey) }

// shelf is a place in memory: whose are the things on it.
type shelf struct {
	name string

	mu    sync.Mutex
	owner map[string]string
	late  string // what somebody puts there after the first erasure
	did   map[string]int
}

func newShelf(name string, owner map[string]string) *shelf {
	return &shelf{name: name, owner: owner, did: map[string]int{}}
}

func (s *shelf) Name() string { return s.name }

func (s *shelf) SubjectRef(id string) (string, error) { return "ref-of-" + fmt.Sprintf("%x", id), nil }

func (s *shelf) of(t *gdpr.Task) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, thing := range slices.Sorted(maps.Keys(s.owner)) {
		if ref, _ := s.SubjectRef(s.owner[thing]); ref == t.Ref {
			list = append(list, thing)
		}
	}
	return list
}

func (s *shelf) Find(_ context.Context, t *gdpr.Task) iter.Seq2[gdpr.Action, error] {
	return func(yield func(gdpr.Action, error) bool) {
		for _, thing := range s.of(t) {
			if !yield(gdpr.Action{Target: thing, Kind: "thing", Do: gdpr.DeleteRow, Cost: gdpr.Cost{Reads: 1, Writes: 1}}, nil) {
				return
			}
		}
	}
}

func (s *shelf) Do(ctx context.Context, t *gdpr.Task, a gdpr.Action) (gdpr.Result, error) {
	if err := t.Spend(ctx, a.Cost); err != nil {
		return gdpr.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did[a.Target]++
	if _, ok := s.owner[a.Target]; !ok {
		return gdpr.Result{State: gdpr.ActionGone}, nil
	}
	owner := s.owner[a.Target]
	delete(s.owner, a.Target)
	if s.late != "" {
		s.owner[s.late], s.late = owner, ""
	}
	return gdpr.Result{State: gdpr.ActionDone}, nil
}

func (s *shelf) Verify(_ context.Context, t *gdpr.Task) (gdpr.Check, error) {
	s.mu.Lock()
	check := gdpr.Check{Route: "a look at everything", Seen: len(s.owner)}
	s.mu.Unlock()
	for _, thing := range s.of(t) {
		if a, ok := t.Planned(s.name, thing); !ok || a.Hold == "" {
			check.Found++
		}
	}
	return check, nil
}

func (s *shelf) Residuals(context.Context) ([]gdpr.Residual, error) {
	return []gdpr.Residual{{Place: s.name, What: "photographs"}}, nil
}

// desk is a controller's table, whose calls can be made to fail.
type desk struct {
	*embedded.DB
	calls atomic.Int64
	fail  atomic.Int64 // from this call on, every call fails
}

var errPower = errors.New("the power is gone")

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	d.fail.Store(1 << 60)
	d.DB = embedded.New(&embedded.Options{Intercept: func(_ context.Context, _ string, _ any, next func() error) error {
		if d.calls.Add(1) >= d.fail.Load() {
			return errPower
		}
		return next()
	}})
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.NoError(t, table.Create(t.Context(), d, "jobs", gdpr.Schema()))
	return d
}

func (d *desk) controller(t *testing.T, opts gdpr.Options, places ...gdpr.Place) *gdpr.Controller {
	t.Helper()
	db, err := table.Open(d, "jobs", nil)
	require.NoError(t, err)
	opts.Signer = signer
	c, err := gdpr.New(db, places, &opts)
	require.NoError(t, err)
	return c
}

func things(n int, subject string) map[string]string {
	all := map[string]string{"bystander": "somebody else"}
	for i := range n {
		all[fmt.Sprintf("thing %03d", i)] = subject
	}
	return all
}

func TestErase(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", things(30, "17850"))
	c := newDesk(t).controller(t, gdpr.Options{}, s)
	plan, err := c.Plan(t.Context(), "17850")
	require.NoError(t, err)
	require.Len(t, plan.Actions, 30)
	require.Equal(t, gdpr.Cost{Reads: 30, Writes: 30}, plan.Cost)
	require.Empty(t, s.did, "a plan changes nothing")

	stored, err := c.Stored(t.Context(), plan.Job)
	require.NoError(t, err)
	require.Equal(t, hashOf(t, plan), hashOf(t, stored))

	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	require.Equal(t, gdpr.Erased, receipt.Outcome)
	require.Equal(t, []gdpr.Done{{Place: "shelf", Do: "delete", Count: 30}}, receipt.Done)
	require.Equal(t, map[string]string{"bystander": "somebody else"}, s.owner)

	text, err := receipt.Bytes()
	require.NoError(t, err)
	require.NotContains(t, string(text), "17850")
	again, err := gdpr.VerifyReceipt(text, public())
	require.NoError(t, err)
	require.Equal(t, receipt, again)
	same, err := c.Run(t.Context(), plan.Job)
	require.NoError(t, err)
	require.Equal(t, receipt, same, "a job that ended answers with its receipt")
}

func hashOf(t *testing.T, p gdpr.Plan) string {
	t.Helper()
	hash, err := p.Hash()
	require.NoError(t, err)
	return hash
}

// A job is stopped at each of its calls, and run again: it always ends, with one receipt.
func TestEraseGoesOnAfterAStopAnywhere(t *testing.T) {
	t.Parallel()
	for stop := int64(1); ; stop++ {
		d, s := newDesk(t), newShelf("shelf", things(3, "anna"))
		s.late = "a late thing"
		plan, err := d.controller(t, gdpr.Options{Workers: 1}, s).Plan(t.Context(), "anna")
		require.NoError(t, err)
		d.fail.Store(d.calls.Load() + stop)
		_, failed := d.controller(t, gdpr.Options{Workers: 1}, s).Erase(t.Context(), plan, "DPO-7")
		d.fail.Store(1 << 60)

		c := d.controller(t, gdpr.Options{}, s)
		if failed != nil {
			require.ErrorIs(t, failed, errPower)
			resume(t, c, plan)
		}
		receipt, err := c.Run(t.Context(), plan.Job)
		require.NoError(t, err, "stopped at call %d", stop)
		require.Equal(t, int64(1), receipt.Number, "stopped at call %d", stop)
		total := 0
		for _, done := range receipt.Done { // what was done just before the stop is found gone
			total += done.Count
		}
		require.Equal(t, 4, total, "stopped at call %d", stop)
		require.Len(t, s.owner, 1)
		require.Len(t, chain(t, c), 1)
		if failed == nil {
			require.Greater(t, stop, int64(20), "the job makes so many calls")
			return
		}
	}
}

// resume does what an operator does: approves if that was lost, and takes the lease of the dead process over at once.
func resume(t *testing.T, c *gdpr.Controller, plan gdpr.Plan) {
	t.Helper()
	if err := c.Approve(t.Context(), plan.Job, hashOf(t, plan), "DPO-7"); err != nil {
		require.ErrorIs(t, err, gdpr.ErrApproval)
	}
	if _, err := c.Run(t.Context(), plan.Job); errors.Is(err, gdpr.ErrBusy) {
		require.NoError(t, c.TakeOver(t.Context(), plan.Job))
	}
}

func chain(t *testing.T, c *gdpr.Controller) [][]byte {
	t.Helper()
	var list [][]byte
	for text, err := range c.Receipts(t.Context()) {
		require.NoError(t, err)
		list = append(list, text)
	}
	require.NoError(t, gdpr.VerifyChain(list, public()))
	return list
}

func TestJobsAtATimeMakeOneChain(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", map[string]string{})
	for i := range 8 {
		for j := range 5 {
			s.owner[fmt.Sprint("thing ", i, j)] = fmt.Sprint("subject ", i)
		}
	}
	d := newDesk(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			c := d.controller(t, gdpr.Options{}, s)
			plan, err := c.Plan(t.Context(), fmt.Sprint("subject ", i))
			if err == nil {
				_, err = c.Erase(t.Context(), plan, "DPO-7")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Empty(t, s.owner)
	require.Equal(t, 8, len(chain(t, d.controller(t, gdpr.Options{}, s))))
}

func TestOneRunnerAtATime(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", things(20, "anna"))
	d := newDesk(t)
	c := d.controller(t, gdpr.Options{Budget: gdpr.Budget{Writes: 100}, Workers: 1}, s)
	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	require.NoError(t, c.Approve(t.Context(), plan.Job, hashOf(t, plan), "DPO-7"))
	var busy, ended atomic.Int64
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			switch _, err := c.Run(t.Context(), plan.Job); {
			case err == nil:
				ended.Add(1)
			case errors.Is(err, gdpr.ErrBusy), errors.Is(err, table.ErrConflict):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, ended.Load())
	require.EqualValues(t, 4, busy.Load())
	for thing, times := range s.did {
		require.Equal(t, 1, times, thing)
	}
}

func TestHoldKeepsUntilItsRelease(t *testing.T) {
	t.Parallel()
	court, rest := newShelf("court", things(2, "anna")), newShelf("rest", things(3, "anna"))
	c := newDesk(t).controller(t, gdpr.Options{}, court, rest)
	require.NoError(t, c.Hold(t.Context(), gdpr.Hold{ID: "case-1", Subject: "anna", Place: "court", Reason: "Art. 17(3)(e): a claim"}))
	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	require.Equal(t, gdpr.ErasedInPart, receipt.Outcome)
	require.Len(t, receipt.Kept, 1)
	require.Contains(t, receipt.Kept[0].Reason, "a claim")
	require.Len(t, court.owner, 3)
	require.Len(t, rest.owner, 1)

	list, err := c.Release(t.Context(), "case-1", "DPO-7")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, gdpr.Erased, list[0].Outcome)
	require.Len(t, court.owner, 1)
	require.Len(t, chain(t, c), 2)
	_, err = c.Release(t.Context(), "case-1", "DPO-7")
	require.ErrorContains(t, err, `no hold "case-1"`)
}

func TestReapplyErasesWhatARestoreBroughtBack(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", things(3, "anna"))
	backup := maps.Clone(s.owner)
	c := newDesk(t).controller(t, gdpr.Options{}, s)
	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	_, err = c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)

	list, err := c.Reapply(t.Context(), "OPS")
	require.NoError(t, err)
	require.Empty(t, list, "nothing came back")
	s.owner = backup
	list, err = c.Reapply(t.Context(), "OPS")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Len(t, s.owner, 1)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", things(1, "anna"))
	d := newDesk(t)
	c := d.controller(t, gdpr.Options{Approval: time.Millisecond}, s)
	_, err := c.Plan(t.Context(), "")
	require.ErrorContains(t, err, "empty")
	_, err = c.Run(t.Context(), "none")
	require.ErrorIs(t, err, gdpr.ErrNoJob)

	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	_, err = c.Run(t.Context(), plan.Job)
	require.ErrorIs(t, err, gdpr.ErrNotApproved)
	require.ErrorIs(t, c.Approve(t.Context(), plan.Job, "another hash", "DPO-7"), gdpr.ErrApproval)
	time.Sleep(5 * time.Millisecond)
	x := &terminal{c: c}
	require.Equal(t, 3, x.run(t, "run", plan.Job, "-approve", hashOf(t, plan), "-by", "DPO-7"))
	require.Contains(t, x.log.String(), "expired")
	_, err = c.Erase(t.Context(), plan, "DPO-7")
	require.ErrorIs(t, err, gdpr.ErrApproval)
	require.Len(t, s.owner, 2, "nothing was touched")

	_, err = gdpr.New(nil, nil, nil)
	for _, text := range []string{"no table", "no place", "Ed25519"} {
		require.ErrorContains(t, err, text)
	}
}

func TestRetentionRemovesPlansThatNobodyApproved(t *testing.T) {
	t.Parallel()
	s := newShelf("shelf", things(30, "anna"))
	d := newDesk(t)
	expired, err := d.controller(t, gdpr.Options{Approval: time.Millisecond}, s).Plan(t.Context(), "anna")
	require.NoError(t, err)
	c := d.controller(t, gdpr.Options{}, s)
	waiting, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	time.Sleep(5 * time.Millisecond)
	_, err = c.Retention(t.Context(), "OPS")
	require.NoError(t, err)
	_, err = c.Status(t.Context(), expired.Job)
	require.ErrorIs(t, err, gdpr.ErrNoJob)
	kept, err := c.Stored(t.Context(), waiting.Job)
	require.NoError(t, err)
	require.Len(t, kept.Actions, 30)
}

// told keeps what recipients are told.
type told struct{ events []insideout.Event }

func (p *told) Publish(_ context.Context, events []insideout.Event) error {
	p.events = append(p.events, events...)
	return nil
}

// A job waits for those who have to erase their part, and its receipt says who has done so, and who has not.
func TestRecipientsAcknowledge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told told
		x := &terminal{c: newDesk(t).controller(t, gdpr.Options{
			Publisher: &told, Recipients: []string{"billing", "post"}, Patience: time.Hour,
		}, newShelf("shelf", things(1, "anna")))}
		require.Equal(t, 7, x.run(t, "erase", "anna", "-yes"), x.log.String())
		require.Contains(t, x.log.String(), "billing, post have time until")
		subject, err := insideout.Body[struct{ Ref, Job string }](told.events[0], "subject")
		require.NoError(t, err)
		require.Equal(t, "subject-erased", told.events[0].Type)

		require.Equal(t, 2, x.run(t, "acknowledge", subject.Job, "-recipient", "somebody"))
		require.Equal(t, 0, x.run(t, "acknowledge", subject.Job, "-recipient", "billing"), x.log.String())
		require.Equal(t, 7, x.run(t, "run", subject.Job))
		require.Contains(t, x.log.String(), ": post have time until")
		time.Sleep(2 * time.Hour)
		require.Equal(t, 0, x.run(t, "run", subject.Job, "-json"), x.log.String())
		receipt, err := gdpr.VerifyReceipt(bytes.TrimSpace(x.out.Bytes()), public())
		require.NoError(t, err)
		require.Equal(t, subject.Ref, receipt.Subject)
		require.Contains(t, receipt.Done, gdpr.Done{Place: "billing", Do: "acknowledge", Count: 1})
		require.Contains(t, receipt.Residuals, gdpr.Residual{Place: "post", What: "has not acknowledged that it erased its part"})
		require.Len(t, receipt.Done, 2)
		require.Len(t, receipt.Residuals, 2)
		for _, again := range told.events {
			require.Equal(t, told.events[0], again, "the same event again")
		}
	})
}

func TestNothingFoundIsAnOutcome(t *testing.T) {
	t.Parallel()
	c := newDesk(t).controller(t, gdpr.Options{}, newShelf("shelf", things(1, "anna")))
	plan, err := c.Plan(t.Context(), "nobody")
	require.NoError(t, err)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	require.Equal(t, gdpr.NothingFound, receipt.Outcome)
	require.Len(t, receipt.Checks, 1)
}

func TestReceiptsShowEveryChange(t *testing.T) {
	t.Parallel()
	c := newDesk(t).controller(t, gdpr.Options{}, newShelf("shelf", things(1, "anna")))
	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	text, err := receipt.Bytes()
	require.NoError(t, err)
	for i := range text {
		for _, flip := range []byte{1, 0x20, 0x80} {
			changed := slices.Clone(text)
			changed[i] ^= flip
			_, err := gdpr.VerifyReceipt(changed, public())
			require.ErrorIs(t, err, gdpr.ErrReceipt, "byte %d, %q for %q", i, changed[i], text[i])
		}
	}
	for cut := range text {
		_, err := gdpr.VerifyReceipt(text[:cut], public())
		require.ErrorIs(t, err, gdpr.ErrReceipt)
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	_, err = gdpr.VerifyReceipt(text, other)
	require.ErrorContains(t, err, "was signed with key")
}
