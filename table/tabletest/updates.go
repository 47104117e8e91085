package tabletest

import "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

// updating is one update of an item, and what it leaves.
type updating struct {
	name, expr string
	values     item
	before     item
	after      item
}

func updatings() []updating {
	one := item{":v": 1}
	return []updating{
		{"SET_adds_an_attribute", "SET n = :v", one, item{}, item{"n": 1}},
		{"SET_replaces_an_attribute", "SET n = :v", one, item{"n": "x"}, item{"n": 1}},
		{"SET_of_several", "SET n = :v, m = n", one, item{"n": 9}, item{"n": 1, "m": 9}},
		{"SET_sees_the_item_as_it_was", "SET n = m, m = n", nil, item{"n": 1, "m": 2}, item{"n": 2, "m": 1}},
		{"SET_of_a_path", "SET o.x = :v", one, item{"o": item{"y": 2}}, item{"o": item{"x": 1, "y": 2}}},
		{"SET_of_an_element", "SET l[1] = :v", one, item{"l": list{"a", "b", "c"}}, item{"l": list{"a", 1, "c"}}},
		{"SET_past_the_end_appends", "SET l[10] = :v", one, item{"l": list{"a"}}, item{"l": list{"a", 1}}},
		{"SET_past_the_end_appends_in_order", "SET l[20] = :v, l[10] = :w", item{":v": 1, ":w": 2}, item{"l": list{"a"}}, item{"l": list{"a", 2, 1}}},
		{"SET_plus", "SET n = n + :v", one, item{"n": 41}, item{"n": 42}},
		{"SET_minus", "SET n = :v - n", one, item{"n": 41}, item{"n": -40}},
		{"SET_if_not_exists_of_a_missing_attribute", "SET n = if_not_exists(n, :v)", one, item{}, item{"n": 1}},
		{"SET_if_not_exists_of_an_attribute", "SET n = if_not_exists(n, :v)", one, item{"n": 7}, item{"n": 7}},
		{"SET_if_not_exists_in_a_sum", "SET n = if_not_exists(n, :z) + :v", item{":v": 1, ":z": 0}, item{}, item{"n": 1}},
		{"SET_list_append", "SET l = list_append(l, :v)", item{":v": list{2, 3}}, item{"l": list{1}}, item{"l": list{1, 2, 3}}},
		{"SET_list_append_in_front", "SET l = list_append(:v, l)", item{":v": list{0}}, item{"l": list{1}}, item{"l": list{0, 1}}},
		{"SET_list_append_of_if_not_exists", "SET l = list_append(if_not_exists(l, :e), :v)", item{":v": list{1}, ":e": list{}}, item{}, item{"l": list{1}}},
		{"SET_in_parentheses", "SET n = (n - :v)", one, item{"n": 41}, item{"n": 40}},
		{"SET_sum_of_two_attributes", "SET n = n + m", nil, item{"n": 1, "m": 2}, item{"n": 3, "m": 2}},
		{"SET_if_not_exists_in_if_not_exists", "SET n = if_not_exists(x, if_not_exists(m, :v))", one, item{"m": 2}, item{"n": 2, "m": 2}},
		{"SET_if_not_exists_reads_its_second_operand_only_then", "SET n = if_not_exists(m, absent)", nil, item{"m": 2}, item{"n": 2, "m": 2}},
		{"SET_list_append_of_a_list_to_itself", "SET l = list_append(l, l)", nil, item{"l": list{1}}, item{"l": list{1, 1}}},
		{"SET_of_elements_from_each_other", "SET l[0] = l[1], l[1] = l[0]", nil, item{"l": list{1, 2}}, item{"l": list{2, 1}}},
		{"SET_of_an_empty_lists_element", "SET l[0] = :v", one, item{"l": list{}}, item{"l": list{1}}},
		{"SET_of_a_set_of_an_empty_string", "SET o.s = :v", item{":v": ss{""}}, item{"o": item{}}, item{"o": item{"s": ss{""}}}},
		{"SET_and_REMOVE_of_elements_by_their_places_before", "REMOVE l[1] SET l[3] = :v", item{":v": 17}, item{"l": list{2, 3, 4, 5, 6}}, item{"l": list{2, 4, 17, 6}}},
		{"REMOVE_of_the_last_member_leaves_an_empty_map", "REMOVE o.x, l[0]", nil, item{"o": item{"x": 1}, "l": list{1}}, item{"o": item{}, "l": list{}}},
		{"REMOVE_of_a_missing_path_in_a_map", "REMOVE o.y", nil, item{"o": item{"x": 1}}, item{"o": item{"x": 1}}},
		{"ADD_of_a_path", "ADD o.x :v, o.y :v, l[0] :v", one, item{"o": item{"x": 1}, "l": list{1}}, item{"o": item{"x": 2, "y": 1}, "l": list{2}}},
		{"DELETE_of_a_path", "DELETE o.s :v", item{":v": ss{"a"}}, item{"o": item{"s": ss{"a"}}}, item{"o": item{}}},
		{"REMOVE", "REMOVE n, m", nil, item{"n": 1, "m": 2, "o": 3}, item{"o": 3}},
		{"REMOVE_of_a_missing_attribute", "REMOVE n", nil, item{"o": 3}, item{"o": 3}},
		{"REMOVE_of_a_path", "REMOVE o.x", nil, item{"o": item{"x": 1, "y": 2}}, item{"o": item{"y": 2}}},
		{"REMOVE_of_elements_by_their_places_before", "REMOVE l[0], l[2]", nil, item{"l": list{"a", "b", "c", "d"}}, item{"l": list{"b", "d"}}},
		{"REMOVE_past_the_end", "REMOVE l[5]", nil, item{"l": list{"a"}}, item{"l": list{"a"}}},
		{"ADD_of_a_number", "ADD n :v", one, item{"n": num("1.5")}, item{"n": num("2.5")}},
		{"ADD_to_a_missing_number", "ADD n :v", one, item{}, item{"n": 1}},
		{"ADD_to_a_set", "ADD s :v", item{":v": ss{"b", "c"}}, item{"s": ss{"a", "b"}}, item{"s": ss{"a", "b", "c"}}},
		{"ADD_to_a_set_of_numbers_by_value", "ADD s :v", item{":v": ns{"1.0", "2"}}, item{"s": ns{"1"}}, item{"s": ns{"1", "2"}}},
		{"ADD_to_a_missing_set", "ADD s :v", item{":v": ss{"a"}}, item{}, item{"s": ss{"a"}}},
		{"DELETE_from_a_set", "DELETE s :v", item{":v": ss{"a", "x"}}, item{"s": ss{"a", "b"}}, item{"s": ss{"b"}}},
		{"DELETE_of_the_last_element_removes_the_set", "DELETE s :v", item{":v": ss{"a"}}, item{"s": ss{"a"}, "n": 1}, item{"n": 1}},
		{"DELETE_from_a_missing_set", "DELETE s :v", item{":v": ss{"a"}}, item{"n": 1}, item{"n": 1}},
		{"all_clauses_in_any_order", "REMOVE r ADD a :v DELETE d :d SET s = :v", item{":v": 1, ":d": ss{"x"}}, item{"r": 0, "d": ss{"x", "y"}}, item{"a": 1, "d": ss{"y"}, "s": 1}},
		{"keywords_in_any_case", "set n = :v remove m", one, item{"m": 1}, item{"n": 1}},
		{"a_value_of_every_type", "SET x = :v", item{":v": item{"l": list{nil, true, []byte("x"), ss{"s"}}}}, item{}, item{"x": item{"l": list{nil, true, []byte("x"), ss{"s"}}}}},
	}
}

