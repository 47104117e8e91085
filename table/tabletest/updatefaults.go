package tabletest

import "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

type badUpdate struct {
	name, expr string
	values     item
	text       string
}

func badUpdates() []badUpdate {
	one := item{":v": 1}
	const path = "The document path provided in the update expression is invalid for update"
	return []badUpdate{
		{"an_empty_expression", " ", nil, "Invalid UpdateExpression"},
		{"a_syntax_error", "SET n :v", one, "Syntax error"},
		{"two_clauses_of_one_kind", "SET n = :v SET m = :v", one, `The "SET" section can only be used once`},
		{"a_clause_twice_before_what_follows", "SET n = :v SET m = :v ADD status :v", one, `The "SET" section can only be used once`},
		{"the_first_clause_that_comes_again", "SET n = :v REMOVE r REMOVE q SET m = :v", one, `The "REMOVE" section can only be used once`},
		{"a_path_twice", "SET n = :v, n = :v", one, "Two document paths overlap"},
		{"overlapping_paths", "SET o = :v, o.x = :v", one, "Two document paths overlap"},
		{"paths_of_two_kinds", "SET o.x = :v, o[1] = :v", one, "Two document paths conflict"},
		{"paths_that_overlap_across_clauses", "SET n = :v REMOVE n", one, "Two document paths overlap"},
		{"the_partition_key", "SET pk = :v", item{":v": "b"}, "Cannot update attribute pk. This attribute is part of the key"},
		{"removal_of_the_partition_key", "REMOVE pk", nil, "Cannot update attribute pk. This attribute is part of the key"},
		{"a_missing_parent", "SET nothing.x = :v", one, path},
		{"a_parent_that_is_no_map", "SET n.x = :v", one, path},
		{"an_index_into_no_list", "SET o[0] = :v", one, path},
		{"a_missing_operand", "SET n = absent", nil, "The provided expression refers to an attribute that does not exist in the item"},
		{"a_sum_with_a_missing_operand", "SET n = absent + :v", one, "The provided expression refers to an attribute that does not exist in the item"},
		{"a_sum_with_a_string", "SET n = s + :v", one, "An operand in the update expression has an incorrect data type"},
		{"a_sum_with_a_string_value", "SET n = n + :v", item{":v": "x"}, "Incorrect operand type"},
		{"list_append_to_a_string", "SET l = list_append(s, :v)", item{":v": list{1}}, "An operand in the update expression has an incorrect data type"},
		{"list_append_of_a_number_value", "SET l = list_append(l, :v)", one, "Incorrect operand type"},
		{"ADD_of_a_string", "ADD n :v", item{":v": "x"}, "Incorrect operand type"},
		{"ADD_of_a_number_to_a_string", "ADD s :v", one, "An operand in the update expression has an incorrect data type"},
		{"ADD_of_a_set_to_a_set_of_another_type", "ADD ss :v", item{":v": ns{"1"}}, "An operand in the update expression has an incorrect data type"},
		{"DELETE_of_a_number", "DELETE ss :v", one, "Incorrect operand type"},
		{"a_function_that_is_none", "SET n = foo(n)", nil, "Invalid function name; function: foo"},
		{"a_condition_as_operand", "SET n = attribute_exists(n)", nil, "not allowed"},
		{"if_not_exists_of_a_value", "SET n = if_not_exists(:v, :v)", one, ""},
		{"list_append_in_list_append", "SET l = list_append(list_append(l, :v), :v)", item{":v": list{1}}, "The function is not allowed to be used this way in an expression; function: list_append"},
		{"a_sum_in_a_function", "SET n = if_not_exists(absent, :v + :v)", one, "Syntax error; token: \"+\""},
		{"a_sum_of_three", "SET n = n + :v + :v", one, "Syntax error; token: \"+\""},
		{"redundant_parentheses", "SET n = ((n + :v))", one, "The expression has redundant parentheses"},
		{"list_append_of_three_operands", "SET l = list_append(l, l, l)", nil, "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 3"},
		{"if_not_exists_of_a_function", "SET n = if_not_exists(if_not_exists(n, :v), :v)", one, "Operator or function requires a document path; operator or function: if_not_exists"},
		{"ADD_of_a_list", "ADD l :v", item{":v": list{1}}, "Incorrect operand type for operator or function; operator: ADD, operand type: LIST"},
		{"DELETE_of_the_partition_key", "DELETE pk :v", item{":v": ss{"a"}}, "Cannot update attribute pk. This attribute is part of the key"},
		{"a_path_within_the_partition_key", "SET n = pk.x", nil, "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
		{"removal_within_what_is_no_map", "REMOVE s.x", nil, path},
		{"removal_within_a_missing_attribute", "REMOVE absent[0]", nil, path},
		{"33_levels", "SET o.y.deep = :v", item{":v": nested(30)}, "Nesting Levels have exceeded supported limits"},
		{"a_comma_too_much", "SET n = :v,", one, "Syntax error; token: \"<EOF>\", near: \",\""},
		{"an_unknown_clause", "PUT n = :v", one, "Syntax error; token: \"PUT\", near: \"PUT n\""},
		{"a_reserved_word", "SET status = :v", one, "reserved keyword"},
		{"an_undefined_value", "SET n = :w", nil, "attribute value: :w"},
		{"an_unused_value", "REMOVE n", one, "unused in expressions: keys: {:v}"},
		{"an_empty_set_as_value", "SET n = :v", item{":v": ss{}}, ""},
	}
}

func updateFaultRules() []rule {
	var rules []rule
	for _, b := range badUpdates() {
		rules = append(rules, rule{"updates/refuses_" + b.name, func(c *check) {
			table := c.create("pk:S")
			before := subject()
			c.put(table, before)
			_, err := c.update(table, item{"pk": "a"}, change{expr: b.expr, values: b.values})
			c.invalid(err, b.text)
			c.stored(table, item{"pk": "a"}, before)
		}})
	}
	return append(rules,
		rule{"updates/refuses_an_item_that_grows_over_400_KB", updateTooLarge},
		rule{"updates/refuses_a_nested_path_on_a_missing_item", updateNestedMissing})
}

func updateTooLarge(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "v": big(300 << 10)})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET w = :w", values: item{":w": big(200 << 10)}})
	c.invalid(err, "Item size to update has exceeded the maximum allowed size")
}

