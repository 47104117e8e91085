package table

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"
)

// encodeFunc encodes one value. A nil attribute value means that the attribute is absent.
type encodeFunc func(a *arena, rv reflect.Value) (types.AttributeValue, error)

// decodeFunc decodes one value into a settable rv.
type decodeFunc func(av types.AttributeValue, rv reflect.Value) error

// codec moves the values of one type under one set of flags. What it writes is what guregu/dynamo v2.6.0 writes.
type codec struct {
	encodeIn encodeFunc
	decode   decodeFunc
	need     need    // of one value
	fields   []field // of a struct that is stored as a map
}

// encode is for a value by itself.
func (c codec) encode(rv reflect.Value) (types.AttributeValue, error) {
	return c.encodeIn(nil, rv)
}

var errNumber = errors.New("not a number that DynamoDB can hold")

// awsMarshaler and awsUnmarshaler are attributevalue's, which guregu honours.
type (
	awsMarshaler interface {
		MarshalDynamoDBAttributeValue() (types.AttributeValue, error)
	}
	awsUnmarshaler interface {
		UnmarshalDynamoDBAttributeValue(types.AttributeValue) error
	}
)

// ownCodec says whether a type brings its own encoding, which guregu then finds.
func ownCodec(t reflect.Type) bool {
	for _, iface := range []reflect.Type{
		reflect.TypeFor[dynamo.Marshaler](), reflect.TypeFor[dynamo.Unmarshaler](),
		reflect.TypeFor[awsMarshaler](), reflect.TypeFor[awsUnmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
		reflect.TypeFor[types.AttributeValue](),
	} {
		if t.Implements(iface) || reflect.PointerTo(t).Implements(iface) {
			return true
		}
	}
	return false
}

// compiler builds codecs. It remembers the structs that it is inside of, so that a type that contains itself ends.
type compiler struct {
	inside map[reflect.Type]bool
	nested int // structs that are stored as maps
	faults []fault
}

// codec compiles a type. Types that the plan does not know go through guregu, value by value.
func (c *compiler) codec(t reflect.Type, tg tag) (codec, error) {
	if t == reflect.TypeFor[time.Time]() {
		return timeCodec(tg.flags), nil
	}
	if ownCodec(t) {
		return guregu(t, tg), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolCodec(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCodec(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintCodec(), nil
	case reflect.Float32, reflect.Float64:
		return floatCodec(), nil
	case reflect.String:
		return stringCodec(tg.flags), nil
	case reflect.Pointer:
		return c.pointerCodec(t, tg)
	case reflect.Struct:
		return c.structCodec(t, tg)
	case reflect.Slice:
		return c.sliceCodec(t, tg)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128, reflect.Uintptr:
		return codec{}, fmt.Errorf("a %s cannot be stored", t.Kind())
	}
	return checkedGuregu(t, tg)
}

func boolCodec() codec {
	return codec{
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return a.bool(rv.Bool()), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			b, ok := av.(*types.AttributeValueMemberBOOL)
			if !ok {
				return mismatch(av, rv)
			}
			rv.SetBool(b.Value)
			return nil
		},
	}
}

func intCodec() codec {
	return codec{
		need: need{digits: intDigits},
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return a.int(rv.Int()), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			n, ok := av.(*types.AttributeValueMemberN)
			if !ok {
				return mismatch(av, rv)
			}
			return setInt(n.Value, rv)
		},
	}
}

func setInt(text string, rv reflect.Value) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || rv.OverflowInt(n) {
		return fmt.Errorf("the stored number does not fit into %s", rv.Type())
	}
	rv.SetInt(n)
	return nil
}

func uintCodec() codec {
	return codec{
		need: need{digits: intDigits},
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return a.uint(rv.Uint()), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			n, ok := av.(*types.AttributeValueMemberN)
			if !ok {
				return mismatch(av, rv)
			}
			return setUint(n.Value, rv)
		},
	}
}

func setUint(text string, rv reflect.Value) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || rv.OverflowUint(n) {
		return fmt.Errorf("the stored number does not fit into %s", rv.Type())
	}
	rv.SetUint(n)
	return nil
}

func floatCodec() codec {
	return codec{
		need: need{digits: floatDigits},
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return a.float(rv.Float())
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			n, ok := av.(*types.AttributeValueMemberN)
			if !ok {
				return mismatch(av, rv)
			}
			return setFloat(n.Value, rv)
		},
	}
}

// appendFloat refuses what DynamoDB would refuse: numbers beyond 9.99e125 and below 1e-130, infinities and NaN.
func appendFloat(b []byte, f float64) ([]byte, error) {
	size := math.Abs(f)
	switch {
	case f == 0:
		return append(b, '0'), nil
	case math.IsNaN(f), size >= 1e126, size < 1e-130:
		return nil, errNumber
	case size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(b, f, 'f', -1, 64), nil
	}
	return strconv.AppendFloat(b, f, 'e', -1, 64), nil
}

func setFloat(text string, rv reflect.Value) error {
	f, err := strconv.ParseFloat(text, rv.Type().Bits())
	if err != nil {
		return fmt.Errorf("the stored number does not fit into %s", rv.Type())
	}
	rv.SetFloat(f)
	return nil
}

func stringCodec(f flags) codec {
	return codec{
		need: need{texts: 1},
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return encodeText(a, rv.String(), f), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			s, ok := av.(*types.AttributeValueMemberS)
			if !ok {
				return mismatch(av, rv)
			}
			rv.SetString(s.Value)
			return nil
		},
	}
}

