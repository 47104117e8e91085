package gdpr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// Model is a definition whose fields carry policies: a *table.Node or a *table.Edge.
type Model interface {
	table.Definition
	Attributes() iter.Seq2[string, reflect.StructField]
	Derived(attribute string) []string
	Guards(item table.Item) ([]table.RowKey, error)
	Subjects() iter.Seq2[string, []string]
	Texts(item table.Item) (map[string]string, error)
	Rewritten(ctx context.Context, db *table.DB, item table.Item, values map[string]string) (table.Item, error)
}

// TableOptions adjust a place of rows. The zero value of each field is its default.
type TableOptions struct {
	// Tombstones is how long the empty row that takes the place of an erased one lives; its key is all it has. The default is 33 days, as for a listener's
	// tombstones: events that are older than a suppression still find them.
	Tombstones time.Duration
	// Backups is how long copies of the table live on: the window of point-in-time recovery, or the age of the oldest backup. The default is DynamoDB's
	// 35 days.
	Backups time.Duration
	// Segments is how many parts of the table the verification reads at a time. The default is 4.
	Segments int
	// Residuals are further copies: exports, replicas, search indexes.
	Residuals []Residual
}

// rows is a table as a Place.
type rows struct {
	name   string
	db     *table.DB
	models map[string]*personal // by discriminator
	order  []string
	opts   TableOptions
	faults []error
}

// personal is a model with its policies.
type personal struct {
	name     string
	policies []policy
	derived  map[string][]string
	model    Model
	refs     []string        // the attributes of references to people
	ids      []string        // and the fields with their ids
	reviewed map[string]bool // attributes that tell nothing about a person
	known    map[string]bool // attributes of the model
}

const (
	tombstones = 33 * table.Day
	backups    = 35 * table.Day
	segments   = 4
)

// Table is the rows of a table as a Place. It finds a subject's rows by the sparse index over _sid, and verifies by reading the whole table. Models without a
// subject need not be named; a row with a subject and a model that is not named is a fault of every plan. What is wrong with the policies is told by
// New.
func Table(name string, db *table.DB, models []Model, opts *TableOptions) Place {
	t := &rows{name: name, db: db, models: map[string]*personal{}}
	if opts != nil {
		t.opts = *opts
	}
	t.opts.Tombstones, t.opts.Backups = orElse(t.opts.Tombstones, tombstones), orElse(t.opts.Backups, backups)
	t.opts.Segments = orElse(t.opts.Segments, segments)
	if db == nil {
		t.faults = append(t.faults, errors.New("there is no table"))
	}
	for i, m := range models {
		if m == nil {
			t.faults = append(t.faults, fmt.Errorf("model %d is nil", i))
			continue
		}
		p, faults := personalOf(m)
		t.faults = append(t.faults, faults...)
		t.models[p.name] = p
		t.order = append(t.order, p.name)
	}
	if len(models) == 0 {
		t.faults = append(t.faults, errors.New("no model is named"))
	}
	return t
}

func orElse[T ~int | ~int64](v, other T) T {
	if v > 0 {
		return v
	}
	return other
}

func personalOf(m Model) (*personal, []error) {
	p := &personal{name: m.Name(), model: m, derived: map[string][]string{}, reviewed: map[string]bool{}, known: map[string]bool{}}
	var faults []error
	for attribute, field := range m.Attributes() {
		policy, ok, err := parsePolicy(attribute, field)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("model %q: %w", p.name, err))
		case !ok:
			faults = append(faults, fmt.Errorf("model %q: field %s has no decision: tag it `gdpr:\"erase\"`, redact, pseudonymise, keep or none", p.name, field.Name))
		case isKey(attribute) && policy.Do == doRedact:
			faults = append(faults, fmt.Errorf("model %q: field %s is in the row's key, where nothing can be redacted: erase deletes the row, pseudonymise moves it", p.name, field.Name))
		}
		p.policies = append(p.policies, policy)
		p.known[attribute] = true
		p.derived[attribute] = m.Derived(attribute)
		p.reviewed[attribute] = policy.Do == doNothing
	}
	p.setPeople(m)
	return p, append(faults, p.impossible()...)
}

func isKey(attribute string) bool { return attribute == "pk" || attribute == "sk" }

func (t *rows) lint() []error { return t.faults }

// Name is how plans and receipts call the table.
func (t *rows) Name() string { return t.name }

// SubjectRef is the keyed reference to a subject.
func (t *rows) SubjectRef(id string) (string, error) {
	s, ok := any(t.db).(subjects)
	if !ok {
		return "", errors.New("the table has no key for references to subjects")
	}
	return s.SubjectRef(id)
}

