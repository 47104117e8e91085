package jsonplan

import (
	"reflect"
	"strings"
)

// field is a member of a struct.
type field struct {
	at     []int // its indexes, more than one where it is promoted
	decode decoder
	bit    uint64
}

// maxFields is how many members of a struct can be marked as seen.
const maxFields = 64

// structure decodes the members that the struct has, and steps over the others. Left to encoding/json are structs with options
// that say how to decode, with promoted names that hide others, or with names for which case has more than one meaning; and objects that
// have a member twice, or by a name that differs from the field's in case.
func (c compiler) structure(t reflect.Type) decoder {
	fields := map[string]field{}
	if !c.fields(t, nil, fields) || len(fields) > maxFields {
		return decodeOther
	}
	lower := map[string]bool{}
	for name := range fields {
		lower[strings.ToLower(name)] = true
	}
	return func(s *scanner, v reflect.Value) bool {
		if s.null() {
			return true
		}
		var seen uint64
		return s.object(func(name string) bool {
			s.next()
			f, ok := fields[name]
			start := s.at
			switch {
			case !ok && folds(name, lower), ok && seen&f.bit != 0:
				return false
			case !ok:
				_, ok = s.value()
			case len(f.at) == 1:
				ok = f.decode(s, v.Field(f.at[0]))
			default:
				ok = f.decode(s, v.FieldByIndex(f.at))
			}
			seen |= f.bit
			if ok && s.member != nil && s.depth == 1 {
				return s.member(name, s.text[start:s.at])
			}
			return ok
		})
	}
}

// folds reports whether a name may be one of the lower-case ones in other case.
func folds(name string, lower map[string]bool) bool {
	var buf [64]byte
	if len(name) > len(buf) {
		return classOf(name) != ascii || lower[strings.ToLower(name)]
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 0x80:
			return true
		}
		buf[i] = c
	}
	return lower[string(buf[:len(name)])]
}

// fields adds the members of a struct and those promoted from structs in it. It is false for what is left to encoding/json.
func (c compiler) fields(t reflect.Type, at []int, fields map[string]field) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(at[:len(at):len(at)], i)
		tag, tagged := f.Tag.Lookup("json")
		switch {
		case tag == "-":
			continue
		case f.Anonymous && tagged:
			return false
		case f.Anonymous:
			if f.Type.Kind() != reflect.Struct || !c.fields(f.Type, index, fields) {
				return false
			}
			continue
		case !f.IsExported():
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		if _, twice := fields[name]; twice || !isPlainName(name) || strings.Contains(options, "string") {
			return false
		}
		fields[name] = field{index, c.decoder(f.Type), 1 << (len(fields) % maxFields)}
	}
	return true
}

// isPlainName says that a name in a tag means itself, and has one lower case.
func isPlainName(name string) bool {
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("_-.:/@ ", rune(c)) {
			return false
		}
	}
	return true
}
