package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// Rewritten is a row as it would be stored with other values in some fields, by their names: as it is for a text, and as JSON for anything else. The key of the row, its
// index keys and what is sealed for it follow, which is why it takes a DB that can seal and open where the row has sealed fields and gets another key. References to people stay,
// and so does everything else, to the byte. Nothing is written: the answer is for whoever changes rows of any model, as an erasure does.
func (u *untyped) Rewritten(ctx context.Context, db *DB, item Item, values map[string]string) (Item, error) {
	next, err := u.model.rewritten(ctx, db, item, values)
	return next, u.model.fail("rewrite", keyOfItem(item), err)
}

func (m *model) rewritten(ctx context.Context, db *DB, item Item, values map[string]string) (Item, error) {
	item, err := m.upgraded(item)
	if err == nil {
		err = db.opened()
	}
	if err != nil {
		return nil, err
	}
	was, rv := reflect.New(m.goType).Elem(), reflect.New(m.goType).Elem()
	if err := errors.Join(m.decodeRow(item, was), m.decodeRow(item, rv)); err != nil {
		return nil, err
	}
	next := maps.Clone(item)
	changed := map[int]bool{}
	var sealed []insideout.SealedField
	for i := range m.all {
		text, ok := values[m.fieldName(i)]
		if !ok {
			continue
		}
		changed[i] = true
		if m.all[i].seal != nil {
			f, err := m.all[i].anew(text)
			if err != nil {
				return nil, err
			}
			sealed = append(sealed, f)
			continue
		}
		if err := m.put(next, i, rv, text); err != nil {
			return nil, err
		}
	}
	if len(changed) != len(values) {
		return nil, invalid("%s does not have all of the fields %q", m.goType, slices.Sorted(maps.Keys(values)))
	}
	key, err := m.keyOfRow(rv)
	if err != nil {
		return nil, err
	}
	moved := key != keyOfItem(item)
	if moved {
		kept, err := m.openOwn(ctx, db, next, was, changed)
		if err != nil {
			return nil, err
		}
		sealed = append(sealed, kept...)
	}
	next[attrPK], next[attrSK] = &types.AttributeValueMemberS{Value: key.PK}, &types.AttributeValueMemberS{Value: key.SK}
	if err := m.sealInto(ctx, db, next, sealed, key, rv); err != nil {
		return nil, err
	}
	return next, m.reindex(next, item, changed, moved, key, rv)
}

// put gives a field its value, in the struct and in the row.
func (m *model) put(item Item, i int, rv reflect.Value, text string) error {
	f := &m.all[i]
	to := f.settable(rv)
	if to.Kind() == reflect.String {
		to.SetString(text)
	} else if json.Unmarshal([]byte(text), to.Addr().Interface()) != nil { // the cause may quote the value
		return invalid("field %s: the value is no JSON of a %s", f.path, f.typ)
	}
	if m.isKey(i) {
		return nil
	}
	av, err := f.encodeFrom(nil, rv)
	if err != nil {
		return invalid("%w", err)
	}
	if delete(item, f.attr); av != nil {
		item[f.attr] = av
	}
	return nil
}

// anew is a value to be sealed in the field.
func (f *field) anew(text string) (insideout.SealedField, error) {
	held := insideout.SealedField{Origin: insideout.Origin{Field: f.attr}}
	if f.seal.carried {
		return held, invalid("field %s carries a ciphertext that was made elsewhere: change the value there", f.path)
	}
	t := f.typ
	if reveal, ok := t.MethodByName("Reveal"); ok && f.seal.carrier {
		t = reveal.Type.Out(0)
	}
	v := reflect.New(t)
	if t.Kind() == reflect.String {
		v.Elem().SetString(text)
	} else if json.Unmarshal([]byte(text), v.Interface()) != nil {
		return held, invalid("field %s: the value is no JSON of a %s", f.path, t)
	}
	var err error
	held.Plaintext, err = plainJSON(v.Elem().Interface())
	return held, err
}