func updateNestedMissing(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET o.x = :v", values: item{":v": 1}})
	c.invalid(err, "The document path provided in the update expression is invalid for update")
	c.missing(table, item{"pk": "a"})
}

// returning is an update and what it answers for each kind of ReturnValues.
type returning struct {
	name, expr     string
	values, before item
	oldAll, newAll item
	oldUpd, newUpd item
}

func returnings() []returning {
	return []returning{
		{
			"of_a_set_attribute", "SET n = :v",
			item{":v": 2},
			item{"n": 1, "m": 9},
			item{"pk": "a", "n": 1, "m": 9},
			item{"pk": "a", "n": 2, "m": 9},
			item{"n": 1},
			item{"n": 2},
		},
		{
			"of_a_new_attribute", "SET n = :v",
			item{":v": 2},
			item{"m": 9},
			item{"pk": "a", "m": 9},
			item{"pk": "a", "n": 2, "m": 9},
			nil,
			item{"n": 2},
		},
		{
			"of_a_removed_attribute", "REMOVE n", nil,
			item{"n": 1, "m": 9},
			item{"pk": "a", "n": 1, "m": 9},
			item{"pk": "a", "m": 9},
			item{"n": 1},
			nil,
		},
		{
			"of_a_path", "SET o.x = :v",
			item{":v": 2},
			item{"o": item{"x": 1, "y": 0}},
			item{"pk": "a", "o": item{"x": 1, "y": 0}},
			item{"pk": "a", "o": item{"x": 2, "y": 0}},
			item{"o": item{"x": 1}},
			item{"o": item{"x": 2}},
		},
		{
			"of_elements", "SET l[1] = :v, l[3] = :w",
			item{":v": "B", ":w": "D"},
			item{"l": list{"a", "b", "c", "d"}},
			item{"pk": "a", "l": list{"a", "b", "c", "d"}},
			item{"pk": "a", "l": list{"a", "B", "c", "D"}},
			item{"l": list{"b", "d"}},
			item{"l": list{"B", "D"}},
		},
		{
			"of_an_ADD", "ADD n :v",
			item{":v": 2},
			item{"n": 1},
			item{"pk": "a", "n": 1},
			item{"pk": "a", "n": 3},
			item{"n": 1},
			item{"n": 3},
		},
	}
}

// notReturned: what was appended past the end is not at its index, and what moved to a removed element's index is.
func notReturned(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "l": list{1, 2, 3}})
	for _, u := range []struct {
		expr string
		kind types.ReturnValue
		want attrs
	}{
		{"SET l[100] = :v", types.ReturnValueUpdatedOld, nil},
		{"SET l[100] = :v", types.ReturnValueUpdatedNew, nil},
		{"SET n = :v REMOVE l[1], l[9]", types.ReturnValueUpdatedOld, row(item{"l": list{2}})},
		{"SET n = :v REMOVE l[1]", types.ReturnValueUpdatedNew, row(item{"n": 9, "l": list{9}})},
	} {
		out, err := c.update(table, item{"pk": "a"}, change{expr: u.expr, values: item{":v": 9}, returns: u.kind})
		c.ok(err)
		c.equal("attributes of "+u.expr, out.Attributes, u.want)
	}
}

func returnValueRules() []rule {
	rules := []rule{{"updates/returns_what_stands_at_the_updated_indexes", notReturned}, {"updates/returns_nothing_by_default", returnsNothing}, {"updates/returns_no_old_attributes_of_a_new_item", returnsNew}}
	for _, r := range returnings() {
		for kind, want := range map[types.ReturnValue]item{
			types.ReturnValueAllOld: r.oldAll, types.ReturnValueAllNew: r.newAll,
			types.ReturnValueUpdatedOld: r.oldUpd, types.ReturnValueUpdatedNew: r.newUpd,
		} {
			rules = append(rules, rule{"updates/returns_" + string(kind) + "_" + r.name, func(c *check) {
				table := c.create("pk:S")
				before := item{"pk": "a"}
				for name, v := range r.before {
					before[name] = v
				}
				c.put(table, before)
				out, err := c.update(table, item{"pk": "a"}, change{expr: r.expr, values: r.values, returns: kind})
				c.ok(err)
				c.equal("attributes", out.Attributes, row(want))
			}})
		}
	}
	return rules
}

func returnsNothing(c *check) {
	table := c.create("pk:S")
	out, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", values: item{":v": 1}})
	c.ok(err)
	c.that(out.Attributes == nil, "Attributes is %s", show(out.Attributes))
}

func returnsNew(c *check) {
	table := c.create("pk:S")
	out, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", values: item{":v": 1}, returns: types.ReturnValueAllOld})
	c.ok(err)
	c.equal("attributes", len(out.Attributes), 0)
	out, err = c.update(table, item{"pk": "b"}, change{expr: "SET n = :v", values: item{":v": 1}, returns: types.ReturnValueAllNew})
	c.ok(err)
	c.equal("attributes", out.Attributes, item{"pk": "b", "n": 1})
}
