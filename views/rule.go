package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/internal/jsonplan"
	"github.com/insideout-go/insideout/table"
)

// Types are whole event types, such as "order-placed", and prefixes of such, as "order-*".
type Types []string

// On lists the event types that a rule is for. They match as a whole: "order-placed" is not "order-placed-late". One that ends in "*" is a
// prefix: "order-*" is every type that starts with "order-", and "*" every type, but faults, which must be named.
func On(types ...string) Types { return slices.Clone(types) }

// RuleOption is an option of [Upsert] and [Remove].
type RuleOption struct{ lane idempotence.Lane }

// InLane makes the rule write a named lane of the row instead of the unnamed one: its attributes, its version and its
// tombstone. The model declares the lane and its attributes. Each source of a row needs a lane of its own.
func InLane(lane idempotence.Lane) RuleOption { return RuleOption{lane} }

// rule makes mutations of events.
type rule struct {
	name  string // the pipeline in faults
	verb  string
	model any // for roll-ups: the model whose rows it writes
	label string
	types Types
	lane  idempotence.Lane
	place int // among the rules, in the order of their definition
	wrong error

	// decode reads an event for the mapper and the header in one, from raw. It is nil where the mapper gets no struct.
	decode func(d *delivery) bool

	// prepare maps the event to a write of a row. It does no I/O but that of the opener, which may be nil.
	prepare func(ctx context.Context, o insideout.Opener, d *delivery) (mutation, error)
}

// mutation is a write that is ready to be made.
type mutation struct {
	rule    *rule
	source  int // the delivery
	key     table.RowKey
	version idempotence.Version
	write   func(context.Context, *table.DB) (idempotence.Outcome, error)
	other   *mutation // of the lane
}

// before orders the mutations of a lane, the newest first; of one event, the first rule wins.
func (m *mutation) before(o *mutation) bool {
	return m.version > o.version || m.version == o.version && m.rule.place < o.rule.place
}

func (r *rule) apply(l *Listener) error {
	if r.wrong != nil {
		return r.wrong
	}
	var faults []error
	if len(r.types) == 0 {
		faults = append(faults, fmt.Errorf("views: the rule %q is for no event type", r.label))
	}
	r.place, r.name = len(l.rules), r.label
	for n := 2; slices.ContainsFunc(l.rules, func(o *rule) bool { return o.name == r.name }); n++ {
		r.name = fmt.Sprintf("%s-%d", r.label, n)
	}
	l.rules = append(l.rules, r)
	for i, t := range r.types {
		faults = append(faults, r.mistake(t, r.types[:i]))
		l.routes.add(t, r)
	}
	return errors.Join(append(faults, r.lane.Valid())...)
}

// mistake tells what is wrong with a type that comes after others.
func (r *rule) mistake(t string, before Types) error {
	switch {
	case t == "":
		return fmt.Errorf("views: the rule %q is for an empty event type", r.label)
	case strings.Contains(strings.TrimSuffix(t, anyRest), anyRest):
		return fmt.Errorf("views: the rule %q is for the event type %q: a %q stands at the end", r.label, t, anyRest)
	}
	for _, other := range before {
		if covers(other, t) || covers(t, other) {
			return fmt.Errorf("views: the rule %q is twice for the event type %q", r.label, t)
		}
	}
	return nil
}

// Upsert is the rule that writes a row of the model for each event of the types. f makes the row of an event; E is
// [insideout.Event], or any type into which the JSON of the event is decoded, such as a struct with the members that
// this service needs.
//
// The row replaces the one before as a whole if the event is newer, and otherwise changes nothing: one conditional
// write, and no read. f must therefore be a function of the event alone, which it leaves as it is. It is called for several events at a time. It may
// return [Skip], [Retry] or [Poison]; any other error, and a panic, is poison.
//
// An [insideout.Sealed] in E knows where it was sealed: f hands it on, unopened, to a field of the model with the tag
// `seal:"contact,carried"`. Where Options.Opener opens it, f may Reveal it; insideout.ErrShredded and ErrRestricted as f's error skip
// the event. What is sealed in an [insideout.Event] is bound by [insideout.Body], and nothing of it is opened.
func Upsert[E, T any](m table.Model[T], on Types, f func(E) (T, error), opts ...RuleOption) Part {
	if m == nil || f == nil {
		return &rule{wrong: errors.New("views: Upsert needs a model and a mapper")}
	}
	plan := jsonplan.For[E]()
	r := newRule("upsert", m, m.Name(), on, opts, plan)
	options := writeOptions(r.lane)
	r.prepare = func(ctx context.Context, o insideout.Opener, d *delivery) (mutation, error) {
		e, err := decodeAs(ctx, o, d, plan)
		if err != nil {
			return mutation{}, err
		}
		v, err := f(e)
		if err != nil {
			return mutation{}, err
		}
		key, err := m.RowKey(v)
		if err != nil {
			return mutation{}, err
		}
		version := d.version
		return mutation{key: key, write: func(ctx context.Context, db *table.DB) (idempotence.Outcome, error) {
			return m.Upsert(ctx, db, v, version, options...)
		}}, nil
	}
	return r
}

