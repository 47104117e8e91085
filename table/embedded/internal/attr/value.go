// Package attr holds DynamoDB's attribute values in a compact form of its own.
//
// Start from [Value] and [FromSDK]. A Value is immutable by convention and
// shared freely: whoever changes a list or map works on a copy. Values are
// normalised (numbers by value, sets sorted), so equality is cheap; the storage
// codec is deterministic and carries a version; key bytes sort as the values do.
package attr

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// Kind is one of DynamoDB's data types. The zero Kind is no type. The numbers
// are part of the storage format.
type Kind uint8

// The data types.
const (
	String Kind = iota + 1
	Num
	Binary
	Bool
	Null
	List
	Map
	StringSet
	NumSet
	BinarySet
)

var kindNames = [...]string{"", "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}

// String gives DynamoDB's name of the type: "S", "N", "B", "BOOL", "NULL", "L",
// "M", "SS", "NS" or "BS".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// ParseKind gives the type of a name such as "S" or "BOOL".
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[1:], name)
	return Kind(i + 1), i >= 0
}

// Error is a refusal in DynamoDB's words; it is the text of a
// ValidationException.
type Error string

func (e Error) Error() string { return string(e) }

// Value is an attribute value. The zero Value is none: its Kind is 0.
type Value struct {
	kind  Kind
	truth bool
	text  string // S: the text; B: the bytes; N: the number's key bytes
	ref   any    // L: []Value; M: map[string]Value; sets: sorted []string, of numbers their key bytes
}

// Item is a row: attribute values by name.
type Item = map[string]Value

// S gives a string value.
func S(s string) Value { return Value{kind: String, text: s} }

// N gives a number value.
func N(n num.Number) Value {
	var buf [24]byte
	return Value{kind: Num, text: string(num.AppendKey(buf[:0], n))}
}

// B gives a binary value; it copies b.
func B(b []byte) Value { return Value{kind: Binary, text: string(b)} }

// BOOL gives a boolean value.
func BOOL(b bool) Value { return Value{kind: Bool, truth: b} }

// NULL gives the null value.
func NULL() Value { return Value{kind: Null} }

// L gives a list; it keeps elements.
func L(elements []Value) Value { return Value{kind: List, ref: elements} }

// M gives a map; it keeps members.
func M(members map[string]Value) Value { return Value{kind: Map, ref: members} }

// Set gives a set of the given kind with the members that [Value.Members] of
// another set of that kind gave; it sorts and keeps members. An empty or
// repeated member list is the caller's fault and is not checked.
func Set(kind Kind, members []string) Value {
	slices.Sort(members)
	return Value{kind: kind, ref: members}
}

// SS gives a string set, or DynamoDB's refusal of an empty one or a duplicate.
// Since May 2020 a member may be empty.
func SS(members []string) (Value, error) {
	if len(members) == 0 {
		return Value{}, Error(invalid + "An string set  may not be empty")
	}
	sorted := slices.Clone(members)
	if duplicates(sorted) {
		return Value{}, Error(invalid + "Input collection [" + strings.Join(members, ", ") + "] contains duplicates.")
	}
	return Value{kind: StringSet, ref: sorted}, nil
}

// NS gives a number set, or DynamoDB's refusal of an empty one or a duplicate.
func NS(members []num.Number) (Value, error) {
	if len(members) == 0 {
		return Value{}, Error(invalid + "An number set  may not be empty")
	}
	keys := make([]string, len(members))
	var buf [24]byte
	for i, n := range members {
		keys[i] = string(num.AppendKey(buf[:0], n))
	}
	if duplicates(keys) {
		return Value{}, Error("Input collection contains duplicates")
	}
	return Value{kind: NumSet, ref: keys}, nil
}

// BS gives a binary set, or DynamoDB's refusal of an empty one or a duplicate.
// Since May 2020 a member may be empty.
func BS(members [][]byte) (Value, error) {
	if len(members) == 0 {
		return Value{}, Error(invalid + "Binary sets should not be empty")
	}
	texts := make([]string, len(members))
	for i, b := range members {
		texts[i] = string(b)
	}
	if duplicates(texts) {
		shown := make([]string, len(members))
		for i, b := range members {
			shown[i] = base64.StdEncoding.EncodeToString(b)
		}
		return Value{}, Error(invalid + "Input collection [" + strings.Join(shown, ", ") + "]of type BS contains duplicates.")
	}
	return Value{kind: BinarySet, ref: texts}, nil
}

const invalid = "One or more parameter values were invalid: "

// duplicates sorts the members and tells whether two are equal.
func duplicates(members []string) bool {
	slices.Sort(members)
	for i := 1; i < len(members); i++ {
		if members[i] == members[i-1] {
			return true
		}
	}
	return false
}

// Kind gives the type; 0 for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// IsScalar tells whether the value may be a key: S, N or B.
func (v Value) IsScalar() bool { return v.kind >= String && v.kind <= Binary }

// Str gives the text of an S, or the bytes of a B without copying them.
func (v Value) Str() string {
	if v.kind == String || v.kind == Binary {
		return v.text
	}
	return ""
}

// Num gives the number of an N, and 0 for anything else.
func (v Value) Num() num.Number {
	if v.kind != Num {
		return num.Number{}
	}
	n, _, _ := num.DecodeKey(v.text) // was checked when the value was made
	return n
}

// Bytes gives a copy of the bytes of a B.
func (v Value) Bytes() []byte {
	if v.kind != Binary {
		return nil
	}
	return []byte(v.text)
}

// Bool gives the truth of a BOOL.
func (v Value) Bool() bool { return v.truth }

// List gives the elements of an L; they must not be changed.
func (v Value) List() []Value {
	l, _ := v.ref.([]Value)
	return l
}

// Map gives the members of an M; they must not be changed.
func (v Value) Map() map[string]Value {
	m, _ := v.ref.(map[string]Value)
	return m
}

// Members gives the members of a set in order: the texts of an SS, the bytes of
// a BS, and opaque texts that sort as the numbers for an NS. They must not be changed.
func (v Value) Members() []string {
	m, _ := v.ref.([]string)
	return m
}

// Nums gives the members of an NS in ascending order.
func (v Value) Nums() []num.Number {
	if v.kind != NumSet {
		return nil
	}
	numbers := make([]num.Number, len(v.Members()))
	for i, m := range v.Members() {
		numbers[i], _, _ = num.DecodeKey(m)
	}
	return numbers
}

// Has tells whether a set has the S, N or B as a member.
func (v Value) Has(member Value) bool {
	if v.kind < StringSet || member.kind+StringSet-String != v.kind {
		return false
	}
	_, found := slices.BinarySearch(v.Members(), member.text)
	return found
}
