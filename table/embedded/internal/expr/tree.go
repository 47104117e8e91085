package expr

import (
	"strconv"
	"strings"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// tree is a parsed text, before its names and values are known. It never
// changes after parsing, so that one tree serves every request with that text.
type tree struct {
	root    *node    // a condition
	actions []action // an update
	targets []int    // slots of the paths that an update or projection is about
	steps   int      // the steps of all paths with placeholders
	paths   []rawPath
	values  []string // the :values, one for each use
	count   int      // operators and functions
}

// action is one change of an update.
type action struct {
	section section
	first   bool  // of its section
	target  int   // slot of a path
	value   *node // SET: an operand or a sum
	operand int   // ADD, DELETE: slot of a value
}

type section uint8

const (
	sectionSet section = iota
	sectionRemove
	sectionAdd
	sectionDelete
)

func (s section) String() string {
	return [...]string{"SET", "REMOVE", "ADD", "DELETE"}[s]
}

// node is an operator, a function or an operand.
type node struct {
	op    op
	paren bool // stands in parentheses of its own
	slot  int  // opPath, opValue: the slot
	name  string
	fn    function
	args  []*node
}

type op uint8

const (
	opPath op = iota
	opValue
	opFunction
	opEqual
	opNotEqual
	opLess
	opLessEq
	opGreater
	opGreaterEq
	opBetween
	opIn
	opAnd
	opOr
	opNot
	opPlus
	opMinus
)

func (o op) String() string {
	return [...]string{
		"", "", "", "=", "<>", "<", "<=", ">", ">=", "BETWEEN", "IN", "AND", "OR", "NOT", "+", "-",
	}[o]
}

// isCondition tells whether the node can only be a condition, as against an
// operand, or a function, which may be either.
func (n *node) isCondition() bool { return n.op >= opEqual && n.op <= opNot }

type function uint8

const (
	fnUnknown function = iota
	fnExists
	fnNotExists
	fnType
	fnBeginsWith
	fnContains
	fnSize
	fnIfNotExists
	fnListAppend
)

func functionNamed(name string) function {
	switch name {
	case "attribute_exists":
		return fnExists
	case "attribute_not_exists":
		return fnNotExists
	case "attribute_type":
		return fnType
	case "begins_with":
		return fnBeginsWith
	case "contains":
		return fnContains
	case "size":
		return fnSize
	case "if_not_exists":
		return fnIfNotExists
	case "list_append":
		return fnListAppend
	default:
		return fnUnknown
	}
}

// operands gives the number of operands that the function takes.
func (f function) operands() int {
	switch f {
	case fnExists, fnNotExists, fnSize:
		return 1
	default:
		return 2
	}
}

// Step is one step of a path: into a map by name, or into a list by index.
type Step struct {
	Name  string // "" for a list's element
	Index int    // -1 for a name
}

// Path is a document path: the name of an attribute, and steps into its value.
type Path []Step

// Name gives the attribute that the path begins with.
func (p Path) Name() string { return p[0].Name }

// String gives the path as DynamoDB's messages show it: [a, b, [0]].
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.Index < 0 {
			b.WriteString(s.Name)
		} else {
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		}
	}
	b.WriteByte(']')
	return b.String()
}

// get gives the value at the path, if there is one.
func (p Path) get(item attr.Item) (attr.Value, bool) {
	v, ok := item[p[0].Name]
	for _, s := range p[1:] {
		if !ok {
			return attr.Value{}, false
		}
		if s.Index < 0 {
			v, ok = v.Map()[s.Name]
			continue
		}
		list := v.List()
		if s.Index >= len(list) {
			return attr.Value{}, false
		}
		v = list[s.Index]
	}
	return v, ok
}

// rawPath is a path as it was written: names may be placeholders.
type rawPath struct {
	steps        Path
	placeholders bool   // a name begins with #
	index        string // the text of an index that is out of range
}
