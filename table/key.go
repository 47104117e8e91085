package table

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a row as DynamoDB has it.
type Item = map[string]types.AttributeValue

// ID is what identifies a row of a model: for a node the value of its id field ("42", 7, a time), or Of with the values of several; for an
// edge Of(owner, id), with as many values as the owner and the id have fields; for a model with keys of its own (Def.KeyFunc) a RowKey.
type ID = any

// maxParts is how many values an ID can have.
const maxParts = 8

// compositeID is what Of makes. It is comparable.
type compositeID struct {
	values [maxParts]any
	n      int
}

func (c compositeID) all() []any { return c.values[:min(c.n, maxParts)] }

// Of is an ID of several values, up to eight: that of an edge, the id of the node that owns it and its own, or that of a model whose id has several fields.
func Of(values ...any) ID {
	c := compositeID{n: len(values)}
	copy(c.values[:], values)
	return c
}

// RowKey is the primary key of a row. It is comparable.
//
// A node has its id in PK and its discriminator in SK; an edge has its owner's id in PK and "role|id" in SK. Ids of several fields are joined by '|'. Within a value
// '|' is written "{1" and '{' is written "{0". Numbers are padded with zeros to the width of their type, and a negative one
// is a minus and its distance from the type's smallest number. Times are UTC with nine decimals. So two ids never share a key, and
// keys sort as ids do, field by field; but a string in front of other fields sorts as if it ended with '|', so that "ab" comes before "a".
type RowKey struct{ PK, SK string }

// Item is the key as the attributes pk and sk.
func (k RowKey) Item() Item {
	return Item{attrPK: &types.AttributeValueMemberS{Value: k.PK}, attrSK: &types.AttributeValueMemberS{Value: k.SK}}
}

// Limits of DynamoDB, in bytes.
const (
	maxPK = 2048
	maxSK = 1024
)

func (k RowKey) valid() error {
	if len(k.PK) > maxPK {
		return invalid("the partition key has %d bytes, and DynamoDB takes %d", len(k.PK), maxPK)
	}
	if len(k.PK) > maxSK {
		return invalid("the partition key has %d bytes, and index gsi1, which orders by it, takes %d", len(k.PK), maxSK)
	}
	return k.validSK()
}

func (k RowKey) validSK() error {
	if len(k.SK) > maxSK {
		return invalid("the sort key has %d bytes, and DynamoDB takes %d", len(k.SK), maxSK)
	}
	return nil
}

// keyed is a field with its place in a key.
type keyed struct {
	handle *handle
	segment
}

// keyParts are the fields of an id or an owner.
type keyParts []*keyed

// names are the fields, for messages.
func (p keyParts) names() string {
	var names []string
	for _, k := range p {
		names = append(names, k.handle.goPath)
	}
	return strings.Join(names, ", ")
}

func (p keyParts) encodeFrom(rv reflect.Value) (string, error) {
	return p.join(func(i int) (string, error) {
		text, err := p[i].encode(p[i].handle.value(rv))
		if err != nil {
			return "", invalid("field %s: %w", p[i].handle.goPath, err)
		}
		return text, nil
	})
}

// encodeID encodes the value of an id of one field, or what Of made of several.
func (p keyParts) encodeID(id any) (string, error) {
	values := []any{id}
	if several, ok := id.(compositeID); ok {
		values = several.all()
	}
	if len(values) != len(p) {
		return "", invalid("an id of %d values was given, and it has %d: %s", len(values), len(p), p.names())
	}
	return p.join(func(i int) (string, error) { return p[i].encodeID(values[i]) })
}

func (p keyParts) join(segment func(i int) (string, error)) (string, error) {
	if len(p) == 1 {
		return segment(0)
	}
	texts := make([]string, len(p))
	for i := range p {
		var err error
		if texts[i], err = segment(i); err != nil {
			return "", err
		}
	}
	return strings.Join(texts, delimiter), nil
}

// decode fills the fields from a key. An id of one field may have the delimiter in it, where another program wrote it.
func (p keyParts) decode(text string, rv reflect.Value) error {
	texts := []string{text}
	if len(p) > 1 {
		texts = strings.Split(text, delimiter)
	}
	if len(texts) != len(p) {
		return fmt.Errorf("the key %q has %d segments, and the model has %d: %s", text, len(texts), len(p), p.names())
	}
	for i, k := range p {
		if err := k.decode(texts[i], k.handle.settable(rv)); err != nil {
			return fmt.Errorf("field %s: %w", k.handle.goPath, err)
		}
	}
	return nil
}

// encodeID encodes a value of the field's type, or of a type with the same kind ("42" where the field is of a named string type).
func (k *keyed) encodeID(id any) (string, error) {
	t := k.handle.field.typ
	rv := reflect.ValueOf(id)
	switch {
	case !rv.IsValid():
		return "", invalid("the id is nil")
	case rv.Type() == t:
	case sameKind(rv.Type(), t):
		converted := reflect.New(t).Elem()
		if err := convertKey(rv, converted); err != nil {
			return "", err
		}
		rv = converted
	default:
		return "", invalid("an id of type %s was given, and field %s is a %s", rv.Type(), k.handle.goPath, t)
	}
	text, err := k.encode(rv)
	if err != nil {
		return "", invalid("id: %w", err)
	}
	return text, nil
}

// types are the types of the fields, for messages.
func (p keyParts) types() string {
	var names []string
	for _, k := range p {
		names = append(names, k.handle.field.typ.String())
	}
	return strings.Join(names, ", ")
}

