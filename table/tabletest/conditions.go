package tabletest

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// subject is the item that the conditions are evaluated against.
func subject() item {
	return item{
		"pk": "a", "s": "hello", "n": 5, "m": 7, "five": 5, "b": []byte("hi"), "t": true, "null": nil, "empty": "",
		"l": list{1, "two", list{3}}, "o": item{"x": 1, "y": item{"z": "deep"}}, "ss": ss{"a", "b"}, "ns": ns{"1", "2"}, "bs": bs{{1}},
	}
}

type condition struct {
	name, expr string
	values     item
	want       bool
}

func conditions() []condition {
	return slices.Concat(comparisons(), functions(), combinations())
}

func comparisons() []condition {
	one := item{":v": 1}
	return []condition{
		{"equality_of_strings", "s = :v", item{":v": "hello"}, true},
		{"equality_of_numbers_is_by_value", "n = five", nil, true},
		{"values_of_two_types_are_not_equal", "n = :v", item{":v": "5"}, false},
		{"deep_equality_of_maps", "o = :v", item{":v": item{"y": item{"z": "deep"}, "x": num("1.0")}}, true},
		{"deep_equality_of_lists", "l = :v", item{":v": list{1, "two", list{3}}}, true},
		{"sets_are_equal_in_any_order", "ss = :v", item{":v": ss{"b", "a"}}, true},
		{"nulls_are_equal", "#null = :v", item{":v": nil}, true},
		{"inequality", "n <> m", nil, true},
		{"inequality_of_two_types_holds", "n <> s", nil, true},
		{"a_missing_attribute_equals_nothing", "absent = :v", one, false},
		{"a_missing_attribute_differs_from_everything", "absent <> :v", one, true},
		{"a_missing_attribute_is_not_less", "absent < :v", one, false},
		{"NOT_of_a_comparison_with_a_missing_attribute_holds", "NOT absent < :v", one, true},
		{"less", "n < m", nil, true},
		{"less_or_equal", "n <= five", nil, true},
		{"greater", "n > m", nil, false},
		{"greater_or_equal", "m >= n", nil, true},
		{"order_of_strings_is_by_bytes", "s < :v", item{":v": "hello!"}, true},
		{"capital_letters_come_first", "s > :v", item{":v": "Z"}, true},
		{"order_of_binaries_is_by_unsigned_bytes", "b < :v", item{":v": []byte{0xff}}, true},
		{"values_of_two_types_have_no_order", "s < n", nil, false},
		{"BETWEEN_includes_both_bounds", "n BETWEEN five AND m", nil, true},
		{"BETWEEN_excludes_what_is_outside", "m BETWEEN :v AND n", one, false},
		{"IN_finds_an_operand", "n IN (:v, m, five)", one, true},
		{"BETWEEN_of_attributes_in_the_wrong_order_is_false", "n BETWEEN m AND five", nil, false},
		{"BETWEEN_of_an_attribute_and_another_type_is_false", "n BETWEEN five AND :v", item{":v": "x"}, false},
		{"BETWEEN_of_a_missing_bound_is_false", "n BETWEEN absent AND m", nil, false},
		{"two_missing_attributes_are_not_equal", "absent = absent2", nil, false},
		{"two_missing_attributes_differ", "absent <> absent2", nil, true},
		{"IN_finds_a_map", "o IN (:v)", item{":v": item{"x": 1, "y": item{"z": "deep"}}}, true},
		{"IN_takes_operands_of_several_types", "n IN (:v, :w)", item{":v": "dog", ":w": num("5.0")}, true},
		{"IN_of_a_missing_attribute_is_false", "absent IN (n, s)", nil, false},
		{"IN_finds_nothing", "n IN (:v, s)", one, false},
	}
}

