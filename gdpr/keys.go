package gdpr

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
)

// keyring is the keys of a namespace as a Place.
type keyring struct {
	name   string
	sealer *crypto.Sealer
}

// Keys is the keys of the subjects of a namespace as a Place. Shredding a subject's key makes every copy of what was sealed under it unreadable: in rows, views,
// events, the lake, and backups of all of them. It is verified by opening, which must fail, values that were there when the plan was made.
func Keys(name string, sealer *crypto.Sealer) Place { return &keyring{name: name, sealer: sealer} }

func (k *keyring) Name() string { return k.name }

func (k *keyring) lint() []error {
	if k.sealer == nil {
		return []error{errors.New("there is no sealer")}
	}
	return nil
}

// Find names the subject's key, unless there never was one, or it is shredded.
func (k *keyring) Find(ctx context.Context, t *Task) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		refs := t.Known(k.name)
		if t.Subject != "" {
			ref, err := k.sealer.SubjectRef(ctx, t.Subject)
			if err != nil {
				yield(Action{}, err)
				return
			}
			refs = []string{ref}
		}
		for _, ref := range refs {
			state, err := k.sealer.StateRef(ctx, ref)
			if errors.Is(err, crypto.ErrUnknownKey) || err == nil && state == crypto.Shredded {
				continue
			}
			if !yield(Action{Target: ref, Kind: "key", Do: ShredKey, Seen: string(state), Cost: Cost{Reads: 1, Writes: 1}}, err) || err != nil {
				return
			}
		}
	}
}

func (k *keyring) Do(ctx context.Context, t *Task, a Action) (Result, error) {
	r := Result{State: ActionDone, Spent: a.Cost}
	n, err := k.sealer.ShredRef(ctx, a.Target)
	if n == 0 {
		r.State = ActionGone
	}
	return r, errors.Join(err, t.Spend(ctx, a.Cost))
}

// Verify asks the key table for the state, and tries to open what the subject's rows held.
func (k *keyring) Verify(ctx context.Context, t *Task) (Check, error) {
	check := Check{Route: "opening sealed values, and the state of the key"}
	if t.Subject == "" {
		return check, nil
	}
	ref, err := k.sealer.SubjectRef(ctx, t.Subject)
	if err != nil {
		return check, err
	}
	state, err := k.sealer.State(ctx, t.Subject)
	if errors.Is(err, crypto.ErrUnknownKey) {
		check.Note = "there is no key"
		return check, nil
	}
	if err != nil {
		return check, err
	}
	check.Seen, check.Note = 1, "the key is "+string(state)
	a, planned := t.Planned(k.name, ref)
	if planned && a.Hold != "" {
		check.Note += ", since " + a.Hold
		return check, nil
	}
	if planned && state != crypto.Shredded {
		check.Found++
	}
	opened := 0
	for i := range t.probes {
		err := k.sealer.Open(ctx, t.probes[i:i+1])
		check.Seen++
		if err == nil && t.probes[i].Err == nil {
			opened++
		}
		t.probes[i].Plaintext, t.probes[i].Err = nil, nil
	}
	check.Found += opened
	check.Note += fmt.Sprintf("; %d of %d sealed values open", opened, len(t.probes))
	return check, nil
}

func (k *keyring) Residuals(context.Context) ([]Residual, error) {
	return []Residual{{k.name, "backups of the key table hold the wrapped key until its epoch is retired", time.Now().UTC().Add(backups).Truncate(time.Second)}}, nil
}

// maxProbes is how many sealed values a job tries to open afterwards.
const maxProbes = 20

// prober is a place that holds sealed values.
type prober interface {
	probes(ctx context.Context, t *Task) ([]insideout.SealedField, error)
}

func (c *Controller) probes(ctx context.Context, t *Task) ([]probe, error) {
	var list []probe
	for _, p := range c.places {
		x, ok := p.(prober)
		if !ok || t.Subject == "" {
			continue
		}
		more, err := x.probes(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
		for _, f := range more[:min(len(more), maxProbes)] {
			list = append(list, probe{Model: f.Origin.Model, ID: f.Origin.ID, Field: f.Origin.Field, Class: f.Origin.Class, Ciphertext: f.Ciphertext})
		}
	}
	return list, nil
}

func (t *rows) probes(ctx context.Context, task *Task) ([]insideout.SealedField, error) {
	var list []insideout.SealedField
	for item, err := range t.bySubject(ctx, task) {
		if err != nil || len(list) >= maxProbes {
			return list, err
		}
		meta, err := table.ReadMeta(item)
		if err != nil {
			return nil, err
		}
		if m := t.models[meta.Discriminator]; m != nil {
			list = append(list, m.sealed(item, meta, task.Subject, task.Ref)...)
		}
	}
	return list, nil
}

// sealed are the values of a row that were sealed for it. Carried ones were sealed for another row.
func (m *personal) sealed(item table.Item, meta table.Meta, subject, ref string) []insideout.SealedField {
	id := meta.Key.PK
	if _, no, edge := strings.Cut(meta.Key.SK, "|"); edge {
		id += "|" + no
	}
	var list []insideout.SealedField
	s := stakeIn(item, ref)
	for _, p := range m.policies {
		value, ok := item[p.Attribute].(*types.AttributeValueMemberB)
		if class, option, _ := strings.Cut(p.Sealed, ","); ok && class != "" && option != "carried" && s.shows(p) {
			list = append(list, insideout.SealedField{
				Origin:     insideout.Origin{Subject: subject, Model: m.name, ID: id, Field: p.Attribute, Class: class},
				Ciphertext: value.Value,
			})
		}
	}
	return list
}
