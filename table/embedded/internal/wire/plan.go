package wire

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// javaPackage is where DynamoDB's error texts place its structures.
const javaPackage = "com.amazonaws.dynamodb.v20120810."

// decodeFunc reads one JSON value into v, which is settable. A JSON null
// leaves v as it is.
type decodeFunc func(d *decoder, v reflect.Value) error

// place is where a value stands: DynamoDB names the same fault differently
// for the member of a structure and for the element of a collection.
type place bool

const (
	member  place = true
	element place = false
)

// wrongCollection is the fault of a scalar where a list or map belongs.
func (p place) wrongCollection() error {
	if p == member {
		return &typeError{"Unexpected field type"}
	}
	return &typeError{"class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class " +
		"(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"}
}

// wrongStruct is the fault of a scalar where a structure belongs.
func (p place) wrongStruct() error {
	if p == member {
		return &typeError{"Unexpected field type"}
	}
	return &typeError{"Unexpected value type in payload"}
}

// compile builds the decoder of a type that occurs in the SDK's inputs. A
// value of a kind that the inputs of the served operations do not have is refused when it comes.
func compile(t reflect.Type, p place) decodeFunc {
	switch t {
	case reflect.TypeFor[map[string]types.AttributeValue]():
		return decodeItem(p)
	case reflect.TypeFor[types.AttributeValue]():
		return decodeAttribute(p)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return compilePointer(t, p)
	case reflect.String:
		return decodeString
	case reflect.Bool:
		return decodeBool
	case reflect.Int32, reflect.Int64:
		return compileInt(t)
	case reflect.Struct:
		return compileStruct(t, p)
	case reflect.Slice:
		return compileSlice(t, p)
	case reflect.Map:
		return compileMap(t, p)
	default:
		return unsupported(t)
	}
}

func unsupported(t reflect.Type) decodeFunc {
	return func(*decoder, reflect.Value) error {
		return &typeError{"A value of type " + t.String() + " is not supported"}
	}
}

func compilePointer(t reflect.Type, p place) decodeFunc {
	inner := compile(t.Elem(), p)
	return func(d *decoder, v reflect.Value) error {
		if d.peek() == 'n' {
			return d.skip()
		}
		target := reflect.New(t.Elem())
		v.Set(target)
		return inner(d, target.Elem())
	}
}

func compileStruct(t reflect.Type, p place) decodeFunc {
	type field struct {
		index  int
		decode decodeFunc
	}
	fields := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Anonymous {
			continue
		}
		fields[f.Name] = field{index: i, decode: compile(f.Type, member)}
	}
	class := javaClass(t)
	return func(d *decoder, v reflect.Value) error {
		if done, err := d.open('{', class, p.wrongStruct); done || err != nil {
			return err
		}
		return d.object(func(name string) error {
			f, ok := fields[name]
			if !ok {
				return d.skip()
			}
			return f.decode(d, v.Field(f.index))
		})
	}
}

func compileSlice(t reflect.Type, p place) decodeFunc {
	inner := compile(t.Elem(), element)
	return func(d *decoder, v reflect.Value) error {
		if done, err := d.open('[', "", p.wrongCollection); done || err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(t, 0, 0))
		return d.array(func() error {
			n := v.Len()
			v.Grow(1)
			v.SetLen(n + 1)
			return inner(d, v.Index(n))
		})
	}
}

func compileMap(t reflect.Type, p place) decodeFunc {
	inner := compile(t.Elem(), element)
	class := javaClass(t)
	return func(d *decoder, v reflect.Value) error {
		if done, err := d.open('{', class, p.wrongCollection); done || err != nil {
			return err
		}
		v.Set(reflect.MakeMap(t))
		return d.object(func(name string) error {
			value := reflect.New(t.Elem()).Elem()
			if err := inner(d, value); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(name), value)
			return nil
		})
	}
}

// open checks that a collection or structure that opens with want starts
// here. done means that there was a null, which has been read.
func (d *decoder) open(want byte, class string, scalar func() error) (done bool, err error) {
	switch c := d.peek(); {
	case c == want:
		return false, nil
	case c == '{':
		return false, &typeError{notExpected}
	case c == '[':
		return false, &typeError{"Unrecognized collection type " + class}
	}
	k, _, err := d.scalar()
	switch {
	case err != nil:
		return false, err
	case k == nullKind:
		return true, nil
	default:
		return false, scalar()
	}
}

// scalarOf reads a scalar where a value of the given Java class belongs.
func (d *decoder) scalarOf(class string) (kind, string, error) {
	switch d.peek() {
	case '{':
		return "", "", &typeError{notExpected}
	case '[':
		return "", "", &typeError{"Unrecognized collection type class " + class}
	default:
		return d.scalar()
	}
}

func decodeString(d *decoder, v reflect.Value) error {
	k, text, err := d.scalarOf("java.lang.String")
	switch {
	case err != nil:
		return err
	case k == stringKind:
		v.SetString(text)
	case k != nullKind:
		return &typeError{string(k) + " cannot be converted to String"}
	}
	return nil
}

func decodeBool(d *decoder, v reflect.Value) error {
	b, ok, err := d.boolean()
	if ok {
		v.SetBool(b)
	}
	return err
}

// boolean reads a truth value; DynamoDB takes some words for one, too.
func (d *decoder) boolean() (value, ok bool, err error) {
	k, text, err := d.scalarOf("java.lang.Boolean")
	if k == stringKind {
		switch strings.ToUpper(text) {
		case "TRUE", "1", "YES":
			k = trueKind
		case "FALSE", "0", "NO":
			k = falseKind
		}
	}
	switch {
	case err != nil:
		return false, false, err
	case k == trueKind || k == falseKind:
		return k == trueKind, true, nil
	case k == nullKind:
		return false, false, nil
	case k == stringKind:
		return false, false, &typeError{"Unexpected token received from parser"}
	default:
		return false, false, &typeError{string(k) + " cannot be converted to Boolean"}
	}
}

func compileInt(t reflect.Type) decodeFunc {
	name := "Integer"
	if t.Kind() == reflect.Int64 {
		name = "Long"
	}
	return func(d *decoder, v reflect.Value) error {
		k, text, err := d.scalarOf("java.lang." + name)
		if err != nil || k == nullKind {
			return err
		}
		if k != numberKind && k != decimalKind {
			return &typeError{string(k) + " cannot be converted to " + name}
		}
		n, ok := integer(text, k)
		if !ok || v.OverflowInt(n) {
			return &typeError{string(k) + " cannot be converted to " + name}
		}
		v.SetInt(n)
		return nil
	}
}

// integer reads a JSON number as a whole one: DynamoDB drops a fraction.
func integer(text string, k kind) (int64, bool) {
	if k == numberKind {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f > 1<<53 || f < -1<<53 {
		return 0, false
	}
	return int64(f), true
}

// javaClass is how DynamoDB names a type in its error texts.
func javaClass(t reflect.Type) string {
	if t.Kind() == reflect.Map {
		return "java.util.Map<java.lang.String, " + javaName(t.Elem()) + ">"
	}
	return "class " + javaName(t)
}

func javaName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "java.lang.String"
	case reflect.Slice:
		return "java.util.List<" + javaName(t.Elem()) + ">"
	default:
		return javaPackage + t.Name()
	}
}
