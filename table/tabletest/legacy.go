package tabletest

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// legacyFilter is a condition of the time before expressions, on the subject.
type legacyFilter struct {
	name, attribute string
	op              types.ComparisonOperator
	operands        list
	want            bool
	text            string // of an error
}

func legacyFilters() []legacyFilter {
	return []legacyFilter{
		{name: "EQ", attribute: "n", op: types.ComparisonOperatorEq, operands: list{num("5.0")}, want: true},
		{name: "EQ_of_another_value", attribute: "n", op: types.ComparisonOperatorEq, operands: list{6}},
		{name: "NE", attribute: "n", op: types.ComparisonOperatorNe, operands: list{6}, want: true},
		{name: "LT", attribute: "n", op: types.ComparisonOperatorLt, operands: list{6}, want: true},
		{name: "LE", attribute: "n", op: types.ComparisonOperatorLe, operands: list{5}, want: true},
		{name: "GT", attribute: "n", op: types.ComparisonOperatorGt, operands: list{5}},
		{name: "GE", attribute: "n", op: types.ComparisonOperatorGe, operands: list{5}, want: true},
		{name: "BETWEEN", attribute: "n", op: types.ComparisonOperatorBetween, operands: list{5, 6}, want: true},
		{name: "IN", attribute: "n", op: types.ComparisonOperatorIn, operands: list{1, 5}, want: true},
		{name: "NULL_of_a_missing_attribute", attribute: "absent", op: types.ComparisonOperatorNull, want: true},
		{name: "NULL_of_an_attribute", attribute: "n", op: types.ComparisonOperatorNull},
		{name: "NOT_NULL", attribute: "n", op: types.ComparisonOperatorNotNull, want: true},
		{name: "CONTAINS_a_substring", attribute: "s", op: types.ComparisonOperatorContains, operands: list{"ell"}, want: true},
		{name: "CONTAINS_an_element", attribute: "ss", op: types.ComparisonOperatorContains, operands: list{"a"}, want: true},
		{name: "NOT_CONTAINS", attribute: "s", op: types.ComparisonOperatorNotContains, operands: list{"x"}, want: true},
		{name: "BEGINS_WITH", attribute: "s", op: types.ComparisonOperatorBeginsWith, operands: list{"he"}, want: true},
		{name: "EQ_of_a_set_in_any_order", attribute: "ss", op: types.ComparisonOperatorEq, operands: list{ss{"b", "a"}}, want: true},
		{name: "EQ_of_a_map", attribute: "o", op: types.ComparisonOperatorEq, operands: list{item{"x": 1, "y": item{"z": "deep"}}}, want: true},
		{name: "EQ_of_a_null", attribute: "null", op: types.ComparisonOperatorEq, operands: list{nil}, want: true},
		{name: "NE_of_a_missing_attribute", attribute: "absent", op: types.ComparisonOperatorNe, operands: list{1}, want: true},
		{name: "LT_of_another_type", attribute: "n", op: types.ComparisonOperatorLt, operands: list{"6"}},
		{name: "LT_of_a_missing_attribute", attribute: "absent", op: types.ComparisonOperatorLt, operands: list{6}},
		{name: "BETWEEN_outside", attribute: "n", op: types.ComparisonOperatorBetween, operands: list{6, 7}},
		{name: "IN_of_more_than_100", attribute: "n", op: types.ComparisonOperatorIn, operands: slices.Repeat(list{5}, 101), want: true},
		{name: "NOT_NULL_of_a_null", attribute: "null", op: types.ComparisonOperatorNotNull, want: true},
		{name: "CONTAINS_a_number_of_a_list", attribute: "l", op: types.ComparisonOperatorContains, operands: list{num("1.0")}, want: true},
		{name: "NOT_CONTAINS_of_a_missing_attribute", attribute: "absent", op: types.ComparisonOperatorNotContains, operands: list{"x"}},
		{name: "BEGINS_WITH_of_binaries", attribute: "b", op: types.ComparisonOperatorBeginsWith, operands: list{[]byte("h")}, want: true},
	}
}

func (f legacyFilter) values() []types.AttributeValue {
	var values []types.AttributeValue
	for _, v := range f.operands {
		values = append(values, value(v))
	}
	return values
}

func legacyRules() []rule {
	var rules []rule
	for _, f := range legacyFilters() {
		rules = append(rules,
			rule{"legacy/Expected/" + f.name, func(c *check) { checkExpected(c, f) }},
			rule{"legacy/ScanFilter/" + f.name, func(c *check) { checkScanFilter(c, f) }})
	}
	return append(rules,
		rule{"legacy/Expected/Exists_false_is_for_what_must_be_absent", expectedAbsent},
		rule{"legacy/ConditionalOperator/OR", conditionalOr},
		rule{"legacy/QueryFilter/counts_what_was_scanned", legacyQueryFilter},
		rule{"legacy/AttributesToGet/projects", attributesToGet},
		rule{"legacy/AttributeUpdates/PUT_ADD_and_DELETE", attributeUpdates},
		rule{"legacy/AttributeUpdates/ADD_creates_a_missing_item", updatesAddCreates},
		rule{"legacy/AttributeUpdates/DELETE_does_not_create_a_missing_item", updatesDeleteMissing},
		rule{"legacy/AttributeUpdates/refuses_the_key", updatesKey},
	)
}

