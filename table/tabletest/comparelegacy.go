package tabletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// legacy makes a request with the parameters of before expressions.
func (g *generator) legacy() request {
	switch g.IntN(5) {
	case 0:
		return g.legacyUpdate()
	case 1:
		return g.legacyDelete()
	case 2:
		return g.legacyScan()
	case 3:
		return g.legacyQuery()
	default:
		return g.legacyPut()
	}
}

// comparison makes an operator and values that it mostly takes.
func (g *generator) comparison() types.Condition {
	op := pick(g, types.ComparisonOperator("").Values()...)
	n := 1
	switch {
	case g.chance(60):
		n = g.IntN(3)
	case op == types.ComparisonOperatorNull || op == types.ComparisonOperatorNotNull:
		n = 0
	case op == types.ComparisonOperatorBetween:
		n = 2
	case op == types.ComparisonOperatorIn:
		n = 1 + g.IntN(3)
	}
	c := types.Condition{ComparisonOperator: op}
	kind := pick(g, "S", "N", "B")
	if op == types.ComparisonOperatorBeginsWith {
		kind = "S"
	}
	for range n {
		v := g.scalar(kind)
		if op == types.ComparisonOperatorEq || op == types.ComparisonOperatorNe || g.chance(60) {
			v = g.value(2)
		}
		c.AttributeValueList = append(c.AttributeValueList, value(v))
	}
	if n == 2 && op == types.ComparisonOperatorBetween && show(c.AttributeValueList[0]) > show(c.AttributeValueList[1]) && !g.chance(10) {
		slices.Reverse(c.AttributeValueList)
	}
	return c
}

// comparisons are of up to three attributes.
func (g *generator) comparisons() (map[string]types.Condition, types.ConditionalOperator) {
	all := map[string]types.Condition{}
	for range 1 + g.IntN(3) {
		all[newExpressions(g).plainName()] = g.comparison()
	}
	if len(all) == 1 && !g.chance(20) {
		return all, ""
	}
	return all, pick(g, "", types.ConditionalOperatorAnd, types.ConditionalOperatorOr)
}

// plainName is an attribute's name without placeholder.
func (x *expressions) plainName() string { return strings.TrimPrefix(x.name(), "#") }

func (g *generator) expected() (map[string]expected, types.ConditionalOperator) {
	conditions, join := g.comparisons()
	all := map[string]expected{}
	for name, c := range conditions {
		x := expected{ComparisonOperator: c.ComparisonOperator, AttributeValueList: c.AttributeValueList}
		switch g.IntN(8) {
		case 0:
			x = expected{Exists: new(false)}
		case 1:
			x = expected{Value: value(g.value(1))}
		case 2:
			x = expected{Value: value(g.value(1)), Exists: new(!g.chance(10))}
		}
		all[name] = x
	}
	return all, join
}

// parts prints a map by its names.
func parts[V any](m map[string]V, text func(V) string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+" "+text(m[name]))
	}
	return strings.Join(all, ", ")
}

func showCondition(c types.Condition) string {
	return string(c.ComparisonOperator) + join(c.AttributeValueList, showValue)
}

func showExpected(x expected) string {
	text := string(x.ComparisonOperator) + join(x.AttributeValueList, showValue)
	if x.Exists != nil {
		text += fmt.Sprint(" exists ", *x.Exists)
	}
	if x.Value != nil {
		text += " is " + showValue(x.Value)
	}
	return text
}

func (g *generator) legacyPut() request {
	in := dynamodb.PutItemInput{Item: row(g.item()), ReturnValues: pick(g, "", types.ReturnValueAllOld), ReturnValuesOnConditionCheckFailure: g.onFailure()}
	in.Expected, in.ConditionalOperator = g.expected()
	return request{
		fmt.Sprintf("Put legacy %s expected %s %s", show(in.Item), parts(in.Expected, showExpected), in.ConditionalOperator),
		runPut(in),
	}
}

