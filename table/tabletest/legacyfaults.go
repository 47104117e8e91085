package tabletest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type (
	expected = types.ExpectedAttributeValue
	updated  = types.AttributeValueUpdate
)

const (
	wrongParameter = "One or more parameter values were invalid: "
	oneConstraint  = "1 validation error detected: "
	noOperator     = "Value 'LIKE' at '%.member.comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: " +
		"[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
)

// badExpected are conditions of a write on the attribute n, which is 5.
func badExpected() []struct {
	name string
	x    expected
	text string
} {
	five, list := value(5), []types.AttributeValue{value(5)}
	yes, no := new(true), new(false)
	return []struct {
		name string
		x    expected
		text string
	}{
		{"nothing", expected{}, wrongParameter + "Value must be provided when Exists is null for Attribute: n"},
		{"Exists_without_value", expected{Exists: yes}, wrongParameter + "Value must be provided when Exists is true for Attribute: n"},
		{"a_value_that_must_not_exist", expected{Value: five, Exists: no}, wrongParameter + "Value cannot be used when Exists is false for Attribute: n"},
		{"two_forms_of_values", expected{Value: five, AttributeValueList: list}, wrongParameter + "Value and AttributeValueList cannot be used together for Attribute: n"},
		{"a_list_without_operator", expected{AttributeValueList: list}, wrongParameter + "AttributeValueList can only be used with a ComparisonOperator for Attribute: n"},
		{"Exists_with_an_operator", expected{Exists: yes, Value: five, ComparisonOperator: "EQ"}, wrongParameter + "Exists and ComparisonOperator cannot be used together for Attribute: n"},
		{
			"an_operator_without_value",
			expected{ComparisonOperator: "EQ"},
			wrongParameter + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: n",
		},
		{"too_few_values", expected{Value: five, ComparisonOperator: "BETWEEN"}, wrongParameter + "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
		{"a_value_that_NULL_does_not_take", expected{Value: five, ComparisonOperator: "NULL"}, wrongParameter + "Invalid number of argument(s) for the NULL ComparisonOperator"},
		{"an_unknown_operator", expected{Value: five, ComparisonOperator: "LIKE"}, oneConstraint + strings.ReplaceAll(noOperator, "%", "expected.n")},
	}
}

// badFilters are conditions of a read on the attribute n.
func badFilters() []legacyFilter {
	return []legacyFilter{
		{name: "too_many_values", op: "EQ", operands: list{1, 2}, text: wrongParameter + "Invalid number of argument(s) for the EQ ComparisonOperator"},
		{name: "values_of_two_types", op: "BETWEEN", operands: list{1, "a"}, text: wrongParameter + "AttributeValues inside AttributeValueList must be of same type"},
		{name: "bounds_in_the_wrong_order", op: "BETWEEN", operands: list{2, 1}, text: "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
		{name: "order_of_a_set", op: "LT", operands: list{ss{"a"}}, text: wrongParameter + "ComparisonOperator LT is not valid for SS AttributeValue type"},
		{name: "a_prefix_that_is_a_number", op: "BEGINS_WITH", operands: list{1}, text: wrongParameter + "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
		{name: "IN_of_lists", op: "IN", operands: list{list{1}}, text: wrongParameter + "ComparisonOperator IN is not valid for L AttributeValue type"},
		{name: "CONTAINS_of_a_map", op: "CONTAINS", operands: list{item{}}, text: wrongParameter + "ComparisonOperator CONTAINS is not valid for M AttributeValue type"},
		{name: "an_unknown_operator", op: "LIKE", operands: list{1}, text: oneConstraint + strings.ReplaceAll(noOperator, "%", "scanFilter.n")},
	}
}

// badUpdated are legacy updates of the attribute n, which is 5.
func badUpdated() []struct {
	name string
	u    updated
	text string
} {
	return []struct {
		name string
		u    updated
		text string
	}{
		{"PUT_without_value", updated{Action: "PUT"}, wrongParameter + "Only DELETE action is allowed when no attribute value is specified"},
		{"ADD_of_a_string", updated{Action: "ADD", Value: value("x")}, wrongParameter + "ADD action is not supported for the type STRING"},
		{"DELETE_of_a_number", updated{Action: "DELETE", Value: value(5)}, wrongParameter + "DELETE action with value is not supported for the type NUMBER"},
		{"ADD_of_another_type", updated{Action: "ADD", Value: value(ss{"a"})}, "Type mismatch for attribute to update"},
		{"DELETE_of_another_type", updated{Action: "DELETE", Value: value(ss{"a"})}, "Type mismatch for attribute to update"},
		{"a_sum_that_overflows", updated{Action: "ADD", Value: value(num("1e125"))}, "Number overflow"},
		{
			"an_unknown_action",
			updated{Action: "DROP", Value: value(5)},
			oneConstraint + "Value 'DROP' at 'attributeUpdates.n.member.action' failed to satisfy constraint: Member must satisfy enum value set: [ADD, DELETE, PUT]",
		},
	}
}

func legacyFaultRules() []rule {
	var rules []rule
	for _, b := range badExpected() {
		rules = append(rules, rule{"legacy/Expected/refuses_" + b.name, func(c *check) {
			c.refusesPut(b.text, func(in *dynamodb.PutItemInput) { in.Expected = map[string]expected{"n": b.x} })
		}})
	}
	for _, f := range badFilters() {
		rules = append(rules, rule{"legacy/ScanFilter/refuses_" + f.name, func(c *check) {
			table := c.create("pk:S")
			_, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{
				TableName: &table, ScanFilter: map[string]types.Condition{"n": {ComparisonOperator: f.op, AttributeValueList: f.values()}},
			})
			c.invalid(err, f.text)
		}})
	}
	for _, b := range badUpdated() {
		rules = append(rules, rule{"legacy/AttributeUpdates/refuses_" + b.name, func(c *check) {
			table := c.create("pk:S")
			c.put(table, item{"pk": "a", "n": num("9e125")})
			c.invalid(c.tryUpdates(table, map[string]updated{"n": b.u}), b.text)
			c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": num("9" + zeros(125))})
		}})
	}
	return append(rules,
		rule{"legacy/ConditionalOperator/refuses_less_than_two_conditions", fewConditions},
		rule{"legacy/AttributesToGet/refuses_none_and_one_twice", badAttributes},
		rule{"legacy/refuses_names_that_are_empty_or_too_long", legacyNames},
		rule{"legacy/KeyConditions/refuses_none_and_more_than_the_key_has", countKeyConditions},
		rule{"legacy/KeyConditions/refuses_what_no_index_answers", notIndexable})
}

// refusesPut asks for a refusal of what edit does to a put, with nothing written.
func (c *check) refusesPut(text string, edit func(*dynamodb.PutItemInput)) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 5})
	_, err := c.tryPut(table, item{"pk": "a"}, edit)
	c.invalid(err, text)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 5})
}

