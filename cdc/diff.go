package cdc

import (
	"reflect"
	"strings"
)

// Delta is one field of an entity before and after a change.
type Delta[V any] struct {
	Old, New V // the zero value where there is no such image
	Changed  bool
}

// Diff tells what a change did to a field of the entity, or to anything else that can be said of it:
//
//	status := cdc.Diff(c, func(o *Order) string { return o.Status })
//	if status.Changed && status.New == "shipped" { … }
//
// Values with a method Equal, such as times, are compared by it, all others in depth. What is not there before it is created, after it is
// gone from the table, or in a stream without old images, is the zero value: an update in a stream of new images changes every field
// that is not zero.
func Diff[T, V any](c Change[T], field func(*T) V) Delta[V] {
	var d Delta[V]
	if old := c.Old(); old != nil {
		d.Old = field(old)
	}
	if c.New != nil {
		d.New = field(c.New)
	}
	d.Changed = !equal(reflect.ValueOf(&d.Old).Elem(), reflect.ValueOf(&d.New).Elem())
	return d
}

// FieldChange is a field that has another value than before.
type FieldChange struct {
	Name     string // of the attribute
	Old, New any    // of the field's type
}

// Fields lists the fields of the entity that have changed, in the order of the struct. Only fields that are stored count, not what the
// library adds (timestamp, who, time to live); those of a struct within it are one. For what is not there, see [Diff].
func (c Change[T]) Fields() []FieldChange {
	before, after := deref(c.Old()), deref(c.New)
	return fieldChanges(nil, reflect.ValueOf(&before).Elem(), reflect.ValueOf(&after).Elem())
}

func fieldChanges(list []FieldChange, before, after reflect.Value) []FieldChange {
	if before.Kind() != reflect.Struct {
		return list
	}
	for i := range before.NumField() {
		f := before.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("dynamo"), ",")
		switch {
		case name == "-", !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			list = fieldChanges(list, before.Field(i), after.Field(i))
		case f.IsExported() && !equal(before.Field(i), after.Field(i)):
			if name == "" {
				name = f.Name
			}
			list = append(list, FieldChange{Name: name, Old: before.Field(i).Interface(), New: after.Field(i).Interface()})
		}
	}
	return list
}

// equal compares values of one type.
func equal(a, b reflect.Value) bool {
	if method := a.MethodByName("Equal"); method.IsValid() && a.Kind() != reflect.Pointer && a.Kind() != reflect.Interface {
		t := method.Type()
		if t.NumIn() == 1 && t.In(0) == a.Type() && t.NumOut() == 1 && t.Out(0).Kind() == reflect.Bool {
			return method.Call([]reflect.Value{b})[0].Bool()
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
