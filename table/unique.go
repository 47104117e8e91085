package table

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Unique says that no two rows of the model have the same value in the field, or in several fields taken together. A row
// with an empty value ("" or the zero time) in any of them is not held to it. Fields are of string, integer, bool or time kind.
//
// Each value has a guard: a row of its own, which names the row that holds the value and expires with it. Commands read the row (consistently), and then change it and its guards
// in one transaction on the condition that the row is as it was read, so that of two writers who want one value the second gets
// ErrExists, with Error.Field and Error.Holder. A deleted row gives its values up, and Restore takes them again or fails. DB.Batch, which has no
// conditions, and the listeners' Upsert and Remove, which may not fail, are refused.
//
// A row that was there before its model had the constraint is guarded once it is saved. Rows must not be removed behind this package's back: their guards would
// stay.
func (d *def) Unique(fields ...any) {
	parts := d.d.keyParts("Unique", KeyPart{fields})
	if len(fields) == 0 {
		d.d.fault("", "Unique: there are no fields", "d.Unique(&v.Email)")
	}
	if len(parts) == 0 || len(parts) < len(fields) {
		return
	}
	next := &unique{parts: parts}
	for _, p := range parts {
		next.attrs = append(next.attrs, strings.Join(p.handle.attrs, "."))
	}
	for _, have := range d.d.uniques {
		if have.name() == next.name() {
			d.d.fault(parts[0].handle.goPath, "Unique: it is named twice", "once is enough")
		}
	}
	d.d.uniques = append(d.d.uniques, next)
}

// unique is one constraint of a model.
type unique struct {
	parts []*keyed
	attrs []string
}

// name is what the constraint is called in guards and errors: the attributes, since they outlive the names of fields.
func (u *unique) name() string { return strings.Join(u.attrs, ",") }

// guardSK is the sort key of guards. No model and no role can be called so.
const guardSK = "{unique"

// The attributes of a guard that no other row has.
const (
	attrHolderPK = "holderPk"
	attrHolderSK = "holderSk"
)

// guard is the key of the guard for the value that a row has. ok is false if the row is not held to the constraint.
//
// The partition key is the model, the attributes and the value, joined by the delimiter; no other row's has as many segments.
func (u *unique) guard(m *model, rv reflect.Value) (key RowKey, ok bool, err error) {
	text, ok, err := join(m.name+delimiter+escapeKey(u.name())+delimiter, u.parts, rv)
	if err != nil || !ok {
		return RowKey{}, false, err
	}
	key = RowKey{PK: text, SK: guardSK}
	if len(text) > maxSK {
		return key, false, invalid("the value of %q, which is unique, has %d bytes with its guard's key, and a partition key takes %d", u.name(), len(text), maxSK)
	}
	return key, true, nil
}

// guarding is what a command on a model with constraints knows of its row.
type guarding struct {
	filled  []RowKey // the guards of a whole row, by constraint
	known   bool     // current was read
	current Item     // nil if there is no row
	spared  []RowKey // guards that are not the row's to give up
}

// guarded says whether a command must look after guards: an update that neither touches unique fields nor moves the time to live need not.
func (r *row) guarded() bool {
	switch {
	case len(r.uniques) == 0 || r.kind == writeCheck || r.kind == writeListener:
		return false
	case r.kind != writeUpdate || r.retain > 0:
		return true
	}
	return slices.ContainsFunc(r.uniques, func(u *unique) bool {
		return slices.ContainsFunc(r.edits, func(e edit) bool { return u.touched(e) })
	})
}

func (u *unique) touched(e edit) bool {
	return slices.ContainsFunc(u.parts, func(p *keyed) bool { return overlap(p.handle.attrs, e.handle.attrs) })
}

// claim is a guard that a transaction writes or removes.
type claim struct {
	key     RowKey
	field   string   // the constraint
	holder  *row     // who will have it, or nil if it is given up
	holders []RowKey // who may have it until then
}

// claims are the guards that a command takes and gives up.
func (r *row) claims() ([]*claim, error) {
	held, err := r.held()
	if err != nil {
		return nil, err
	}
	wanted, err := r.wanted()
	if err != nil {
		return nil, err
	}
	var list []*claim
	for i, u := range r.uniques {
		if key := wanted[i]; key != (RowKey{}) {
			list = append(list, &claim{key: key, field: u.name(), holder: r, holders: []RowKey{r.key}})
		}
		if key := held[i]; key != (RowKey{}) && key != wanted[i] && !slices.Contains(r.guarding.spared, key) {
			list = append(list, &claim{key: key, field: u.name(), holders: []RowKey{r.key}})
		}
	}
	return list, nil
}

// held are the guards that the row has now, by constraint: those of a deleted row were given up, and those of an expired one have expired
// with it.
func (r *row) held() ([]RowKey, error) {
	if len(r.guarding.current) == 0 || !r.matches(r.guarding.current) || !shown(r.guarding.current, r.now) {
		return make([]RowKey, len(r.uniques)), nil
	}
	rv := reflect.New(r.goType).Elem()
	if err := r.decodeRow(r.guarding.current, rv); err != nil {
		return nil, err
	}
	return r.guards(rv)
}

// guards are those that a value needs, by constraint; the zero key is none.
func (m *model) guards(rv reflect.Value) ([]RowKey, error) {
	keys := make([]RowKey, len(m.uniques))
	for i, u := range m.uniques {
		key, ok, err := u.guard(m, rv)
		if err != nil {
			return nil, err
		}
		if ok {
			keys[i] = key
		}
	}
	return keys, nil
}

