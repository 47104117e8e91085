package attr

import (
	"slices"
	"strings"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// Equal tells whether two values are of one type and equal, at any depth.
// Numbers are compared by value and sets without regard to order. Nothing is
// equal to the zero Value.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case String, Num, Binary:
		return a.text == b.text
	case Bool:
		return a.truth == b.truth
	case Null:
		return true
	case List:
		return slices.EqualFunc(a.List(), b.List(), Equal)
	case Map:
		return EqualItems(a.Map(), b.Map())
	case StringSet, NumSet, BinarySet:
		return slices.Equal(a.Members(), b.Members())
	default:
		return false
	}
}

// EqualItems tells whether two items have the same attributes.
func EqualItems(a, b Item) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if w, ok := b[name]; !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

// Compare orders two values of one type: S and B by their bytes, N by value.
// It is false for other types, and for values of two types.
func Compare(a, b Value) (int, bool) {
	if a.kind != b.kind || !a.IsScalar() {
		return 0, false
	}
	return strings.Compare(a.text, b.text), true
}

// The bytes that DynamoDB counts for a list or map, and for each element.
const (
	sizeOfDocument = 3
	sizeOfElement  = 1
)

// Size gives the bytes that DynamoDB counts for the value, without its name.
func (v Value) Size() int {
	switch v.kind {
	case String, Binary:
		return len(v.text)
	case Num:
		return v.Num().Size()
	case Bool, Null:
		return 1
	case List:
		size := sizeOfDocument
		for _, e := range v.List() {
			size += sizeOfElement + e.Size()
		}
		return size
	case Map:
		return sizeOfDocument + sizeOfElement*len(v.Map()) + ItemSize(v.Map())
	case StringSet, BinarySet:
		size := 0
		for _, m := range v.Members() {
			size += len(m)
		}
		return size
	case NumSet:
		size := 0
		for _, m := range v.Members() {
			n, _, _ := num.DecodeKey(m)
			size += n.Size()
		}
		return size
	default:
		return 0
	}
}

// ItemSize gives the bytes that DynamoDB counts for an item: names and values.
func ItemSize(item Item) int {
	size := 0
	for name, v := range item {
		size += len(name) + v.Size()
	}
	return size
}

// Depth gives the number of lists and maps within one another; 0 for the other types.
func (v Value) Depth() int {
	depth := 0
	switch v.kind {
	case List:
		for _, e := range v.List() {
			depth = max(depth, e.Depth())
		}
	case Map:
		for _, e := range v.Map() {
			depth = max(depth, e.Depth())
		}
	default:
		return 0
	}
	return depth + 1
}
