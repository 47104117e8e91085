package tabletest

import "strings"

type badCondition struct {
	name, expr string
	values     item
	text       string
}

func badConditions() []badCondition {
	one := item{":v": 1}
	return []badCondition{
		{"an_empty_expression", " ", nil, "Invalid ConditionExpression"},
		{"a_syntax_error", "n = = :v", one, "Syntax error"},
		{"an_unknown_character", "n ! :v", one, "Syntax error"},
		{"an_unfinished_text", "n = ", nil, "Syntax error"},
		{"a_lone_name", "n", nil, "Syntax error"},
		{"an_unknown_function", "foo(n)", nil, "Invalid function name; function: foo"},
		{"a_function_in_capitals", "ATTRIBUTE_EXISTS(n)", nil, "Invalid function name; function: ATTRIBUTE_EXISTS"},
		{"a_reserved_word", "status = :v", one, "Attribute name is a reserved keyword; reserved keyword: status"},
		{"an_undefined_value", "n = :w", nil, "An expression attribute value used in expression is not defined; attribute value: :w"},
		{"an_undefined_name", "#x = :v", one, "An expression attribute name used in the document path is not defined; attribute name: #x"},
		{"an_unused_value", "n = m", one, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		{"redundant_parentheses", "((n = m))", nil, "redundant parentheses"},
		{"too_few_operands", "begins_with(s)", nil, "Incorrect number of operands"},
		{"too_many_operands", "attribute_exists(s, n)", nil, "Incorrect number of operands"},
		{"begins_with_a_number", "begins_with(s, :v)", one, "Incorrect operand type"},
		{"a_type_that_does_not_exist", "attribute_type(s, :v)", item{":v": "X"}, "Invalid attribute type name found"},
		{"attribute_exists_of_a_value", "attribute_exists(:v)", one, ""},
		{"size_as_a_condition", "size(s)", nil, ""},
		{"size_of_a_number_value", "size(:v) = n", one, "Incorrect operand type"},
		{"a_comparison_of_a_name_with_itself", "n = n", nil, "first operand must be distinct"},
		{"contains_of_the_same_operand", "contains(s, s)", nil, "first operand must be distinct"},
		{"bounds_in_the_wrong_order", "n BETWEEN :b AND :a", item{":a": 1, ":b": 2}, "upper bound to be greater than or equal to lower bound"},
		{"bounds_of_two_types", "n BETWEEN :b AND :a", item{":a": "x", ":b": 2}, "same data type"},
		{"order_of_a_set", "ss < :v", item{":v": ss{"a"}}, "Incorrect operand type"},
		{"a_boolean_as_bound", "n < :v", item{":v": true}, "Incorrect operand type"},
		{"an_expression_over_4_KB", "n = :v OR s = " + strings.Repeat("a", 4096), one, "Expression size has exceeded"},
		{"a_name_without_definition_syntax", "n = :v AND #", one, ""},
		{"order_of_a_list_on_the_left", ":v < n", item{":v": list{1}}, "Incorrect operand type for operator or function; operator or function: <, operand type: L"},
		{"BETWEEN_of_lists", "n BETWEEN :v AND :v", item{":v": list{1}}, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: L"},
		{"IN_of_nothing", "n IN ()", nil, "Syntax error; token: \")\", near: \"()\""},
		{"a_type_from_an_attribute", "attribute_type(n, s)", nil, "Incorrect operand type"},
		{"size_of_two_operands", "size(s, s) = n", nil, "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2"},
		{"size_of_a_size", "size(size(s)) = n", nil, "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
		{"a_condition_in_a_comparison", "attribute_exists(n) < :v", one, "The function is not allowed to be used this way in an expression; function: attribute_exists"},
		{"a_list_function", "list_append(l, l) = l", nil, "The function is not allowed in a condition expression; function: list_append"},
		{"a_reserved_word_within_a_path", "o.status = :v", one, "Attribute name is a reserved keyword; reserved keyword: status"},
		{"a_path_of_33_levels", "a" + strings.Repeat(".b", 32) + " = n", nil, "The document path has too many nesting levels; nesting levels: 33"},
		{"an_index_over_31_bits", "l[2147483648] = n", nil, "List index is not within the allowable range; index: [2147483648]"},
		{"a_negative_index", "l[-1] = n", nil, "Syntax error; token: \"-\", near: \"[-1\""},
		{"a_placeholder_as_index", "l[:v] = n", one, "Syntax error; token: \":v\", near: \"[:v]\""},
		{"a_name_that_begins_with_an_underscore", "_n = :v", one, "Syntax error; token: \"_\", near: \"_n\""},
		{"arithmetic", "n + :v = m", one, "Syntax error; token: \"+\", near: \"n + :v\""},
		{"a_number_in_the_text", "n = 5", nil, "Syntax error; token: \"5\", near: \"= 5\""},
		{"an_update_function", "if_not_exists(n, :v) = :v", one, "not allowed"},
	}
}

func conditionFaultRules() []rule {
	var rules []rule
	for _, b := range badConditions() {
		rules = append(rules, rule{"conditions/refuses_" + b.name, func(c *check) {
			table := c.create("pk:S")
			c.put(table, subject())
			_, err := c.update(table, item{"pk": "a"}, change{expr: "REMOVE nothing", cond: b.expr, values: b.values})
			c.invalid(err, b.text)
			_, err = c.update(table, item{"pk": "none"}, change{expr: "REMOVE nothing", cond: b.expr, values: b.values})
			c.invalid(err, b.text)
		}})
	}
	return append(rules,
		rule{"conditions/refuses_an_unused_name", unusedName},
		rule{"conditions/refuses_names_without_an_expression", namesAlone},
		rule{"conditions/refuses_placeholders_over_255_bytes", longPlaceholders},
		rule{"conditions/refuses_more_than_100_operands_of_IN", manyOperands},
		rule{"conditions/refuses_parentheses_without_end", manyParentheses},
		rule{"conditions/refuses_more_than_300_operators", manyOperators})
}

func unusedName(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{
		expr: "REMOVE nothing", cond: "attribute_exists(pk)", names: map[string]string{"#u": "u"},
	})
	c.invalid(err, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#u}")
}

func namesAlone(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{names: map[string]string{"#u": "u"}})
	c.invalid(err, "ExpressionAttributeNames can only be specified when using expressions")
	_, err = c.update(table, item{"pk": "a"}, change{values: item{":v": 1}})
	c.invalid(err, "ExpressionAttributeValues can only be specified when using expressions")
}

func longPlaceholders(c *check) {
	table := c.create("pk:S")
	word := strings.Repeat("w", 254)
	try := func(name, v string) error {
		_, err := c.update(table, item{"pk": "a"}, change{expr: "SET " + name + " = " + v, names: map[string]string{name: "n"}, values: item{v: 1}})
		return err
	}
	c.ok(try("#"+word, ":"+word))
	c.invalid(try("#"+word+"w", ":v"), "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 256")
	c.invalid(try("#n", ":"+word+"w"), "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;")
}

func manyOperands(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 5})
	_, err := c.update(table, item{"pk": "a"}, change{
		expr: "REMOVE x", cond: "n IN (" + strings.Repeat(":v,", 99) + ":v)", values: item{":v": 5},
	})
	c.ok(err)
	_, err = c.update(table, item{"pk": "a"}, change{
		expr: "REMOVE x", cond: "n IN (" + strings.Repeat(":v,", 100) + ":v)", values: item{":v": 5},
	})
	c.invalid(err)
}

// manyParentheses is the text that kills engines whose parser recurses without a bound.
func manyParentheses(c *check) {
	table := c.create("pk:S")
	for _, cond := range []string{
		strings.Repeat("(", 4000), strings.Repeat("NOT ", 1000) + "n = m", strings.Repeat("(", 1500) + "n = m" + strings.Repeat(")", 1500),
	} {
		_, err := c.update(table, item{"pk": "a"}, change{expr: "REMOVE x", cond: cond})
		c.invalid(err)
	}
}

func manyOperators(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "REMOVE x", cond: strings.Repeat("n>m OR ", 140) + "attribute_exists(n)"})
	c.ok(err)
	_, err = c.update(table, item{"pk": "a"}, change{expr: "REMOVE x", cond: strings.Repeat("n>m OR ", 300) + "attribute_exists(n)"})
	c.invalid(err)
}
