package table

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Cond is a condition on a field: part of a query's key, a filter, or what must hold for a write. Make one with Eq and its like.
type Cond struct {
	op     condOp
	field  any
	values []any
	parts  []Cond
}

type condOp uint8

const (
	opNone condOp = iota
	opEq
	opNe
	opGt
	opGte
	opLt
	opLte
	opBetween
	opBeginsWith
	opContains
	opIn
	opExists
	opOr
	opNot
)

// comparator is the operator's sign, for those that have one.
func (o condOp) comparator() string {
	return [...]string{opEq: "=", opNe: "<>", opGt: ">", opGte: ">=", opLt: "<", opLte: "<=", opNot: ""}[o]
}

// Eq holds where the field equals the value.
func Eq[F any](field *F, value F) Cond { return Cond{op: opEq, field: field, values: []any{value}} }

// Ne holds where the field does not equal the value, or is absent.
func Ne[F any](field *F, value F) Cond { return Cond{op: opNe, field: field, values: []any{value}} }

// Gt holds where the field is greater than the value.
func Gt[F any](field *F, value F) Cond { return Cond{op: opGt, field: field, values: []any{value}} }

// Gte holds where the field is not less than the value.
func Gte[F any](field *F, value F) Cond { return Cond{op: opGte, field: field, values: []any{value}} }

// Lt holds where the field is less than the value.
func Lt[F any](field *F, value F) Cond { return Cond{op: opLt, field: field, values: []any{value}} }

// Lte holds where the field is not greater than the value.
func Lte[F any](field *F, value F) Cond { return Cond{op: opLte, field: field, values: []any{value}} }

// Between holds where low <= field <= high.
func Between[F any](field *F, low, high F) Cond {
	return Cond{op: opBetween, field: field, values: []any{low, high}}
}

// BeginsWith holds where the field starts with the prefix.
func BeginsWith[F ~string](field *F, prefix F) Cond {
	return Cond{op: opBeginsWith, field: field, values: []any{prefix}}
}

// Contains holds where a list or a set has the element.
func Contains[F any](field *[]F, element F) Cond {
	return Cond{op: opContains, field: field, values: []any{[]F{element}}}
}

// In holds where the field equals one of 1 to 100 values.
func In[F any](field *F, values ...F) Cond {
	c := Cond{op: opIn, field: field}
	for _, v := range values {
		c.values = append(c.values, v)
	}
	return c
}

// Exists holds where the attribute is there. Empty strings and nil pointers are stored as no attribute.
func Exists[F any](field *F) Cond { return Cond{op: opExists, field: field} }

// Or holds where c or one of the others does.
func (c Cond) Or(others ...Cond) Cond { return Cond{op: opOr, parts: append([]Cond{c}, others...)} }

// Not holds where c does not.
func (c Cond) Not() Cond { return Cond{op: opNot, parts: []Cond{c}} }

// builder writes expressions with generated placeholders: never from names, which may have any character.
type builder struct {
	model  *model
	names  map[string]string
	values Item
	prefix string // keeps its placeholders apart from slots
	named  map[string]string
}

func (b *builder) name(attr string) string {
	if alias, ok := b.named[attr]; ok {
		return alias
	}
	if b.named == nil {
		b.named = map[string]string{}
	}
	alias := "#" + b.prefix + strconv.Itoa(len(b.named))
	b.named[attr] = alias
	b.names[alias] = attr
	return alias
}

func (b *builder) value(av types.AttributeValue) string {
	n := 0
	for {
		alias := ":" + b.prefix + strconv.Itoa(n)
		if _, taken := b.values[alias]; !taken {
			b.values[alias] = av
			return alias
		}
		n++
	}
}

// all joins conditions with AND.
func (b *builder) all(conds []Cond) (string, error) { return b.join(conds, " AND ") }

func (b *builder) join(conds []Cond, with string) (string, error) {
	texts := make([]string, len(conds))
	for i, c := range conds {
		text, err := b.cond(c)
		if err != nil {
			return "", err
		}
		texts[i] = text
	}
	return strings.Join(texts, with), nil
}

