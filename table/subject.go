package table

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// Subject names the field that holds the id of the person whom the row is about: a string or an integer, that may be nested. A DB with
// Options.SubjectKey writes a keyed hash of it on every row, as _sid, and Schema has a sparse index over that, so that whoever has the key finds all
// rows about a person, and nobody else learns from it who they are about. An empty id is no subject.
//
// A row about several people, four at most, has a call for each, with the fields that are about them. Their references are _sid, _sid2 and so on, in the order of the
// calls, each with its index:
//
//	d.Subject(&t.From, &t.FromName)
//	d.Subject(&t.To, &t.ToName, &t.ToAddress)
//
// What is sealed is sealed with the key of the one who names it, and is lost with that key. A field that nobody names, here the amount, is about all of them. What else that
// means for an erasure says package gdpr.
func (d *def) Subject(field any, about ...any) {
	h := d.d.find("Subject", field)
	if h == nil {
		return
	}
	if t := h.field.typ; t.Kind() != reflect.String && !isInt(t) && !isUint(t) {
		d.d.fault(h.goPath, fmt.Sprintf("Subject: a %s cannot be the id of a person", t), "ids of subjects are strings or integers")
	}
	p := &person{handle: h, ref: attrSubject}
	if n := len(d.d.people); n > 0 {
		p.ref += strconv.Itoa(n + 1)
	}
	for _, f := range about {
		if h := d.d.find("Subject", f); h != nil {
			p.about = append(p.about, h)
		}
	}
	d.d.people = append(d.d.people, p)
}

// maxPeople is how many people a row can be about: each needs an index, of which a table has 20.
const maxPeople = 4

// person is one of those whom a row is about: the field with their id.
type person struct {
	*handle
	ref   string    // the attribute of the reference
	about []*handle // what else is about them, where a row has several
}

// index is the sparse index over the references, in every table that has a model with so many subjects.
func (p *person) index() Index { return Index{Name: p.ref, PK: p.ref, SK: attrPK} }

// owns reports whether a stored field is about the person, by name.
func (p *person) owns(stored int) bool {
	return p.stored == stored || slices.ContainsFunc(p.about, func(h *handle) bool { return h.stored == stored })
}

// isSubjectRef reports whether an attribute refers to a person.
func isSubjectRef(attr string) bool {
	switch attr {
	case attrSubject, attrSubject + "2", attrSubject + "3", attrSubject + "4":
		return true
	}
	return false
}

// checkPeople finds what rows about several people cannot have.
func (d *definition) checkPeople() {
	switch n := len(d.people); {
	case n > maxPeople:
		d.fault("", fmt.Sprintf("Subject is called %d times", n), fmt.Sprintf("a row is about %d people at most: make an edge for each of them", maxPeople))
	case n == 1 && len(d.people[0].about) > 0:
		d.fault(d.people[0].goPath, "Subject: a row about one person is about them in all of its fields", "name fields where the row has several subjects")
	case n > 1:
		for _, p := range d.people {
			for _, h := range append([]*handle{p.handle}, p.about...) {
				if len(h.attrs) > 1 || len(h.index) > 1 {
					d.fault(h.goPath, "Subject: the field is nested, in a row about several people", "use a field of the model's own struct")
				}
			}
			if slices.ContainsFunc(d.people, func(q *person) bool { return q != p && q.stored == p.stored }) {
				d.fault(p.goPath, "Subject: two subjects of a row have the same field", "call Subject once for each field with an id")
				return
			}
		}
	}
}

// checkSealers finds out whose key seals a field.
func (d *definition) checkSealers() {
	if len(d.people) == 0 {
		d.fault(d.sealed[0].path, "the field is sealed, and nobody's key could be destroyed to erase it", "say whose data it is: d.Subject(&v.CustomerID)")
	}
	for i := range d.all {
		if d.all[i].seal == nil || len(d.people) < 2 {
			continue
		}
		claims := 0
		for n, p := range d.people {
			if p.owns(i) {
				d.all[i].seal.whose = n
				claims++
			}
		}
		if claims != 1 {
			d.fault(d.all[i].path, fmt.Sprintf("the field is sealed, and %d of the row's %d subjects name it", claims, len(d.people)),
				"one key seals it: name it in the call for one of them, as in d.Subject(&v.CustomerID, &v.Email)")
		}
	}
}

func (d *definition) subjectHandles() []*handle {
	var list []*handle
	for _, p := range d.people {
		list = append(list, p.handle)
	}
	return list
}

// Subjects yields the attribute of the reference to each person whom a row is about, with the names of the fields that are about them: that of their id first. A
// field that none of them names is about all.
//
//go:noinline
func (u *untyped) Subjects() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, p := range u.model.people {
			names := []string{u.model.fieldName(p.stored)}
			for _, h := range p.about {
				names = append(names, u.model.fieldName(h.stored))
			}
			if !yield(p.ref, names) {
				return
			}
		}
	}
}

