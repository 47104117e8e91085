package expr

import (
	"maps"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// The older parameters compare single attributes with values and join the
// comparisons by one AND or OR. They are translated to the same trees as
// expressions; their names are attributes, never paths.

const wrongValues = "One or more parameter values were invalid: "

// FromFilter translates a QueryFilter or ScanFilter; or tells whether the
// ConditionalOperator is OR.
func FromFilter(filter map[string]types.Condition, or bool) (*Condition, error) {
	l := newLegacy()
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		c := filter[name]
		values, err := legacyValues(name, c.AttributeValueList)
		if err != nil {
			return nil, err
		}
		if err := l.add(name, string(c.ComparisonOperator), values); err != nil {
			return nil, err
		}
	}
	return l.condition(or), nil
}

// FromExpected translates an Expected; or tells whether the ConditionalOperator
// is OR.
func FromExpected(expected map[string]types.ExpectedAttributeValue, or bool) (*Condition, error) {
	l := newLegacy()
	names := slices.Sorted(maps.Keys(expected))
	for _, name := range names {
		x := expected[name]
		if problem := expectedProblem(&x); problem != "" {
			return nil, &Error{wrongValues + problem + " for Attribute: " + name}
		}
	}
	for _, name := range names {
		x := expected[name]
		list := x.AttributeValueList
		if x.Value != nil {
			list = []types.AttributeValue{x.Value}
		}
		values, err := legacyValues(name, list)
		if err != nil {
			return nil, err
		}
		operator := string(x.ComparisonOperator)
		switch {
		case operator != "":
		case x.Exists != nil && !*x.Exists:
			operator = "NULL"
		default:
			operator = "EQ"
		}
		if err := l.add(name, operator, values); err != nil {
			return nil, err
		}
	}
	return l.condition(or), nil
}

// expectedProblem tells which parts of an expectation do not go together.
func expectedProblem(x *types.ExpectedAttributeValue) string {
	operator := x.ComparisonOperator
	needsValue := operator != "" && operator != types.ComparisonOperatorNull && operator != types.ComparisonOperatorNotNull
	switch {
	case x.Value != nil && x.AttributeValueList != nil:
		return "Value and AttributeValueList cannot be used together"
	case operator != "" && x.Exists != nil:
		return "Exists and ComparisonOperator cannot be used together"
	case needsValue && x.Value == nil && x.AttributeValueList == nil:
		return "Value or AttributeValueList must be used with ComparisonOperator: " + string(operator)
	case operator != "":
		return ""
	case x.AttributeValueList != nil:
		return "AttributeValueList can only be used with a ComparisonOperator"
	case x.Exists == nil && x.Value == nil:
		return "Value must be provided when Exists is null"
	case x.Exists != nil && *x.Exists && x.Value == nil:
		return "Value must be provided when Exists is true"
	case x.Exists != nil && !*x.Exists && x.Value != nil:
		return "Value cannot be used when Exists is false"
	default:
		return ""
	}
}

// FromKeyConditions translates the KeyConditions of a Query; the terms come in
// the order of their names.
func FromKeyConditions(conditions map[string]types.Condition) (*KeyCondition, error) {
	k := &KeyCondition{}
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		c := conditions[name]
		values, err := legacyValues(name, c.AttributeValueList)
		if err != nil {
			return nil, err
		}
		if err := checkLegacy(string(c.ComparisonOperator), values); err != nil {
			return nil, err
		}
		op, ok := legacyKeyOp(c.ComparisonOperator)
		if !ok {
			return nil, &Error{"Attempted conditional constraint is not an indexable operation"}
		}
		k.Terms = append(k.Terms, KeyTerm{Name: name, Op: op, Values: values})
	}
	return k, nil
}

func legacyKeyOp(o types.ComparisonOperator) (KeyOp, bool) {
	switch o {
	case types.ComparisonOperatorEq:
		return KeyEqual, true
	case types.ComparisonOperatorLt:
		return KeyLess, true
	case types.ComparisonOperatorLe:
		return KeyLessEq, true
	case types.ComparisonOperatorGt:
		return KeyGreater, true
	case types.ComparisonOperatorGe:
		return KeyGreaterEq, true
	case types.ComparisonOperatorBetween:
		return KeyBetween, true
	case types.ComparisonOperatorBeginsWith:
		return KeyBeginsWith, true
	default:
		return 0, false
	}
}

// FromAttributesToGet translates an AttributesToGet.
func FromAttributesToGet(names []string) (*Projection, error) {
	paths := make([]Path, len(names))
	for i, name := range names {
		if err := attr.CheckName(name); err != nil {
			return nil, &Error{err.Error()}
		}
		if slices.Contains(names[:i], name) {
			return nil, &Error{wrongValues + "Duplicate value in attribute name: " + name}
		}
		paths[i] = Path{{Name: name, Index: -1}}
	}
	return newProjection(paths), nil
}

// legacyValues converts the values that an attribute is compared with, whose name it checks, too.
func legacyValues(name string, list []types.AttributeValue) ([]attr.Value, error) {
	if err := attr.CheckName(name); err != nil {
		return nil, &Error{err.Error()}
	}
	values := make([]attr.Value, len(list))
	for i, v := range list {
		var err error
		if values[i], err = attr.FromSDK(v); err != nil {
			return nil, &Error{err.Error()}
		}
	}
	return values, nil
}

