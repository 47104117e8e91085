package table

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Subject names the field that holds the id of the person whom the row is about: a string or an integer, that may be nested. A DB with
// Options.SubjectKey writes a keyed hash of it on every row, as _sid, and Schema has a sparse index over that, so that whoever has the key finds all
// rows about a person, and nobody else learns from it who they are about. An empty id is no subject.
//
// A row has one subject. What is about several people is a node with an edge for each of them.
func (d *Def[T]) Subject(field any) {
	h := d.d.find("Subject", field)
	if h == nil {
		return
	}
	if t := h.field.typ; t.Kind() != reflect.String && !isInt(t) && !isUint(t) {
		d.d.fault(h.goPath, fmt.Sprintf("Subject: a %s cannot be the id of a person", t), "ids of subjects are strings or integers")
	}
	d.d.subjects = append(d.d.subjects, h)
}

// subjectIndex is the sparse index over _sid, in every table that has a model with a subject.
func subjectIndex() Index { return Index{Name: attrSubject, PK: attrSubject, SK: attrPK} }

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

// setSubject writes the reference to the subject. A DB without a key leaves alone what another one wrote.
func (r *row) setSubject(rv reflect.Value) {
	if r.subjectSlot > 0 {
		r.values[r.subjectSlot] = r.subjectRef(rv)
	}
}

func (r *row) subjectRef(rv reflect.Value) types.AttributeValue {
	id := subjectText(r.subject.value(rv))
	if r.refer == nil || id == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: r.refer(id)}
}

// setSubjectOfKey does so for a tombstone, of which nothing but the key is known.
func (r *row) setSubjectOfKey() error {
	if r.subjectSlot == 0 || r.subject.place == inAttribute {
		return nil
	}
	rv := reflect.New(r.goType).Elem()
	if err := r.decodeKey(r.key, rv); err != nil {
		return err
	}
	r.setSubject(rv)
	return nil
}

// followSubject gives an update the reference that a full write would give it.
func (r *row) followSubject(sample reflect.Value) error {
	if r.subject == nil || r.refer == nil {
		return nil
	}
	for _, e := range r.edits {
		if !overlap(e.handle.attrs, r.subject.attrs) {
			continue
		}
		if e.op != editSet && e.op != editRemove {
			return invalid("field %s is the subject of the row: Set it, since what it will be is not known beforehand", r.subject.goPath)
		}
		r.edits = append(r.edits, editOf(attrSubject, r.subjectRef(sample)))
		return nil
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
