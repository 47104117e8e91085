package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// bound is a tree with the names and values of one request. Like the tree, it
// does not change once it is made.
type bound struct {
	*tree
	paths  []Path
	values []attr.Value
}

// bind parses the text, or finds its tree in the cache, and resolves and checks
// it against the request. parameter is the name that errors give.
func bind(parameter, text string, g grammar, e *Env) (*bound, error) {
	if e == nil {
		e = &Env{}
	}
	t, f := e.Cache.tree(text, g)
	if f != "" {
		return nil, invalid(parameter, f)
	}
	b := &binder{env: e, bound: bound{tree: t}}
	b.paths = slices.Grow(b.room.paths[:0], len(t.paths))[:len(t.paths)]
	b.values = slices.Grow(b.room.values[:0], len(t.values))[:len(t.values)]
	b.steps = slices.Grow(b.room.steps[:0], t.steps)
	if f := b.check(); f != "" {
		return nil, invalid(parameter, f)
	}
	if t.count > maxOperators {
		return nil, invalid(parameter, fault("The expression contains too many operators; operator count: "+strconv.Itoa(maxOperators+1)))
	}
	return &b.bound, nil
}

// binder fills in a bound tree.
type binder struct {
	bound
	env   *Env
	steps []Step   // for the paths with placeholders
	room  struct { // enough for most expressions, so that each takes one allocation
		paths  [3]Path
		values [3]attr.Value
		steps  [4]Step
	}
}

// check resolves and checks in DynamoDB's order: a condition from the inside
// out, the targets of an update or projection from the last to the first, each
// with how it overlaps those after it, then the right sides from the last to the first.
func (b *binder) check() fault {
	if b.root != nil {
		return b.operand(b.root)
	}
	for i, slot := range slices.Backward(b.targets) {
		if f := b.path(slot); f != "" {
			return f
		}
		if f := b.overlap(slot, b.targets[i+1:]); f != "" {
			return f
		}
	}
	for i := range slices.Backward(b.actions) {
		if f := b.action(&b.actions[i]); f != "" {
			return f
		}
	}
	return ""
}

func (b *binder) path(slot int) fault {
	raw := &b.tree.paths[slot]
	if len(raw.steps) > maxLevels {
		return fault("The document path has too many nesting levels; nesting levels: " + strconv.Itoa(len(raw.steps)))
	}
	b.paths[slot] = raw.steps
	if !raw.placeholders {
		return ""
	}
	start := len(b.steps)
	b.steps = append(b.steps, raw.steps...)
	steps := b.steps[start:len(b.steps):len(b.steps)]
	for i, s := range steps {
		if s.Index >= 0 || s.Name[0] != '#' {
			continue
		}
		name, ok := b.env.name(s.Name)
		if !ok {
			return fault("An expression attribute name used in the document path is not defined; attribute name: " + s.Name)
		}
		steps[i].Name = name
	}
	b.paths[slot] = steps
	return ""
}

func (b *binder) value(slot int) fault {
	v, ok := b.env.value(b.tree.values[slot])
	if !ok {
		return fault("An expression attribute value used in expression is not defined; attribute value: " + b.tree.values[slot])
	}
	b.values[slot] = v
	return ""
}

// overlap refuses a target that contains a later one or is within it, or that
// takes as a list what the later one takes as a map.
func (b *binder) overlap(slot int, later []int) fault {
	one := b.paths[slot]
	for _, other := range slices.Backward(later) {
		two := b.paths[other]
		if problem := collide(one, two); problem != "" {
			return fault("Two document paths " + problem + " with each other; must remove or rewrite one of these paths; path one: " +
				one.String() + ", path two: " + two.String())
		}
	}
	return ""
}

func collide(one, two Path) string {
	for i := range min(len(one), len(two)) {
		if one[i] == two[i] {
			continue
		}
		if (one[i].Index < 0) != (two[i].Index < 0) {
			return "conflict"
		}
		return ""
	}
	return "overlap"
}

func (b *binder) action(a *action) fault {
	if a.section == sectionSet {
		return b.operand(a.value)
	}
	if a.section == sectionRemove {
		return ""
	}
	if f := b.value(a.operand); f != "" {
		return f
	}
	kind := b.values[a.operand].Kind()
	if kind >= attr.StringSet || kind == attr.Num && a.section == sectionAdd {
		return ""
	}
	return fault("Incorrect operand type for operator or function; operator: " + a.section.String() + ", operand type: " +
		longName(kind) + ", typeSet: ALLOWED_FOR_" + a.section.String() + "_OPERAND")
}

// longName is a type's name in the message about ADD and DELETE.
func longName(k attr.Kind) string {
	return [...]string{
		"", "STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL", "LIST", "MAP", "STRING_SET", "NUMBER_SET", "BINARY_SET",
	}[k]
}

// operand resolves a node from the inside out and checks operand counts and types.
func (b *binder) operand(n *node) fault {
	switch n.op {
	case opPath:
		return b.path(n.slot)
	case opValue:
		return b.value(n.slot)
	}
	for _, arg := range n.args {
		if f := b.operand(arg); f != "" {
			return f
		}
	}
	if n.op == opFunction {
		return b.function(n)
	}
	return b.operator(n)
}