// wanted are the guards that the row will have.
func (r *row) wanted() ([]RowKey, error) {
	switch r.kind {
	case writeSave, writeCreate:
		return r.guarding.filled, nil
	case writeUpdate, writeRestore:
		if len(r.guarding.current) == 0 || r.kind == writeUpdate && !shown(r.guarding.current, r.now) {
			break // the condition will fail
		}
		rv := reflect.New(r.goType).Elem()
		if err := r.decodeRow(r.guarding.current, rv); err != nil {
			return nil, err
		}
		r.apply(rv)
		return r.guards(rv)
	}
	return make([]RowKey, len(r.uniques)), nil
}

// apply makes the changes of an update that unique fields may have in a struct.
func (r *row) apply(rv reflect.Value) {
	for _, a := range r.assigned {
		h, err := r.find(a.field)
		if err != nil || h.inList || a.op == editSetIfAbsent && attributeAt(r.guarding.current, h.attrs) != nil || a.op > editRemove {
			continue
		}
		if v := reflect.ValueOf(a.value); v.IsValid() {
			h.settable(rv).Set(v)
		}
	}
}

// attributeAt is the value at a document path, or nil.
func attributeAt(item Item, path []string) types.AttributeValue {
	av := item[path[0]]
	for _, attr := range path[1:] {
		m, ok := av.(*types.AttributeValueMemberM)
		if !ok {
			return nil
		}
		av = m.Value[attr]
	}
	return av
}

// merged joins claims of one guard, which a transaction can write only once: one row gives a value up, and another takes it.
func merged(all []*claim) ([]*claim, error) {
	var list []*claim
	at := map[RowKey]*claim{}
	for _, c := range all {
		have := at[c.key]
		switch {
		case have == nil:
			at[c.key] = c
			list = append(list, c)
			continue
		case have.holder != nil && c.holder != nil:
			return nil, &Error{Model: c.holder.name, Key: c.holder.key, Err: ErrExists, Field: c.field, Holder: have.holder.key}
		case have.holder == nil:
			have.holder = c.holder
		}
		have.holders = append(have.holders, c.holders...)
	}
	return list, nil
}

// item is the write of a guard. An expired guard is anybody's.
func (c *claim) item(table string) types.TransactWriteItem {
	names := map[string]string{"#0": attrPK, "#1": attrHolderPK, "#2": attrHolderSK}
	values := Item{}
	condition := "attribute_not_exists(#0)"
	for i, h := range c.holders {
		pk, sk := fmt.Sprintf(":pk%d", i), fmt.Sprintf(":sk%d", i)
		values[pk], values[sk] = &types.AttributeValueMemberS{Value: h.PK}, &types.AttributeValueMemberS{Value: h.SK}
		condition += " OR #1 = " + pk + " AND #2 = " + sk
	}
	old := types.ReturnValuesOnConditionCheckFailureAllOld
	if c.holder == nil {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &table, Key: c.key.Item(), ConditionExpression: &condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: old,
		}}
	}
	condition += " OR #3 <= " + nowValue
	names["#3"], values[nowValue] = attrTTL, number(c.holder.now.Unix())
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: c.row(), ConditionExpression: &condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: old,
	}}
}

// row is the guard itself. It is latched, so that no trigger publishes it, and has no discriminator, so that it is in no list.
func (c *claim) row() Item {
	item := c.key.Item()
	item[attrLatched] = yes()
	item[attrTimestamp] = c.holder.values[slotTimestamp]
	item[attrHolderPK] = &types.AttributeValueMemberS{Value: c.holder.key.PK}
	item[attrHolderSK] = &types.AttributeValueMemberS{Value: c.holder.key.SK}
	for attr, av := range map[string]types.AttributeValue{attrTTL: c.holder.values[slotTTL], attrRegion: c.holder.values[slotRegion]} {
		if av != nil {
			item[attr] = av
		}
	}
	return item
}

// holderOf is the row that a guard names.
func holderOf(guard Item) RowKey {
	return RowKey{PK: textOf(guard[attrHolderPK]), SK: textOf(guard[attrHolderSK])}
}

// asRead is the condition that the row is as it was read.
func (r *row) asRead(p *parts) {
	lock := "attribute_not_exists(#1)"
	if at := r.guarding.current[attrTimestamp]; at != nil {
		lock = "#1 = " + baseValue
		p.values[baseValue] = at
	}
	if p.condition != "" {
		lock += " AND (" + p.condition + ")"
	}
	p.condition = lock
}

// learn keeps what is known of the row, and gives it a timestamp that is later.
func (r *row) learn(current Item, next func(floor int64) time.Time) {
	r.guarding.known, r.guarding.current = true, current
	if at := storedTimestamp(current); at >= r.now.UnixMilli() {
		r.stamp(next(at + 1))
	}
}

// checkUnique refuses changes of unique fields of which the outcome is not known before the request is made.
func (r *row) checkUnique() error {
	for _, u := range r.uniques {
		for _, e := range r.edits {
			if e.op > editRemove && u.touched(e) {
				return invalid("field %s is unique: Set it, since what is added to it is not known beforehand", e.handle.goPath)
			}
		}
	}
	return nil
}

// Guards are the keys of the rows that guard the unique values of a row, for programs that remove rows or values by themselves: a guard has the
// value in its key, and goes with it, on the condition that its holderPk and holderSk name the row.
func (u *untyped) Guards(item Item) ([]RowKey, error) {
	if len(u.model.uniques) == 0 {
		return nil, nil
	}
	rv := reflect.New(u.model.goType).Elem()
	if err := u.model.decodeRow(item, rv); err != nil {
		return nil, u.model.fail("guards", keyOfItem(item), err)
	}
	keys, err := u.model.guards(rv)
	return slices.DeleteFunc(keys, func(k RowKey) bool { return k == RowKey{} }), u.model.fail("guards", keyOfItem(item), err)
}
