package attr

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// formatVersion is the first byte of an encoded item.
const formatVersion = 1

// maxDecodeDepth bounds the decoder's recursion; items are never deeper.
const maxDecodeDepth = 2 * MaxDepth

// ErrCorrupt tells that bytes are not an item of a format that this version reads.
var ErrCorrupt = errors.New("attr: not an encoded item")

// AppendItem appends the item's storage form: a version byte, then the
// attributes in the order of their names. Equal items have equal bytes.
func AppendItem(dst []byte, item Item) []byte {
	return appendMap(append(dst, formatVersion), item)
}

func appendMap(dst []byte, m map[string]Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	var room [32]string
	names := slices.AppendSeq(room[:0], maps.Keys(m))
	slices.Sort(names)
	for _, name := range names {
		dst = appendValue(appendText(dst, name), m[name])
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func appendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case String, Binary:
		return appendText(dst, v.text)
	case Num:
		return append(dst, v.text...)
	case Bool:
		if v.truth {
			return append(dst, 1)
		}
		return append(dst, 0)
	case List:
		dst = binary.AppendUvarint(dst, uint64(len(v.List())))
		for _, e := range v.List() {
			dst = appendValue(dst, e)
		}
	case Map:
		return appendMap(dst, v.Map())
	case StringSet, BinarySet:
		dst = binary.AppendUvarint(dst, uint64(len(v.Members())))
		for _, m := range v.Members() {
			dst = appendText(dst, m)
		}
	case NumSet:
		dst = binary.AppendUvarint(dst, uint64(len(v.Members())))
		for _, m := range v.Members() {
			dst = append(dst, m...)
		}
	}
	return dst
}

// DecodeItem reads what AppendItem wrote. It copies b once; the values share
// that copy. Anything else is refused with ErrCorrupt.
func DecodeItem(b []byte) (Item, error) {
	if len(b) == 0 || b[0] != formatVersion {
		return nil, ErrCorrupt
	}
	d := decoder{reader[string]{rest: string(b[1:])}}
	item := d.members(0)
	if d.failed || d.rest != "" {
		return nil, ErrCorrupt
	}
	return item, nil
}

// reader reads from the front of rest; after a failure everything it gives is zero.
type reader[B ~string | ~[]byte] struct {
	rest   B
	failed bool
}

func (d *reader[B]) fail() {
	d.failed = true
	d.rest = d.rest[:0]
}

func (d *reader[B]) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// count reads a number of things of at least one byte each, so that a wrong
// one cannot ask for more memory than the bytes that are left.
func (d *reader[B]) count() int {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		b := d.byte()
		n |= uint64(b&0x7F) << shift
		if b >= 0x80 {
			continue
		}
		if b == 0 && shift > 0 || n > uint64(len(d.rest)) {
			break
		}
		return int(n)
	}
	d.fail()
	return 0
}

func (d *reader[B]) text() B {
	n := d.count()
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}

// number reads the key bytes of a number.
func (d *reader[B]) number() B {
	start := d.rest
	_, rest, err := num.DecodeKey(start)
	if err != nil {
		d.fail()
		return d.rest
	}
	d.rest = rest
	return start[:len(start)-len(rest)]
}

// decoder makes values of what it reads.
type decoder struct{ reader[string] }

func (d *decoder) value(depth int) Value {
	if depth > maxDecodeDepth {
		d.fail()
		return Value{}
	}
	switch kind := Kind(d.byte()); kind {
	case String, Binary:
		return Value{kind: kind, text: d.text()}
	case Num:
		return Value{kind: kind, text: d.number()}
	case Bool:
		b := d.byte()
		if b > 1 {
			d.fail()
		}
		return BOOL(b == 1)
	case Null:
		return NULL()
	case List:
		return L(d.elements(depth + 1))
	case Map:
		return M(d.members(depth + 1))
	case StringSet, BinarySet:
		return d.set(kind, (*decoder).text)
	case NumSet:
		return d.set(kind, (*decoder).number)
	default:
		d.fail()
		return Value{}
	}
}

func (d *decoder) elements(depth int) []Value {
	elements := make([]Value, d.count())
	for i := range elements {
		if elements[i] = d.value(depth); d.failed {
			return nil
		}
	}
	return elements
}

func (d *decoder) members(depth int) map[string]Value {
	n := d.count()
	m := make(map[string]Value, n)
	last := ""
	for i := range n {
		name := d.text()
		if i > 0 && name <= last {
			d.fail()
		}
		last = name
		m[name] = d.value(depth)
		if d.failed {
			return nil
		}
	}
	return m
}

func (d *decoder) set(kind Kind, member func(*decoder) string) Value {
	members := make([]string, d.count())
	for i := range members {
		members[i] = member(d)
		if i > 0 && members[i] <= members[i-1] {
			d.fail()
		}
		if d.failed {
			return Value{}
		}
	}
	if len(members) == 0 {
		d.fail()
	}
	return Value{kind: kind, ref: members}
}
