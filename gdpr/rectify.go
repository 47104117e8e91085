package gdpr

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/insideout-go/insideout/table"
)

// Rectification corrects a field in all rows of a subject (Art. 16).
type Rectification struct {
	Kind  string // the model's name
	Field string // the Go field. It may be sealed or indexed, but is no part of the key, and not unique: those are commands of their service
	Value string // as it is for a text, and as JSON for anything else
}

// rectifier is a place that can correct what it holds.
type rectifier interface {
	rectify(ctx context.Context, t *Task, r Rectification) (rows int, known bool, err error)
}

// Rectify corrects a field of a subject's rows, and returns how many it changed. The rows' triggers publish the correction, so that views follow; a view's own
// rows are not touched. A sealed value is sealed anew, for which the place's table needs its Sealer. A blind index of it is a field of its own.
func (c *Controller) Rectify(ctx context.Context, subject string, r Rectification) (int, error) {
	ref, err := c.ref(subject)
	if err != nil {
		return 0, err
	}
	t := &Task{Subject: subject, Ref: ref, refers: c.ref, pace: &pace{budget: c.opts.Budget}}
	total, known := 0, false
	for _, p := range c.places {
		x, ok := p.(rectifier)
		if !ok {
			continue
		}
		n, here, err := x.rectify(ctx, t, r)
		total, known = total+n, known || here
		if err != nil {
			return total, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
	}
	if !known {
		return 0, inputf("no place has a model %q with a field %q", r.Kind, r.Field)
	}
	return total, nil
}

func (t *rows) rectify(ctx context.Context, task *Task, r Rectification) (int, bool, error) {
	m := t.models[r.Kind]
	if m == nil {
		return 0, false, nil
	}
	p, err := m.correctable(r.Field)
	if err != nil || p.Field == "" {
		return 0, p.Field != "", err
	}
	changed := 0
	for item, err := range t.bySubject(ctx, task) {
		if err != nil {
			return changed, true, err
		}
		meta, err := table.ReadMeta(item)
		if err != nil {
			return changed, true, err
		}
		if meta.Discriminator != r.Kind || meta.Latched || meta.Deleted {
			continue
		}
		done, err := t.correct(ctx, task, item, p, r.Value)
		if err != nil {
			return changed, true, err
		}
		changed += done
	}
	return changed, true, nil
}

// correctable is the policy of a field that can be corrected row by row: zero for a field that the model does not have.
func (m *personal) correctable(field string) (policy, error) {
	for _, p := range m.policies {
		if p.Field != field {
			continue
		}
		if isKey(p.Attribute) || slices.Contains(m.ids, field) {
			return p, inputf("field %q of model %q says whose row it is: correct it by a command of the service", field, m.name)
		}
		return p, nil
	}
	return policy{}, nil
}

// correct sets a value in a row, as it is now.
func (t *rows) correct(ctx context.Context, task *Task, found table.Item, p policy, value string) (int, error) {
	key := table.Item{"pk": found["pk"], "sk": found["sk"]}
	var r Result
	for range maxTries {
		item, err := t.read(ctx, task, key, &r)
		if err != nil {
			return 0, err
		}
		if s := stakeIn(item, task.Ref); len(s.mine) == 0 || item[p.Attribute] == nil || !s.shows(p) {
			return 0, nil
		}
		next, err := t.corrected(ctx, item, p, value)
		if err != nil || next == nil {
			return 0, err
		}
		_, err = t.db.Client().UpdateItem(ctx, t.update(task, item, next))
		if !lost(err) {
			return 1, errors.Join(err, task.Spend(ctx, Cost{Writes: costOf(item).Writes}))
		}
	}
	return 0, errors.New("other writers kept changing a row: try again")
}

// corrected is a row with the right value, or nil if it has that.
func (t *rows) corrected(ctx context.Context, item table.Item, p policy, value string) (table.Item, error) {
	meta, err := table.ReadMeta(item)
	if err != nil {
		return nil, err
	}
	next, err := t.models[meta.Discriminator].model.Rewritten(ctx, t.db, item, map[string]string{p.Field: value})
	if err != nil {
		return nil, &inputError{err}
	}
	if reflect.DeepEqual(item[p.Attribute], next[p.Attribute]) {
		return nil, nil
	}
	before, err := t.guardsOf(item)
	if err != nil {
		return nil, err
	}
	after, err := t.guardsOf(next)
	if err == nil && !slices.Equal(before, after) {
		err = inputf("field %q is unique: correct it by a command of the service, which can tell whether the value is taken", p.Field)
	}
	return next, err
}

func (cmd *command) rectify(ctx context.Context, subject string) (int, error) {
	n, err := cmd.c.Rectify(ctx, subject, Rectification{Kind: cmd.kind, Field: cmd.field, Value: cmd.value})
	if err != nil {
		return 0, err
	}
	err = cmd.say(map[string]int{"corrected": n}, "%d rows corrected\n", n)
	if n == 0 {
		return exitNothing, err
	}
	return exitDone, err
}