func functions() []condition {
	one := item{":v": 1}
	return []condition{
		{"attribute_exists", "attribute_exists(s)", nil, true},
		{"attribute_exists_of_a_null", "attribute_exists(#null)", nil, true},
		{"attribute_exists_of_a_path", "attribute_exists(o.y.z)", nil, true},
		{"attribute_exists_of_a_missing_path", "attribute_exists(o.y.z.w)", nil, false},
		{"attribute_exists_of_an_element", "attribute_exists(l[2][0])", nil, true},
		{"attribute_exists_past_the_end", "attribute_exists(l[3])", nil, false},
		{"attribute_not_exists", "attribute_not_exists(absent)", nil, true},
		{"attribute_type", "attribute_type(ss, :v)", item{":v": "SS"}, true},
		{"attribute_type_of_another_type", "attribute_type(ss, :v)", item{":v": "L"}, false},
		{"attribute_type_of_a_missing_attribute", "attribute_type(absent, :v)", item{":v": "S"}, false},
		{"begins_with", "begins_with(s, :v)", item{":v": "hell"}, true},
		{"begins_with_the_empty_string", "begins_with(s, :v)", item{":v": ""}, true},
		{"begins_with_of_binaries", "begins_with(b, :v)", item{":v": []byte("h")}, true},
		{"begins_with_of_an_attribute_of_another_type", "begins_with(n, :v)", item{":v": "5"}, false},
		{"begins_with_of_a_value", "begins_with(:v, s)", item{":v": "hello you"}, true},
		{"begins_with_of_two_attributes_of_other_types", "begins_with(n, s)", nil, false},
		{"attribute_type_of_a_value", "attribute_type(:w, :v)", item{":w": 0, ":v": "N"}, true},
		{"attribute_type_of_an_element", "attribute_type(l[2], :v)", item{":v": "L"}, true},
		{"contains_of_a_value", "contains(:v, s)", item{":v": "say hello"}, true},
		{"contains_a_part_of_a_binary", "contains(b, :v)", item{":v": []byte("i")}, true},
		{"contains_a_member_of_a_set_of_binaries", "contains(bs, :v)", item{":v": []byte{1}}, true},
		{"contains_no_name_of_a_map", "contains(o, :v)", item{":v": "x"}, false},
		{"contains_nothing_of_a_number", "contains(n, :v)", item{":v": 5}, false},
		{"contains_a_substring", "contains(s, :v)", item{":v": "ell"}, true},
		{"contains_an_element_of_a_set", "contains(ss, :v)", item{":v": "b"}, true},
		{"contains_a_number_of_a_set_by_value", "contains(ns, :v)", item{":v": num("2.0")}, true},
		{"contains_an_element_of_a_list", "contains(l, :v)", item{":v": list{3}}, true},
		{"contains_nothing_of_another_type", "contains(ss, :v)", one, false},
		{"size_of_a_string", "size(s) = :v", item{":v": 5}, true},
		{"size_of_a_binary", "size(b) = :v", item{":v": 2}, true},
		{"size_of_a_list", "size(l) = :v", item{":v": 3}, true},
		{"size_of_a_map", "size(o) = :v", item{":v": 2}, true},
		{"size_of_a_set", "size(ss) < :v", item{":v": 3}, true},
		{"size_counts_UTF_16", "size(:v) = :w", item{":v": "é😀", ":w": 3}, true},
		{"size_of_a_path", "size(o.y.z) = :v", item{":v": 4}, true},
		{"size_equals_no_string", "size(s) = :v", item{":v": "5"}, false},
		{"size_differs_from_a_string", "size(s) <> :v", item{":v": "5"}, true},
		{"size_BETWEEN_sizes", "n BETWEEN size(o) AND size(s)", nil, true},
		{"size_IN_a_list", "size(s) IN (m, n)", nil, true},
		{"size_of_an_empty_string", "size(#empty) = :v", item{":v": 0}, true},
		{"size_of_a_number_is_never_true", "size(n) > :v", item{":v": -1}, false},
		{"size_of_a_missing_attribute_is_never_true", "size(absent) = :v", item{":v": 0}, false},
	}
}

func combinations() []condition {
	return []condition{
		{"AND_binds_closer_than_OR", "n = m AND s = s2 OR n = five", nil, true},
		{"NOT_binds_closer_than_AND", "NOT n = m AND n = five", nil, true},
		{"parentheses_go_first", "n = five AND (n = m OR s = :v)", item{":v": "hello"}, true},
		{"keywords_in_any_case", "n = five and not (n = m) or n between five and m", nil, true},
		{"names_and_values_from_the_maps", "#n = :v", item{":v": 5}, true},
		{"a_path_through_placeholders", "#o.#y.z = :v", item{":v": "deep"}, true},
		{"a_path_into_a_scalar_is_missing", "attribute_not_exists(s.x)", nil, true},
		{"an_index_into_a_map_is_missing", "attribute_not_exists(o[0])", nil, true},
		{"a_value_on_the_left", ":v < n", item{":v": 1}, true},
	}
}

