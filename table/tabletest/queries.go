package tabletest

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// keyed is a key condition over the sort keys 1, 2, 3, 10 or "a", "ab", "b".
type keyed struct {
	name, schema, key string
	values            item
	want              string
}

func keyedQueries() []keyed {
	const n, s = "pk:S sk:N", "pk:S sk:S"
	return []keyed{
		{"partition_key_alone", n, "pk = :p", item{":p": "x"}, "[1, 2, 3, 10]"},
		{"numbers_sort_by_value", n, "pk = :p AND sk > :a", item{":p": "x", ":a": 2}, "[3, 10]"},
		{"equal", n, "pk = :p AND sk = :a", item{":p": "x", ":a": num("2.0")}, "[2]"},
		{"less", n, "pk = :p AND sk < :a", item{":p": "x", ":a": 3}, "[1, 2]"},
		{"less_or_equal", n, "pk = :p AND sk <= :a", item{":p": "x", ":a": 3}, "[1, 2, 3]"},
		{"greater_or_equal", n, "pk = :p AND sk >= :a", item{":p": "x", ":a": 3}, "[3, 10]"},
		{"BETWEEN", n, "pk = :p AND sk BETWEEN :a AND :b", item{":p": "x", ":a": 2, ":b": 9}, "[2, 3]"},
		{"begins_with", s, "pk = :p AND begins_with(sk, :a)", item{":p": "x", ":a": "a"}, `["a", "ab"]`},
		{"strings_sort_by_bytes", s, "pk = :p AND sk > :a", item{":p": "x", ":a": "a"}, `["ab", "b"]`},
		{"the_other_order", n, "sk > :a AND pk = :p", item{":p": "x", ":a": 2}, "[3, 10]"},
		{"parentheses", n, "(pk = :p) AND (sk > :a)", item{":p": "x", ":a": 2}, "[3, 10]"},
		{"the_value_on_the_left", n, ":p = pk AND :a < sk", item{":p": "x", ":a": 2}, "[3, 10]"},
		{"no_such_partition", n, "pk = :p", item{":p": "y"}, "[]"},
	}
}

// badKeyed are key conditions that are refused.
func badKeyed() []keyed {
	const n = "pk:S sk:N"
	two := item{":p": "x", ":a": 2}
	return []keyed{
		{"no_partition_key", n, "sk = :a", item{":a": 2}, "Query condition missed key schema element: pk"},
		{"an_inequality_of_the_partition_key", n, "pk > :p", item{":p": "x"}, "Query key condition not supported"},
		{"a_not_equal", n, "pk = :p AND sk <> :a", two, "Invalid operator used in KeyConditionExpression: <>"},
		{"an_OR", n, "pk = :p OR sk = :a", two, "Invalid operator used in KeyConditionExpression: OR"},
		{"two_conditions_of_one_key", n, "pk = :p AND sk > :a AND sk < :b", item{":p": "x", ":a": 2, ":b": 3}, "KeyConditionExpressions must only contain one condition per key"},
		{"another_attribute", n, "pk = :p AND another = :a", two, "Query condition missed key schema element: sk"},
		{"a_value_of_another_type", n, "pk = :p", item{":p": 1}, "Condition parameter type does not match schema type"},
		{"begins_with_of_a_number", n, "pk = :p AND begins_with(sk, :a)", two, ""},
		{"a_nested_path", n, "pk = :p AND sk.x = :a", two, ""},
		{"an_empty_key", n, "pk = :p", item{":p": ""}, ""},
		{"contains", n, "pk = :p AND contains(sk, :a)", two, "Invalid operator used in KeyConditionExpression: contains"},
		{"a_partition_key_of_2049_bytes", n, "pk = :p", item{":p": big(2049)}, "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{
			"a_sort_key_of_1025_bytes", "pk:S sk:S", "pk = :p AND sk > :a",
			item{":p": "x", ":a": big(1025)},
			"Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
		},
		{"a_syntax_error", n, "pk = ", nil, "Syntax error"},
		{"bounds_in_the_wrong_order", n, "pk = :p AND sk BETWEEN :b AND :a", item{":p": "x", ":a": 1, ":b": 2}, ""},
	}
}

