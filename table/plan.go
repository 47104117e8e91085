package table

import (
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// field is one stored field of a struct.
type field struct {
	codec
	attr  string // the attribute's name
	path  string // the Go path, for messages: "Address.City"
	index []int  // from the struct that the plan is of, through embedded structs
	typ   reflect.Type
	flags flags
	seal  *sealTag                 // nil for a field that is stored as it is
	omit  func(reflect.Value) bool // nil, or: leave the attribute out
}

// value finds the field. It is not valid behind an embedded pointer that is nil.
func (f *field) value(rv reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return rv.Field(f.index[0])
	}
	for i, x := range f.index {
		if i > 0 && rv.Kind() == reflect.Pointer {
			if rv.IsNil() {
				return reflect.Value{}
			}
			rv = rv.Elem()
		}
		rv = rv.Field(x)
	}
	return rv
}

// settable is value, with embedded pointers allocated on the way.
func (f *field) settable(rv reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return rv.Field(f.index[0])
	}
	for i, x := range f.index {
		if i > 0 && rv.Kind() == reflect.Pointer {
			if rv.IsNil() {
				rv.Set(reflect.New(rv.Type().Elem()))
			}
			rv = rv.Elem()
		}
		rv = rv.Field(x)
	}
	return rv
}

// encodeFrom encodes the field of a struct; nil is an absent attribute.
func (f *field) encodeFrom(a *arena, rv reflect.Value) (types.AttributeValue, error) {
	v := f.value(rv)
	if !v.IsValid() || f.omit != nil && f.omit(v) {
		return nil, nil
	}
	av, err := f.encodeIn(a, v)
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", f.path, err)
	}
	return av, nil
}

func (f *field) decodeInto(av types.AttributeValue, rv reflect.Value) error {
	if err := f.decode(av, f.settable(rv)); err != nil {
		return fmt.Errorf("field %s: %w", f.path, err)
	}
	return nil
}

// fields compiles the fields of a struct, those of embedded structs among them, in the order of the source.
func (c *compiler) fields(t reflect.Type, at []int, path string) []field {
	var list []field
	for i := range t.NumField() {
		sf := t.Field(i)
		sf.Index = append(append([]int(nil), at...), i)
		sf.Name = path + sf.Name
		list = append(list, c.field(sf)...)
	}
	return list
}

// field compiles one struct field: none for one that is not stored, several for an embedded struct.
func (c *compiler) field(sf reflect.StructField) []field {
	tg, faults := parseTag(sf)
	c.faults = append(c.faults, faults...)
	if tg.name == "-" {
		return nil
	}
	if embedded := embeddedStruct(sf); embedded != nil {
		return c.embedded(sf, embedded)
	}
	if !exported(sf) {
		if sf.Tag.Get("dynamo") != "" {
			c.fault(sf.Name, "the field is tagged but not exported", "export it, or take the tag away")
		}
		return nil
	}
	if sf.Type.Size() == 0 {
		c.fault(sf.Name, fmt.Sprintf("type %s has no size, so a pointer to the field does not tell it from others", sf.Type),
			"tag it `dynamo:\"-\"`, or use a bool")
		return nil
	}
	if seal := c.seal(sf); seal != nil {
		return []field{c.sealedField(sf, tg, seal)}
	}
	fc, err := c.codec(sf.Type, tg)
	if err != nil {
		c.fault(sf.Name, err.Error(), "change the type, give it MarshalDynamo and UnmarshalDynamo, or tag it `dynamo:\"-\"`")
		return nil
	}
	f := field{codec: fc, attr: tg.name, path: sf.Name, index: sf.Index, typ: sf.Type, flags: tg.flags}
	if tg.flags&flagOmitEmpty != 0 {
		f.omit = c.empty(sf.Type)
	}
	return []field{f}
}

