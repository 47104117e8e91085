package engine

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// given is a parameter's name, and whether a request has it.
type given struct {
	name string
	here bool
}

// unmixed refuses requests that use parameters of before and after expressions.
func unmixed(older, newer []given) error {
	o, n := present(older), present(newer)
	if len(o) == 0 || len(n) == 0 {
		return nil
	}
	return validation("Can not use both expression and non-expression parameters in the same request: "+
		"Non-expression parameters: {%s} Expression parameters: {%s}", strings.Join(o, ", "), strings.Join(n, ", "))
}

func present(all []given) []string {
	var names []string
	for _, g := range all {
		if g.here {
			names = append(names, g.name)
		}
	}
	return names
}

// joined checks a ConditionalOperator; it reports whether that is OR.
func joined(op types.ConditionalOperator, conditions int) (or bool, err error) {
	var v violations
	oneOf(&v, "conditionalOperator", op, op.Values())
	switch {
	case len(v) > 0:
		return false, v.err()
	case op == "":
		return false, nil
	case conditions == 0:
		return false, validation("ConditionalOperator cannot be used without Filter or Expected")
	case conditions == 1:
		return false, validation("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	return op == types.ConditionalOperatorOr, nil
}

// expected reads the legacy form of a write's condition; nil if there is none.
func expected(conditions map[string]types.ExpectedAttributeValue, op types.ConditionalOperator) (*expr.Condition, error) {
	or, err := joined(op, len(conditions))
	if err != nil || len(conditions) == 0 {
		return nil, err
	}
	c, err := expr.FromExpected(conditions, or)
	return c, invalid(err)
}

// filtered reads the legacy form of a filter; nil if there is none.
func filtered(conditions map[string]types.Condition, op types.ConditionalOperator) (*expr.Condition, error) {
	or, err := joined(op, len(conditions))
	if err != nil || len(conditions) == 0 {
		return nil, err
	}
	c, err := expr.FromFilter(conditions, or)
	return c, invalid(err)
}

// selected reads the projection of a read in either form; nil if there is none.
func (e *Engine) selected(older []string, text *string, names map[string]string) (*expr.Projection, error) {
	err := unmixed([]given{{"AttributesToGet", older != nil}}, []given{{"ProjectionExpression", text != nil}})
	if err != nil {
		return nil, err
	}
	if older == nil {
		return e.projection(text, names)
	}
	if _, err := e.projection(nil, names); err != nil {
		return nil, err
	}
	p, err := expr.FromAttributesToGet(older)
	return p, invalid(err)
}

// guard reads the condition of a write in either form; nil if there is none.
func (e *Engine) guard(text *string, names map[string]string, values map[string]types.AttributeValue,
	older map[string]types.ExpectedAttributeValue, op types.ConditionalOperator,
) (*expr.Condition, error) {
	err := unmixed([]given{{"Expected", older != nil}, {"ConditionalOperator", op != ""}},
		[]given{{"ConditionExpression", text != nil}})
	if err != nil {
		return nil, err
	}
	if older == nil && op == "" {
		return e.condition(text, names, values)
	}
	if _, err := e.condition(nil, names, values); err != nil {
		return nil, err
	}
	return expected(older, op)
}
