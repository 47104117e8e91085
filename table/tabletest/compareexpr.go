package tabletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expressions makes the expressions of one request, and their placeholders.
type expressions struct {
	g      *generator
	names  map[string]string
	values map[string]types.AttributeValue
}

func newExpressions(g *generator) *expressions { return &expressions{g: g} }

// String prints the placeholders.
func (x *expressions) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(x.names)) {
		parts = append(parts, name+"="+x.names[name])
	}
	for _, name := range slices.Sorted(maps.Keys(x.values)) {
		parts = append(parts, name+"="+show(x.values[name]))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (x *expressions) literal(v any) string {
	if x.values == nil {
		x.values = map[string]types.AttributeValue{}
	}
	name := fmt.Sprint(":v", len(x.values))
	x.values[name] = value(v)
	if x.g.chance(300) {
		return ":undefined"
	}
	return name
}

// name is an attribute's, sometimes by way of a placeholder.
func (x *expressions) name() string {
	name := pick(x.g, pool...)
	switch {
	case x.g.chance(8):
		name = pick(x.g, keyPool...)
	case x.g.chance(20):
		name = pick(x.g, "pk", "sk")
	case x.g.chance(200):
		return pick(x.g, "status", "name", "#undefined", "_a")
	}
	if x.g.chance(4) {
		if x.names == nil {
			x.names = map[string]string{}
		}
		x.names["#"+name] = name
		return "#" + name
	}
	return name
}

func (x *expressions) path() string {
	if x.g.chance(5) { // one that items have
		return pick(x.g, "d", "d[0]", "d[1]", "d[2].a", "d[2].b", "d[2].b[0]", "e", "e.a", "e.b", "e.b[0]", "e.b[1]", "e.c.a", "e.c.b")
	}
	path := x.name()
	for x.g.chance(3) {
		if x.g.chance(2) {
			path += fmt.Sprintf("[%d]", x.g.IntN(4))
		} else {
			path += "." + x.name()
		}
	}
	return path
}

func (x *expressions) operand() string {
	switch n := x.g.IntN(20); {
	case n < 9:
		return x.path()
	case n < 18:
		return x.literal(x.g.value(1))
	case x.g.chance(4):
		return "(" + x.operand() + ")"
	default:
		return "size(" + pick(x.g, x.path(), x.path(), x.literal(x.g.value(1))) + ")"
	}
}

// condition makes one of at most so many levels. Most of its comparisons have a
// path on the left, as DynamoDB asks for different operands.
func (x *expressions) condition(depth int) string {
	if depth > 0 {
		switch x.g.IntN(6) {
		case 0:
			return x.condition(depth-1) + " AND " + x.condition(depth-1)
		case 1:
			return x.condition(depth-1) + " OR " + x.condition(depth-1)
		case 2:
			return "NOT " + x.condition(depth-1)
		case 3:
			return "(" + x.condition(depth-1) + " OR " + x.condition(depth-1) + ") AND " + x.test()
		}
	}
	return x.test()
}

func (x *expressions) test() string {
	g := x.g
	switch g.IntN(11) {
	case 0:
		return "attribute_exists(" + x.path() + ")"
	case 1:
		return "attribute_not_exists(" + x.path() + ")"
	case 2:
		kind := pick[any](g, "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "X")
		return "attribute_type(" + x.operand() + ", " + x.literal(kind) + ")"
	case 3:
		return "begins_with(" + x.operand() + ", " + pick(g, x.path(), x.literal(pick[any](g, "a", "ab", "", []byte("a"), num("1")))) + ")"
	case 4:
		return "contains(" + x.operand() + ", " + x.operand() + ")"
	case 5:
		low, high := x.operand(), x.operand()
		return x.path() + " BETWEEN " + low + " AND " + high
	case 6:
		var all []string
		for range 1 + g.IntN(5) {
			all = append(all, x.operand())
		}
		return x.operand() + " IN (" + strings.Join(all, ", ") + ")"
	default:
		return x.operand() + " " + pick(g, "=", "<>", "<", "<=", ">", ">=") + " " + x.operand()
	}
}

func (x *expressions) projection() string {
	var all []string
	for range 1 + x.g.IntN(3) {
		all = append(all, x.path())
	}
	return strings.Join(all, ", ")
}

func (x *expressions) update() string {
	clauses := map[string]func() string{
		"SET": x.set, "REMOVE": x.path,
		"ADD": func() string {
			return x.path() + " " + x.literal(pick[any](x.g, num("1"), num("-2.5"), ns{"1"}, ss{"a", "c"}, bs{{0}}, num("10000000000000000000000000000000000000")))
		},
		"DELETE": func() string {
			return x.path() + " " + x.literal(pick[any](x.g, ns{"1"}, ss{"a", "c"}, ss{"a", "b"}, bs{{0}}))
		},
	}
	words := []string{"SET", "REMOVE", "ADD", "DELETE"}
	var parts []string
	for n, i := range x.g.Perm(4)[:1+x.g.IntN(4)] {
		word := words[i]
		if n == 0 && x.g.chance(2) || x.g.chance(60) {
			word = "SET"
		}
		var all []string
		for range 1 + x.g.IntN(3) {
			all = append(all, clauses[word]())
		}
		parts = append(parts, word+" "+strings.Join(all, ", "))
	}
	return strings.Join(parts, " ")
}

func (x *expressions) set() string {
	g := x.g
	path := x.path()
	if g.chance(3) {
		if name := pick(g, keyPool...); g.chance(2) {
			return name + " = " + x.literal(g.scalar(g.kinds[name]))
		}
	}
	plus := pick(g, " + ", " - ")
	number := func() string {
		return x.literal(pick[any](g, num("1"), num("2.5"), num("-3"), num("100000000000000000000"), pick(g, limits...), "no number"))
	}
	switch g.IntN(10) {
	case 0:
		return path + " = " + path + plus + number()
	case 1:
		return path + " = " + x.path() + plus + number()
	case 2:
		return path + " = if_not_exists(" + x.path() + ", " + x.literal(num("0")) + ")" + plus + number()
	case 3:
		return path + " = if_not_exists(" + x.path() + ", " + x.operandOfSet() + ")"
	case 4:
		return path + " = list_append(" + x.operandOfSet() + ", " + x.literal(list{num("1"), "a"}) + ")"
	case 5:
		return path + " = " + x.path()
	case 6:
		return path + " = if_not_exists(" + x.path() + ", if_not_exists(" + x.path() + ", " + x.operandOfSet() + "))"
	case 7:
		return path + " = " + pick(g, "(", "") + x.path() + plus + x.path() + pick(g, ")", "")
	default:
		return path + " = " + x.literal(g.value(2))
	}
}

func (x *expressions) operandOfSet() string {
	switch x.g.IntN(6) {
	case 0, 1, 2:
		return x.path()
	case 3:
		return "if_not_exists(" + x.path() + ", " + x.literal(list{}) + ")"
	default:
		return x.literal(x.g.value(1))
	}
}

// keyCondition finds a partition, and sometimes a range of it.
func (x *expressions) keyCondition(keys []string) string {
	g := x.g
	text := keys[0] + " = " + x.literal(g.scalar(g.kinds[keys[0]]))
	if len(keys) == 1 || g.chance(3) {
		return text
	}
	name, kind := keys[1], g.kinds[keys[1]]
	switch g.IntN(4) {
	case 0:
		low, high := x.literal(g.scalar(kind)), x.literal(g.scalar(kind))
		return text + " AND " + name + " BETWEEN " + low + " AND " + high
	case 1:
		return text + " AND begins_with(" + name + ", " + x.literal(g.scalar(kind)) + ")"
	default:
		return name + pick(g, " = ", " < ", " <= ", " > ", " >= ") + x.literal(g.scalar(kind)) + " AND " + text
	}
}
