package gdpr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// LakeOptions adjust a place of events. The zero value of each field is its default.
type LakeOptions struct {
	// Subjects are the ids of the people whom an event is about. The default is its partition key, and whoever its sealed values belong to.
	Subjects func(e insideout.Event) ([]string, error)
	// Edit takes a subject out of an event; see lake.Lake.Rewrite for what it may change. The default drops the event. What is sealed needs no
	// edit: it opens nowhere once the key is shredded.
	Edit func(e *insideout.Event, subject string) (lake.Edit, error)
	// Query narrows where a plan looks, by types or by time. The verification reads everything.
	Query lake.Query
	// Residuals are copies: versions that a bucket keeps, archives, consumers' own logs.
	Residuals []Residual
}

// events is the lake as a Place.
type events struct {
	name string
	lake *lake.Lake
	opts LakeOptions
}

// Lake is an event lake as a Place: its objects are written again without the subject's events, or with what Edit leaves of them. It is verified by reading
// all of it. A large event that lies beside the lake under a claim check is looked into, and goes with its event.
func Lake(name string, l *lake.Lake, opts *LakeOptions) Place {
	p := &events{name: name, lake: l}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.Subjects == nil {
		p.opts.Subjects = subjectsOf
	}
	if p.opts.Edit == nil {
		p.opts.Edit = func(*insideout.Event, string) (lake.Edit, error) { return lake.Drop, nil }
	}
	return p
}

func subjectsOf(e insideout.Event) ([]string, error) {
	origins, err := e.Origins()
	list := []string{e.PartitionKey}
	for _, o := range origins {
		list = append(list, o.Subject)
	}
	return list, err
}

func (p *events) Name() string { return p.name }

func (p *events) lint() []error {
	if p.lake == nil {
		return []error{errors.New("there is no lake")}
	}
	return nil
}

// about is the subject's id if an event is about them. It looks into what a claim check stands for.
func (p *events) about(ctx context.Context, t *Task, e insideout.Event) (id string, err error) {
	if bucket, key, claimed := lake.ClaimOf(e); claimed {
		body, err := p.lake.Redeem(ctx, bucket, key)
		switch {
		case errors.Is(err, fs.ErrNotExist): // and with it whatever it said
			if t.is(e.PartitionKey) {
				return e.PartitionKey, nil
			}
			return "", nil
		case err != nil:
			return "", err
		case json.Unmarshal(body, &e) != nil:
			return "", fmt.Errorf("event %q: what its claim check stands for is no event", e.ID)
		}
	}
	ids, err := p.opts.Subjects(e)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(ids, t.is)
	if i < 0 {
		return "", nil
	}
	return ids[i], nil
}

// Find counts the events about the subject: one action for all of them, since the lake is written again object by object.
func (p *events) Find(ctx context.Context, t *Task) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		n, _, err := p.count(ctx, t, p.opts.Query)
		if err != nil || n > 0 {
			yield(Action{Target: "all objects", Kind: "events", Do: Rewrite, Seen: fmt.Sprintf("%d events", n)}, err)
		}
	}
}

func (p *events) count(ctx context.Context, t *Task, q lake.Query) (found, seen int, err error) {
	for e, err := range p.lake.Events(ctx, q) {
		if err != nil {
			return found, seen, err
		}
		seen++
		t.Looked(1, 0)
		id, err := p.about(ctx, t, e)
		if err != nil {
			return found, seen, err
		}
		if id != "" {
			found++
		}
	}
	return found, seen, nil
}

// Do writes again the objects that hold the subject. A stop in between goes on where it was.
func (p *events) Do(ctx context.Context, t *Task, _ Action) (Result, error) {
	edited := 0
	_, err := p.lake.Rewrite(ctx, p.opts.Query, func(e *insideout.Event) (lake.Edit, error) {
		id, err := p.about(ctx, t, *e)
		if err != nil || id == "" {
			return lake.Keep, err
		}
		edited++
		if bucket, key, claimed := lake.ClaimOf(*e); claimed {
			return lake.Drop, p.lake.Discard(ctx, bucket, key)
		}
		return p.opts.Edit(e, id)
	}, nil)
	if err != nil {
		return Result{}, err
	}
	if edited == 0 {
		return Result{State: ActionGone}, nil
	}
	return Result{State: ActionDone, Note: fmt.Sprintf("%d events", edited)}, nil
}

// Verify reads the whole lake.
func (p *events) Verify(ctx context.Context, t *Task) (Check, error) {
	check := Check{Route: "reading of the whole lake"}
	found, seen, err := p.count(ctx, t, lake.Query{})
	check.Seen = seen
	if a, ok := t.Planned(p.name, "all objects"); ok && a.Hold != "" {
		check.Note = fmt.Sprintf("%d events held", found)
	} else {
		check.Found = found
	}
	return check, err
}

func (p *events) Residuals(context.Context) ([]Residual, error) { return p.opts.Residuals, nil }

func (p *events) export(ctx context.Context, t *Task) ([]Record, error) {
	var list []Record
	for e, err := range p.lake.Events(ctx, p.opts.Query) {
		if err != nil {
			return nil, err
		}
		id, err := p.about(ctx, t, e)
		if err != nil {
			return nil, err
		}
		if id == "" {
			continue
		}
		r := Record{Place: p.name, Kind: e.Type, Data: map[string]any{"timestamp": e.Timestamp.UTC().Format(time.RFC3339)}}
		for name, raw := range e.Body {
			r.Data[name] = raw
		}
		list = append(list, r)
	}
	return list, nil
}