// openOwn opens what is sealed for the row and stays: under another key it would open no more. What was shredded goes.
func (m *model) openOwn(ctx context.Context, db *DB, item Item, rv reflect.Value, changed map[int]bool) ([]insideout.SealedField, error) {
	var list []insideout.SealedField
	for _, f := range m.sealed {
		ciphertext, err := f.ciphertext(item)
		if err != nil {
			return nil, err
		}
		if ciphertext == nil || f.seal.carried || changed[m.indexOf(f)] {
			continue
		}
		origin, err := m.origin(f, item, rv)
		if err != nil {
			return nil, err
		}
		list = append(list, insideout.SealedField{Origin: origin, Ciphertext: ciphertext})
	}
	if len(list) == 0 {
		return nil, nil
	}
	if db.opener == nil {
		return nil, invalid("the row gets another key, for which field %q has to be sealed again: give the DB an Opener", list[0].Origin.Field)
	}
	if err := db.opener.Open(ctx, list); err != nil {
		return nil, fmt.Errorf("opening: %w", err)
	}
	var open []insideout.SealedField
	for _, f := range list {
		switch {
		case errors.Is(f.Err, insideout.ErrShredded):
			delete(item, f.Origin.Field)
		case f.Err != nil:
			return nil, fmt.Errorf("attribute %q: %w", f.Origin.Field, f.Err)
		default:
			f.Ciphertext = nil
			open = append(open, f)
		}
	}
	return open, nil
}

// sealInto seals values for the row with a key.
func (m *model) sealInto(ctx context.Context, db *DB, item Item, list []insideout.SealedField, key RowKey, rv reflect.Value) error {
	if len(list) == 0 {
		return nil
	}
	if db.sealer == nil {
		return invalid("attribute %q is to be sealed, and the DB has no Sealer: a sealed field is never stored as plain text", list[0].Origin.Field)
	}
	for i := range list {
		at := slices.IndexFunc(m.sealed, func(f *field) bool { return f.attr == list[i].Origin.Field })
		list[i].Origin = m.originOf(m.sealed[at], key, subjectText(m.people[m.sealed[at].seal.whose].value(rv)))
		if list[i].Origin.Subject == "" {
			return invalid("field %s is sealed with the key of a subject whose id is empty", m.sealed[at].path)
		}
	}
	if err := db.sealer.Seal(ctx, list); err != nil {
		return fmt.Errorf("sealing: %w", err)
	}
	for _, f := range list {
		item[f.Origin.Field] = &types.AttributeValueMemberB{Value: f.Ciphertext}
	}
	return nil
}

// reindex makes anew the index keys that are made of what changed, where the row had some.
func (m *model) reindex(next, item Item, changed map[int]bool, moved bool, key RowKey, rv reflect.Value) error {
	uses := func(k *keyed) bool { return changed[k.handle.stored] }
	for _, x := range m.indexes {
		names := x.written()
		there := slices.ContainsFunc(names, func(attr string) bool { return item[attr] != nil })
		if !there || !moved && !slices.ContainsFunc(x.pk, uses) && !slices.ContainsFunc(x.sk, uses) {
			continue
		}
		values, err := x.attributes(key, rv)
		if err != nil {
			return err
		}
		for i, attr := range names {
			if delete(next, attr); values[i] != nil {
				next[attr] = values[i]
			}
		}
	}
	return nil
}

// Texts are the values of those fields of a row that are texts, and are not sealed, by their names: those that the key is made of, too.
func (u *untyped) Texts(item Item) (map[string]string, error) {
	texts, err := u.model.fieldTexts(item)
	return texts, u.model.fail("decode", keyOfItem(item), err)
}

func (m *model) fieldTexts(item Item) (map[string]string, error) {
	rv := reflect.New(m.goType).Elem()
	if err := m.decodeRow(item, rv); err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for i := range m.all {
		if v := m.all[i].value(rv); m.all[i].seal == nil && v.IsValid() && v.Kind() == reflect.String {
			texts[m.fieldName(i)] = v.String()
		}
	}
	return texts, nil
}
