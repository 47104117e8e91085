package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// Condition is a condition or a filter.
type Condition struct {
	b *bound
}

// ParseCondition reads a ConditionExpression.
func ParseCondition(text string, e *Env) (*Condition, error) {
	return parseCondition("ConditionExpression", text, e)
}

// ParseFilter reads a FilterExpression.
func ParseFilter(text string, e *Env) (*Condition, error) {
	return parseCondition("FilterExpression", text, e)
}

func parseCondition(parameter, text string, e *Env) (*Condition, error) {
	b, err := bind(parameter, text, grammarCondition, e)
	if err != nil {
		return nil, err
	}
	return &Condition{b}, nil
}

// Match tells whether the item meets the condition; a nil item has no
// attributes, and a nil condition is met by every item. The error is always
// nil: whatever can be wrong was found by parsing.
func (c *Condition) Match(item attr.Item) (bool, error) {
	return c == nil || c.b.match(c.b.root, item), nil
}

// Names gives the top-level attributes that the condition looks at, in the
// order of the text; some may come more than once.
func (c *Condition) Names() []string {
	if c == nil {
		return nil
	}
	names := make([]string, len(c.b.paths))
	for i, p := range c.b.paths {
		names[i] = p.Name()
	}
	return names
}

// Nested gives the top-level attributes within which the condition looks.
func (c *Condition) Nested() []string {
	if c == nil {
		return nil
	}
	return nested(c.b.paths)
}

// nested gives the first names of the paths that have more than one step.
func nested(paths []Path) []string {
	var names []string
	for _, p := range paths {
		if len(p) > 1 {
			names = append(names, p.Name())
		}
	}
	return names
}

func (b *bound) match(n *node, item attr.Item) bool {
	switch n.op {
	case opAnd:
		return b.match(n.args[0], item) && b.match(n.args[1], item)
	case opOr:
		return b.match(n.args[0], item) || b.match(n.args[1], item)
	case opNot:
		return !b.match(n.args[0], item)
	case opFunction:
		return b.test(n, item)
	default:
		return b.compare(n, item)
	}
}

// compare evaluates a comparison. An operand that the item does not have makes
// it false, except that it is not equal to anything.
func (b *bound) compare(n *node, item attr.Item) bool {
	left, ok := b.eval(n.args[0], item)
	if !ok {
		return n.op == opNotEqual
	}
	if n.op == opIn {
		for _, arg := range n.args[1:] {
			if right, ok := b.eval(arg, item); ok && attr.Equal(left, right) {
				return true
			}
		}
		return false
	}
	right, ok := b.eval(n.args[1], item)
	if !ok {
		return n.op == opNotEqual
	}
	switch n.op {
	case opEqual:
		return attr.Equal(left, right)
	case opNotEqual:
		return !attr.Equal(left, right)
	}
	order, ok := attr.Compare(left, right)
	if !ok {
		return false
	}
	switch n.op {
	case opLess:
		return order < 0
	case opLessEq:
		return order <= 0
	case opGreater:
		return order > 0
	case opGreaterEq:
		return order >= 0
	}
	high, _ := b.eval(n.args[2], item)
	below, ok := attr.Compare(left, high)
	return ok && order >= 0 && below <= 0
}

// test evaluates a function that is a condition.
func (b *bound) test(n *node, item attr.Item) bool {
	first, ok := b.eval(n.args[0], item)
	switch n.fn {
	case fnExists:
		return ok
	case fnNotExists:
		return !ok
	}
	second, ok2 := b.eval(n.args[1], item)
	if !ok || !ok2 {
		return false
	}
	switch n.fn {
	case fnType:
		return first.Kind().String() == second.Str()
	case fnBeginsWith:
		return first.Kind() == second.Kind() && (first.Kind() == attr.String || first.Kind() == attr.Binary) &&
			strings.HasPrefix(first.Str(), second.Str())
	default:
		return contains(first, second)
	}
}

func contains(in, what attr.Value) bool {
	switch in.Kind() {
	case attr.String, attr.Binary:
		return in.Kind() == what.Kind() && strings.Contains(in.Str(), what.Str())
	case attr.List:
		for _, e := range in.List() {
			if attr.Equal(e, what) {
				return true
			}
		}
		return false
	default:
		return in.Has(what)
	}
}

// eval gives the value of an operand of a condition, if it has one.
func (b *bound) eval(n *node, item attr.Item) (attr.Value, bool) {
	switch n.op {
	case opPath:
		return b.paths[n.slot].get(item)
	case opValue:
		return b.values[n.slot], true
	default: // size
		v, ok := b.eval(n.args[0], item)
		if !ok {
			return attr.Value{}, false
		}
		size, ok := sizeOf(v)
		if !ok {
			return attr.Value{}, false
		}
		return attr.N(num.FromInt(int64(size))), true
	}
}

// sizeOf counts what the function size does: UTF-16 units, bytes, or elements.
func sizeOf(v attr.Value) (int, bool) {
	switch v.Kind() {
	case attr.String:
		return utf16Length(v.Str()), true
	case attr.Binary:
		return len(v.Str()), true
	case attr.List:
		return len(v.List()), true
	case attr.Map:
		return len(v.Map()), true
	case attr.StringSet, attr.NumSet, attr.BinarySet:
		return len(v.Members()), true
	default:
		return 0, false
	}
}

func utf16Length(s string) int {
	n := utf8.RuneCountInString(s)
	for i := range len(s) {
		if s[i] >= 0xF0 { // begins a character that takes two units
			n++
		}
	}
	return n
}