// Find reads the subject's rows by the index over _sid.
func (t *rows) Find(ctx context.Context, task *Task) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		for item, err := range t.bySubject(ctx, task) {
			var a Action
			if err == nil {
				a, err = t.action(task, item)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// action is what becomes of a row.
func (t *rows) action(task *Task, item table.Item) (Action, error) {
	meta, err := table.ReadMeta(item)
	if err != nil {
		return Action{}, err
	}
	m := t.models[meta.Discriminator]
	if m == nil {
		return Action{}, fmt.Errorf("a row of model %q has a subject, and no policy covers it: name the model in Table", meta.Discriminator)
	}
	key, err := json.Marshal([2]string{meta.Key.PK, meta.Key.SK})
	if err != nil {
		return Action{}, err
	}
	a := Action{Target: string(key), Kind: m.name, Seen: versionOf(item), Cost: costOf(item)}
	texts, err := m.model.Texts(item)
	if err != nil {
		return Action{}, err
	}
	a.Do, a.Fields = m.decide(item, texts, changedAt(meta), stakeIn(item, task.Ref))
	if a.Do == MoveRow { // a transaction of two writes, each of which counts twice
		a.Cost.Writes *= 4
	}
	return a, nil
}

// impossible finds decisions that do not go together.
func (m *personal) impossible() []error {
	var faults []error
	for _, p := range m.policies {
		_, option, _ := strings.Cut(p.Sealed, ",")
		id, known := m.idOf(p)
		switch {
		case p.Sealed != "" && option != "carried" && p.Do == doKeep && known && !id.lasts():
			faults = append(faults, fmt.Errorf("model %q: field %s is kept, and opens by the id in field %s, which is not: keep that, too", m.name, p.Field, id.Field))
		case len(p.whose) > 0 && isKey(p.Attribute) && p.Do == doErase && !p.text:
			faults = append(faults, fmt.Errorf("model %q: field %s is in the key of a row about several people, and only a text can give way to a hash while others are left", m.name, p.Field))
		}
	}
	return faults
}

// lasts reports whether a value is there as long as something else in the row is kept.
func (p policy) lasts() bool {
	return p.Do == doKeep || p.Do == doNothing || p.Do == doErase && isKey(p.Attribute)
}

// decide applies the policies. A key cannot be erased in part: a row whose key names the subject is deleted, unless something in it is to be kept, or it is about
// somebody else, too: then it moves.
func (m *personal) decide(item table.Item, texts map[string]string, changed time.Time, s stake) (ActionDo, []FieldAction) {
	do := KeepRow
	var fields []FieldAction
	kept := false
	for _, p := range m.policies {
		value, there := item[p.Attribute]
		if !there || p.Do == doNothing || !s.covers(p) {
			continue
		}
		class, _, _ := strings.Cut(p.Sealed, ",")
		f := FieldAction{Field: p.Field, Do: p.Do, Class: class}
		if p.Do == doKeep {
			f.Reason, f.Until = p.Article, p.Until.After(changed)
			if f.Until.After(time.Now()) {
				kept = true
				fields = append(fields, f)
				continue
			}
			f.Do, f.Reason, f.Until = doErase, "", time.Time{} // the reason has ended
		}
		switch {
		case isKey(p.Attribute) && (s.others || f.Do == doPseudonymise):
			if isReplacement(texts[p.Field]) {
				continue
			}
			if do != DeleteRow {
				do = MoveRow
			}
		case isKey(p.Attribute):
			do = DeleteRow
		case f.Do != doErase && replaced(value):
			continue
		case do == KeepRow:
			do = EditRow
		}
		fields = append(fields, f)
	}
	if !kept && do == KeepRow { // nothing is left but the reference itself
		return EditRow, fields
	}
	if kept {
		return m.keepKey(fields)
	}
	return do, fields
}

// keepKey is what becomes of a row in which something is kept: if its key would be erased, it stays as long.
func (m *personal) keepKey(fields []FieldAction) (ActionDo, []FieldAction) {
	do := KeepRow
	var last FieldAction
	for _, f := range fields {
		if f.Do == doKeep && f.Until.After(last.Until) {
			last = f
		}
	}
	for i, f := range fields {
		switch key := isKey(m.attribute(f.Field)); {
		case key && f.Do == doErase:
			fields[i].Do, fields[i].Reason, fields[i].Until = doKeep, "the key of what is kept: "+last.Reason, last.Until
		case key && f.Do == doPseudonymise:
			do = MoveRow
		case f.Do != doKeep && do == KeepRow:
			do = EditRow
		}
	}
	return do, fields
}

func (m *personal) attribute(field string) string {
	i := slices.IndexFunc(m.policies, func(p policy) bool { return p.Field == field })
	return m.policies[i].Attribute
}

// replaced reports whether a text was redacted or pseudonymised before.
func replaced(value types.AttributeValue) bool {
	text, ok := value.(*types.AttributeValueMemberS)
	return ok && isReplacement(text.Value)
}

func isReplacement(text string) bool {
	return text == redactedText || strings.HasPrefix(text, pseudonym)
}

// pseudonym starts a text that stands for another.
const pseudonym = "pseudonym:"

// changedAt is when the row was last changed: by a command, or by the event that its version names.
func changedAt(meta table.Meta) time.Time {
	if meta.Timestamp.IsZero() && meta.Version != "" {
		return meta.Version.Time()
	}
	return meta.Timestamp
}

// versionOf is the version of a row in all its lanes. Attributes that start with _v are versions.
func versionOf(item table.Item) string {
	var parts []string
	for name, value := range item {
		if name != "timestamp" && !strings.HasPrefix(name, "_v") {
			continue
		}
		switch v := value.(type) {
		case *types.AttributeValueMemberN:
			parts = append(parts, name+"="+v.Value)
		case *types.AttributeValueMemberS:
			parts = append(parts, name+"="+v.Value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// Residuals are the copies that DynamoDB keeps by itself, and those that the options name.
func (t *rows) Residuals(context.Context) ([]Residual, error) {
	now := time.Now().UTC().Truncate(time.Second)
	return append([]Residual{
		{t.name, "records of the change stream", now.Add(table.Day)},
		{t.name, "keys of tombstones", now.Add(t.opts.Tombstones)},
		{t.name, "backups and point-in-time recovery: run Reapply after a restore", now.Add(t.opts.Backups)},
	}, t.opts.Residuals...), nil
}