// fieldName is the name of a stored field in its struct.
func (m *model) fieldName(i int) string { return m.goType.FieldByIndex(m.all[i].index).Name }

const minSubjectKey = 32

// referrer makes references to subjects. It is a function, so that no print of a DB shows the key.
func referrer(key []byte) (func(subject string) string, error) {
	if len(key) == 0 {
		return nil, nil
	}
	if len(key) < minSubjectKey {
		return nil, invalid("Options.SubjectKey has %d bytes, and must have %d or more", len(key), minSubjectKey)
	}
	own := append([]byte(nil), key...)
	return func(subject string) string {
		mac := hmac.New(sha256.New, own)
		fmt.Fprintf(mac, "%d:%s,%d:%s,", len(subjectSpace), subjectSpace, len(subject), subject)
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}, nil
}

// subjectSpace keeps references apart from whatever else is made with the key. It is in stored rows, and so is fixed.
const subjectSpace = "insideout subject"

// SubjectRef is what rows about a person carry as _sid, whatever their model: the HMAC-SHA256 of the person's id under Options.SubjectKey, in base64url. An
// integer is written in decimal. Without a key, or for the empty id, it is an error.
func (db *DB) SubjectRef(id string) (string, error) {
	switch {
	case db.opened() != nil:
		return "", db.opened()
	case db.refer == nil:
		return "", invalid("there is no key for references to subjects: give Open Options.SubjectKey")
	case id == "":
		return "", invalid("the id of the subject is empty")
	}
	return db.refer(id), nil
}

func subjectText(rv reflect.Value) string {
	switch {
	case rv.Kind() == reflect.String:
		return rv.String()
	case isInt(rv.Type()):
		return strconv.FormatInt(rv.Int(), 10)
	}
	return strconv.FormatUint(rv.Uint(), 10)
}

// identify notes the ids of the subjects, whose keys seal.
func (r *row) identify(rv reflect.Value) {
	for i, p := range r.people {
		r.about[i] = subjectText(p.value(rv))
	}
}

// setSubject writes the references to the subjects. A DB without a key leaves alone what another one wrote.
func (r *row) setSubject(rv reflect.Value) {
	if r.subjectSlot == 0 {
		return
	}
	for i, p := range r.people {
		r.values[r.subjectSlot+i] = r.subjectRef(p, rv)
	}
}

func (r *row) subjectRef(p *person, rv reflect.Value) types.AttributeValue {
	id := subjectText(p.value(rv))
	if r.refer == nil || id == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: r.refer(id)}
}

// setSubjectOfKey does so for a tombstone, of which nothing but the key is known.
func (r *row) setSubjectOfKey() error {
	if r.subjectSlot == 0 {
		return nil
	}
	rv := reflect.New(r.goType).Elem()
	if err := r.decodeKey(r.key, rv); err != nil {
		return err
	}
	for i, p := range r.people {
		if p.place != inAttribute {
			r.values[r.subjectSlot+i] = r.subjectRef(p, rv)
		}
	}
	return nil
}

// followSubject gives an update the references that a full write would give it.
func (r *row) followSubject(sample reflect.Value) error {
	if r.refer == nil {
		return nil
	}
	for _, p := range r.people {
		i := slices.IndexFunc(r.edits, func(e edit) bool { return overlap(e.handle.attrs, p.attrs) })
		if i < 0 {
			continue
		}
		if op := r.edits[i].op; op != editSet && op != editRemove {
			return invalid("field %s is the subject of the row: Set it, since what it will be is not known beforehand", p.goPath)
		}
		r.edits = append(r.edits, editOf(p.ref, r.subjectRef(p, sample)))
	}
	return nil
}

// editOf writes an attribute of the library's own, or removes it for nil.
func editOf(attr string, av types.AttributeValue) edit {
	e := edit{op: editSet, handle: &handle{attrs: []string{attr}}, value: av}
	if av == nil {
		e.op = editRemove
	}
	return e
}

// withholds reports whether a listener must not write a row, whichever lane it writes, since it is about someone who was erased. Of a row that is about others, too, it
// takes out what is about them, and lets the rest be written; unless their id is in its key, or is a number.
func (db *DB) withholds(m *model, key RowKey, rv reflect.Value, ver idempotence.Version) bool {
	if db == nil || db.withheld == nil {
		return false
	}
	var erased []*person
	for _, p := range m.people {
		if id := subjectText(p.value(rv)); id != "" && db.withheld(db.refer(id), ver.Time()) {
			erased = append(erased, p)
		}
	}
	if len(erased) == 0 {
		return false
	}
	left := false
	for _, p := range m.people {
		left = left || subjectText(p.value(rv)) != "" && !slices.Contains(erased, p)
	}
	if !left {
		return true
	}
	for _, p := range erased {
		if p.field.typ.Kind() != reflect.String {
			return true // there is no number that is nobody's
		}
		for _, h := range append([]*handle{p.handle}, p.about...) {
			h.value(rv).SetZero()
		}
	}
	now, err := m.keyOfRow(rv)
	return err != nil || now != key
}
