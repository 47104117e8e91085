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

// The members of enumerations in the order of DynamoDB's messages.
var (
	joins       = []types.ConditionalOperator{"OR", "AND"}
	comparisons = []types.ComparisonOperator{
		"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS",
	}
)

// older checks the legacy parameters that a query and a scan share.
func (v *violations) older(parameter string, filter map[string]types.Condition, join types.ConditionalOperator, names []string) {
	v.attributes("attributesToGet", names)
	v.compared(parameter, filter)
	oneOf(v, "conditionalOperator", join, joins)
}

// attributes checks an AttributesToGet.
func (v *violations) attributes(path string, names []string) {
	if names != nil && len(names) == 0 {
		v.add("[]", path, "Member must have length greater than or equal to 1")
	}
}

// compared checks the operators of the conditions in a parameter.
func (v *violations) compared(parameter string, conditions map[string]types.Condition) {
	for _, name := range sortedNames(conditions) {
		path, op := parameter+"."+name+".member.comparisonOperator", conditions[name].ComparisonOperator
		if op == "" {
			v.add(nil, path, notNull)
		}
		oneOf(v, path, op, comparisons)
	}
}

// joined checks a ConditionalOperator against the number of conditions.
func joined(op types.ConditionalOperator, conditions int) error {
	switch {
	case op != "" && conditions == 0:
		return validation("ConditionalOperator cannot be used without Filter or Expected")
	case op != "" && conditions == 1:
		return validation("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	return nil
}

// expected reads the legacy form of a write's condition; nil if there is none.
func expected(conditions map[string]types.ExpectedAttributeValue, op types.ConditionalOperator) (*expr.Condition, error) {
	var v violations
	for _, name := range sortedNames(conditions) {
		oneOf(&v, "expected."+name+".member.comparisonOperator", conditions[name].ComparisonOperator, comparisons)
	}
	if oneOf(&v, "conditionalOperator", op, joins); len(v) > 0 {
		return nil, v.err()
	}
	c, err := expr.FromExpected(conditions, op == types.ConditionalOperatorOr)
	if err != nil {
		return nil, invalid(err)
	}
	return c, joined(op, len(conditions))
}

// filtered reads the legacy form of a filter; nil if there is none.
func filtered(conditions map[string]types.Condition, op types.ConditionalOperator) (*expr.Condition, error) {
	c, err := expr.FromFilter(conditions, op == types.ConditionalOperatorOr)
	if err != nil {
		return nil, invalid(err)
	}
	return c, joined(op, len(conditions))
}

// updated reads the legacy form of what an update changes.
func updated(updates map[string]types.AttributeValueUpdate) (*expr.Update, error) {
	var v violations
	for _, name := range sortedNames(updates) {
		oneOf(&v, "attributeUpdates."+name+".member.action", updates[name].Action, []types.AttributeAction{"ADD", "DELETE", "PUT"})
	}
	if len(v) > 0 {
		return nil, v.err()
	}
	u, err := expr.FromUpdates(updates)
	return u, invalid(err)
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
