package engine

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// keyConditions reads the legacy form of a key condition.
func keyConditions(conditions map[string]types.Condition) (*expr.KeyCondition, error) {
	if len(conditions) < 1 || len(conditions) > 2 {
		return nil, validation("Conditions can be of length 1 or 2 only")
	}
	ops := map[types.ComparisonOperator]expr.KeyOp{
		types.ComparisonOperatorEq: expr.KeyEqual, types.ComparisonOperatorLt: expr.KeyLess,
		types.ComparisonOperatorLe: expr.KeyLessEq, types.ComparisonOperatorGt: expr.KeyGreater,
		types.ComparisonOperatorGe: expr.KeyGreaterEq, types.ComparisonOperatorBetween: expr.KeyBetween,
		types.ComparisonOperatorBeginsWith: expr.KeyBeginsWith,
	}
	k := &expr.KeyCondition{}
	for _, name := range sortedNames(conditions) {
		c := conditions[name]
		term := expr.KeyTerm{Name: name, Op: ops[c.ComparisonOperator]}
		want := 1
		if term.Op == expr.KeyBetween {
			want = 2
		}
		if term.Op == 0 {
			return nil, validation("Attempted conditional constraint is not an indexable operation")
		}
		if len(c.AttributeValueList) != want {
			return nil, invalidParameter("Invalid number of argument(s) for the %s ComparisonOperator", c.ComparisonOperator)
		}
		for _, v := range c.AttributeValueList {
			value, err := attr.FromSDK(v)
			if err != nil {
				return nil, err
			}
			term.Values = append(term.Values, value)
		}
		k.Terms = append(k.Terms, term)
	}
	return k, nil
}
