package gdpr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// Rectification corrects a text in all rows of a subject (Art. 16).
type Rectification struct {
	Kind  string // the model's name
	Field string // the Go field: a text that is not sealed, and of which no key or index is made; those are commands of their service
	Value string
}

// rectifier is a place that can correct what it holds.
type rectifier interface {
	rectify(ctx context.Context, t *Task, r Rectification) (rows int, known bool, err error)
}

// Rectify corrects a field of a subject's rows, and returns how many it changed. The rows' triggers publish the correction, so that views follow; a view's own
// rows are not touched.
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
		return 0, fmt.Errorf("gdpr: no place has a model %q with a field %q", r.Kind, r.Field)
	}
	return total, nil
}

func (t *rows) rectify(ctx context.Context, task *Task, r Rectification) (int, bool, error) {
	m := t.models[r.Kind]
	if m == nil {
		return 0, false, nil
	}
	attribute, err := m.correctable(r.Field)
	if err != nil {
		return 0, attribute != "", err
	}
	if attribute == "" {
		return 0, false, nil
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
		done, err := t.correct(ctx, task, item, attribute, r.Value)
		if err != nil {
			return changed, true, err
		}
		changed += done
	}
	return changed, true, nil
}

// correctable is the attribute of a field that can be corrected row by row: empty for a field that the model does not have.
func (m *personal) correctable(field string) (string, error) {
	for _, p := range m.policies {
		if p.Field != field {
			continue
		}
		switch {
		case isKey(p.Attribute), len(m.derived[p.Attribute]) > 0:
			return p.Attribute, fmt.Errorf("field %q of model %q is in a key or an index: correct it by a command of the service", field, m.name)
		case p.Sealed != "":
			return p.Attribute, fmt.Errorf("field %q of model %q is sealed: correct it by a command of the service, which can seal", field, m.name)
		}
		return p.Attribute, nil
	}
	return "", nil
}

// correct sets a text in a row, as it is now.
func (t *rows) correct(ctx context.Context, task *Task, found table.Item, attribute, value string) (int, error) {
	key := table.Item{"pk": found["pk"], "sk": found["sk"]}
	var r Result
	for range maxTries {
		item, err := t.read(ctx, task, key, &r)
		if err != nil {
			return 0, err
		}
		if _, there := item[attribute].(*types.AttributeValueMemberS); !there || !isText(item["_sid"], task.Ref) || isText(item[attribute], value) {
			return 0, nil
		}
		u := &update{names: map[string]string{}, values: table.Item{}}
		u.when(item)
		u.stamp(task, item)
		u.set(attribute, text(value))
		_, err = t.db.Client().UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: new(t.db.Name()), Key: key, UpdateExpression: new(u.text()), ConditionExpression: new(strings.Join(u.conditions, " AND ")),
			ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
		})
		if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); !lost {
			return 1, errors.Join(err, task.Spend(ctx, Cost{Writes: costOf(item).Writes}))
		}
	}
	return 0, errors.New("other writers kept changing a row: try again")
}

func (cmd *command) rectify(ctx context.Context, subject string) (int, error) {
	n, err := cmd.c.Rectify(ctx, subject, Rectification{Kind: cmd.kind, Field: cmd.field, Value: cmd.value})
	if err != nil {
		return exitUsage, err
	}
	fmt.Fprintf(cmd.out, "%d rows corrected\n", n)
	if n == 0 {
		return exitNothing, nil
	}
	return exitDone, nil
}
