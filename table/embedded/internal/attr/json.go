package attr

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// AppendJSON appends what AppendItem wrote as DynamoDB's JSON: what the JSON of
// [DecodeSDK]'s values would be, without making them. After an error dst has a part of it.
func AppendJSON(dst, b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] != formatVersion {
		return dst, ErrCorrupt
	}
	d := jsonDecoder{reader: reader[[]byte]{rest: b[1:]}, dst: dst}
	d.members(0)
	if d.failed || len(d.rest) > 0 {
		return d.dst, ErrCorrupt
	}
	return d.dst, nil
}

// jsonDecoder appends what it reads to dst.
type jsonDecoder struct {
	reader[[]byte]
	dst []byte
}

func (d *jsonDecoder) members(depth int) {
	d.dst = append(d.dst, '{')
	var last []byte
	for i := range d.count() {
		name := d.text()
		if i > 0 {
			if string(name) <= string(last) {
				d.fail()
			}
			d.dst = append(d.dst, ',')
		}
		last = name
		d.dst = append(AppendString(d.dst, name), ':')
		if d.value(depth); d.failed {
			return
		}
	}
	d.dst = append(d.dst, '}')
}

// kindOpenings are what stands before a value of each kind.
var kindOpenings = func() (openings [len(kindNames)]string) {
	for i, name := range kindNames {
		openings[i] = `{"` + name + `":`
	}
	return openings
}()

func (d *jsonDecoder) value(depth int) {
	kind := Kind(d.byte())
	if depth > maxDecodeDepth || kind == 0 || kind > BinarySet {
		d.fail()
		return
	}
	d.dst = append(d.dst, kindOpenings[kind]...)
	switch kind {
	case Bool:
		d.truth()
	case Null:
		d.dst = append(d.dst, "true"...)
	case List:
		d.list(func() { d.value(depth + 1) })
	case Map:
		d.members(depth + 1)
	case StringSet, NumSet, BinarySet:
		d.set(kind - StringSet + String)
	default:
		d.scalar(kind)
	}
	d.dst = append(d.dst, '}')
}

func (d *jsonDecoder) truth() {
	switch d.byte() {
	case 0:
		d.dst = append(d.dst, "false"...)
	case 1:
		d.dst = append(d.dst, "true"...)
	default:
		d.fail()
	}
}

// scalar reads a string, a number or a binary, and gives its bytes in storage.
func (d *jsonDecoder) scalar(kind Kind) []byte {
	switch kind {
	case Num:
		key := d.number()
		n, _, _ := num.DecodeKey(key) // was checked by reading it; after a failure, 0
		d.dst = append(n.AppendText(append(d.dst, '"')), '"')
		return key
	case Binary:
		text := d.text()
		d.dst = append(base64.StdEncoding.AppendEncode(append(d.dst, '"'), text), '"')
		return text
	default:
		text := d.text()
		d.dst = AppendString(d.dst, text)
		return text
	}
}

func (d *jsonDecoder) list(element func()) {
	d.dst = append(d.dst, '[')
	for i := range d.count() {
		if i > 0 {
			d.dst = append(d.dst, ',')
		}
		if element(); d.failed {
			return
		}
	}
	d.dst = append(d.dst, ']')
}

// set reads members of a kind, at least one, in ascending order.
func (d *jsonDecoder) set(kind Kind) {
	var last []byte
	empty := true
	d.list(func() {
		this := d.scalar(kind)
		if !empty && string(this) <= string(last) {
			d.fail()
		}
		last, empty = this, false
	})
	if empty {
		d.fail()
	}
}

// AppendString appends a text as a JSON string, with the escapes that it needs. Bytes that are not UTF-8
// become U+FFFD, so that the result always is.
func AppendString[B ~string | ~[]byte](dst []byte, text B) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		if n := plain(text[i:]); n > 0 {
			i += n
			continue
		}
		c := text[i]
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)])); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = appendEscape(append(dst, text[start:i]...), c)
		i++
		start = i
	}
	return append(append(dst, text[start:]...), '"')
}

// plain counts the bytes at the start that stand for themselves in a JSON string, eight at a time: a byte that does
// not has its highest bit set in one of the four terms.
func plain[B ~string | ~[]byte](text B) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(text); n += 8 {
		b := text[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, slash := w^ones*'"', w^ones*'\\'
		if (w|(w-ones*' ')|(quote-ones)&^quote|(slash-ones)&^slash)&high != 0 {
			break
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	case c < ' ':
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	default:
		return utf8.AppendRune(dst, utf8.RuneError)
	}
}
