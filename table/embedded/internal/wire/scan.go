package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document. 32 levels of attribute values are
// 64 of JSON; somewhat more is left to the backend, which has the right error
// for it.
const maxDepth = 1000

// decoder reads one JSON document. Strings without escapes share the memory
// of the document.
type decoder struct {
	src   string
	pos   int
	depth int
	// invalid is the first fault that DynamoDB reports only once the whole
	// document could be read.
	invalid string
}

// kind is the type of a scalar; its text is the one of DynamoDB's errors.
type kind string

const (
	stringKind  kind = "STRING_VALUE"
	numberKind  kind = "NUMBER_VALUE"
	decimalKind kind = "DECIMAL_VALUE"
	trueKind    kind = "TRUE_VALUE"
	falseKind   kind = "FALSE_VALUE"
	nullKind    kind = "NULL_VALUE"
)

const notExpected = "Start of structure or map found where not expected"

// syntaxError is a document that is not JSON.
type syntaxError struct{ offset int }

func (e *syntaxError) Error() string {
	return "wire: malformed JSON at byte " + strconv.Itoa(e.offset)
}

// typeError is a JSON value of a type that the member does not have.
type typeError struct{ message string }

func (e *typeError) Error() string { return "wire: " + e.message }

func (d *decoder) malformed() error { return &syntaxError{offset: d.pos} }

// peek skips white space and returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return d.malformed()
	}
	d.pos++
	return nil
}

func (d *decoder) leave() {
	d.depth--
	d.pos++
}

// object calls member for each member of the object that starts here.
func (d *decoder) object(member func(name string) error) error {
	if err := d.enter(); err != nil {
		return err
	}
	if d.peek() == '}' {
		d.leave()
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.malformed()
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.malformed()
		}
		d.pos++
		if err := member(name); err != nil {
			return err
		}
		done, err := d.separator('}')
		if done || err != nil {
			return err
		}
	}
}

// array calls element for each element of the array that starts here.
func (d *decoder) array(element func() error) error {
	if err := d.enter(); err != nil {
		return err
	}
	if d.peek() == ']' {
		d.leave()
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		done, err := d.separator(']')
		if done || err != nil {
			return err
		}
	}
}

func (d *decoder) separator(end byte) (done bool, err error) {
	switch d.peek() {
	case ',':
		d.pos++
		return false, nil
	case end:
		d.leave()
		return true, nil
	default:
		return false, d.malformed()
	}
}

// skip reads any value and drops it.
func (d *decoder) skip() error {
	switch d.peek() {
	case '{':
		return d.object(func(string) error { return d.skip() })
	case '[':
		return d.array(d.skip)
	default:
		_, _, err := d.scalar()
		return err
	}
}

// end reports whether nothing but white space follows.
func (d *decoder) end() error {
	if d.peek(); d.pos < len(d.src) {
		return d.malformed()
	}
	return nil
}

// scalar reads a string, number or literal; the text of a number is returned
// as it was written.
func (d *decoder) scalar() (kind, string, error) {
	switch c := d.peek(); c {
	case '"':
		s, err := d.str()
		return stringKind, s, err
	case 't':
		return trueKind, "", d.literal("true")
	case 'f':
		return falseKind, "", d.literal("false")
	case 'n':
		return nullKind, "", d.literal("null")
	default:
		return d.number()
	}
}

func (d *decoder) literal(word string) error {
	if !strings.HasPrefix(d.src[d.pos:], word) {
		return d.malformed()
	}
	d.pos += len(word)
	return nil
}

func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.src) && d.src[d.pos]-'0' <= 9 {
		d.pos++
	}
	return d.pos > start
}

func (d *decoder) at(chars string) bool {
	return d.pos < len(d.src) && strings.IndexByte(chars, d.src[d.pos]) >= 0
}

func (d *decoder) number() (kind, string, error) {
	start, k := d.pos, numberKind
	if d.at("-") {
		d.pos++
	}
	first, zero := d.pos, d.at("0")
	if !d.digits() || zero && d.pos-first > 1 {
		return k, "", d.malformed()
	}
	if d.at(".") {
		k = decimalKind
		if d.pos++; !d.digits() {
			return k, "", d.malformed()
		}
	}
	if d.at("eE") {
		k = decimalKind
		if d.pos++; d.at("+-") {
			d.pos++
		}
		if !d.digits() {
			return k, "", d.malformed()
		}
	}
	return k, d.src[start:d.pos], nil
}

// str reads the string that starts here.
func (d *decoder) str() (string, error) {
	d.pos++
	start := d.pos
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.pos = i + 1
			return d.src[start:i], nil
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			d.pos = i
			return "", d.malformed()
		}
	}
	d.pos = len(d.src)
	return "", d.malformed()
}

// escaped reads on from the first escape of a string.
func (d *decoder) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, i-start+64), d.src[start:i]...)
	for d.pos = i; d.pos < len(d.src); {
		switch c := d.src[d.pos]; {
		case c == '"':
			d.pos++
			return string(out), nil
		case c < ' ':
			return "", d.malformed()
		case c != '\\':
			out = append(out, c)
			d.pos++
		default:
			var err error
			if out, err = d.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", d.malformed()
}

func (d *decoder) escape(out []byte) ([]byte, error) {
	if d.pos+1 >= len(d.src) {
		return nil, d.malformed()
	}
	c := d.src[d.pos+1]
	if c == 'u' {
		return d.unicode(out)
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	at := strings.IndexByte(from, c)
	if at < 0 {
		return nil, d.malformed()
	}
	d.pos += 2
	return append(out, to[at]), nil
}

// unicode reads a \u escape, or two that are a surrogate pair.
func (d *decoder) unicode(out []byte) ([]byte, error) {
	r, err := d.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		mark := d.pos
		low := rune(utf8.RuneError)
		if strings.HasPrefix(d.src[d.pos:], `\u`) {
			if low, err = d.hex4(); err != nil {
				return nil, err
			}
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			d.pos = mark
		}
	}
	return utf8.AppendRune(out, r), nil
}

func (d *decoder) hex4() (rune, error) {
	if d.pos+6 > len(d.src) {
		return 0, d.malformed()
	}
	n, err := strconv.ParseUint(d.src[d.pos+2:d.pos+6], 16, 16)
	if err != nil {
		return 0, d.malformed()
	}
	d.pos += 6
	return rune(n), nil
}

// blob decodes base64 as strictly as DynamoDB: padded, without line breaks.
func blob(text string) ([]byte, error) {
	if len(text)%4 != 0 {
		return nil, &typeError{fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(text))}
	}
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return nil, &typeError{fmt.Sprintf("Invalid base 64 character: '%c'", text[i])}
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if at, ok := errors.AsType[base64.CorruptInputError](err); ok {
		return nil, &typeError{badBase64(text, int(at))}
	}
	return data, nil
}

func badBase64(text string, at int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
	if at < len(text) && strings.IndexByte(alphabet, text[at]) < 0 {
		return fmt.Sprintf("Invalid base 64 character: '%c'", text[at])
	}
	return "Invalid last non-pad Base64 character dectected"
}