// sorted fills a table with the sort keys that keyed queries expect.
func (c *check) sorted(schema string) string {
	table := c.create(schema)
	keys := []any{10, 2, 1, 3}
	if schema == "pk:S sk:S" {
		keys = []any{"b", "ab", "a"}
	}
	for i, k := range keys {
		c.put(table, item{"pk": "x", "sk": k, "i": i, "even": i%2 == 0}, item{"pk": "other", "sk": k})
	}
	return table
}

func queryRules() []rule {
	var rules []rule
	for _, q := range keyedQueries() {
		rules = append(rules, rule{"queries/" + q.name, func(c *check) {
			out := c.query(c.sorted(q.schema), find{key: q.key, values: q.values})
			c.equal("sort keys", column(out.Items, "sk"), q.want)
			c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{len(out.Items), len(out.Items)})
			c.that(out.LastEvaluatedKey == nil, "a last key at the end")
		}})
	}
	for _, q := range badKeyed() {
		rules = append(rules, rule{"queries/refuses_" + q.name, func(c *check) {
			_, err := c.tryQuery(c.sorted(q.schema), find{key: q.key, values: q.values})
			c.invalid(err, q.want)
		}})
	}
	return append(rules,
		rule{"queries/descending", queryDescending},
		rule{"queries/binary_keys_sort_by_unsigned_bytes", queryBinary},
		rule{"queries/numbers_of_every_size_sort_by_value", queryNumbers},
		rule{"queries/a_filter_counts_what_was_scanned", queryFilter},
		rule{"queries/refuses_a_filter_on_a_key", queryFilterKey},
		rule{"queries/COUNT_has_no_items", queryCount},
		rule{"queries/KeyConditions_go_with_a_filter_expression", queryLegacy},
		rule{"queries/refuses_a_mixture_of_old_and_new_parameters", queryMixture},
		rule{"queries/refuses_a_query_without_condition", queryNothing})
}

func queryDescending(c *check) {
	out := c.query(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, descending: true})
	c.equal("sort keys", column(out.Items, "sk"), "[10, 3, 2, 1]")
}

func queryBinary(c *check) {
	table := c.create("pk:S sk:B")
	for _, k := range [][]byte{{255}, {0, 0}, {0}, {1, 255}, {128}} {
		c.put(table, item{"pk": "x", "sk": k})
	}
	out := c.query(table, find{key: "pk = :p", values: item{":p": "x"}})
	c.equal("sort keys", column(out.Items, "sk"), "[b64:AA==, b64:AAA=, b64:Af8=, b64:gA==, b64:/w==]")
}

func queryNumbers(c *check) {
	table := c.create("pk:S sk:N")
	for _, n := range []num{"0", "1e125", "-1e125", "1e-130", "-1e-130", "0.5", "-0.5", "10", "9", "-9", "-10", "1.23", "123"} {
		c.put(table, item{"pk": "x", "sk": n, "text": string(n)})
	}
	out := c.query(table, find{key: "pk = :p", values: item{":p": "x"}})
	c.equal("order", column(out.Items, "text"),
		`["-1e125", "-10", "-9", "-0.5", "-1e-130", "0", "1e-130", "0.5", "1.23", "9", "10", "123", "1e125"]`)
}

func queryFilter(c *check) {
	out := c.query(c.sorted("pk:S sk:N"), find{key: "pk = :p", filter: "even = :t", values: item{":p": "x", ":t": true}})
	c.equal("sort keys", column(out.Items, "sk"), "[1, 10]")
	c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{2, 4})
}

func queryFilterKey(c *check) {
	_, err := c.tryQuery(c.sorted("pk:S sk:N"), find{key: "pk = :p", filter: "sk > :a", values: item{":p": "x", ":a": 1}})
	c.invalid(err, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk")
}

func queryCount(c *check) {
	out := c.query(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, selected: types.SelectCount})
	c.that(out.Items == nil, "there are items")
	c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{4, 4})
}

// legacyKeys is the older form of pk = "x" AND sk > 1.
func legacyKeys() map[string]types.Condition {
	return map[string]types.Condition{
		"pk": {ComparisonOperator: types.ComparisonOperatorEq, AttributeValueList: []types.AttributeValue{value("x")}},
		"sk": {ComparisonOperator: types.ComparisonOperatorGt, AttributeValueList: []types.AttributeValue{value(1)}},
	}
}

