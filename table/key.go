package table

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a row as DynamoDB has it.
type Item = map[string]types.AttributeValue

// ID is what identifies a row of a model: the value of the id field for a node ("42", 7, a time), Of(owner, id) for an edge.
type ID = any

// edgeID is what Of makes.
type edgeID struct{ owner, id any }

// Of is the ID of an edge: the id of the node that owns it, and its own.
func Of(owner, id any) ID { return edgeID{owner, id} }

// RowKey is the primary key of a row. It is comparable.
//
// A node has its id in PK and its discriminator in SK; an edge has its owner's id in PK and "role|id" in SK. Within an id
// '|' is written "{1" and '{' is written "{0". Numbers are padded with zeros to the width of their type, and a negative one
// is a minus and its distance from the type's smallest number. Times are UTC with nine decimals. So two ids never share a key, and
// keys sort as ids do.
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

func (k *keyed) encodeFrom(rv reflect.Value) (string, error) {
	text, err := k.encode(k.handle.value(rv))
	if err != nil {
		return "", invalid("field %s: %w", k.handle.goPath, err)
	}
	return text, nil
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

// keyOfRow is the key of the row that a value is stored in.
func (m *model) keyOfRow(rv reflect.Value) (RowKey, error) {
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
	edge, isEdge := id.(edgeID)
	switch {
	case m.owner == nil && isEdge:
		return RowKey{}, invalid("%s is a node: its id is the value of %s alone, not Of(owner, id)", m.name, m.id.handle.goPath)
	case m.owner == nil:
		text, err := m.id.encodeID(id)
		if err != nil {
			return RowKey{}, err
		}
		return m.key("", text)
	case !isEdge:
		return RowKey{}, invalid("%s is an edge: its id is table.Of(owner, id)", m.name)
	}
	owner, err := m.owner.encodeID(edge.owner)
	if err != nil {
		return RowKey{}, err
	}
	text, err := m.id.encodeID(edge.id)
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
	id := k.PK
	if m.owner != nil {
		rest, ok := strings.CutPrefix(k.SK, m.role+delimiter)
		if !ok {
			return fmt.Errorf("the sort key %q does not start with the role %q", k.SK, m.role+delimiter)
		}
		id = rest
		if err := m.owner.decode(k.PK, m.owner.handle.settable(rv)); err != nil {
			return fmt.Errorf("field %s: %w", m.owner.handle.goPath, err)
		}
	}
	if err := m.id.decode(id, m.id.handle.settable(rv)); err != nil {
		return fmt.Errorf("field %s: %w", m.id.handle.goPath, err)
	}
	return nil
}
