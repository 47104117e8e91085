package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// Change is a part of an Update: Set and its like, and If.
type Change interface{ change(u *updating) }

// updating collects the changes of an Update.
type updating struct {
	edits []assignment
	writeOptions
}

func (o WriteOption) change(u *updating) { o.apply(&u.writeOptions) }

// assignment is one change as the caller wrote it.
type assignment struct {
	op    editOp
	field any
	value any
}

func (a assignment) change(u *updating) { u.edits = append(u.edits, a) }

type editOp uint8

const (
	editSet editOp = iota
	editSetIfAbsent
	editRemove
	editAdd
	editAppend
	editAddToSet
	editRemoveFromSet
)

// Set gives the field a value. An empty string, an empty set and a nil pointer remove the attribute, as Save does.
func Set[F any](field *F, value F) Change { return assignment{editSet, field, value} }

// SetIfAbsent gives the field a value if the attribute is not there.
func SetIfAbsent[F any](field *F, value F) Change { return assignment{editSetIfAbsent, field, value} }

// Remove removes the attribute.
func Remove[F any](field *F) Change { return assignment{editRemove, field, *new(F)} }

// Add adds to a number; an absent attribute counts as zero. It is not for events, which may come twice: see package idempotence.
func Add[F ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64](field *F, delta F) Change {
	return assignment{editAdd, field, delta}
}

// Append adds elements to the end of a list; an absent attribute counts as an empty list.
func Append[E any](field *[]E, elements ...E) Change { return assignment{editAppend, field, elements} }

// AddToSet adds elements to a set.
func AddToSet[E any](field *[]E, elements ...E) Change {
	return assignment{editAddToSet, field, elements}
}

// RemoveFromSet removes elements from a set.
func RemoveFromSet[E any](field *[]E, elements ...E) Change {
	return assignment{editRemoveFromSet, field, elements}
}

// edit is a compiled change.
type edit struct {
	op     editOp
	handle *handle
	value  types.AttributeValue
}

// accumulates says that making the change twice differs from making it once.
func (e edit) accumulates() bool { return e.op == editAdd || e.op == editAppend }

func (e edit) write(b *builder, c *clauses) {
	name := b.path(e.handle)
	switch {
	case e.op == editRemove:
		c.remove = append(c.remove, name)
	case e.op == editSet:
		c.set = append(c.set, name+" = "+b.value(e.value))
	case e.op == editSetIfAbsent:
		c.set = append(c.set, name+" = if_not_exists("+name+", "+b.value(e.value)+")")
	case e.op == editAppend:
		empty := b.value(&types.AttributeValueMemberL{Value: []types.AttributeValue{}})
		c.set = append(c.set, name+" = list_append(if_not_exists("+name+", "+empty+"), "+b.value(e.value)+")")
	case e.op == editRemoveFromSet:
		c.del = append(c.del, name+" "+b.value(e.value))
	case e.op == editAdd && len(e.handle.attrs) > 1: // ADD is for whole attributes
		zero := b.value(number(0))
		c.set = append(c.set, name+" = if_not_exists("+name+", "+zero+") + "+b.value(e.value))
	default: // Add and AddToSet
		c.add = append(c.add, name+" "+b.value(e.value))
	}
}

// Update changes some fields of a row, as a command, and leaves the others: ErrNotFound if there is no row, or it is deleted or expired. A field
// of a nested struct (&f.Address.City) needs the outer attribute to be there. The first 100 elements of a list can be named, and their fields
// (&f.Stops[2], &f.Lines[0].SKU): to set one behind the end appends it, and to remove one moves those behind it. The keys of an index follow if the update gives every field that
// they are made of; otherwise the update is refused, since the others are not known without a read.
//
// An update with Add or Append is not repeated where the answer to the first request was lost: that is an error, and whether
// the row has the change is not known.
func (u *untyped) Update(ctx context.Context, db *DB, id ID, changes ...Change) error {
	key, err := u.model.keyOfID(id)
	if err != nil {
		return u.model.fail("update", key, err)
	}
	r, err := u.model.updating(ctx, db, key, changes)
	if err != nil {
		return u.model.fail("update", key, err)
	}
	return u.model.fail("update", key, r.pathless(db.command(ctx, r)))
}

// pathless names the fields of an update that DynamoDB refused since what they are in is not there: it does not say which.
func (r *row) pathless(err error) error {
	fault, ok := errors.AsType[smithy.APIError](err)
	if !ok || fault.ErrorCode() != "ValidationException" || !strings.Contains(fault.ErrorMessage(), "document path") {
		return err
	}
	var nested []string
	for _, e := range r.edits {
		if len(e.handle.attrs) > 1 {
			nested = append(nested, e.handle.goPath)
		}
	}
	return fmt.Errorf("field %s: the struct or list that it is in is not there: Set that one as a whole (%w)", strings.Join(nested, " or "), err)
}

func (m *model) updating(ctx context.Context, db *DB, key RowKey, changes []Change) (*row, error) {
	var u updating
	for i, c := range changes {
		if c == nil {
			return nil, invalid("change %d is nil: make it with Set and its like", i)
		}
		c.change(&u)
	}
	r, err := db.commandRow(ctx, m, writeUpdate, &m.system, key, []WriteOption{func(o *writeOptions) { *o = u.writeOptions }})
	if err != nil {
		return nil, err
	}
	return r, r.edit(u.edits)
}