func (g *generator) legacyDelete() request {
	in := dynamodb.DeleteItemInput{Key: row(g.key()), ReturnValues: pick(g, "", types.ReturnValueAllOld), ReturnValuesOnConditionCheckFailure: g.onFailure()}
	in.Expected, in.ConditionalOperator = g.expected()
	return request{
		fmt.Sprintf("Erase legacy %s expected %s %s", show(in.Key), parts(in.Expected, showExpected), in.ConditionalOperator),
		func(e Endpoint, c *check, table string) string {
			in := in
			in.TableName = &table
			out, err := e.DynamoDB.DeleteItem(c.ctx, &in)
			if err != nil {
				return failure(err)
			}
			return "ok " + show(out.Attributes) // no capacity: DynamoDB Local tells it unasked
		},
	}
}

// legacyUpdate always sets something, as what only deletes creates no item: see onlyRemoves.
func (g *generator) legacyUpdate() request {
	updates := map[string]updated{"c": {Value: value(g.value(1))}}
	for range g.IntN(4) {
		u := updated{Action: pick(g, "", types.AttributeActionPut, types.AttributeActionAdd, types.AttributeActionDelete)}
		switch {
		case u.Action == types.AttributeActionDelete && g.chance(2):
		case u.Action == types.AttributeActionAdd || u.Action == types.AttributeActionDelete:
			u.Value = value(pick[any](g, num("1"), pick(g, limits...), ss{"a", "c"}, ns{"1"}, list{"x"}, g.value(1)))
		default:
			u.Value = value(g.value(2))
		}
		updates[pick(g, "a", "b", "d", "e")] = u
	}
	in := dynamodb.UpdateItemInput{
		Key: row(g.key()), AttributeUpdates: updates,
		ReturnValues: pick(g, "", types.ReturnValueAllOld, types.ReturnValueAllNew, types.ReturnValueUpdatedOld, types.ReturnValueUpdatedNew),
	}
	if g.chance(3) {
		in.Expected, in.ConditionalOperator = g.expected()
	}
	action := func(u updated) string { return string(u.Action) + " " + showOr(u.Value) }
	return request{
		fmt.Sprintf("Update legacy %s %s expected %s %s, return %s", show(in.Key), parts(updates, action),
			parts(in.Expected, showExpected), in.ConditionalOperator, in.ReturnValues),
		runUpdate(in),
	}
}

func showOr(v types.AttributeValue) string {
	if v == nil {
		return "-"
	}
	return showValue(v)
}

func (g *generator) legacyScan() request {
	in := dynamodb.ScanInput{}
	in.ScanFilter, in.ConditionalOperator = g.comparisons()
	if g.chance(3) {
		in.AttributesToGet = []string{"a", pick(g, "d", "pk", "none")}
	}
	return request{
		fmt.Sprintf("Scan legacy filter %s %s get %v", parts(in.ScanFilter, showCondition), in.ConditionalOperator, in.AttributesToGet),
		func(e Endpoint, c *check, table string) string {
			in := in
			in.TableName = &table
			var r pagesRead
			if failed := scanEach(e, c, in, &r); failed != "" {
				return failed
			}
			return r.text(true)
		},
	}
}

func (g *generator) legacyQuery() request {
	keys := g.tableKeys()
	in := dynamodb.QueryInput{ScanIndexForward: new(g.chance(2)), KeyConditions: map[string]types.Condition{
		keys[0]: {ComparisonOperator: types.ComparisonOperatorEq, AttributeValueList: []types.AttributeValue{value(g.scalar(g.kinds[keys[0]]))}},
	}}
	if len(keys) > 1 && g.chance(2) {
		c := g.comparison()
		for i := range c.AttributeValueList {
			c.AttributeValueList[i] = value(g.scalar(g.kinds[keys[1]]))
		}
		in.KeyConditions[keys[1]] = c
	}
	if g.chance(2) {
		in.QueryFilter, in.ConditionalOperator = g.comparisons()
	}
	if g.chance(3) {
		in.AttributesToGet = []string{"b", pick(g, "e", "pk")}
	}
	return request{
		fmt.Sprintf("Query legacy %s filter %s %s get %v forward %v", parts(in.KeyConditions, showCondition),
			parts(in.QueryFilter, showCondition), in.ConditionalOperator, in.AttributesToGet, *in.ScanIndexForward),
		func(e Endpoint, c *check, table string) string { return queryAll(e, c, in, table, false) },
	}
}