func (c *compiler) embedded(sf reflect.StructField, t reflect.Type) []field {
	if t == reflect.TypeFor[time.Time]() || ownCodec(t) {
		c.fault(sf.Name, fmt.Sprintf("%s is embedded: its own encoding would not be used", t), "give the field a name")
		return nil
	}
	if sf.Type.Kind() == reflect.Pointer && !exported(sf) {
		c.fault(sf.Name, "a pointer to an unexported struct is embedded, which cannot be set", "embed the struct itself")
		return nil
	}
	if c.inside[t] {
		c.fault(sf.Name, fmt.Sprintf("%s embeds itself", t), "give the field a name")
		return nil
	}
	c.inside[t] = true
	defer delete(c.inside, t)
	return c.fields(t, sf.Index, sf.Name+".")
}

// embeddedStruct is the struct type that a field embeds, or nil.
func embeddedStruct(sf reflect.StructField) reflect.Type {
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if sf.Anonymous && t.Kind() == reflect.Struct {
		return t
	}
	return nil
}

func exported(sf reflect.StructField) bool { return sf.PkgPath == "" }

func (c *compiler) fault(field, cause, mend string) {
	c.faults = append(c.faults, fault{field: field, cause: cause, mend: mend})
}

// duplicates finds attributes that two fields claim.
func (c *compiler) duplicates(list []field) {
	seen := make(map[string]string, len(list))
	for _, f := range list {
		if other, ok := seen[f.attr]; ok {
			c.fault(f.path, fmt.Sprintf("attribute %q is already used by field %s", f.attr, other), "name another attribute in the tag")
			continue
		}
		seen[f.attr] = f.path
	}
}

// structCodec stores a struct as a map (M).
func (c *compiler) structCodec(t reflect.Type, tg tag) (codec, error) {
	if c.inside[t] {
		return guregu(t, tg), nil
	}
	c.inside[t] = true
	defer delete(c.inside, t)
	c.nested++
	list := c.fields(t, nil, "")
	c.nested--
	c.duplicates(list)
	return codec{
		need:   needOf(list),
		fields: list,
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			m := make(Item, len(list))
			if err := encodeFields(a, list, rv, m); err != nil {
				return nil, err
			}
			return a.dictOf(m), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			m, ok := av.(*types.AttributeValueMemberM)
			if !ok {
				return mismatch(av, rv)
			}
			rv.SetZero()
			return decodeFields(list, m.Value, rv)
		},
	}, nil
}

func needOf(list []field) (n need) {
	for i := range list {
		n = n.and(list[i].need)
	}
	return n
}

func encodeFields(a *arena, list []field, rv reflect.Value, into Item) error {
	for i := range list {
		av, err := list[i].encodeFrom(a, rv)
		if err != nil {
			return err
		}
		if av != nil {
			into[list[i].attr] = av
		}
	}
	return nil
}

func decodeFields(list []field, item Item, rv reflect.Value) error {
	for i := range list {
		av, ok := item[list[i].attr]
		if !ok || av == nil {
			continue
		}
		if err := list[i].decodeInto(av, rv); err != nil {
			return err
		}
	}
	return nil
}

// empty is the test of omitempty: IsZero where the type has it, else what is nil or zero throughout.
func (c *compiler) empty(t reflect.Type) func(reflect.Value) bool {
	switch {
	case t.Implements(reflect.TypeFor[interface{ IsZero() bool }]()):
		return func(rv reflect.Value) bool {
			if rv.Kind() == reflect.Pointer && rv.IsNil() {
				return true
			}
			return rv.Interface().(interface{ IsZero() bool }).IsZero()
		}
	case ownCodec(t):
		return nil
	case t.Kind() == reflect.Struct:
		return emptyStruct(t, c)
	}
	return reflect.Value.IsZero
}

func emptyStruct(t reflect.Type, c *compiler) func(reflect.Value) bool {
	type part struct {
		index int
		empty func(reflect.Value) bool
	}
	var parts []part
	for i := range t.NumField() {
		if sf := t.Field(i); exported(sf) && sf.Tag.Get("dynamo") != "-" {
			parts = append(parts, part{i, c.empty(sf.Type)})
		}
	}
	return func(rv reflect.Value) bool {
		for _, p := range parts {
			if p.empty == nil || !p.empty(rv.Field(p.index)) {
				return false
			}
		}
		return true
	}
}
