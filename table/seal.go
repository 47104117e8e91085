package table

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// sealTag is what the tag seal of a field asks for: `seal:"contact"`, `seal:"contact,carried"` or `seal:"contact,plain"`.
type sealTag struct {
	class   string
	carried bool   // the ciphertext was made elsewhere, and eem says where
	carrier bool   // the field is an insideout.Sealed
	plain   bool   // rows may hold plain text still
	whose   int    // the number of the subject whose key seals it
	text    *codec // of the plain text, or nil
}

var (
	className   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	carrierType = reflect.TypeFor[insideout.Carrier]()
)

func isCarrier(t reflect.Type) bool { return reflect.PointerTo(t).Implements(carrierType) }

// seal reads the tag of a field, and finds the fields that ought to have one. It is nil for a field that is not sealed.
func (c *compiler) seal(sf reflect.StructField) *sealTag {
	text, tagged := sf.Tag.Lookup("seal")
	carrier := isCarrier(sf.Type)
	switch {
	case c.nested > 0 && (tagged || carrier):
		return nil // the outer field has the fault
	case !tagged && carrier:
		c.fault(sf.Name, fmt.Sprintf("a %s has no seal tag", sf.Type), "say what kind of data it is: `seal:\"contact\"`")
		return nil
	case !carrier && sealsWithin(sf.Type, map[reflect.Type]bool{}):
		c.fault(sf.Name, "something within the field is to be sealed, and whole fields are", "put the tag seal on this field, or take the inner ones out of it")
		return nil
	case !tagged:
		return nil
	}
	class, option, _ := strings.Cut(text, ",")
	s := &sealTag{class: class, carried: option == "carried", carrier: carrier, plain: option == "plain"}
	if !className.MatchString(class) {
		c.fault(sf.Name, fmt.Sprintf("%q in `seal:%q` is not a class", class, text), "lower-case letters, digits and -, with a letter first")
	}
	if option != "" && !s.carried && !s.plain || s.carried && !carrier || s.plain && carrier {
		c.fault(sf.Name, fmt.Sprintf("option %q in `seal:%q`", option, text), "the options are carried, of an insideout.Sealed, and plain, of any other type")
	}
	if s.plain && bytesLike(sf.Type) {
		c.fault(sf.Name, fmt.Sprintf("plain text of a %s looks like a ciphertext", sf.Type), "seal such values before the field is tagged")
	}
	if _, err := json.Marshal(reflect.New(sf.Type).Interface()); err != nil {
		c.fault(sf.Name, fmt.Sprintf("a %s has no JSON form, which is what would be sealed", sf.Type), "change the type")
	}
	if lost := lostInJSON(sf.Type, map[reflect.Type]bool{}); !carrier && lost != "" {
		c.fault(sf.Name, "what is sealed is the JSON form, and "+lost, "change the json tag or the type, or take the part out of rows with `dynamo:\"-\"`")
	}
	return s
}

// bytesLike says that values are stored as B.
func bytesLike(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

// sealsWithin says whether a type has anything to be sealed below its top.
func sealsWithin(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return isCarrier(t.Elem()) || sealsWithin(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			sf := t.Field(i)
			if _, tagged := sf.Tag.Lookup("seal"); tagged || isCarrier(sf.Type) || sealsWithin(sf.Type, seen) {
				return true
			}
		}
	}
	return false
}

// checkSealed refuses sealed fields where their value would have to be known.
func (d *definition) checkSealed() {
	for i := range d.all {
		if d.all[i].seal != nil {
			d.sealed = append(d.sealed, &d.all[i])
		}
	}
	if len(d.sealed) == 0 {
		return
	}
	d.checkSealers()
	keys := d.keyHandles()
	for _, what := range slices.Sorted(maps.Keys(keys)) {
		for _, h := range keys[what] {
			if h.field.seal != nil {
				d.fault(h.goPath, what+": the field is sealed, so that its value cannot be part of a key", "use a blind index of the value, in a field of its own")
			}
		}
	}
}

