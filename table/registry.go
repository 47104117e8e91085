package table

import (
	"iter"
	"reflect"
	"slices"
)

// Attributes yields what the rows of the model store, with the field that it comes from, in the order of the source: for registries of fields, such as that
// of personal data. The attribute of an id or an owner is the key that it lives in, "pk" or "sk".
//
//go:noinline
func (u *untyped) Attributes() iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for i := range u.model.all {
			f := &u.model.all[i]
			if !yield(u.model.stored(i), u.model.goType.FieldByIndex(f.index)) {
				return
			}
		}
	}
}

// stored is the attribute that a field is in: one of the row's keys, or its own.
func (m *model) stored(i int) string {
	switch p := m.place(i); {
	case p == inOwner, p == inID && m.owner == nil:
		return attrPK
	case p == inID:
		return attrSK
	}
	return m.all[i].attr
}

// Derived lists the attributes that a row carries for its indexes, and that are made from one of Attributes: they tell as much as it does.
func (u *untyped) Derived(attribute string) []string {
	var list []string
	for _, x := range u.model.indexes {
		uses := func(k *keyed) bool { return u.model.stored(k.handle.stored) == attribute }
		if slices.ContainsFunc(x.pk, uses) || slices.ContainsFunc(x.sk, uses) {
			list = append(list, x.written()...)
		}
	}
	list = slices.DeleteFunc(list, func(attr string) bool { return attr == attrPK || attr == attrSK })
	slices.Sort(list)
	return slices.Compact(list)
}

// Client is what the DB was opened with, for what it does not cover.
func (db *DB) Client() Client {
	if db == nil {
		return nil
	}
	return db.client
}
