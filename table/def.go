package table

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout/idempotence"
)

// Day is 24 hours, the unit of retention.
const Day = 24 * time.Hour

// Def collects the definition of a model. It is used inside the function given to DefineNode and its like; fields are named by
// pointers into that function's first argument.
type Def[T any] struct{ def }

// def carries the methods of Def that have nothing to do with T.
type def struct{ d *definition }

// definition is a model being built, with the mistakes found so far.
type definition struct {
	*model
	faults []fault
	ids    [][]*handle
	owners [][]*handle
}

func (d *definition) fault(field, cause, mend string) {
	d.faults = append(d.faults, fault{field: field, cause: cause, mend: mend})
}

// ID names the field that identifies a node, or an edge within its owner, or several fields that do so together. They are of string, integer, bool or
// time kind, and are stored in the key alone. Rows are in the order of the first field, then of the second, and so on: see [RowKey] for
// strings in front of other fields.
//
//go:noinline
func (d *def) ID(fields ...any) { d.d.ids = append(d.d.ids, d.d.findAll("ID", fields)) }

// Owner names the fields of an edge that hold the id of its node. They are stored in the key alone.
//
//go:noinline
func (d *def) Owner(fields ...any) { d.d.owners = append(d.d.owners, d.d.findAll("Owner", fields)) }

func (d *definition) findAll(what string, fields []any) []*handle {
	var list []*handle
	for _, f := range fields {
		if h := d.find(what, f); h != nil {
			list = append(list, h)
		}
	}
	return list
}

// Retain is the time to live of a row: counted from a command's write, or from the version of a listener's. The default
// is for ever. Rows that DynamoDB has not swept yet are not returned once they have expired.
func (d *def) Retain(age time.Duration) {
	if age < time.Second {
		d.d.fault("", fmt.Sprintf("Retain: %v is less than a second, the unit of a time to live", age), "365 * table.Day is a year")
		return
	}
	d.d.retain = age
}

// Index puts the rows of the model into a secondary index: the first Key makes the partition, the second the order within it.
// Without a second one the order is that of the ids.
//
// A row of which any of the fields is empty ("" or the zero time) is not in the index. Several models may share an index;
// their partitions do not meet.
//
//go:noinline
func (d *def) Index(index Index, keys ...KeyPart) { d.d.addIndex(index, keys) }

// Lane gives fields to a named lane: an upstream source of its own, with its own version and tombstone. What is in no named
// lane belongs to the unnamed one, the owner of the row, which alone decides whether the row is visible.
func (d *def) Lane(lane string, fields ...any) {
	l := idempotence.Lane(lane)
	if err := l.Valid(); err != nil || lane == "" {
		d.d.fault("", fmt.Sprintf("Lane: %q is not a name for a lane", lane), "letters, digits, - and _, with a letter first")
		return
	}
	if slices.ContainsFunc(d.d.lanes, func(have *lanePlan) bool { return have.name == l }) {
		d.d.fault("", fmt.Sprintf("Lane: %q is defined twice", lane), "name all of its fields in one call")
		return
	}
	if len(fields) == 0 {
		d.d.fault("", fmt.Sprintf("Lane: %q has no fields", lane), "a lane owns the attributes that its source determines")
	}
	next := &lanePlan{name: l}
	for _, f := range fields {
		if h := d.d.find("Lane", f); h != nil {
			next.owned = append(next.owned, h)
		}
	}
	d.d.lanes = append(d.d.lanes, next)
}

// lanePlan is one lane of a model; the first one is the owner.
type lanePlan struct {
	name  idempotence.Lane
	owned []*handle
	shape
}

var (
	nodeName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	roleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
)

// define compiles a struct, runs the definition and checks the whole.
func define[T any](name, role string, edge bool, fn func(*T, *Def[T])) (entity[T], error) {
	probe := new(T)
	var call func(*definition)
	if fn != nil {
		call = func(d *definition) { fn(probe, &Def[T]{def{d}}) }
	}
	m, err := newModel(name, role, edge, probe, call)
	return entity[T]{F: probe, m: m}, err
}

func newModel(name, role string, edge bool, probe any, fn func(*definition)) (*model, error) {
	rv := reflect.ValueOf(probe).Elem()
	t := rv.Type()
	d := &definition{model: &model{name: name, role: role, goType: t, slice: reflect.SliceOf(t), handles: map[any]*handle{}}}
	if t.Kind() != reflect.Struct || isTime(t) {
		d.fault("", fmt.Sprintf("%s is not a struct", t), "a model is a struct with exported fields")
		return nil, d.err()
	}
	d.checkNames(edge)
	d.compile(rv)
	d.run(fn)
	d.finish(edge)
	if err := d.err(); err != nil {
		return nil, err
	}
	return d.model, nil
}

func (d *definition) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	return &definitionError{model: fmt.Sprintf("%q (%s)", d.name, d.goType), faults: d.faults}
}