// edit compiles changes, and the changes of index keys that follow from them.
func (r *row) edit(assignments []assignment) error {
	if len(assignments) == 0 {
		return invalid("there is nothing to change")
	}
	for _, a := range assignments {
		e, err := r.compile(a)
		if err != nil {
			return err
		}
		for _, other := range r.edits {
			if overlap(other.handle.attrs, e.handle.attrs) {
				return invalid("field %s: two changes overlap", e.handle.goPath)
			}
		}
		r.edits = append(r.edits, e)
	}
	if err := r.checkUnique(); err != nil {
		return err
	}
	r.assigned = assignments
	// The fields by name, for index keys: a value of the struct with what the update gives and the id.
	sample := reflect.New(r.goType).Elem()
	if err := r.decodeKey(r.key, sample); err != nil {
		return err
	}
	for _, a := range assignments {
		if h, _ := r.find(a.field); !h.inList && (a.op == editSet || a.op == editRemove) {
			if v := reflect.ValueOf(a.value); v.IsValid() {
				h.settable(sample).Set(v)
			}
		}
	}
	return r.follow(sample)
}

func overlap(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

func (r *row) compile(a assignment) (edit, error) {
	h, err := r.find(a.field)
	if err != nil {
		return edit{}, err
	}
	if h.place != inAttribute {
		return edit{}, invalid("field %s is part of the key, which cannot change", h.goPath)
	}
	if err := r.acceptSealed(h, a.op); err != nil {
		return edit{}, err
	}
	e := edit{op: a.op, handle: h}
	if a.op == editRemove {
		return e, nil
	}
	v := reflect.ValueOf(a.value)
	if !v.IsValid() { // a nil interface
		v = reflect.Zero(h.field.typ)
	}
	if a.op == editAppend || a.op == editAddToSet || a.op == editRemoveFromSet {
		if v.Len() == 0 {
			return edit{}, invalid("field %s: there are no elements", h.goPath)
		}
	}
	if e.value, err = h.field.encode(v); err != nil {
		return edit{}, invalid("field %s: %w", h.goPath, err)
	}
	if h.field.omit != nil && h.field.omit(v) && a.op <= editSetIfAbsent {
		e.value = nil
	}
	return e.checked()
}

// checked refuses a change that the attribute's type does not take.
func (e edit) checked() (edit, error) {
	_, list := e.value.(*types.AttributeValueMemberL)
	switch {
	case e.op == editSet && e.value == nil && e.handle.inList && strings.HasPrefix(e.handle.attrs[len(e.handle.attrs)-1], indexMark):
		return e, invalid("field %s: an empty element is left out of the list: Remove it", e.handle.goPath)
	case e.op == editSet && e.value == nil:
		e.op = editRemove
	case e.value == nil:
		return e, invalid("field %s: an empty value is stored as no attribute", e.handle.goPath)
	case e.op == editAppend && !list:
		return e, invalid("field %s is not a list: use AddToSet", e.handle.goPath)
	case (e.op == editAddToSet || e.op == editRemoveFromSet) && len(e.handle.attrs) > 1:
		return e, invalid("field %s is nested, and DynamoDB changes sets that are attributes of their own: Set the whole", e.handle.goPath)
	case (e.op == editAddToSet || e.op == editRemoveFromSet) && list:
		return e, invalid("field %s is not a set: tag it with the option set, or use Append", e.handle.goPath)
	}
	return e, nil
}

// follow gives the row the index keys that a full write would give it.
func (r *row) follow(sample reflect.Value) error {
	for _, x := range r.indexes {
		touched, missing := x.touched(r.edits)
		if !touched || x.Native {
			continue
		}
		if missing != nil {
			return invalid("index %q is made of field %s, too: Set it in the same update", x.Name, missing.goPath)
		}
		values, err := x.attributes(r.key, sample)
		if err != nil {
			return err
		}
		for i, attr := range x.written() {
			r.edits = append(r.edits, editOf(attr, values[i]))
		}
	}
	return r.followSubject(sample)
}

// touched says whether changes concern the keys of an index, and which of their fields they leave unknown.
func (x *indexKey) touched(edits []edit) (touched bool, missing *handle) {
	for _, k := range append(slices.Clip(x.pk), x.sk...) {
		known := k.handle.place != inAttribute
		for _, e := range edits {
			if !overlap(e.handle.attrs, k.handle.attrs) {
				continue
			}
			touched = true
			known = known || e.op == editSet || e.op == editRemove
		}
		if !known {
			missing = k.handle
		}
	}
	return touched, missing
}

// DeletePermanently removes the row itself, without a tombstone that would hold back late writes, and does not ask whether it is
// there. Nobody is stamped, and it cannot be restored. Delete is what an application wants.
func (u *untyped) DeletePermanently(ctx context.Context, db *DB, id ID) error {
	key, err := u.model.keyOfID(id)
	if err == nil {
		err = db.opened()
	}
	if err != nil {
		return u.model.fail("delete permanently", key, err)
	}
	if r := u.model.newRow(writePurge, &u.model.system, key); r.guarded() {
		r.now = time.Now()
		return u.model.fail("delete permanently", key, db.commitOne(ctx, r))
	}
	_, err = db.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &db.name, Key: key.Item()})
	return u.model.fail("delete permanently", key, err)
}