// queryLegacy is how guregu/dynamo queries: KeyConditions beside expressions.
func queryLegacy(c *check) {
	table := c.sorted("pk:S sk:N")
	out, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditions: legacyKeys(), FilterExpression: new("#e = :t"), ProjectionExpression: new("sk"),
		ExpressionAttributeNames: map[string]string{"#e": "even"}, ExpressionAttributeValues: row(item{":t": false}),
	})
	c.ok(err)
	c.equal("items", out.Items, []item{{"sk": 2}, {"sk": 3}})
}

func queryMixture(c *check) {
	table := c.sorted("pk:S sk:N")
	_, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditions: legacyKeys(), KeyConditionExpression: new("pk = :p"),
		ExpressionAttributeValues: row(item{":p": "x"}),
	})
	c.invalid(err, "Can not use both expression and non-expression parameters in the same request")
	_, err = c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: new("pk = :p"), AttributesToGet: []string{"sk"},
		ExpressionAttributeValues: row(item{":p": "x"}),
	})
	c.invalid(err, "Can not use both expression and non-expression parameters in the same request")
}

func queryNothing(c *check) {
	_, err := c.tryQuery(c.create("pk:S"), find{})
	c.invalid(err, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request")
}

func projectionRules() []rule {
	var rules []rule
	for _, p := range []struct {
		name, expr string
		names      map[string]string
		want       item
	}{
		{"attributes", "n, s", nil, item{"n": 5, "s": "hello"}},
		{"a_missing_attribute_is_left_out", "n, absent", nil, item{"n": 5}},
		{"nothing_found_is_an_empty_item", "absent", nil, item{}},
		{"a_path_keeps_its_parents", "o.y.z", nil, item{"o": item{"y": item{"z": "deep"}}}},
		{"paths_into_one_map_merge", "o.x, o.y.z", nil, item{"o": item{"x": 1, "y": item{"z": "deep"}}}},
		{"elements_close_up_in_their_order", "l[2], l[0]", nil, item{"l": list{1, list{3}}}},
		{"an_element_past_the_end_is_left_out", "l[7], n", nil, item{"n": 5}},
		{"placeholders", "#o.#x", map[string]string{"#o": "o", "#x": "x"}, item{"o": item{"x": 1}}},
		{"the_key_only_on_request", "pk, n", nil, item{"pk": "a", "n": 5}},
	} {
		rules = append(rules, rule{"projections/" + p.name, func(c *check) {
			table := c.create("pk:S")
			c.put(table, subject())
			out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{
				TableName: &table, Key: row(item{"pk": "a"}), ProjectionExpression: &p.expr, ExpressionAttributeNames: p.names, ConsistentRead: new(true),
			})
			c.ok(err)
			c.that(out.Item != nil, "no Item")
			c.equal("item", out.Item, row(p.want))
		}})
	}
	for _, p := range []struct{ name, expr, text string }{
		{"a_path_twice", "n, n", "Two document paths overlap"},
		{"overlapping_paths", "o, o.x", "Two document paths overlap"},
		{"paths_of_two_kinds", "o.x, o[0]", "Two document paths conflict"},
		{"a_reserved_word", "status", "reserved keyword"},
		{"a_syntax_error", "n,,s", "Syntax error"},
		{"a_value", ":v", "Syntax error"},
		{"an_undefined_name", "#n", "#n"},
		{"an_empty_expression", "", "The expression can not be empty"},
	} {
		rules = append(rules, rule{"projections/refuses_" + p.name, func(c *check) {
			table := c.create("pk:S")
			_, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{
				TableName: &table, Key: row(item{"pk": "a"}), ProjectionExpression: &p.expr,
			})
			c.invalid(err, "Invalid ProjectionExpression", p.text)
		}})
	}
	return append(rules, rule{"projections/of_queries_and_scans", projectMany})
}

func projectMany(c *check) {
	table := c.sorted("pk:S sk:N")
	out := c.query(table, find{key: "pk = :p", project: "sk", values: item{":p": "x"}, limit: 2})
	c.equal("items", out.Items, []item{{"sk": 1}, {"sk": 2}})
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "x", "sk": 2})
	scanned, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, ProjectionExpression: new("i")})
	c.ok(err)
	c.equal("items", len(scanned.Items), 8)
	for _, it := range scanned.Items {
		c.that(len(it) <= 1, "an item has more than was asked for: %s", fmt.Sprint(show(it)))
	}
}