func checkExpected(c *check, f legacyFilter) {
	table := c.create("pk:S")
	c.put(table, subject())
	_, err := c.tryDelete(table, item{"pk": "a"}, func(in *dynamodb.DeleteItemInput) {
		in.Expected = map[string]types.ExpectedAttributeValue{
			f.attribute: {ComparisonOperator: f.op, AttributeValueList: f.values()},
		}
	})
	if f.want {
		c.ok(err)
		return
	}
	c.fails(err, conditional, "The conditional request failed")
}

func checkScanFilter(c *check, f legacyFilter) {
	table := c.create("pk:S")
	c.put(table, subject())
	out, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, ScanFilter: map[string]types.Condition{
		f.attribute: {ComparisonOperator: f.op, AttributeValueList: f.values()},
	}})
	c.ok(err)
	c.equal("scanned", out.ScannedCount, 1)
	c.equal("whether the filter lets the item through", out.Count == 1, f.want)
}

func expectedAbsent(c *check) {
	table := c.create("pk:S")
	absent := func(in *dynamodb.PutItemInput) {
		in.Expected = map[string]types.ExpectedAttributeValue{"pk": {Exists: new(false)}}
	}
	_, err := c.tryPut(table, item{"pk": "a"}, absent)
	c.ok(err)
	_, err = c.tryPut(table, item{"pk": "a", "n": 1}, absent)
	c.fails(err, conditional)
	_, err = c.tryPut(table, item{"pk": "a", "n": 2}, func(in *dynamodb.PutItemInput) {
		in.Expected = map[string]types.ExpectedAttributeValue{"pk": {Value: value("a")}}
	})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 2})
}

func conditionalOr(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	either := func(operator types.ConditionalOperator) func(in *dynamodb.PutItemInput) {
		return func(in *dynamodb.PutItemInput) {
			in.ConditionalOperator = operator
			in.Expected = map[string]types.ExpectedAttributeValue{"n": {Value: value(1)}, "m": {Value: value(1)}}
		}
	}
	_, err := c.tryPut(table, item{"pk": "a", "n": 2}, either(types.ConditionalOperatorAnd))
	c.fails(err, conditional)
	_, err = c.tryPut(table, item{"pk": "a", "n": 2}, either(types.ConditionalOperatorOr))
	c.ok(err)
}

func legacyQueryFilter(c *check) {
	table := c.sorted("pk:S sk:N")
	out, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditions: legacyKeys(), AttributesToGet: []string{"sk"},
		QueryFilter: map[string]types.Condition{
			"even": {ComparisonOperator: types.ComparisonOperatorEq, AttributeValueList: []types.AttributeValue{value(true)}},
		},
	})
	c.ok(err)
	c.equal("items", out.Items, []item{{"sk": 10}})
	c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{1, 3})
}

func attributesToGet(c *check) {
	table := c.create("pk:S")
	c.put(table, subject())
	out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{
		TableName: &table, Key: row(item{"pk": "a"}), AttributesToGet: []string{"n", "null", "absent"}, ConsistentRead: new(true),
	})
	c.ok(err)
	c.equal("item", out.Item, item{"n": 5, "null": nil})
}

// tryUpdates updates the item "a" with the older parameter.
func (c *check) tryUpdates(table string, updates map[string]types.AttributeValueUpdate) error {
	_, err := c.DynamoDB.UpdateItem(c.ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: row(item{"pk": "a"}), AttributeUpdates: updates,
	})
	return err
}

func attributeUpdates(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1, "gone": 1, "set": ss{"a", "b"}, "more": ss{"a"}, "list": list{1}})
	c.ok(c.tryUpdates(table, map[string]types.AttributeValueUpdate{
		"new":  {Value: value("x")},
		"n":    {Action: types.AttributeActionAdd, Value: value(2)},
		"gone": {Action: types.AttributeActionDelete},
		"set":  {Action: types.AttributeActionDelete, Value: value(ss{"a"})},
		"more": {Action: types.AttributeActionAdd, Value: value(ss{"b"})},
		"list": {Action: types.AttributeActionAdd, Value: value(list{2})},
	}))
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 3, "new": "x", "set": ss{"b"}, "more": ss{"a", "b"}, "list": list{1, 2}})
}

func updatesAddCreates(c *check) {
	table := c.create("pk:S")
	c.ok(c.tryUpdates(table, map[string]types.AttributeValueUpdate{"n": {Action: types.AttributeActionAdd, Value: value(2)}}))
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 2})
}

func updatesDeleteMissing(c *check) {
	table := c.create("pk:S")
	c.ok(c.tryUpdates(table, map[string]types.AttributeValueUpdate{"n": {Action: types.AttributeActionDelete}}))
	c.missing(table, item{"pk": "a"})
}

func updatesKey(c *check) {
	table := c.create("pk:S")
	err := c.tryUpdates(table, map[string]types.AttributeValueUpdate{"pk": {Value: value("b")}})
	c.invalid(err, "Cannot update attribute pk. This attribute is part of the key")
}