// namesIn are the placeholders that an expression uses.
func namesIn(expr string) map[string]string {
	var names map[string]string
	for placeholder, name := range map[string]string{"#null": "null", "#empty": "empty", "#n": "n", "#o": "o", "#y": "y"} {
		if containsWord(expr, placeholder) {
			if names == nil {
				names = map[string]string{}
			}
			names[placeholder] = name
		}
	}
	return names
}

func containsWord(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		end := i + len(word)
		if text[i:end] == word && (end == len(text) || text[end] < 'a' || text[end] > 'z') {
			return true
		}
	}
	return false
}

func conditionRules() []rule {
	var rules []rule
	for _, d := range conditions() {
		rules = append(rules,
			rule{"conditions/" + d.name, func(c *check) { checkCondition(c, d) }},
			rule{"filters/" + d.name, func(c *check) { checkFilter(c, d) }})
	}
	return append(rules,
		rule{"conditions/put_only_if_absent", putIfAbsent},
		rule{"conditions/a_failed_one_returns_the_item_on_request", failedReturnsItem},
		rule{"conditions/a_failed_one_returns_no_item_otherwise", failedReturnsNothing},
		rule{"conditions/delete_under_one", deleteUnderCondition},
		rule{"conditions/are_evaluated_before_an_upsert_adds_the_key", upsertCondition})
}

// checkCondition evaluates a condition of an update.
func checkCondition(c *check, d condition) {
	table := c.create("pk:S")
	c.put(table, subject())
	_, err := c.update(table, item{"pk": "a"}, change{
		expr: "REMOVE nothing", cond: d.expr, names: namesIn(d.expr), values: d.values,
	})
	if d.want {
		c.ok(err)
		return
	}
	c.fails(err, conditional, "The conditional request failed")
}

// checkFilter evaluates the same text as the filter of a query.
func checkFilter(c *check, d condition) {
	table := c.create("pk:S")
	c.put(table, subject())
	values := item{":pk": "a"}
	for name, v := range d.values {
		values[name] = v
	}
	out := c.query(table, find{key: "pk = :pk", filter: d.expr, names: namesIn(d.expr), values: values})
	c.equal("scanned", out.ScannedCount, 1)
	c.equal("whether the filter lets the item through", out.Count == 1, d.want)
}

func putIfAbsent(c *check) {
	table := c.create("pk:S")
	absent := func(in *dynamodb.PutItemInput) { in.ConditionExpression = new("attribute_not_exists(pk)") }
	_, err := c.tryPut(table, item{"pk": "a", "n": 1}, absent)
	c.ok(err)
	_, err = c.tryPut(table, item{"pk": "a", "n": 2}, absent)
	c.fails(err, conditional, "The conditional request failed")
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 1})
}

func failedReturnsItem(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	_, err := c.update(table, item{"pk": "a"}, change{
		expr: "SET n = :v", cond: "n = :v", values: item{":v": 2}, onFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	c.fails(err, conditional)
	failed, _ := errors.AsType[*types.ConditionalCheckFailedException](err)
	c.equal("item of the error", failed.Item, item{"pk": "a", "n": 1})
	_, err = c.update(table, item{"pk": "b"}, change{
		expr: "SET n = :v", cond: "n = :v", values: item{":v": 2}, onFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	c.fails(err, conditional)
	failed, _ = errors.AsType[*types.ConditionalCheckFailedException](err)
	c.equal("members of a missing item", len(failed.Item), 0)
}

func failedReturnsNothing(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", cond: "n = :v", values: item{":v": 2}})
	c.fails(err, conditional)
	failed, _ := errors.AsType[*types.ConditionalCheckFailedException](err)
	c.that(failed.Item == nil, "the error has an item")
}

func deleteUnderCondition(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	when := func(n int) func(*dynamodb.DeleteItemInput) {
		return func(in *dynamodb.DeleteItemInput) {
			in.ConditionExpression, in.ExpressionAttributeValues = new("n = :n"), row(item{":n": n})
		}
	}
	_, err := c.tryDelete(table, item{"pk": "a"}, when(2))
	c.fails(err, conditional)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 1})
	_, err = c.tryDelete(table, item{"pk": "a"}, when(1))
	c.ok(err)
	c.missing(table, item{"pk": "a"})
}

func upsertCondition(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", cond: "attribute_exists(pk)", values: item{":v": 1}})
	c.fails(err, conditional)
	c.missing(table, item{"pk": "a"})
	_, err = c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", cond: "attribute_not_exists(pk)", values: item{":v": 1}})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 1})
}