func sameKinds(a, b keyParts) bool {
	return slices.EqualFunc(a, b, func(a, b *keyed) bool {
		s, t := a.handle.field.typ, b.handle.field.typ
		return s == t || sameKind(s, t)
	})
}

func isInt(t reflect.Type) bool  { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64 }
func isUint(t reflect.Type) bool { return t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 }

func sameKind(a, b reflect.Type) bool {
	return a.Kind() == reflect.String && b.Kind() == reflect.String || (isInt(a) || isUint(a)) && (isInt(b) || isUint(b))
}

// convertKey moves a string or integer into a field of another type, and refuses what does not fit.
func convertKey(from, to reflect.Value) error {
	if from.Kind() == reflect.String {
		to.SetString(from.String())
		return nil
	}
	var text string
	if isInt(from.Type()) {
		text = fmt.Sprint(from.Int())
	} else {
		text = fmt.Sprint(from.Uint())
	}
	var err error
	if isInt(to.Type()) {
		err = setInt(text, to)
	} else {
		err = setUint(text, to)
	}
	if err != nil {
		return invalid("the id %s does not fit into %s", text, to.Type())
	}
	return nil
}

// keyFunc makes keys of values, and values of keys.
type keyFunc struct {
	build func(pointer any) (RowKey, error)
	parse func(key RowKey, pointer any) error // nil: the fields are attributes
}

// KeyFunc is the way out for tables whose keys this package would not make: build makes the key of a row, and parse, which may be nil, fills the fields
// that live in the key alone. It takes the place of ID, for nodes: all fields of the struct are attributes as well, an ID is a RowKey, and rows are told by their
// discriminator, which they must have. Such a model has no part in an aggregate, and each of its indexes names its order.
//
// Build must be a function of the value alone, and give different rows different keys.
func (d *Def[T]) KeyFunc(build func(v T) (RowKey, error), parse func(key RowKey, v *T) error) {
	var next keyFunc
	if build != nil {
		next.build = func(pointer any) (RowKey, error) { return build(*pointer.(*T)) }
	}
	if parse != nil {
		next.parse = func(key RowKey, pointer any) error { return parse(key, pointer.(*T)) }
	}
	d.d.setKeys(next)
}

//go:noinline
func (d *definition) setKeys(next keyFunc) {
	if next.build == nil || d.keys != nil {
		d.fault("", "KeyFunc: it is called twice, or without a function", "func(v T) (table.RowKey, error)")
		return
	}
	d.keys = &next
}

// own checks a key that a function made, or a caller.
func (k RowKey) own() (RowKey, error) {
	switch {
	case k.PK == "" || k.SK == "":
		return k, invalid("the key is %q %q, and neither part may be empty", k.PK, k.SK)
	case k.SK == guardSK:
		return k, invalid("the sort key %q is that of guards", k.SK)
	}
	return k, k.valid()
}

// keyOfRow is the key of the row that a value is stored in.
func (m *model) keyOfRow(rv reflect.Value) (RowKey, error) {
	if m.keys != nil {
		key, err := m.keys.build(rv.Addr().Interface())
		if err != nil {
			return RowKey{}, invalid("%w", err)
		}
		return key.own()
	}
	id, err := m.id.encodeFrom(rv)
	if err != nil {
		return RowKey{}, err
	}
	if m.owner == nil {
		return m.key("", id)
	}
	owner, err := m.owner.encodeFrom(rv)
	if err != nil {
		return RowKey{}, err
	}
	return m.key(owner, id)
}

// keyOfID is the key of the row that an id names.
func (m *model) keyOfID(id ID) (RowKey, error) {
	several, isSeveral := id.(compositeID)
	switch {
	case m.keys != nil:
		key, ok := id.(RowKey)
		if !ok {
			return RowKey{}, invalid("%s has keys of its own: its id is a table.RowKey, not a %T", m.name, id)
		}
		return key.own()
	case m.owner == nil && isSeveral && len(m.id) == 1:
		return RowKey{}, invalid("%s is a node: its id is the value of %s alone, not Of(…)", m.name, m.id.names())
	case m.owner == nil:
		text, err := m.id.encodeID(id)
		if err != nil {
			return RowKey{}, err
		}
		return m.key("", text)
	case !isSeveral || several.n != len(m.owner)+len(m.id):
		return RowKey{}, invalid("%s is an edge: its id is table.Of(%s, %s)", m.name, m.owner.names(), m.id.names())
	}
	values := several.all()
	owner, err := m.owner.encodeID(Of(values[:len(m.owner)]...))
	if err != nil {
		return RowKey{}, err
	}
	text, err := m.id.encodeID(Of(values[len(m.owner):]...))
	if err != nil {
		return RowKey{}, err
	}
	return m.key(owner, text)
}

func (m *model) key(owner, id string) (RowKey, error) {
	k := RowKey{PK: id, SK: m.name}
	if m.owner != nil {
		k = RowKey{PK: owner, SK: m.role + delimiter + id}
	}
	return k, k.valid()
}

// decodeKey fills the id (and the owner) from a row's key.
func (m *model) decodeKey(k RowKey, rv reflect.Value) error {
	switch {
	case m.keys != nil && m.keys.parse != nil:
		return m.keys.parse(k, rv.Addr().Interface())
	case m.keys != nil:
		return nil
	case m.owner == nil:
		return m.id.decode(k.PK, rv)
	}
	id, ok := strings.CutPrefix(k.SK, m.role+delimiter)
	if !ok {
		return fmt.Errorf("the sort key %q does not start with the role %q", k.SK, m.role+delimiter)
	}
	if err := m.owner.decode(k.PK, rv); err != nil {
		return err
	}
	return m.id.decode(id, rv)
}
