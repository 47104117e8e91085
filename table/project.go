package table

import (
	"fmt"
	"reflect"
)

// Project is the query with a smaller struct as its result: every field of S is stored under the attribute of a field of the model, and has its type. DynamoDB
// sends these attributes alone, but reads and bills whole rows. Ids and owners are among them. Fields that S and the model tag alike match, whatever their
// names. Mistakes show when the query is read.
//
//	type Card struct {
//		ID    string    `dynamo:"id"`
//		Since time.Time `dynamo:"placedAt"`
//	}
//
//	for card, err := range table.Project[Card](Orders.List()).All(ctx, db) { … }
func Project[S, T any](q Query[T]) Query[S] {
	return Query[S]{q.q.project(reflect.TypeFor[S]())}
}

func (q *query) project(t reflect.Type) *query {
	if q == nil {
		return nil
	}
	next := *q
	p, err := projectionOf(q.model, t)
	if next.err == nil {
		next.err = err
	}
	if p != nil && len(q.model.upgrades) > 0 {
		p.attrs = nil // a row of an older version may have other ones
	}
	next.into = p
	return &next
}

// projection moves fields of a model's struct into a smaller one.
type projection struct {
	slice    reflect.Type // of the smaller structs
	attrs    []string     // that are asked for, or nil for all
	from, to []*field
}

func projectionOf(m *model, t reflect.Type) (*projection, error) {
	if t.Kind() != reflect.Struct || isTime(t) {
		return nil, invalid("%s is not a struct", t)
	}
	c := &compiler{inside: map[reflect.Type]bool{t: true}}
	list := c.fields(t, nil, "")
	c.duplicates(list)
	p := &projection{slice: reflect.SliceOf(t), attrs: []string{attrDiscriminator, attrDeleted, attrTTL}}
	p.attrs = append(p.attrs, m.versions()...)
	for i := range list {
		at := m.indexOf(&list[i])
		switch {
		case at < 0:
			c.fault(list[i].path, fmt.Sprintf("attribute %q is none of %q", list[i].attr, m.name), "take the tag over from the model's field")
		case m.all[at].typ != list[i].typ:
			c.fault(list[i].path, fmt.Sprintf("it is a %s, and field %s of the model is a %s", list[i].typ, m.all[at].path, m.all[at].typ), "use the model's type")
		default:
			p.from, p.to = append(p.from, &m.all[at]), append(p.to, &list[i])
			p.attrs = append(p.attrs, m.needed(at)...)
		}
	}
	if len(c.faults) > 0 {
		return nil, invalid("%w", &definitionError{model: fmt.Sprintf("a projection of %q (%s)", m.name, t), faults: c.faults})
	}
	return p, nil
}

// needed are the attributes that a field is read from.
func (m *model) needed(i int) []string {
	attrs := []string{m.all[i].attr}
	if m.all[i].seal != nil {
		attrs = append(attrs, m.people[m.all[i].seal.whose].attrs[0])
	}
	if envelope := m.envelopeOf(i); envelope != "" {
		attrs = append(attrs, envelope)
	}
	return attrs
}

func (p *projection) copy(from, to reflect.Value) {
	for i, f := range p.from {
		if v := f.value(from); v.IsValid() {
			p.to[i].settable(to).Set(v)
		}
	}
}

// versions are the attributes of the versions of all lanes.
func (m *model) versions() []string {
	var attrs []string
	for _, l := range m.lanes {
		attrs = append(attrs, l.name.VersionAttribute())
	}
	return attrs
}