func updateRules() []rule {
	var rules []rule
	for _, u := range updatings() {
		rules = append(rules, rule{"updates/" + u.name, func(c *check) { checkUpdate(c, u) }})
	}
	return append(rules,
		rule{"updates/creates_a_missing_item", updateCreates},
		rule{"updates/without_expression_creates_an_item_of_its_key", updateKeyOnly},
		rule{"updates/REMOVE_and_DELETE_on_a_missing_item_create_nothing", updateRemoveMissing},
		rule{"updates/placeholders_for_reserved_words", updateReserved})
}

func checkUpdate(c *check, u updating) {
	table := c.create("pk:S")
	u.before["pk"], u.after["pk"] = "a", "a"
	c.put(table, u.before)
	_, err := c.update(table, item{"pk": "a"}, change{expr: u.expr, values: u.values})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, u.after)
}

func updateCreates(c *check) {
	table := c.create("pk:S sk:N")
	_, err := c.update(table, item{"pk": "a", "sk": 1}, change{expr: "SET n = :v", values: item{":v": "x"}})
	c.ok(err)
	c.stored(table, item{"pk": "a", "sk": 1}, item{"pk": "a", "sk": 1, "n": "x"})
}

func updateKeyOnly(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, item{"pk": "a"})
}

func updateRemoveMissing(c *check) {
	table := c.create("pk:S")
	for _, u := range []change{{expr: "REMOVE n"}, {expr: "REMOVE o.x, l[0]"}, {expr: "REMOVE n DELETE s :v", values: item{":v": ss{"a"}}}} {
		u.returns = types.ReturnValueAllNew
		out, err := c.update(table, item{"pk": "a"}, u)
		c.ok(err)
		c.equal("attributes", len(out.Attributes), 0)
		c.missing(table, item{"pk": "a"})
		c.ok(c.transact(types.TransactWriteItem{Update: &types.Update{
			TableName: &table, Key: row(item{"pk": "a"}), UpdateExpression: &u.expr, ExpressionAttributeValues: row(u.values),
		}}))
		c.missing(table, item{"pk": "a"})
	}
}

func updateReserved(c *check) {
	table := c.create("pk:S")
	_, err := c.update(table, item{"pk": "a"}, change{
		expr: "SET #s = :v, #d = :v", names: map[string]string{"#s": "status", "#d": "a.b c"}, values: item{":v": 1},
	})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "status": 1, "a.b c": 1})
}