func fewConditions(c *check) {
	join := func(conditions map[string]expected) func(*dynamodb.PutItemInput) {
		return func(in *dynamodb.PutItemInput) {
			in.ConditionalOperator, in.Expected = types.ConditionalOperatorOr, conditions
		}
	}
	c.refusesPut("ConditionalOperator cannot be used without Filter or Expected", join(nil))
	c.refusesPut("ConditionalOperator can only be used when Filter or Expected has two or more elements", join(map[string]expected{"n": {Value: value(5)}}))
}

func badAttributes(c *check) {
	table := c.create("pk:S")
	get := func(names ...string) error {
		_, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "a"}), AttributesToGet: names})
		return err
	}
	c.invalid(get([]string{}...), oneConstraint+"Value '[]' at 'attributesToGet' failed to satisfy constraint: Member must have length greater than or equal to 1")
	c.invalid(get("n", "m", "n"), wrongParameter+"Duplicate value in attribute name: n")
}

func legacyNames(c *check) {
	table := c.create("pk:S")
	for name, text := range map[string]string{"": "Empty attribute name", big(1 << 16): "Attribute name is too large, must be less than 65536 bytes"} {
		c.refusesPut(text, func(in *dynamodb.PutItemInput) { in.Expected = map[string]expected{name: {Exists: new(false)}} })
		c.invalid(c.tryUpdates(table, map[string]updated{name: {Value: value(1)}}), text)
		null := map[string]types.Condition{name: {ComparisonOperator: types.ComparisonOperatorNull}}
		_, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, ScanFilter: null})
		c.invalid(err, text)
		_, err = c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, AttributesToGet: []string{name}})
		c.invalid(err, text)
	}
}

func (c *check) refusesKeys(table, text string, keys map[string]types.Condition) {
	_, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{TableName: &table, KeyConditions: keys})
	c.invalid(err, text)
}

func countKeyConditions(c *check) {
	table := c.create("pk:S sk:N")
	c.refusesKeys(table, "Conditions can be of length 1 or 2 only", map[string]types.Condition{})
	more := legacyKeys()
	more["sk"] = types.Condition{ComparisonOperator: types.ComparisonOperatorEq, AttributeValueList: []types.AttributeValue{value(1)}}
	more["n"] = more["sk"]
	c.refusesKeys(table, "Conditions can be of length 1 or 2 only", more)
}

func notIndexable(c *check) {
	table := c.create("pk:S sk:N")
	for _, op := range []types.ComparisonOperator{"NE", "IN", "CONTAINS", "NOT_CONTAINS"} {
		keys := legacyKeys()
		keys["sk"] = types.Condition{ComparisonOperator: op, AttributeValueList: []types.AttributeValue{value(1)}}
		c.refusesKeys(table, "Attempted conditional constraint is not an indexable operation", keys)
	}
}
