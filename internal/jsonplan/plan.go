// Package jsonplan decodes JSON into a type that is known long before the text: what encoding/json finds out at each value, a [Plan] has
// found out once.
//
// What it decodes is what encoding/json makes of it. It does not decode everything: of a text that is no JSON, that does not fit
// the type, or that has what only encoding/json knows how to judge, it says no more than that, and the caller asks encoding/json, which
// has the errors too.
package jsonplan

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Plan is how to decode a T. It does not change.
type Plan[T any] struct {
	decode decoder
	fields bool // it knows the members of a T
}

// decoder decodes the next value of a text into v, which is zero and can be set.
type decoder func(s *scanner, v reflect.Value) bool

// For returns the plan for T. Every T has one.
func For[T any]() *Plan[T] {
	c, t := compiler{}, reflect.TypeFor[T]()
	return &Plan[T]{c.decoder(t), t.Kind() == reflect.Struct && !decodesItself(t) && c.fields(t, nil, map[string]field{})}
}

// IsStruct reports whether a T has members that the plan knows.
func (p *Plan[T]) IsStruct() bool { return p.fields }

// Decode decodes a whole text into v, which must be zero. When it returns false, v may have been written to, and encoding/json
// decides about the text.
//
// A long string that is most of the text shares its memory.
func (p *Plan[T]) Decode(text string, v *T) bool {
	return p.DecodeAnd(text, v, nil)
}

// DecodeAnd is Decode, and calls f for each member of the object, with the text of its value, until f returns false; then it returns false, too. It
// is for a T of which IsStruct is true.
func (p *Plan[T]) DecodeAnd(text string, v *T, f func(name, value string) bool) bool {
	s := scanner{text: text, member: f}
	return p.decode(&s, reflect.ValueOf(v).Elem()) && s.end()
}

// compiler makes decoders. It knows those under way, since types may have themselves as parts.
type compiler map[reflect.Type]*decoder

func (c compiler) decoder(t reflect.Type) decoder {
	if known, ok := c[t]; ok {
		return func(s *scanner, v reflect.Value) bool { return (*known)(s, v) }
	}
	d := new(decoder)
	c[t] = d
	*d = c.compile(t)
	return *d
}

func (c compiler) compile(t reflect.Type) decoder {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return decodeRaw
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return decodeItself
	case decodesItself(t):
		return decodeOther
	}
	switch t.Kind() {
	case reflect.String:
		if t == reflect.TypeFor[json.Number]() {
			return decodeOther
		}
		return decodeString
	case reflect.Bool:
		return decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return decodeUint
	case reflect.Float32, reflect.Float64:
		return decodeFloat
	case reflect.Pointer:
		return c.pointer(t)
	case reflect.Slice:
		return c.slice(t)
	case reflect.Map:
		return c.dict(t)
	case reflect.Struct:
		return c.structure(t)
	}
	return decodeOther
}

// decodesItself reports whether a type, or a pointer to it, has a method for decoding.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// decodeOther leaves a value to encoding/json.
func decodeOther(s *scanner, v reflect.Value) bool {
	text, ok := s.value()
	return ok && v.CanAddr() && json.Unmarshal([]byte(text), v.Addr().Interface()) == nil
}

// decodeItself has the value's own method decode it.
func decodeItself(s *scanner, v reflect.Value) bool {
	text, ok := s.value()
	if !ok || !v.CanAddr() {
		return false
	}
	itself, ok := v.Addr().Interface().(json.Unmarshaler)
	return ok && itself.UnmarshalJSON([]byte(text)) == nil
}

func decodeRaw(s *scanner, v reflect.Value) bool {
	text, ok := s.value()
	if ok {
		v.SetBytes([]byte(text))
	}
	return ok
}

func decodeString(s *scanner, v reflect.Value) bool {
	if s.null() {
		return true
	}
	text, plain, ok := s.word()
	switch {
	case !ok:
		return false
	case !plain:
		text, ok = unquote(text)
	case len(text)*2 < len(s.text): // a short string that a mapper keeps must not keep the event
		text = strings.Clone(text)
	}
	v.SetString(text)
	return ok
}

func decodeBool(s *scanner, v reflect.Value) bool {
	switch {
	case s.literal("true"):
		v.SetBool(true)
		return true
	case s.literal("false"):
		return true
	}
	return s.null()
}

func decodeInt(s *scanner, v reflect.Value) bool {
	if s.null() {
		return true
	}
	text, ok := s.number()
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	v.SetInt(n)
	return ok && err == nil
}

func decodeUint(s *scanner, v reflect.Value) bool {
	if s.null() {
		return true
	}
	text, ok := s.number()
	n, err := strconv.ParseUint(text, 10, v.Type().Bits())
	v.SetUint(n)
	return ok && err == nil
}

func decodeFloat(s *scanner, v reflect.Value) bool {
	if s.null() {
		return true
	}
	text, ok := s.number()
	n, err := strconv.ParseFloat(text, v.Type().Bits())
	v.SetFloat(n)
	return ok && err == nil
}

func (c compiler) pointer(t reflect.Type) decoder {
	elem := c.decoder(t.Elem())
	return func(s *scanner, v reflect.Value) bool {
		if s.null() {
			return true
		}
		p := reflect.New(t.Elem())
		v.Set(p)
		return elem(s, p.Elem())
	}
}

func (c compiler) slice(t reflect.Type) decoder {
	if t.Elem().Kind() == reflect.Uint8 { // base64
		return decodeOther
	}
	elem := c.decoder(t.Elem())
	return func(s *scanner, v reflect.Value) bool {
		if s.null() {
			return true
		}
		v.Set(reflect.MakeSlice(t, 0, 0))
		return s.array(func() bool {
			n := v.Len()
			v.Grow(1)
			v.SetLen(n + 1)
			return elem(s, v.Index(n))
		})
	}
}

func (c compiler) dict(t reflect.Type) decoder {
	if t.Key().Kind() != reflect.String || decodesItself(t.Key()) {
		return decodeOther
	}
	elem := c.decoder(t.Elem())
	return func(s *scanner, v reflect.Value) bool {
		if s.null() {
			return true
		}
		v.Set(reflect.MakeMap(t))
		return s.object(func(name string) bool {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			key.SetString(strings.Clone(name))
			if !elem(s, value) {
				return false
			}
			v.SetMapIndex(key, value)
			return true
		})
	}
}
