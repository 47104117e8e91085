package table

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// lostInJSON says what of a type's values would be stored, were the field not sealed, and is not in their JSON form, which is what is sealed. It is
// empty if nothing is.
func lostInJSON(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] {
		return ""
	}
	seen[t] = true
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return ""
		}
	}
	if ownCodec(t) {
		return fmt.Sprintf("a %s has an encoding of its own for rows, and none for JSON", t)
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return lostInJSON(t.Elem(), seen)
	case reflect.Struct:
		return lostOfStruct(t, seen)
	}
	return ""
}

func lostOfStruct(t reflect.Type, seen map[reflect.Type]bool) string {
	names := map[string]string{}
	for i := range t.NumField() {
		sf := t.Field(i)
		stored, _, _ := strings.Cut(sf.Tag.Get("dynamo"), ",")
		if stored == "-" || !exported(sf) && !sf.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Tag.Get("json") == "-" {
			return fmt.Sprintf("JSON leaves out %s.%s", t, sf.Name)
		}
		if name == "" && !sf.Anonymous {
			name = sf.Name
		}
		if other := names[name]; other != "" && name != "" {
			return fmt.Sprintf("JSON has one name for %s.%s and %s, and leaves out one or both", t, other, sf.Name)
		}
		names[name] = sf.Name
		if lost := lostInJSON(sf.Type, seen); lost != "" {
			return lost
		}
	}
	return ""
}