func (b *binder) operator(n *node) fault {
	switch n.op {
	case opEqual, opNotEqual:
		return b.distinct(n)
	case opLess, opLessEq, opGreater, opGreaterEq:
		if f := b.distinct(n); f != "" {
			return f
		}
		return b.types(n, orderedKinds)
	case opIn:
		if len(n.args) > maxIn+1 {
			return fault("The IN operator is provided with too many operands; number of operands: " + strconv.Itoa(len(n.args)-1))
		}
		return b.distinct(n)
	case opBetween:
		return b.between(n)
	case opPlus, opMinus:
		return b.types(n, kinds(attr.Num))
	default:
		return ""
	}
}

func (b *binder) between(n *node) fault {
	if f := b.types(n, orderedKinds); f != "" {
		return f
	}
	if f := b.distinct(n); f != "" {
		return f
	}
	if n.args[1].op != opValue || n.args[2].op != opValue {
		return ""
	}
	low, high := b.values[n.args[1].slot], b.values[n.args[2].slot]
	bounds := "; lower bound operand: " + shown(low) + ", upper bound operand: " + shown(high)
	order, ok := attr.Compare(low, high)
	switch {
	case !ok:
		return fault("The BETWEEN operator requires same data type for lower and upper bounds" + bounds)
	case order > 0:
		return fault("The BETWEEN operator requires upper bound to be greater than or equal to lower bound" + bounds)
	default:
		return ""
	}
}

// shown gives a scalar as the messages about BETWEEN do.
func shown(v attr.Value) string {
	return "AttributeValue: {" + v.Kind().String() + ":" + v.Text() + "}"
}

// distinct refuses a first operand that is the same path as another operand.
func (b *binder) distinct(n *node) fault {
	first := n.args[0]
	if first.op != opPath {
		return ""
	}
	for _, arg := range n.args[1:] {
		if arg.op == opPath && slices.Equal(b.paths[first.slot], b.paths[arg.slot]) {
			return fault("The first operand must be distinct from the remaining operands for this operator or function; operator: " +
				n.title() + ", first operand: " + b.paths[first.slot].String())
		}
	}
	return ""
}

// title is the name of the operator or function in messages.
func (n *node) title() string {
	if n.op == opFunction {
		return n.name
	}
	return n.op.String()
}

// kindSet is a set of types.
type kindSet uint16

func kinds(list ...attr.Kind) (s kindSet) {
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

const (
	orderedKinds kindSet = 1<<attr.String | 1<<attr.Num | 1<<attr.Binary
	textKinds    kindSet = 1<<attr.String | 1<<attr.Binary
	sizedKinds   kindSet = textKinds | 1<<attr.List | 1<<attr.Map | 1<<attr.StringSet | 1<<attr.NumSet | 1<<attr.BinarySet
)

// types refuses operands whose type is known and not in the set.
func (b *binder) types(n *node, allowed kindSet) fault {
	for _, arg := range n.args {
		kind := b.static(arg)
		if kind != 0 && allowed&(1<<kind) == 0 {
			return wrongType(n, kind.String())
		}
	}
	return ""
}

func wrongType(n *node, kind string) fault {
	return fault("Incorrect operand type for operator or function; operator or function: " + n.title() + ", operand type: " + kind)
}

// static gives the type that an operand is known to have, or 0.
func (b *binder) static(n *node) attr.Kind {
	switch {
	case n.op == opValue:
		return b.values[n.slot].Kind()
	case n.op == opFunction && n.fn == fnSize:
		return attr.Num
	default:
		return 0
	}
}

func (b *binder) function(n *node) fault {
	if len(n.args) != n.fn.operands() {
		return fault("Incorrect number of operands for operator or function; operator or function: " + n.name +
			", number of operands: " + strconv.Itoa(len(n.args)))
	}
	switch n.fn {
	case fnExists, fnNotExists, fnIfNotExists:
		if n.args[0].op != opPath {
			return fault("Operator or function requires a document path; operator or function: " + n.name)
		}
		return b.distinct(n)
	case fnSize:
		return b.types(n, sizedKinds)
	case fnListAppend:
		return b.types(n, kinds(attr.List))
	}
	if f := b.distinct(n); f != "" {
		return f
	}
	switch n.fn {
	case fnBeginsWith:
		return b.types(n, textKinds)
	case fnType:
		return b.typeName(n)
	default:
		return ""
	}
}

// typeNames are the types in the order in which a message of DynamoDB has them.
const typeNames = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"

// typeName checks the second operand of attribute_type.
func (b *binder) typeName(n *node) fault {
	kind := b.static(n.args[1])
	if kind == 0 {
		return wrongType(n, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
	}
	if kind != attr.String {
		return wrongType(n, kind.String())
	}
	name := b.values[n.args[1].slot].Str()
	if _, ok := attr.ParseKind(name); !ok || strings.Contains(name, ",") {
		return fault("Invalid attribute type name found; type: " + name + ", valid types: " + typeNames)
	}
	return ""
}
