package insideout

import (
	"cmp"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// OpenSealed opens every [Sealed] that the values hold and that has a ciphertext, with one call of o. Values are pointers to
// models, events' bodies, slices of them and the like. Shredded and restricted ones are marked and do not fail.
func OpenSealed(ctx context.Context, o Opener, values ...any) error {
	var carriers []Carrier
	var fields []SealedField
	var w sealedWalk
	for _, v := range values {
		err := w.walk(reflect.ValueOf(v), "", 0, func(s sealedSpot) error {
			if s.carrier == nil {
				return nil
			}
			f, ok, err := s.carrier.Field()
			if ok && err == nil && f.Ciphertext != nil {
				carriers, fields = append(carriers, s.carrier), append(fields, f)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(fields) == 0 {
		return nil
	}
	for i := range fields {
		fields[i].Err = nil
	}
	faults := []error{o.Open(ctx, fields)}
	for i := range fields {
		faults = append(faults, carriers[i].SetField(fields[i]))
	}
	w.writeBack()
	return errors.Join(faults...)
}

// sealedSpot is a place in a value: a Sealed, or a plain field that is tagged to be sealed.
type sealedSpot struct {
	pointer string // JSON pointer (RFC 6901)
	depth   int    // of embedding: the shallower of two spots with one pointer counts, as encoding/json has it
	carrier Carrier
	plain   reflect.Value
}

// sealedWalk walks values. It visits copies of what lies in maps, since that cannot be set in place.
type sealedWalk struct {
	puts  []func()
	level int
}

// maxLevel ends the walk of a value that contains itself.
const maxLevel = 1000

// writeBack puts the copies back into their maps: for a caller that has set carriers.
func (w *sealedWalk) writeBack() {
	for _, put := range w.puts {
		put()
	}
}

// walk visits every spot in v, by the names that encoding/json would use. A carrier can be set if v is a pointer.
func (w *sealedWalk) walk(v reflect.Value, pointer string, depth int, visit func(sealedSpot) error) error {
	if !v.IsValid() || !mayCarry(v.Type()) {
		return nil
	}
	if w.level++; w.level > maxLevel {
		return sealFault(nil, "a %s is nested too deep, or contains itself", v.Type())
	}
	defer func() { w.level-- }()
	if c, ok := carrierOf(v); ok {
		return visit(sealedSpot{pointer: pointer, depth: depth, carrier: c})
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.walk(v.Elem(), pointer, depth, visit)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := w.walk(v.Index(i), pointer+"/"+strconv.Itoa(i), depth, visit); err != nil {
				return err
			}
		}
	case reflect.Map:
		return w.walkMap(v, pointer, visit)
	case reflect.Struct:
		return w.walkStruct(v, pointer, depth, visit)
	default:
	}
	return nil
}

func (w *sealedWalk) walkMap(v reflect.Value, pointer string, visit func(sealedSpot) error) error {
	for _, key := range v.MapKeys() {
		name, err := keyName(key)
		if err != nil {
			return err
		}
		item := reflect.New(v.Type().Elem())
		item.Elem().Set(v.MapIndex(key))
		if err := w.walk(item, pointer+"/"+escapePointer(name), 0, visit); err != nil {
			return err
		}
		w.puts = append(w.puts, func() { v.SetMapIndex(key, item.Elem()) })
	}
	return nil
}

func (w *sealedWalk) walkStruct(v reflect.Value, pointer string, depth int, visit func(sealedSpot) error) error {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, embedded, ok := jsonName(sf)
		if !ok {
			continue
		}
		at, below := pointer, depth+1
		if !embedded {
			at, below = pointer+"/"+escapePointer(name), depth
		}
		if _, tagged := sf.Tag.Lookup("seal"); tagged && !isCarrier(sf.Type) {
			if err := visit(sealedSpot{pointer: at, depth: below, plain: v.Field(i)}); err != nil {
				return err
			}
			continue
		}
		if err := w.walk(v.Field(i), at, below, visit); err != nil {
			return err
		}
	}
	return nil
}

// jsonName is the name that encoding/json gives a field, or that the field is embedded without one.
func jsonName(sf reflect.StructField) (name string, embedded, ok bool) {
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return "", false, false
	}
	name, _, _ = strings.Cut(tag, ",")
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if sf.Anonymous && name == "" && t.Kind() == reflect.Struct && !isCarrier(t) {
		return "", true, sf.IsExported() || sf.Type.Kind() != reflect.Pointer
	}
	return cmp.Or(name, sf.Name), false, sf.IsExported()
}

func keyName(key reflect.Value) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if text, ok := key.Interface().(encoding.TextMarshaler); ok {
		raw, err := text.MarshalText()
		return string(raw), err
	}
	if key.CanInt() {
		return strconv.FormatInt(key.Int(), 10), nil
	}
	return strconv.FormatUint(key.Uint(), 10), nil
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(name string) string { return pointerEscapes.Replace(name) }

var carrierType = reflect.TypeFor[Carrier]()

// isCarrier reports whether t is a Sealed, which is a Carrier by its pointer.
func isCarrier(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(carrierType)
}

func carrierOf(v reflect.Value) (Carrier, bool) {
	if !isCarrier(v.Type()) {
		return nil, false
	}
	if !v.CanAddr() { // a copy will do to read it
		set := reflect.New(v.Type())
		set.Elem().Set(v)
		v = set.Elem()
	}
	c, ok := v.Addr().Interface().(Carrier)
	return c, ok
}

// carrying remembers which types can hold a Sealed or a tagged field, so that others cost nothing. It is a cache of facts
// about types, which never change.
var carrying sync.Map // of reflect.Type to bool

func mayCarry(t reflect.Type) bool {
	if known, ok := carrying.Load(t); ok {
		return known == true
	}
	may := searchType(t, map[reflect.Type]bool{})
	carrying.Store(t, may)
	return may
}

var marshalerType = reflect.TypeFor[json.Marshaler]()

func searchType(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if isCarrier(t) {
		return true
	}
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && (t.Implements(marshalerType) || reflect.PointerTo(t).Implements(marshalerType)) {
		return false // it writes its own JSON
	}
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return searchType(t.Elem(), seen)
	case reflect.Struct:
		return slices.ContainsFunc(reflect.VisibleFields(t), func(sf reflect.StructField) bool {
			if len(sf.Index) > 1 {
				return false
			}
			if _, tagged := sf.Tag.Lookup("seal"); tagged {
				return true
			}
			return searchType(sf.Type, seen)
		})
	default:
		return false
	}
}