// envelopeOf is the attribute that says where the ciphertext of a carried field was made: each lane has its own. It is empty for another field.
func (m *model) envelopeOf(i int) string {
	if seal := m.all[i].seal; seal == nil || !seal.carried {
		return ""
	}
	for _, l := range m.lanes[1:] {
		if slices.Contains(l.fields, i) {
			return attrEnvelope + "_" + string(l.name)
		}
	}
	return attrEnvelope
}

func (d *definition) keyHandles() map[string][]*handle {
	all := map[string][]*handle{"ID": slices.Concat(d.ids...), "Owner": slices.Concat(d.owners...), "Subject": d.subjectHandles()}
	for _, x := range d.indexes {
		for _, k := range slices.Concat(x.pk, x.sk) {
			what := fmt.Sprintf("Index %q", x.Name)
			all[what] = append(all[what], k.handle)
		}
	}
	for _, u := range d.uniques {
		for _, k := range u.parts {
			all["Unique"] = append(all["Unique"], k.handle)
		}
	}
	return all
}

// refuseSealed says why a condition, or a change other than Set, cannot be about a sealed field.
func (h *handle) refuseSealed() error {
	if h.field.seal == nil {
		return nil
	}
	return invalid("field %s is sealed: DynamoDB has its ciphertext alone, which differs every time; for equality keep a blind index of the value in a field of its own", h.goPath)
}

// unsealed is a value on its way to be sealed. It stands in a row where its ciphertext will. Should one get past that, no client knows how to
// send it.
type unsealed struct {
	types.AttributeValue
	field   insideout.SealedField
	carrier insideout.Carrier // or nil
	of      *field
}

// sealCodec makes values to be sealed. What is stored is read by another way, since it takes the rest of the row.
func sealCodec(of *field) codec {
	f := *of
	return codec{
		encodeIn: func(_ *arena, rv reflect.Value) (types.AttributeValue, error) {
			if f.seal.carrier {
				return f.carry(rv)
			}
			if nothing(rv) {
				return nil, nil
			}
			text, err := plainJSON(rv.Interface())
			if err != nil {
				return nil, err
			}
			return &unsealed{of: &f, field: insideout.SealedField{Plaintext: text}}, nil
		},
		decode: func(types.AttributeValue, reflect.Value) error { return nil },
	}
}

// sealedField compiles a field with the tag seal.
func (c *compiler) sealedField(sf reflect.StructField, tg tag, seal *sealTag) field {
	f := field{attr: tg.name, path: sf.Name, index: sf.Index, typ: sf.Type, seal: seal}
	if tg.flags&flagOmitEmpty != 0 {
		f.omit = reflect.Value.IsZero
	}
	if seal.plain {
		text, err := c.codec(sf.Type, tg)
		if err != nil {
			c.fault(sf.Name, err.Error(), "change the type, or take the option plain away")
		}
		seal.text = &text
	}
	f.codec = sealCodec(&f)
	return f
}

// nothing says that a value is stored as no attribute, as it would be without a seal.
func nothing(rv reflect.Value) bool {
	switch rv.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return rv.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return rv.IsNil()
	}
	return false
}

// plainJSON is what insideout.Sealed seals, too. An error of encoding/json may quote the value.
func plainJSON(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("the value has no JSON form")
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

func (f *field) carry(rv reflect.Value) (types.AttributeValue, error) {
	p := reflect.New(rv.Type()) // a copy is the same value, and can be asked wherever rv is
	p.Elem().Set(rv)
	carrier := p.Interface().(insideout.Carrier)
	held, ok, err := carrier.Field()
	if err != nil || !ok {
		return nil, err
	}
	return &unsealed{of: f, field: held, carrier: carrier}, nil
}

// originOf is where a row's own values of a field are sealed.
func (m *model) originOf(f *field, key RowKey, subject string) insideout.Origin {
	id := key.PK
	switch {
	case m.keys != nil:
		id += delimiter + key.SK
	case m.owner != nil:
		id += delimiter + strings.TrimPrefix(key.SK, m.role+delimiter)
	}
	return insideout.Origin{Subject: subject, Model: m.name, ID: id, Field: f.attr, Class: f.seal.class}
}