func (b *builder) cond(c Cond) (string, error) {
	switch {
	case c.op == opNone:
		return "", invalid("a Cond is empty: make it with Eq and its like")
	case c.op == opOr:
		text, err := b.join(c.parts, " OR ")
		return "(" + text + ")", err
	case c.op == opNot:
		text, err := b.cond(c.parts[0])
		return "NOT (" + text + ")", err
	}
	h, err := b.model.find(c.field)
	if err != nil {
		return "", err
	}
	if err := h.refuseSealed(); err != nil && c.op != opExists {
		return "", err
	}
	if h.place != inAttribute {
		return "", invalid("field %s is part of the key: it can be a condition of the query itself, not a filter, and not a condition of a write, which names its row", h.goPath)
	}
	return b.comparison(c, h)
}

func (b *builder) comparison(c Cond, h *handle) (string, error) {
	name := b.path(h)
	var values []string
	for _, v := range c.values {
		av, err := encodeOperand(c, h, v)
		if err != nil {
			return "", err
		}
		if av == nil {
			return absent(c, h, name)
		}
		if c.op >= opGt && c.op <= opBetween && !ordered(av) {
			return "", invalid("field %s: values of type %s have no order: compare them with Eq or Ne", h.goPath, kindOf(av))
		}
		values = append(values, b.value(av))
	}
	switch c.op {
	case opExists:
		return "attribute_exists(" + name + ")", nil
	case opBetween:
		if turned(b.values[values[0]], b.values[values[1]]) {
			return "", invalid("field %s: Between needs the low value first", h.goPath)
		}
		return name + " BETWEEN " + values[0] + " AND " + values[1], nil
	case opBeginsWith:
		return "begins_with(" + name + ", " + values[0] + ")", nil
	case opContains:
		return "contains(" + name + ", " + values[0] + ")", nil
	case opIn:
		if len(values) == 0 || len(values) > maxIn {
			return "", invalid("In takes 1 to %d values, and %d were given", maxIn, len(values))
		}
		return name + " IN (" + strings.Join(values, ", ") + ")", nil
	}
	return name + " " + c.op.comparator() + " " + values[0], nil
}

// ordered says whether DynamoDB compares values of the type.
func ordered(av types.AttributeValue) bool {
	switch av.(type) {
	case *types.AttributeValueMemberS, *types.AttributeValueMemberN, *types.AttributeValueMemberB:
		return true
	}
	return false
}

// turned says that DynamoDB would refuse the bounds of a range, which it does without a name.
func turned(low, high types.AttributeValue) bool {
	switch low := low.(type) {
	case *types.AttributeValueMemberS:
		return low.Value > textOf(high)
	case *types.AttributeValueMemberB:
		high, ok := high.(*types.AttributeValueMemberB)
		return ok && bytes.Compare(low.Value, high.Value) > 0
	case *types.AttributeValueMemberN:
		high, ok := high.(*types.AttributeValueMemberN)
		if !ok {
			return false
		}
		from, _ := strconv.ParseFloat(low.Value, 64) // what is too close to tell is DynamoDB's to judge
		to, _ := strconv.ParseFloat(high.Value, 64)
		return from > to
	}
	return false
}

// maxIn is DynamoDB's limit.
const maxIn = 100

func encodeOperand(c Cond, h *handle, v any) (types.AttributeValue, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() { // a nil interface
		return nil, nil
	}
	av, err := h.field.encode(rv)
	if err != nil {
		return nil, invalid("field %s: %w", h.goPath, err)
	}
	if c.op == opContains {
		return element(av), nil
	}
	return av, nil
}

// element is the one element of an encoded list or set.
func element(av types.AttributeValue) types.AttributeValue {
	switch av := av.(type) {
	case *types.AttributeValueMemberL:
		return av.Value[0]
	case *types.AttributeValueMemberSS:
		return &types.AttributeValueMemberS{Value: av.Value[0]}
	case *types.AttributeValueMemberNS:
		return &types.AttributeValueMemberN{Value: av.Value[0]}
	case *types.AttributeValueMemberBS:
		return &types.AttributeValueMemberB{Value: av.Value[0]}
	}
	return av
}

// absent compares with a value that is stored as no attribute.
func absent(c Cond, h *handle, name string) (string, error) {
	switch c.op {
	case opEq:
		return "attribute_not_exists(" + name + ")", nil
	case opNe:
		return "attribute_exists(" + name + ")", nil
	}
	return "", invalid("field %s: an empty value is stored as no attribute: compare it with Eq or Ne", h.goPath)
}