// Remove is the rule that deletes a row of the model for each event of the types: it leaves a tombstone, so that an
// older event that comes later does not bring the row back. The row need not be there yet. f tells the row's id: the id
// of a node, [table.Of] for an edge. Otherwise it is as for [Upsert].
func Remove[E, T any](m table.Model[T], on Types, f func(E) (table.ID, error), opts ...RuleOption) Part {
	if m == nil || f == nil {
		return &rule{wrong: errors.New("views: Remove needs a model and a mapper")}
	}
	plan := jsonplan.For[E]()
	r := newRule("remove", m, m.Name(), on, opts, plan)
	options := writeOptions(r.lane)
	r.prepare = func(ctx context.Context, o insideout.Opener, d *delivery) (mutation, error) {
		e, err := decodeAs(ctx, o, d, plan)
		if err != nil {
			return mutation{}, err
		}
		id, err := f(e)
		if err != nil {
			return mutation{}, err
		}
		key, err := m.KeyOf(id)
		if err != nil {
			return mutation{}, err
		}
		version := d.version
		return mutation{key: key, write: func(ctx context.Context, db *table.DB) (idempotence.Outcome, error) {
			return m.Remove(ctx, db, id, version, options...)
		}}, nil
	}
	return r
}

func newRule[E any](verb string, model any, name string, on Types, opts []RuleOption, plan *jsonplan.Plan[E]) *rule {
	r := &rule{verb: verb, model: model, label: verb + "-" + name, types: slices.Clone(on)}
	for _, o := range opts {
		r.lane = o.lane
	}
	if r.lane != "" {
		r.label += "-" + string(r.lane)
	}
	if plan.IsStruct() {
		r.decode = func(d *delivery) bool {
			defer func() { _ = recover() }() // of a type that decodes itself: it will panic again for the mapper
			e := new(E)
			d.decoded = e
			return plan.DecodeAnd(d.raw, e, d.set)
		}
	}
	return r
}

func writeOptions(lane idempotence.Lane) []table.WriteOption {
	if lane == "" {
		return nil
	}
	return []table.WriteOption{table.InLane(string(lane))}
}

// decodeAs gives the event to a mapper in its own terms.
func decodeAs[E any](ctx context.Context, o insideout.Opener, d *delivery, plan *jsonplan.Plan[E]) (E, error) {
	if e, ok := d.decoded.(*E); ok {
		d.decoded = nil // what it points to may be changed by the mapper
		return *e, unseal(ctx, o, d, e)
	}
	var e E
	if whole, ok := any(&e).(*insideout.Event); ok {
		err := d.whole()
		*whole = d.event
		return e, err
	}
	raw, err := d.json()
	if err != nil {
		return e, err
	}
	if plan.Decode(raw, &e) {
		return e, unseal(ctx, o, d, &e)
	}
	e = *new(E)
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		if err := d.whole(); err != nil { // it is not the mapper's type that is wrong
			return e, err
		}
		if _, err := d.event.MarshalJSON(); err != nil {
			return e, err
		}
		return e, fmt.Errorf("views: the event does not fit %T: %w", e, misfit(err))
	}
	return e, unseal(ctx, o, d, &e)
}

// misfit is the error of a decoder without the value that did not fit, which may be personal.
func misfit(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	kind, _, _ := strings.Cut(wrong.Value, " ")
	return fmt.Errorf("the member %q is %s, and the mapper's type takes %s", wrong.Field, article(kind), kindsOf(wrong.Type))
}

func article(noun string) string {
	if strings.ContainsAny(noun[:min(1, len(noun))], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// kindsOf is what JSON has for a Go type.
func kindsOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if t.Name() == "" {
			return "an object"
		}
	case reflect.Slice, reflect.Array:
		if t.Name() == "" {
			return "an array"
		}
	}
	return article(t.String())
}
