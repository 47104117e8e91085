package table

import (
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// scratch is a struct that values of a model are copied into to be encoded, and out of after they were decoded. Since it stays where it is, its
// fields can be bound once, and moved from then on by pointers of their own types, without reflection.
type scratch struct {
	model *model
	v     any           // a pointer to the struct
	rv    reflect.Value // the struct
	cells []cell        // one for each of the model's fields
	id    *string       // of a node whose id is one string, or nil
}

// borrow is a scratch of which the struct holds what its last user left there.
func (m *model) borrow() *scratch {
	s, _ := m.scratches.Get().(*scratch)
	if s == nil {
		v := reflect.New(m.goType)
		s = &scratch{model: m, v: v.Interface(), rv: v.Elem()}
		s.cells, s.id = bind(m.all, s.rv), m.bindID(s.rv)
	}
	return s
}

// giveBack lets another call have the scratch. The value stays in it until then, or until the garbage collector has emptied the pool.
func (s *scratch) giveBack() { s.model.scratches.Put(s) }

// hold copies a value into a scratch.
//
//go:noinline
func hold[T any](m *model, v *T) *scratch {
	s := m.borrow()
	*s.v.(*T) = *v
	return s
}

// take copies the value of a scratch, and gives that back. Where there is none, but an error, nothing is done.
//
//go:noinline
func take[T any](s *scratch, v *T) {
	if s != nil {
		*v = *s.v.(*T)
		s.giveBack()
	}
}

func (m *model) bindID(rv reflect.Value) *string {
	if m.owner != nil || len(m.id) != 1 || len(m.id[0].handle.index) > 1 {
		return nil
	}
	p, _ := m.id[0].handle.value(rv).Addr().Interface().(*string)
	return p
}

// keyOf is the key of the row that the value of a scratch is stored in.
func (m *model) keyOf(s *scratch) (RowKey, error) {
	if s.id == nil || *s.id == "" || !utf8.ValidString(*s.id) {
		return m.keyOfRow(s.rv)
	}
	return m.key("", escapeKey(*s.id))
}

// decode is the entity of a row.
func (m *model) decode(item Item) (*scratch, error) {
	s, err := m.decoded(item)
	if err != nil {
		return nil, m.fail("decode", keyOfItem(item), err)
	}
	return s, nil
}

func (m *model) decoded(item Item) (*scratch, error) {
	item, err := m.upgraded(item)
	if err != nil {
		return nil, err
	}
	s := m.borrow()
	s.rv.SetZero()
	err = decodeCells(s.cells, item)
	if err == nil {
		err = m.decodeKey(keyOfItem(item), s.rv)
	}
	if err == nil {
		err = m.carry(item, s.rv)
	}
	if err != nil {
		s.giveBack()
		return nil, err
	}
	return s, nil
}

// cell is a field of one struct in memory.
type cell struct {
	*field
	in    reflect.Value // the struct
	ptr   any           // a pointer to the field, if its type is one of those that encode and decode know
	text  *string       // the same for most fields
	parts []cell        // of a nested struct
}

// bind makes the cells of a struct.
func bind(list []field, rv reflect.Value) []cell {
	cells := make([]cell, len(list))
	for i := range list {
		f := &list[i]
		cells[i] = cell{field: f, in: rv}
		v := f.value(rv)
		switch {
		case f.seal != nil || f.omit != nil || !v.IsValid() || len(f.index) > 1:
		case f.fields != nil:
			cells[i].parts = bind(f.fields, v)
		case f.flags&flagOmitEmptyElem == 0:
			cells[i].ptr = v.Addr().Interface()
			cells[i].text, _ = cells[i].ptr.(*string)
		}
	}
	return cells
}

// encode encodes the field; nil is an absent attribute.
func (c *cell) encode(a *arena) (types.AttributeValue, error) {
	if c.text != nil {
		return encodeText(a, *c.text, c.flags), nil
	}
	switch p := c.ptr.(type) {
	case *int64:
		return a.int(*p), nil
	case *int:
		return a.int(int64(*p)), nil
	case *bool:
		return a.bool(*p), nil
	case *time.Time:
		if av, err := encodeTime(a, *p, c.flags); err == nil {
			return av, nil
		}
	case *float64:
		if av, err := a.float(*p); err == nil {
			return av, nil
		}
	case *[]string:
		if c.flags&flagSet != 0 {
			return encodeStringSet(a, *p, c.flags), nil
		}
		return encodeStrings(a, *p, c.flags), nil
	}
	if c.parts == nil {
		return c.encodeFrom(a, c.in) // what is left, and every error
	}
	m := make(Item, len(c.parts))
	for i := range c.parts {
		part := &c.parts[i]
		av, err := part.encode(a)
		if err != nil {
			return c.encodeFrom(a, c.in)
		}
		if av != nil {
			m[part.attr] = av
		}
	}
	return a.dictOf(m), nil
}

func decodeCells(cells []cell, item Item) error {
	for i := range cells {
		c := &cells[i]
		if av, ok := item[c.attr]; ok && av != nil && !c.decodeFast(av) {
			if err := c.decodeInto(av, c.in); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeFast decodes what is as expected. Whatever else, and every error, is left to decodeInto.
func (c *cell) decodeFast(av types.AttributeValue) (ok bool) {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		if c.text != nil {
			*c.text = av.Value
			return true
		}
		if p, is := c.ptr.(*time.Time); is {
			return p.UnmarshalText([]byte(av.Value)) == nil
		}
	case *types.AttributeValueMemberN:
		return c.decodeNumber(av.Value)
	case *types.AttributeValueMemberBOOL:
		if p, is := c.ptr.(*bool); is {
			*p = av.Value
			return true
		}
	case *types.AttributeValueMemberM:
		return c.parts != nil && decodeCells(c.parts, av.Value) == nil
	case *types.AttributeValueMemberL:
		if p, is := c.ptr.(*[]string); is {
			*p, ok = textsOfList(av.Value)
			return ok
		}
	case *types.AttributeValueMemberSS:
		if p, is := c.ptr.(*[]string); is {
			*p = append(make([]string, 0, len(av.Value)), av.Value...)
			return true
		}
	}
	return false
}

func (c *cell) decodeNumber(text string) bool {
	switch p := c.ptr.(type) {
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		*p = n
		return err == nil
	case *int:
		n, err := strconv.Atoi(text)
		*p = n
		return err == nil
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		*p = n
		return err == nil
	}
	return false
}
