package table

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The elements of lists have pointers in a probe, too: its lists have elements, so that &f.Stops[2] and &f.Lines[0].SKU name places in a row.

// maxElements is how many elements of a list can be named.
const maxElements = 100

// indexMark starts a segment of a document path that is a place in a list. No tag can have it.
const indexMark = "\x00"

// list is a list of the probe.
type list struct {
	outer *handle
	base  uintptr // the address of the first element
	size  uintptr
	parts map[part]handle // what an element is made of, and the element itself
}

// part is a place within an element.
type part struct {
	offset uintptr
	typ    reflect.Type
}

// list gives a list elements, and remembers their places. Sets have none, nor do lists that are left to guregu/dynamo.
func (p *prober) list(v reflect.Value, outer *handle) {
	t, tg := v.Type(), tag{flags: outer.field.flags}
	if t.Kind() != reflect.Slice || ownCodec(t) || tg.flags&flagSet != 0 || !plainElement(t.Elem()) {
		return
	}
	elem, err := p.c.codec(t.Elem(), tg.element())
	if err != nil {
		return
	}
	v.Set(reflect.MakeSlice(t, maxElements, maxElements))
	l := &list{outer: outer, base: v.Pointer(), size: t.Elem().Size(), parts: map[part]handle{}}
	l.add(p.c, 0, handle{field: &field{codec: elem, typ: t.Elem(), flags: tg.element().flags}})
	p.lists = append(p.lists, l)
}

// plainElement says whether sliceCodec makes lists of a type.
func plainElement(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Uint8, reflect.Slice, reflect.Map, reflect.Array:
		return false
	}
	return !ownCodec(t) && t.Size() > 0
}

// add names a part of an element, and the parts of that. What is behind a pointer cannot be named.
func (l *list) add(c *compiler, offset uintptr, h handle) {
	l.parts[part{offset, h.field.typ}] = h
	t := h.field.typ
	if t.Kind() != reflect.Struct || isTime(t) || ownCodec(t) || c.inside[t] {
		return
	}
	c.inside[t] = true
	defer delete(c.inside, t)
	faults := c.faults // found once already, when the field was compiled
	fields := c.fields(t, nil, "")
	c.faults = faults
	for i := range fields {
		f := &fields[i]
		at, ok := offsetOf(t, f.index)
		if !ok {
			continue
		}
		l.add(c, offset+at, handle{field: f, attrs: append(slices.Clip(h.attrs), f.attr), goPath: h.goPath + "." + f.path})
	}
}

// offsetOf is where a field lies in a struct. ok is false behind an embedded pointer.
func offsetOf(t reflect.Type, index []int) (offset uintptr, ok bool) {
	for i, x := range index {
		if i > 0 && t.Kind() == reflect.Pointer {
			return 0, false
		}
		f := t.Field(x)
		offset, t = offset+f.Offset, f.Type
	}
	return offset, true
}

// element finds what a pointer into a list of the probe stands for.
func (m *model) element(field any) (*handle, bool) {
	v := reflect.ValueOf(field)
	if v.Kind() != reflect.Pointer {
		return nil, false
	}
	at := v.Pointer()
	for _, l := range m.lists {
		if at < l.base || at >= l.base+l.size*maxElements {
			continue
		}
		h, ok := l.parts[part{(at - l.base) % l.size, v.Type().Elem()}]
		n := strconv.Itoa(int((at - l.base) / l.size))
		h.attrs = append(append(slices.Clip(l.outer.attrs), indexMark+n), h.attrs...)
		h.goPath = l.outer.goPath + "[" + n + "]" + h.goPath
		h.stored, h.inList = l.outer.stored, true
		return &h, ok
	}
	return nil, false
}

// path is a document path as an expression has it.
func (b *builder) path(h *handle) string {
	var path strings.Builder
	for i, attr := range h.attrs {
		n, ok := strings.CutPrefix(attr, indexMark)
		switch {
		case ok:
			path.WriteString("[" + n + "]")
			continue
		case i > 0:
			path.WriteByte('.')
		}
		path.WriteString(b.name(attr))
	}
	return path.String()
}