// checkLegacy checks that the operator takes these values.
func checkLegacy(operator string, values []attr.Value) error {
	least, most, allowed, ok := legacyOperator(operator)
	switch {
	case !ok:
		return &Error{"Unsupported operator " + operator}
	case len(values) < least || len(values) > most:
		return &Error{wrongValues + "Invalid number of argument(s) for the " + operator + " ComparisonOperator"}
	}
	for _, v := range values {
		if v.Kind() != values[0].Kind() {
			return &Error{wrongValues + "AttributeValues inside AttributeValueList must be of same type"}
		}
	}
	for _, v := range values {
		if allowed&(1<<v.Kind()) == 0 {
			return &Error{wrongValues + "ComparisonOperator " + operator + " is not valid for " + v.Kind().String() + " AttributeValue type"}
		}
	}
	if operator == "BETWEEN" {
		if order, _ := attr.Compare(values[0], values[1]); order > 0 {
			return &Error{"The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"}
		}
	}
	return nil
}

// legacyOperator gives how many values an operator takes, and of which types.
func legacyOperator(operator string) (least, most int, allowed kindSet, ok bool) {
	const every, single kindSet = 1<<16 - 1, orderedKinds | 1<<attr.Bool | 1<<attr.Null
	switch operator {
	case "EQ", "NE":
		return 1, 1, every, true
	case "NULL", "NOT_NULL":
		return 0, 0, every, true
	case "LT", "LE", "GT", "GE":
		return 1, 1, orderedKinds, true
	case "BETWEEN":
		return 2, 2, orderedKinds, true
	case "IN":
		return 1, math.MaxInt, orderedKinds, true
	case "BEGINS_WITH":
		return 1, 1, textKinds, true
	case "CONTAINS", "NOT_CONTAINS":
		return 1, 1, single, true
	default:
		return 0, 0, 0, false
	}
}

// legacy collects comparisons into a condition.
type legacy struct {
	b     *bound
	terms []*node
}

func newLegacy() *legacy { return &legacy{b: &bound{tree: &tree{}}} }

// add adds the comparison of one attribute.
func (l *legacy) add(name, operator string, values []attr.Value) error {
	if err := checkLegacy(operator, values); err != nil {
		return err
	}
	args := []*node{{op: opPath, slot: len(l.b.paths)}}
	l.b.paths = append(l.b.paths, Path{{Name: name, Index: -1}})
	for _, v := range values {
		args = append(args, &node{op: opValue, slot: len(l.b.values)})
		l.b.values = append(l.b.values, v)
	}
	n := legacyNode(operator)
	n.args = args
	if operator == "NOT_CONTAINS" { // false for an attribute that is not there
		exists := &node{op: opFunction, fn: fnExists, args: args[:1]}
		n = &node{op: opAnd, args: []*node{exists, {op: opNot, args: []*node{n}}}}
	}
	l.terms = append(l.terms, n)
	return nil
}

func legacyNode(operator string) *node {
	switch operator {
	case "EQ":
		return &node{op: opEqual}
	case "NE":
		return &node{op: opNotEqual}
	case "LT":
		return &node{op: opLess}
	case "LE":
		return &node{op: opLessEq}
	case "GT":
		return &node{op: opGreater}
	case "GE":
		return &node{op: opGreaterEq}
	case "BETWEEN":
		return &node{op: opBetween}
	case "IN":
		return &node{op: opIn}
	case "NULL":
		return &node{op: opFunction, fn: fnNotExists}
	case "NOT_NULL":
		return &node{op: opFunction, fn: fnExists}
	case "BEGINS_WITH":
		return &node{op: opFunction, fn: fnBeginsWith}
	default:
		return &node{op: opFunction, fn: fnContains}
	}
}

// condition joins the comparisons. Without any it is nil, which every item matches.
func (l *legacy) condition(or bool) *Condition {
	if len(l.terms) == 0 {
		return nil
	}
	join := opAnd
	if or {
		join = opOr
	}
	root := l.terms[0]
	for _, t := range l.terms[1:] {
		root = &node{op: join, args: []*node{root, t}}
	}
	l.b.root = root
	return &Condition{l.b}
}

// FromUpdates translates an AttributeUpdates. It refuses a type mismatch with
// another text than an UpdateExpression does, and ADD also appends to a list.
func FromUpdates(updates map[string]types.AttributeValueUpdate) (*Update, error) {
	b := &bound{tree: &tree{}}
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		if err := attr.CheckName(name); err != nil {
			return nil, &Error{err.Error()}
		}
		one := updates[name]
		a, err := legacyAction(b, &one)
		if err != nil {
			return nil, err
		}
		a.target = len(b.paths)
		b.paths = append(b.paths, Path{{Name: name, Index: -1}})
		b.actions = append(b.actions, a)
	}
	u := newUpdate(b, b.actions)
	u.mismatch = "Type mismatch for attribute to update"
	return u, nil
}

func legacyAction(b *bound, u *types.AttributeValueUpdate) (action, error) {
	if u.Value == nil {
		if u.Action != types.AttributeActionDelete {
			return action{}, &Error{wrongValues + "Only DELETE action is allowed when no attribute value is specified"}
		}
		return action{section: sectionRemove}, nil
	}
	v, err := attr.FromSDK(u.Value)
	if err != nil {
		return action{}, &Error{err.Error()}
	}
	slot := len(b.values)
	b.values = append(b.values, v)
	set := v.Kind() >= attr.StringSet
	switch {
	case u.Action == types.AttributeActionPut || u.Action == "":
		return action{section: sectionSet, value: &node{op: opValue, slot: slot}}, nil
	case u.Action == types.AttributeActionAdd:
		if !set && v.Kind() != attr.Num && v.Kind() != attr.List {
			return action{}, &Error{wrongValues + "ADD action is not supported for the type " + longName(v.Kind())}
		}
		return action{section: sectionAdd, operand: slot}, nil
	default:
		if !set {
			return action{}, &Error{wrongValues + "DELETE action with value is not supported for the type " + longName(v.Kind())}
		}
		return action{section: sectionDelete, operand: slot}, nil
	}
}
