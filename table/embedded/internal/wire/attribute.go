package wire

import (
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	attributeClass = "class " + javaPackage + "AttributeValue"
	itemClass      = "java.util.Map<java.lang.String, " + javaPackage + "AttributeValue>"

	severalTypes = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)

func decodeItem(p place) decodeFunc {
	return func(d *decoder, v reflect.Value) error {
		item, err := d.item(p)
		if item != nil {
			*v.Addr().Interface().(*map[string]types.AttributeValue) = item
		}
		return err
	}
}

func decodeAttribute(p place) decodeFunc {
	return func(d *decoder, v reflect.Value) error {
		value, err := d.attribute(p)
		if value != nil {
			*v.Addr().Interface().(*types.AttributeValue) = value
		}
		return err
	}
}

// item reads a map of attribute values; nil for a JSON null.
func (d *decoder) item(p place) (map[string]types.AttributeValue, error) {
	if done, err := d.open('{', itemClass, p.wrongCollection); done || err != nil {
		return nil, err
	}
	item := make(map[string]types.AttributeValue)
	err := d.object(func(name string) error {
		value, err := d.attribute(element)
		item[name] = value
		return err
	})
	return item, err
}

// attribute reads one attribute value. One without a type comes back as nil:
// the backend has to refuse it, and knows where. One with several types, which
// the SDK's union cannot hold, is noted as invalid here.
func (d *decoder) attribute(p place) (types.AttributeValue, error) {
	if done, err := d.open('{', attributeClass, p.wrongStruct); done || err != nil {
		return nil, err
	}
	var value types.AttributeValue
	err := d.object(func(name string) error {
		v, err := d.variant(name)
		if value != nil && v != nil {
			d.invalid = severalTypes
		}
		if v != nil {
			value = v
		}
		return err
	})
	return value, err
}

// variant reads the value of one type of an attribute value; nil for a null
// and for a type that does not exist.
func (d *decoder) variant(name string) (types.AttributeValue, error) {
	switch name {
	case "S":
		s, ok, err := d.text()
		return keep(ok, &types.AttributeValueMemberS{Value: s}), err
	case "N":
		s, ok, err := d.text()
		return keep(ok, &types.AttributeValueMemberN{Value: s}), err
	case "B":
		b, ok, err := d.binary()
		return keep(ok, &types.AttributeValueMemberB{Value: b}), err
	case "BOOL":
		b, ok, err := d.boolean()
		return keep(ok, &types.AttributeValueMemberBOOL{Value: b}), err
	case "NULL":
		b, ok, err := d.boolean()
		return keep(ok, &types.AttributeValueMemberNULL{Value: b}), err
	case "M":
		m, err := d.item(member)
		return keep(m != nil, &types.AttributeValueMemberM{Value: m}), err
	case "L":
		l, ok, err := list(d, func() (types.AttributeValue, error) { return d.attribute(element) })
		return keep(ok, &types.AttributeValueMemberL{Value: l}), err
	case "SS":
		l, ok, err := list(d, d.setText)
		return keep(ok, &types.AttributeValueMemberSS{Value: l}), err
	case "NS":
		l, ok, err := list(d, d.setText)
		return keep(ok, &types.AttributeValueMemberNS{Value: l}), err
	case "BS":
		l, ok, err := list(d, d.setBinary)
		return keep(ok, &types.AttributeValueMemberBS{Value: l}), err
	default:
		return nil, d.skip()
	}
}

func keep(ok bool, v types.AttributeValue) types.AttributeValue {
	if !ok {
		return nil
	}
	return v
}

// list reads an array that is the member of an attribute value.
func list[T any](d *decoder, element func() (T, error)) ([]T, bool, error) {
	if done, err := d.open('[', "", member.wrongCollection); done || err != nil {
		return nil, false, err
	}
	values := []T{}
	err := d.array(func() error {
		v, err := element()
		values = append(values, v)
		return err
	})
	return values, true, err
}

// text reads a string; ok is false for a null.
func (d *decoder) text() (text string, ok bool, err error) {
	k, text, err := d.scalarOf("java.lang.String")
	switch {
	case err != nil || k == nullKind:
		return "", false, err
	case k != stringKind:
		return "", false, &typeError{string(k) + " cannot be converted to String"}
	default:
		return text, true, nil
	}
}

// binary reads a base64 string; ok is false for a null.
func (d *decoder) binary() (data []byte, ok bool, err error) {
	k, text, err := d.scalarOf("java.nio.ByteBuffer")
	switch {
	case err != nil || k == nullKind:
		return nil, false, err
	case k != stringKind:
		return nil, false, &typeError{"only base-64-encoded strings are convertible to bytes"}
	}
	data, err = blob(text)
	return data, err == nil, err
}

// A set has no place for a null: an element without a value is refused.
func (d *decoder) setText() (string, error) {
	text, ok, err := d.text()
	if err == nil && !ok {
		d.invalid = nullInSet
	}
	return text, err
}

func (d *decoder) setBinary() ([]byte, error) {
	data, ok, err := d.binary()
	if err == nil && !ok {
		d.invalid = nullInSet
	}
	return data, err
}

const nullInSet = "One or more parameter values were invalid: An attribute value may not contain a null set element"
