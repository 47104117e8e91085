package table

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The text of keys. Segments are joined by the delimiter. Within a segment the delimiter and the escape character are
// escaped in a way that keeps the order of bytes: '{' and '|' are neighbours, so "{0" and "{1" sort where they did, and no
// escaped text has a delimiter in it.
const (
	delimiter = "|"
	escape    = "{"
	// after sorts behind every key that starts with a delimiter in its place, since '}' follows '|'.
	after = "}"
)

var (
	errEmptyKey = errors.New("a part of a key cannot be empty")
	// errKeyBytes: JSON has no such bytes, and clients replace them, so that two ids would share a key.
	errKeyBytes = errors.New("a part of a key must be UTF-8 text")
)

// timeLayout has a fixed width and is always UTC, so that text order is time order. RFC 3339 with nanoseconds is neither.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// segment encodes the values of one type as part of a key: two values never have one text, and texts sort as values do.
type segment struct {
	encode func(rv reflect.Value) (string, error)
	decode func(text string, rv reflect.Value) error
	// fixed says that no text of the type is the beginning of another, so that ranges work in front of other segments.
	fixed bool
	text  bool // of string kind: begins_with makes sense
}

// segmentOf compiles the key encoding of a type.
func segmentOf(t reflect.Type) (segment, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return segment{encode: encodeTimeKey, decode: decodeTimeKey, fixed: true}, nil
	case t.Kind() == reflect.String:
		return segment{encode: encodeStringKey, decode: decodeStringKey, text: true}, nil
	case t.Kind() == reflect.Bool:
		return segment{encode: encodeBoolKey, decode: decodeBoolKey, fixed: true}, nil
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		width := len(strconv.FormatUint(uint64(math.MaxInt64)>>(64-t.Bits()), 10))
		return segment{encode: encodeIntKey(width), decode: decodeIntKey(width), fixed: true}, nil
	case t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64:
		width := len(strconv.FormatUint(math.MaxUint64>>(64-t.Bits()), 10))
		return segment{encode: encodeUintKey(width), decode: decodeUintKey, fixed: true}, nil
	}
	return segment{}, fmt.Errorf("a %s cannot be part of a key", t)
}

// escapeKey keeps order and never contains the delimiter.
func escapeKey(s string) string {
	if !strings.Contains(s, delimiter) && !strings.Contains(s, escape) {
		return s
	}
	return strings.NewReplacer(escape, escape+"0", delimiter, escape+"1").Replace(s)
}

// unescapeKey undoes escapeKey. Text that escapeKey does not write is kept as it is: other programs write keys too.
func unescapeKey(s string) string {
	if !strings.Contains(s, escape) {
		return s
	}
	return strings.NewReplacer(escape+"0", escape, escape+"1", delimiter).Replace(s)
}

func encodeStringKey(rv reflect.Value) (string, error) {
	if rv.Len() == 0 {
		return "", errEmptyKey
	}
	if !utf8.ValidString(rv.String()) {
		return "", errKeyBytes
	}
	return escapeKey(rv.String()), nil
}

func decodeStringKey(text string, rv reflect.Value) error {
	rv.SetString(unescapeKey(text))
	return nil
}

func encodeTimeKey(rv reflect.Value) (string, error) {
	t := rv.Interface().(time.Time).UTC()
	if t.IsZero() {
		return "", errEmptyKey
	}
	if t.Year() < 0 || t.Year() > 9999 {
		return "", fmt.Errorf("the year %d does not fit into a key", t.Year())
	}
	return t.Format(timeLayout), nil
}

func decodeTimeKey(text string, rv reflect.Value) error {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return errors.New("the key does not hold a time")
	}
	*rv.Addr().Interface().(*time.Time) = t.UTC()
	return nil
}

func encodeBoolKey(rv reflect.Value) (string, error) { return strconv.FormatBool(rv.Bool()), nil }

func decodeBoolKey(text string, rv reflect.Value) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("the key does not hold a bool")
	}
	rv.SetBool(b)
	return nil
}

func encodeUintKey(width int) func(reflect.Value) (string, error) {
	return func(rv reflect.Value) (string, error) { return pad(rv.Uint(), width), nil }
}

func pad(n uint64, width int) string {
	text := strconv.FormatUint(n, 10)
	return strings.Repeat("0", max(0, width-len(text))) + text
}

func decodeUintKey(text string, rv reflect.Value) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || rv.OverflowUint(n) {
		return fmt.Errorf("the key does not hold a %s", rv.Type())
	}
	rv.SetUint(n)
	return nil
}

// encodeIntKey pads with zeros. A negative number has a minus, which sorts before digits, and its distance from the
// smallest number, so that -2 sorts before -1.
func encodeIntKey(width int) func(reflect.Value) (string, error) {
	return func(rv reflect.Value) (string, error) {
		n := rv.Int()
		if n >= 0 {
			return pad(uint64(n), width), nil
		}
		return "-" + pad(uint64(n-lowest(rv.Type())), width), nil
	}
}

func lowest(t reflect.Type) int64 { return math.MinInt64 >> (64 - t.Bits()) }

func decodeIntKey(width int) func(string, reflect.Value) error {
	return func(text string, rv reflect.Value) error {
		digits, negative := strings.CutPrefix(text, "-")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err == nil && negative && len(digits) == width {
			n += lowest(rv.Type())
		} else if negative {
			n = -n
		}
		if err != nil || rv.OverflowInt(n) {
			return fmt.Errorf("the key does not hold a %s", rv.Type())
		}
		rv.SetInt(n)
		return nil
	}
}