func (d *definition) checkNames(edge bool) {
	if !nodeName.MatchString(d.name) {
		d.fault("", fmt.Sprintf("%q cannot be the name of a model", d.name), "1 to 63 lower-case letters, digits, - and _, with a letter first")
	}
	if edge && !roleName.MatchString(d.role) {
		d.fault("", fmt.Sprintf("%q cannot be the role of an edge", d.role), "1 to 63 letters, digits, - and _, with a letter first")
	}
}

// compile builds the plan of the struct and the handles of its probe.
func (d *definition) compile(probe reflect.Value) {
	c := &compiler{inside: map[reflect.Type]bool{d.goType: true}}
	d.all = c.fields(d.goType, nil, "")
	c.duplicates(d.all)
	d.faults = append(d.faults, c.faults...)
	p := prober{c: c, handles: d.handles}
	p.walk(probe, d.all, handle{stored: -1})
	d.lists = p.lists
}

// run calls the definition function. A nil pointer that it follows is a mistake like any other.
func (d *definition) run(fn func(*definition)) {
	defer func() {
		if r := recover(); r != nil {
			d.fault("", fmt.Sprintf("the definition function panicked: %v", r), "name fields of its argument with &v.Field; a pointer to a type that contains itself is nil there")
		}
	}()
	if fn == nil {
		d.fault("", "there is no definition function", "func(v *T, d *table.Def[T]) { d.ID(&v.ID) }")
		return
	}
	fn(d)
}

// finish checks what the definition said, and lays out the row.
func (d *definition) finish(edge bool) {
	d.finishKeys(edge)
	d.checkPeople()
	d.checkReserved()
	d.checkSealed()
	d.layLanes()
	d.finishIndexes()
	if len(d.faults) == 0 {
		d.layOut()
	}
}

// finishKeys puts the fields of ID and Owner into their places.
func (d *definition) finishKeys(edge bool) {
	if d.keys != nil {
		if edge || len(d.ids)+len(d.owners) > 0 {
			d.fault("", "KeyFunc takes the place of ID and Owner, and edges cannot have it", "use DefineNode, and call none but KeyFunc")
		}
		return
	}
	d.id = d.fieldsOf("ID", d.ids, true, inID)
	d.owner = d.fieldsOf("Owner", d.owners, edge, inOwner)
	if !edge && d.owner != nil {
		d.fault(d.owner.names(), "a node has no owner", "use DefineEdge, or remove d.Owner")
	}
	if len(d.id)+len(d.owner) > maxParts {
		d.fault("", fmt.Sprintf("ID and Owner have %d fields", len(d.id)+len(d.owner)), fmt.Sprintf("up to %d make a key", maxParts))
	}
}

// fieldsOf compiles the fields of ID or Owner.
func (d *definition) fieldsOf(what string, calls [][]*handle, needed bool, at place) keyParts {
	calls = slices.DeleteFunc(calls, func(handles []*handle) bool { return len(handles) == 0 })
	if len(calls) == 0 {
		if needed {
			d.fault("", "there is no "+what, fmt.Sprintf("call d.%s(&v.Field)", what))
		}
		return nil
	}
	if len(calls) > 1 {
		d.fault(calls[0][0].goPath, what+" is called more than once", "name all fields of it in one call")
	}
	var parts keyParts
	for _, h := range calls[0] {
		if len(h.attrs) > 1 {
			d.fault(h.goPath, what+": the field is nested", "use a field of the model's own struct")
		}
		if h.place != inAttribute {
			d.fault(h.goPath, "the field is named twice, or is both ID and Owner", "name several fields")
		}
		seg, err := segmentOf(h.field.typ)
		if err != nil {
			d.fault(h.goPath, what+": "+err.Error(), "ids are strings, integers, bools or times")
		}
		h.place = at
		parts = append(parts, &keyed{handle: h, segment: seg})
	}
	return parts
}

// checkReserved refuses attributes that the library writes itself.
func (d *definition) checkReserved() {
	for i := range d.all {
		f := &d.all[i]
		if d.isKey(i) {
			continue
		}
		if reserved(f.attr) {
			d.fault(f.path, fmt.Sprintf("attribute %q is reserved", f.attr), "name another attribute in the tag")
		}
	}
}

func reserved(attr string) bool {
	switch attr {
	case attrPK, attrSK, attrDiscriminator, attrTimestamp, attrBy, attrRegion, attrLatched, attrDeleted, attrTTL, attrSubject, attrSchema, attrEnvelope, attrSealed:
		return true
	}
	return isSubjectRef(attr) || attr == "_v" || strings.HasPrefix(attr, "_v_") || strings.HasPrefix(attr, "_d_") || strings.HasPrefix(attr, attrEnvelope+"_") || strings.HasPrefix(attr, "aws:rep:")
}

// isKey says whether a field of the struct is stored in the key alone.
func (m *model) isKey(i int) bool {
	return m.place(i) != inAttribute
}

// place is where a field of the struct is stored.
func (m *model) place(i int) place {
	for _, k := range slices.Concat(m.id, m.owner) {
		if k.handle.field == &m.all[i] {
			return k.handle.place
		}
	}
	return inAttribute
}

func isTime(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }
