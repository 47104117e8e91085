package gdpr

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// Export is everything that the places know of a subject (Art. 15 and 20), with what the data is for and how long it is kept.
type Export struct {
	Subject   string     `json:"subject"` // the keyed reference
	MadeAt    time.Time  `json:"made_at"`
	Records   []Record   `json:"records"`
	Fields    []Activity `json:"fields"` // what each field is for
	Residuals []Residual `json:"copies"`
}

// Record is one thing that a place knows.
type Record struct {
	Place string         `json:"place"`
	Kind  string         `json:"kind"`
	Data  map[string]any `json:"data"` // by field
}

// exporter is a place that can show what it knows.
type exporter interface {
	export(ctx context.Context, t *Task) ([]Record, error)
}

// Export reads what is known of a subject. Sealed values are shown where the places may open them, and named as sealed where not.
func (c *Controller) Export(ctx context.Context, subject string) (Export, error) {
	ref, err := c.ref(subject)
	if err != nil {
		return Export{}, err
	}
	t := &Task{Subject: subject, Ref: ref, refers: c.ref, pace: &pace{budget: c.opts.Budget}}
	e := Export{Subject: ref, MadeAt: time.Now().UTC().Truncate(time.Second), Records: []Record{}, Fields: c.RecordOfProcessing()}
	for _, p := range c.places {
		x, ok := p.(exporter)
		if !ok {
			continue
		}
		list, err := x.export(ctx, t)
		if err != nil {
			return Export{}, fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
		e.Records = append(e.Records, list...)
	}
	e.Residuals, err = c.residuals(ctx)
	return e, err
}

// CSV writes the records as lines of place, kind, record number, field and value.
func (e Export) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"place", "kind", "record", "field", "value"}); err != nil {
		return err
	}
	for i, r := range e.Records {
		for _, field := range slices.Sorted(maps.Keys(r.Data)) {
			value, ok := r.Data[field].(string)
			if !ok {
				text, err := json.Marshal(r.Data[field])
				if err != nil {
					return err
				}
				value = string(text)
			}
			if err := out.Write([]string{r.Place, r.Kind, fmt.Sprint(i + 1), field, value}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func (t *rows) export(ctx context.Context, task *Task) ([]Record, error) {
	var list []Record
	for item, err := range t.bySubject(ctx, task) {
		if err != nil {
			return nil, err
		}
		meta, err := table.ReadMeta(item)
		if err != nil {
			return nil, err
		}
		m := t.models[meta.Discriminator]
		if m == nil {
			return nil, fmt.Errorf("a row of model %q has a subject, and no policy covers it: name the model in Table", meta.Discriminator)
		}
		texts, err := m.model.Texts(item)
		if err != nil {
			return nil, err
		}
		r := Record{Place: t.name, Kind: m.name, Data: map[string]any{}}
		s := stakeIn(item, task.Ref)
		for _, p := range m.policies {
			value, ok := item[p.Attribute]
			switch text, isText := texts[p.Field]; {
			case !ok || !s.shows(p): // what is about somebody else alone is theirs (Art. 15(4))
			case isText:
				r.Data[p.Field] = text
			default:
				r.Data[p.Field] = plainOf(p, value)
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// plainOf is a value as JSON has it. Of a key, it is the last part; of a sealed field, that it is sealed.
func plainOf(p policy, value types.AttributeValue) any {
	if _, sealed := value.(*types.AttributeValueMemberB); sealed && p.Sealed != "" {
		return "[sealed: " + p.Sealed + "]"
	}
	if s, ok := value.(*types.AttributeValueMemberS); ok && isKey(p.Attribute) {
		return s.Value[strings.LastIndex(s.Value, "|")+1:]
	}
	return jsonOf(value)
}

func jsonOf(value types.AttributeValue) any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return json.Number(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberSS:
		return v.Value
	case *types.AttributeValueMemberNS:
		return v.Value
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, e := range v.Value {
			list[i] = jsonOf(e)
		}
		return list
	case *types.AttributeValueMemberM:
		m := make(map[string]any, len(v.Value))
		for name, e := range v.Value {
			m[name] = jsonOf(e)
		}
		return m
	}
	return nil
}

// Activity is one line of the record of processing activities (Art. 30): what a field is, what it is for, on which basis, and when it is erased.
type Activity struct {
	Place    string `json:"place"`
	Kind     string `json:"kind"`
	Field    string `json:"field"`
	Category string `json:"category,omitempty"`
	Purpose  string `json:"purpose,omitempty"`
	Basis    string `json:"basis,omitempty"`
	Sealed   bool   `json:"sealed"`
	Erasure  string `json:"erasure"` // the decision, with its reason and its end
}

// RecordOfProcessing lists every field of every place that is about a person, from the policies in the models.
func (c *Controller) RecordOfProcessing() []Activity {
	list := []Activity{}
	for _, p := range c.places {
		t, ok := p.(*rows)
		if !ok {
			continue
		}
		for _, name := range t.order {
			for _, policy := range t.models[name].policies {
				if policy.Do != doNothing {
					list = append(list, activityOf(t.name, name, policy))
				}
			}
		}
	}
	return list
}

func activityOf(place, kind string, p policy) Activity {
	a := Activity{
		Place: place, Kind: kind, Field: p.Field, Category: p.Category, Purpose: p.Purpose, Basis: p.Basis, Sealed: p.Sealed != "", Erasure: string(p.Do),
	}
	if p.Do == doKeep {
		a.Erasure += " (" + p.Article + "), until " + p.Until.String()
	}
	return a
}

func (cmd *command) export(ctx context.Context, subject string) (int, error) {
	e, err := cmd.c.Export(ctx, subject)
	if err != nil {
		return 0, err
	}
	if cmd.csv {
		err = e.CSV(cmd.out)
	} else {
		out := json.NewEncoder(cmd.out)
		out.SetIndent("", "  ")
		err = out.Encode(e)
	}
	if err == nil && len(e.Records) == 0 {
		return exitNothing, nil
	}
	return exitDone, err
}

func (cmd *command) record(context.Context, string) (int, error) {
	list := cmd.c.RecordOfProcessing()
	return exitDone, cmd.show(list, func(w io.Writer) error {
		for _, a := range list {
			fmt.Fprintf(w, "%s  %s.%s  %s  %s  %s  sealed=%t  %s\n", a.Place, a.Kind, a.Field, a.Category, a.Purpose, a.Basis, a.Sealed, a.Erasure)
		}
		return nil
	})
}
