package gdpr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
)

// story is what happens to a world.
type story struct {
	Seed         uint64
	People, Rows int
	Kills        []int // after how many calls the process dies
	Hold         string
	Writers      int
}

func drawStory(t *rapid.T) story {
	return story{
		Seed: rapid.Uint64().Draw(t, "seed"), People: rapid.IntRange(2, 4).Draw(t, "people"), Rows: rapid.IntRange(0, 40).Draw(t, "rows"),
		Kills:   rapid.SliceOfN(rapid.IntRange(1, 60), 0, 4).Draw(t, "kills"),
		Hold:    rapid.SampledFrom([]string{"", "", "invoice", "friend", "everything"}).Draw(t, "hold"),
		Writers: rapid.IntRange(0, 3).Draw(t, "writers"),
	}
}

// The law of erasures: whatever is in the tables, whoever else writes, wherever the process dies, and whatever a backup brings back, the erased person is gone but for what is
// held or kept, that is there until its time, everybody else's data is what it was, and every run ends in a true receipt or can go on.
func TestErasuresHold(t *testing.T) {
	t.Parallel()
	budget := 40
	if testing.Short() {
		budget = 8
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStory(rt)
		if budget--; budget < 0 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			t.Logf("%+v", s)
			e, f := fusedEmbedded(t)
			s.run(t, newWorld(t, e, f, s.Seed, s.People), true)
		})
	})
}

func TestErasuresHoldOnAnEndpoint(t *testing.T) {
	t.Parallel()
	e, f := fusedEndpoint(t)
	s := story{Seed: 1, People: 2, Rows: 14, Kills: []int{30}, Hold: "friend", Writers: 1}
	s.run(t, newWorld(t, e, f, s.Seed, s.People), false)
}

// run tells the story. Virtual time passes if there is any.
func (s story) run(t *testing.T, w *world, virtual bool) {
	events := w.fill(t, s.Rows)
	shop, keys := w.rows(t, ""), w.rows(t, "-keys")
	subject := w.people[0]
	p := &person{w: w, id: subject, before: keyed(shop), held: s.Hold, writers: s.Writers}
	if s.Hold != "" {
		h := gdpr.Hold{ID: "case", Subject: subject, Kind: s.Hold, Reason: "a claim"}
		if s.Hold == "everything" {
			h.Kind = ""
		}
		require.NoError(t, w.controller(t).Hold(t.Context(), h))
	}
	s.erase(t, p)
	p.check(t)
	w.restore(t, shop, keys, events)
	s.survive(t, w, func(c *gdpr.Controller) error {
		_, err := c.Reapply(t.Context(), "OPS")
		return err
	})
	p.check(t)
	if s.Hold != "" {
		tries := 0
		s.survive(t, w, func(c *gdpr.Controller) error {
			_, err := c.Release(t.Context(), "case", "DPO-7")
			if tries++; tries > 1 && err != nil && strings.Contains(err.Error(), `no hold "case"`) {
				return nil // the last thing that it does was done when the process died
			}
			return err
		})
		p.held = ""
		p.check(t)
	}
	if virtual {
		time.Sleep(9 * 365 * table.Day)
		_, err := w.controller(t).Retention(t.Context(), "OPS")
		require.NoError(t, err)
		p.check(t)
		time.Sleep(2 * 365 * table.Day)
		_, err = w.controller(t).Retention(t.Context(), "OPS")
		require.NoError(t, err)
		p.ended = true
		p.check(t)
	}
	for _, receipt := range chain(t, w.controller(t)) {
		require.NotContains(t, string(receipt), subject)
	}
}

// erase runs a job that dies again and again while others write, and then one in peace for what they wrote last.
func (s story) erase(t *testing.T, p *person) {
	w := p.w
	plan, err := w.controller(t).Plan(t.Context(), p.id)
	require.NoError(t, err)
	require.Equal(t, p.before, keyed(w.rows(t, "")), "a plan changes nothing")
	var group sync.WaitGroup
	for i := range s.Writers {
		random := *w
		random.rand = newRand(s.Seed, uint64(i)+1)
		group.Go(func() {
			for n := range 4 {
				person, other := random.people[random.rand.IntN(s.People)], random.people[random.rand.IntN(s.People)]
				_ = random.write(context.WithoutCancel(t.Context()), person, other, fmt.Sprintf("w%d-%d", i, n)) // the power may be gone, or the key
			}
		})
	}
	s.survive(t, w, func(c *gdpr.Controller) error {
		if err := c.Approve(t.Context(), plan.Job, hashOf(t, plan), "DPO-7"); err != nil && !errors.Is(err, gdpr.ErrApproval) {
			return err
		}
		_, err := c.Run(t.Context(), plan.Job)
		if errors.Is(err, gdpr.ErrRemains) {
			return nil // they wrote on and on; the next job finds it
		}
		return err
	})
	group.Wait()
	c := w.controller(t)
	again, err := c.Plan(t.Context(), p.id)
	require.NoError(t, err)
	_, err = c.Erase(t.Context(), again, "DPO-7")
	require.NoError(t, err)
}

