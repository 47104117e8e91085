package table

import (
	"fmt"
	"reflect"
)

// handle is what a pointer into the probe stands for.
type handle struct {
	field  *field
	attrs  []string // the document path: "address", "city"
	goPath string
	index  []int // from the model's struct, through nested structs and pointers
	place  place
	stored int  // the number of the stored field that holds it, or -1
	inList bool // it is an element of a list, or within one
}

// place says where a field lives in its row.
type place uint8

const (
	inAttribute place = iota
	inID              // in the key alone
	inOwner           // in the key alone
)

// value finds the field; it is the zero value behind a nil pointer.
func (h *handle) value(rv reflect.Value) reflect.Value {
	for _, x := range h.index {
		if rv.Kind() == reflect.Pointer {
			if rv.IsNil() {
				return reflect.Zero(h.field.typ)
			}
			rv = rv.Elem()
		}
		rv = rv.Field(x)
	}
	return rv
}

func (h *handle) settable(rv reflect.Value) reflect.Value {
	f := field{index: h.index}
	return f.settable(rv)
}

// prober finds the address of every field in a probe, and gives it a handle. Pointers to structs are allocated on the way,
// so that &v.Address.City names a field in a definition and in a query.
type prober struct {
	c       *compiler
	handles map[any]*handle
	lists   []*list
}

func (p *prober) walk(rv reflect.Value, list []field, outer handle) {
	for i := range list {
		f := &list[i]
		v := f.settable(rv)
		h := &handle{
			field:  f,
			attrs:  append(append([]string(nil), outer.attrs...), f.attr),
			goPath: outer.goPath + f.path,
			index:  append(append([]int(nil), outer.index...), f.index...),
			stored: outer.stored,
		}
		if outer.stored < 0 {
			h.stored = i
		}
		p.handles[v.Addr().Interface()] = h
		if f.seal == nil {
			p.nested(v, *h)
			p.list(v, h)
		}
	}
}

func (p *prober) nested(v reflect.Value, outer handle) {
	t := v.Type()
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || p.c.inside[t] || isTime(t) {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(t))
		v = v.Elem()
	}
	if ownCodec(t) {
		return
	}
	p.c.inside[t] = true
	defer delete(p.c.inside, t)
	outer.goPath += "."
	faults := p.c.faults // found once already, when the field was compiled
	list := p.c.fields(t, nil, "")
	p.c.faults = faults
	p.walk(v, list, outer)
}

// find resolves a pointer into the probe of a model.
func (m *model) find(field any) (*handle, error) {
	if h, ok := m.handles[pointerOf(field)]; ok {
		return h, nil
	}
	if h, ok := m.element(field); ok {
		return h, nil
	}
	return nil, invalid("%T does not point to a field of %s: take it from F of the model, as in &f.%s with f := model.F",
		field, m.goType, m.all[0].path)
}

// pointerOf guards the map of handles against keys that cannot be hashed.
func pointerOf(field any) any {
	if v := reflect.ValueOf(field); v.IsValid() && v.Kind() == reflect.Pointer {
		return field
	}
	return nil
}

func (d *definition) find(what string, field any) *handle {
	if h, ok := d.handles[pointerOf(field)]; ok {
		return h
	}
	if pointerOf(field) == nil {
		d.fault("", fmt.Sprintf("%s: a %T is not a pointer to a field", what, field), "pass &v.Field of the function's argument")
		return nil
	}
	d.fault("", fmt.Sprintf("%s: the %T does not point to a stored field of the definition's own *%s", what, field, d.goType),
		"pass &v.Field of the function's argument")
	return nil
}