// timeCodec writes RFC 3339 text with the zone kept, or with unixtime whole seconds.
func timeCodec(f flags) codec {
	return codec{
		need: need{texts: 1, digits: timeDigits},
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			return encodeTime(a, rv.Interface().(time.Time), f)
		},
		decode: decodeTime,
	}
}

func encodeText(a *arena, s string, f flags) types.AttributeValue {
	if s != "" || f&flagAllowEmpty != 0 {
		return a.text(s)
	}
	return null(f)
}

func encodeTime(a *arena, t time.Time, f flags) (types.AttributeValue, error) {
	if f&flagUnixTime != 0 {
		if t.IsZero() {
			return nil, nil
		}
		return a.int(t.Unix()), nil
	}
	var buffer [len(time.RFC3339Nano)]byte
	text, err := t.AppendText(buffer[:0])
	if err != nil {
		return nil, err
	}
	return a.text(a.string(text)), nil
}

func decodeTime(av types.AttributeValue, rv reflect.Value) error {
	var t time.Time
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		if err := t.UnmarshalText([]byte(av.Value)); err != nil {
			return errors.New("the stored text is not an RFC 3339 time")
		}
	case *types.AttributeValueMemberN:
		seconds, err := strconv.ParseInt(av.Value, 10, 64)
		if err != nil {
			return errors.New("the stored number is not a time in whole seconds")
		}
		t = time.Unix(seconds, 0).UTC()
	default:
		return mismatch(av, rv)
	}
	*rv.Addr().Interface().(*time.Time) = t
	return nil
}

// pointerCodec encodes what the pointer points at; nil is an absent attribute.
func (c *compiler) pointerCodec(t reflect.Type, tg tag) (codec, error) {
	if t.Elem().Kind() == reflect.Pointer { // guregu panics on it
		return codec{}, errors.New("a pointer to a pointer cannot be stored")
	}
	elem, err := c.codec(t.Elem(), tg)
	if err != nil {
		return codec{}, err
	}
	return codec{
		need: elem.need,
		encodeIn: func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
			if rv.IsNil() {
				return null(tg.flags), nil
			}
			return elem.encodeIn(a, rv.Elem())
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			if isNull(av) {
				rv.SetZero()
				return nil
			}
			p := reflect.New(t.Elem())
			rv.Set(p)
			return elem.decode(av, p.Elem())
		},
	}, nil
}

// guregu encodes one value with guregu/dynamo: a struct of one field carries the tag's options to it.
func guregu(t reflect.Type, tg tag) codec {
	box := boxOf(t, tg)
	return codec{
		encodeIn: func(_ *arena, rv reflect.Value) (types.AttributeValue, error) {
			if rv.Kind() == reflect.Pointer && rv.IsNil() { // guregu asks some nil pointers for their text
				return null(tg.flags), nil
			}
			v := reflect.New(box)
			v.Elem().Field(0).Set(rv)
			item, err := dynamo.MarshalItem(v.Interface())
			return item["v"], err
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			v := reflect.New(box)
			if err := dynamo.UnmarshalItem(Item{"v": av}, v.Interface()); err != nil {
				return err
			}
			rv.Set(v.Elem().Field(0))
			return nil
		},
	}
}

func boxOf(t reflect.Type, tg tag) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{
		Name: "V", Type: t, Tag: reflect.StructTag(`dynamo:"v` + tg.options + `"`),
	}})
}

// checkedGuregu finds at definition time what guregu would say at the first write. It is not for types with an encoding of
// their own, which may refuse their zero value.
func checkedGuregu(t reflect.Type, tg tag) (codec, error) {
	if t.Kind() == reflect.Map && tg.flags&flagSet != 0 && t.Key().Kind() == reflect.Array {
		return codec{}, errors.New("guregu/dynamo corrupts sets with array keys")
	}
	if _, err := dynamo.MarshalItem(reflect.New(boxOf(t, tg)).Interface()); err != nil {
		return codec{}, fmt.Errorf("guregu/dynamo cannot encode it: %w", err)
	}
	return guregu(t, tg), nil
}

func null(f flags) types.AttributeValue {
	if f&flagNull != 0 {
		return &types.AttributeValueMemberNULL{Value: true}
	}
	return nil
}

func isNull(av types.AttributeValue) bool {
	_, ok := av.(*types.AttributeValueMemberNULL)
	return ok
}

// mismatch is an attribute of another type than the field's. NULL is the zero value of every type.
func mismatch(av types.AttributeValue, rv reflect.Value) error {
	if isNull(av) {
		rv.SetZero()
		return nil
	}
	return fmt.Errorf("the stored attribute is of type %s, which does not fit into %s", kindOf(av), rv.Type())
}

func kindOf(av types.AttributeValue) string {
	switch av.(type) {
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberB:
		return "B"
	case *types.AttributeValueMemberBOOL:
		return "BOOL"
	case *types.AttributeValueMemberNULL:
		return "NULL"
	case *types.AttributeValueMemberL:
		return "L"
	case *types.AttributeValueMemberM:
		return "M"
	case *types.AttributeValueMemberSS:
		return "SS"
	case *types.AttributeValueMemberNS:
		return "NS"
	case *types.AttributeValueMemberBS:
		return "BS"
	}
	return "unknown"
}