// survive lets something happen in processes that die, until one of them lives.
func (s story) survive(t *testing.T, w *world, do func(c *gdpr.Controller) error) {
	for i, kill := range append(s.Kills, 1<<40) {
		c := w.controller(t)
		w.fuse.blowAt(int64(kill), i%2 == 0)
		err := do(c)
		w.fuse.mend()
		if err == nil {
			return
		}
		require.True(t, errors.Is(err, errPower) || errors.Is(err, gdpr.ErrBusy) || errors.Is(err, table.ErrConflict), "%v", err)
		for job, err := range c.Jobs(t.Context()) { // the operator knows that the process is dead
			require.NoError(t, err)
			if job.Running {
				require.NoError(t, c.TakeOver(t.Context(), job.Job))
			}
		}
	}
	require.NoError(t, do(w.controller(t)))
}

// person is who is erased, and what was there before.
type person struct {
	w       *world
	id      string
	before  map[string]table.Item
	held    string // a kind, or everything
	writers int
	ended   bool // what was kept has had its time
}

// check looks at everything: the person is gone, and the others are as they were.
func (p *person) check(t *testing.T) {
	ref, err := p.w.db.SubjectRef(p.id)
	require.NoError(t, err)
	after := keyed(p.w.rows(t, ""))
	for key, item := range after {
		kind, deleted := text(item["discriminator"]), item["deleted"] != nil
		switch {
		case p.held == "everything", p.held != "" && p.held == kind && !deleted:
		case kind == "invoice" && !p.ended: // kept
			if mentions(item, p.id) {
				require.Equal(t, "Street of "+p.id, text(item["address"]))
				require.NotContains(t, item, "phone")
			}
		case deleted:
			delete(item, "pk")
			delete(item, "sk")
			require.False(t, mentions(item, p.id), "%s: %v", key, item)
		default:
			require.False(t, mentions(item, p.id), "%s: %v", key, item)
		}
		if kind == "member" && !deleted && p.ended && item["_sid"] == nil && text(item["pk"])[0] == 'p' && text(item["name"]) == "" {
			require.NotContains(t, item, "paid")
		}
	}
	for key, was := range p.before {
		switch mine := text(was["_sid"]) == ref || text(was["_sid2"]) == ref; {
		case p.held == "everything" || p.held == text(was["discriminator"]) && mine:
			p.same(t, key, was, after[key])
		case was["_sid2"] != nil && mine:
			p.shared(t, ref, was, after)
		case was["_sid"] != nil && !mine:
			p.same(t, key, was, after[key])
		}
	}
	p.events(t)
}

// same is for rows of others, and for what is held: no byte differs, unless a concurrent writer saved the row again.
func (p *person) same(t *testing.T, key string, was, now table.Item) {
	if text(was["sk"]) == "{unique" && p.writers > 0 {
		return // a row that is saved again may have another unique value
	}
	if ts, ok := now["timestamp"].(*types.AttributeValueMemberN); ok && ts.Value != was["timestamp"].(*types.AttributeValueMemberN).Value {
		if by := text(now["lastModifiedBy"]); by == text(was["lastModifiedBy"]) {
			return
		}
	}
	require.Equal(t, was, now, key)
}

// shared is for rows that are about somebody else, too: what is theirs is there, and opens.
func (p *person) shared(t *testing.T, ref string, was table.Item, after map[string]table.Item) {
	other := text(was["_sid"])
	if other == ref {
		other = text(was["_sid2"])
	}
	if other == ref {
		return
	}
	found := 0
	for key, item := range after {
		if text(item["discriminator"]) != text(was["discriminator"]) || item["deleted"] != nil || text(item["_sid"]) != other && text(item["_sid2"]) != other {
			continue
		}
		if text(was["discriminator"]) == "friend" || key == text(was["pk"])+" "+text(was["sk"]) {
			found++
		}
		if text(item["discriminator"]) == "friend" {
			f, err := friends.Get(t.Context(), p.w.db, ofRow(t, item))
			require.NoError(t, err)
			if text(item["_sid2"]) == other {
				mail, err := f.Mail.Reveal()
				require.NoError(t, err, "what is sealed for the other opens")
				require.Equal(t, f.Who+"@example.com", mail)
			}
		}
	}
	require.Positive(t, found, "the other's row is there: %v", was)
	if now := after[text(was["pk"])+" "+text(was["sk"])]; text(was["discriminator"]) == "gift" {
		theirs := []string{"from", "fromMail", "_sid"}
		if text(was["_sid2"]) == other {
			theirs = []string{"to", "toMail", "_sid2"}
		}
		for _, name := range append(theirs, "amount", "wish") {
			if text(was["lastModifiedBy"]) != text(now["lastModifiedBy"]) {
				require.Equal(t, was[name], now[name], name)
			}
		}
	}
}

func ofRow(t *testing.T, item table.Item) table.ID {
	f, err := friends.Decode(item)
	require.NoError(t, err)
	return table.Of(f.Of, f.Who)
}

// events looks at the lake: nothing about the person is left, and nothing of the others is missing.
func (p *person) events(t *testing.T) {
	for e, err := range p.w.lake.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		if e.PartitionKey == p.id {
			require.Equal(t, "everything", p.held)
			continue
		}
		body, err := insideout.Body[map[string]string](e, "thing")
		require.NoError(t, err)
		require.Equal(t, e.PartitionKey, body["of"])
	}
}
