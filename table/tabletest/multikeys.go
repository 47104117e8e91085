package tabletest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// multiKeyRules are those of global indexes whose keys have several attributes, up to four for the partition and up to
// four for the order. AWS: developer guide, "Multi-attribute keys pattern" (November 2025).
func multiKeyRules() []rule {
	all := []rule{
		{"indexes/multi/describes_four_and_four_attributes", multiDescribes},
		{"indexes/multi/create/refuses_a_fifth_partition_attribute", multiRefused("a:S b:S c:S d:S e:S | f:S")},
		{"indexes/multi/create/refuses_a_fifth_sort_attribute", multiRefused("a:S | b:S c:S d:S e:S f:S")},
		{"indexes/multi/create/refuses_no_partition_attribute", multiRefused("| a:S b:S")},
		{"indexes/multi/create/refuses_one_attribute_twice", multiRefused("a:S a:S | b:S", "uplicate")},
		{"indexes/multi/create/refuses_one_attribute_in_both_parts", multiRefused("a:S b:S | a:S")},
		{"indexes/multi/create/refuses_partition_attributes_after_sort_attributes", multiInterleaved},
		{"indexes/multi/create/refuses_them_on_tables", multiTable},
		{"indexes/multi/create/refuses_them_on_local_indexes", multiLocal},
		{"indexes/multi/partition_is_all_of_its_attributes", multiPartition},
		{"indexes/multi/order_is_by_the_sort_attributes_from_the_left", multiOrder},
		{"indexes/multi/are_sparse_on_every_attribute", multiSparse},
		{"indexes/multi/follow_updates_of_every_attribute", multiFollow},
		{"indexes/multi/refuse_wrong_types_and_empty_values", multiTypes},
		{"indexes/multi/pages_have_every_key_attribute", multiPages},
		{"indexes/multi/refuse_a_start_key_without_one_attribute", multiStartKey},
		{"indexes/multi/project_every_key_attribute", multiKeysOnly},
		{"indexes/multi/KeyConditions_find_too", multiKeyConditions},
		{"indexes/multi/backfill", multiBackfill},
		{"indexes/multi/scan_in_segments", multiScan},
	}
	for _, q := range multiQueries() {
		all = append(all, rule{"indexes/multi/query/" + q.name, func(c *check) { multiQuery(c, q) }})
	}
	return all
}

// multi has an index "byG" with two attributes for the partition and three for the order.
func (c *check) multi(projected ...string) string {
	return c.create("pk:S", global("byG", "g1:S g2:N | r1:S r2:N r3:B", projected...))
}

// matches are four rows of the partition ("x", 1), in order, and one of another.
func (c *check) matches(table string) {
	c.put(table,
		item{"pk": "d", "g1": "x", "g2": 1, "r1": "b", "r2": 0, "r3": []byte{0}},
		item{"pk": "b", "g1": "x", "g2": 1, "r1": "a", "r2": 10, "r3": []byte{1}},
		item{"pk": "c", "g1": "x", "g2": 1, "r1": "a", "r2": 10, "r3": []byte{2}},
		item{"pk": "a", "g1": "x", "g2": 1, "r1": "a", "r2": 9, "r3": []byte{9}},
		item{"pk": "e", "g1": "x", "g2": 2, "r1": "a", "r2": 9, "r3": []byte{9}})
	c.eventually("the index has 4 items", func() bool { return c.query(table, xOne).Count == 4 })
}

// xOne asks for the partition ("x", 1).
var xOne = find{index: "byG", key: "g1 = :x AND g2 = :1", values: item{":x": "x", ":1": 1}}

// and narrows a query down.
func (q find) and(condition string, values item) find {
	all := item{}
	for name, v := range q.values {
		all[name] = v
	}
	for name, v := range values {
		all[name] = v
	}
	q.key, q.values = q.key+" AND "+condition, all
	return q
}

// multiCase is a query of the partition ("x", 1) with the keys that it finds, or with what its refusal says.
type multiCase struct {
	name, condition string
	values          item
	want            string
	refused         []string
}

func multiQueries() []multiCase {
	skipped := []string{"Query condition missed key schema element: r1"}
	return []multiCase{
		{"first_attribute", "r1 = :a", item{":a": "a"}, `["a", "b", "c"]`, nil},
		{"first_attribute_begins_with", "begins_with(r1, :a)", item{":a": "a"}, `["a", "b", "c"]`, nil},
		{"first_attribute_greater", "r1 > :a", item{":a": "a"}, `["d"]`, nil},
		{"first_attribute_less_or_equal", "r1 <= :a", item{":a": "a"}, `["a", "b", "c"]`, nil},
		{"two_attributes", "r1 = :a AND r2 = :10", item{":a": "a", ":10": 10}, `["b", "c"]`, nil},
		{"two_attributes_in_the_other_order", "r2 = :10 AND r1 = :a", item{":a": "a", ":10": 10}, `["b", "c"]`, nil},
		{"second_attribute_less", "r1 = :a AND r2 < :10", item{":a": "a", ":10": 10}, `["a"]`, nil},
		{"second_attribute_at_least", "r1 = :a AND r2 >= :9", item{":a": "a", ":9": 9}, `["a", "b", "c"]`, nil},
		{"second_attribute_between", "r1 = :a AND r2 BETWEEN :1 AND :9", item{":a": "a", ":9": 9}, `["a"]`, nil},
		{"third_attribute_greater", "r1 = :a AND r2 = :10 AND r3 > :b", item{":a": "a", ":10": 10, ":b": []byte{1}}, `["c"]`, nil},
		{"all_attributes", "r1 = :a AND r2 = :10 AND r3 = :b", item{":a": "a", ":10": 10, ":b": []byte{1}}, `["b"]`, nil},
		{"refuses_to_skip_the_first", "r2 = :10", item{":10": 10}, "", skipped},
		{"refuses_a_gap", "r1 = :a AND r3 = :b", item{":a": "a", ":b": []byte{1}}, "", []string{"r2"}},
		{"refuses_an_inequality_before_the_last", "r1 > :a AND r2 = :10", item{":a": "a", ":10": 10}, "", []string{}},
		{"refuses_begins_with_before_the_last", "begins_with(r1, :a) AND r2 = :10", item{":a": "a", ":10": 10}, "", []string{}},
		{"refuses_begins_with_on_a_number", "r1 = :a AND begins_with(r2, :10)", item{":a": "a", ":10": 10}, "", []string{"begins_with"}},
		{"refuses_a_value_of_another_type", "r1 = :a AND r2 = :b", item{":a": "a", ":b": "10"}, "", []string{"type"}},
		{"refuses_another_attribute", "r1 = :a AND pk = :a", item{":a": "a"}, "", []string{}},
	}
}

func multiQuery(c *check, q multiCase) {
	table := c.multi()
	if q.refused != nil {
		_, err := c.tryQuery(table, xOne.and(q.condition, q.values))
		c.invalid(err, q.refused...)
		return
	}
	c.matches(table)
	items, _ := c.pages(table, xOne.and(q.condition, q.values))
	c.equal("keys", column(items, "pk"), q.want)
}

func multiDescribes(c *check) {
	table := c.create("pk:S sk:S", global("byG", "a:S b:N c:B pk:S | sk:S e:N f:B g:S"))
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &table})
	c.ok(err)
	var got []string
	for _, k := range out.Table.GlobalSecondaryIndexes[0].KeySchema {
		got = append(got, *k.AttributeName+" "+string(k.KeyType))
	}
	c.equal("key schema", strings.Join(got, ", "), "a HASH, b HASH, c HASH, pk HASH, sk RANGE, e RANGE, f RANGE, g RANGE")
	c.put(table, item{"pk": "p", "sk": "s", "a": "1", "b": 2, "c": []byte{3}, "e": 4, "f": []byte{5}, "g": "6"})
	c.eventually("the item is in the index", func() bool {
		return c.query(table, find{
			index: "byG", key: "a = :a AND b = :b AND c = :c AND pk = :p AND sk = :s AND e = :e AND f = :f AND begins_with(g, :g)",
			values: item{":a": "1", ":b": 2, ":c": []byte{3}, ":p": "p", ":s": "s", ":e": 4, ":f": []byte{5}, ":g": "6"},
		}).Count == 1
	})
}

// multiRefused asks for the refusal of an index with such a schema, when the table is created and later.
func multiRefused(schema string, texts ...string) func(c *check) {
	return func(c *check) {
		in := definition(c.unique(), "pk:S")
		global("byG", schema)(in)
		_, err := c.DynamoDB.CreateTable(c.ctx, in)
		c.invalid(err, texts...)
		c.invalid(c.addKeys(c.create("pk:S"), keySchema(schema), schema), texts...)
	}
}

// addKeys creates the index "byG" on a table that exists.
func (c *check) addKeys(table string, keys []types.KeySchemaElement, schema string) error {
	in := &dynamodb.CreateTableInput{}
	define(in, schema)
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, AttributeDefinitions: in.AttributeDefinitions,
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: new("byG"), KeySchema: keys, Projection: projection(nil),
		}}},
	})
	return err
}

func multiInterleaved(c *check) {
	keys := keySchema("a:S | b:S c:S")
	keys[2].KeyType = types.KeyTypeHash
	c.invalid(c.addKeys(c.create("pk:S"), keys, "a:S b:S c:S"))
}

func multiTable(c *check) {
	_, err := c.DynamoDB.CreateTable(c.ctx, definition(c.unique(), "a:S b:S | c:S"))
	c.invalid(err)
	_, err = c.DynamoDB.CreateTable(c.ctx, definition(c.unique(), "a:S | b:S c:S"))
	c.invalid(err)
}

func multiLocal(c *check) {
	in := definition(c.unique(), "pk:S sk:S")
	localIndex("byG", "pk:S | l:S m:S")(in)
	_, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.invalid(err)
}

func multiPartition(c *check) {
	table := c.create("pk:S", global("byG", "g:S h:S |"))
	c.put(table, item{"pk": "1", "g": "ab", "h": "c"}, item{"pk": "2", "g": "a", "h": "bc"}, item{"pk": "3", "g": "ab", "h": "c"})
	both := find{index: "byG", key: "g = :g AND h = :h", values: item{":g": "ab", ":h": "c"}}
	c.eventually("the index has 2 items", func() bool { return c.query(table, both).Count == 2 })
	both.values = item{":g": "a", ":h": "bc"}
	c.eventually("the other partition has 1", func() bool { return c.query(table, both).Count == 1 })
	_, err := c.tryQuery(table, find{index: "byG", key: "g = :g", values: item{":g": "a"}})
	c.invalid(err, "Query condition missed key schema element: h")
	_, err = c.tryQuery(table, find{index: "byG", key: "g = :g AND h > :h", values: item{":g": "a", ":h": "b"}})
	c.invalid(err, "Query key condition not supported")
	for _, name := range []string{"g", "h"} {
		both.filter = name + " <> :g"
		_, err = c.tryQuery(table, both)
		c.invalid(err, "Filter Expression can only contain non-primary key attributes: Primary key attribute: "+name)
	}
}

func multiOrder(c *check) {
	table := c.multi()
	c.matches(table)
	items, _ := c.pages(table, xOne)
	c.equal("ascending", column(items, "pk"), `["a", "b", "c", "d"]`)
	down := xOne
	down.descending = true
	items, _ = c.pages(table, down)
	c.equal("descending", column(items, "pk"), `["d", "c", "b", "a"]`)
}

func multiSparse(c *check) {
	table := c.multi()
	whole := item{"g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}}
	for missing := range whole {
		part := item{"pk": "without " + missing}
		for name, v := range whole {
			if name != missing {
				part[name] = v
			}
		}
		c.put(table, part)
	}
	c.matches(table)
}

func multiFollow(c *check) {
	table := c.multi()
	c.matches(table)
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET r3 = :b, r2 = :n", values: item{":b": []byte{0}, ":n": 10}})
	c.ok(err)
	c.eventually("the order follows", func() bool {
		items, _ := c.pages(table, xOne.and("r1 = :a AND r2 = :10", item{":a": "a", ":10": 10}))
		return column(items, "pk") == `["a", "b", "c"]`
	})
	_, err = c.update(table, item{"pk": "a"}, change{expr: "REMOVE r2"})
	c.ok(err)
	_, err = c.update(table, item{"pk": "b"}, change{expr: "SET g2 = :n", values: item{":n": 2}})
	c.ok(err)
	c.eventually("the partition follows", func() bool {
		items, _ := c.pages(table, xOne)
		return column(items, "pk") == `["c", "d"]`
	})
}

func multiTypes(c *check) {
	table := c.multi()
	for name, v := range (item{"g1": 1, "g2": "1", "r1": []byte{1}, "r2": "1", "r3": "1"}) {
		it := item{"pk": "a", "g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}}
		it[name] = v
		_, err := c.tryPut(table, it)
		c.invalid(err, "Type mismatch for Index Key "+name)
	}
	for name, v := range (item{"g1": "", "r1": "", "r3": []byte{}}) {
		_, err := c.update(table, item{"pk": "a"}, change{expr: "SET " + name + " = :v", values: item{":v": v}})
		c.invalid(err, "empty")
	}
	c.missing(table, item{"pk": "a"})
}

func multiPages(c *check) {
	table := c.multi()
	for i := range 7 { // equal keys, which only the table's key tells apart
		c.put(table, item{"pk": fmt.Sprint(i), "g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}})
	}
	c.eventually("the index has 7 items", func() bool { return c.query(table, xOne).Count == 7 })
	for _, down := range []bool{false, true} {
		q := xOne
		q.limit, q.descending = 2, down
		first := c.query(table, q)
		pk := first.Items[1]["pk"]
		c.equal("last key", first.LastEvaluatedKey, item{"pk": pk, "g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}})
		items, pages := c.pages(table, q)
		seen := map[string]bool{}
		for _, it := range items {
			seen[show(it["pk"])] = true
		}
		c.equal("items, distinct ones, pages", []int{len(items), len(seen), pages}, []int{7, 7, 4})
	}
}

func multiStartKey(c *check) {
	q := xOne
	table := c.multi()
	for _, missing := range []string{"pk", "g1", "g2", "r1", "r2", "r3"} {
		start := item{"pk": "a", "g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}}
		delete(start, missing)
		q.start = row(start)
		_, err := c.tryQuery(table, q)
		c.invalid(err, "The provided starting key is invalid")
	}
}

func multiKeysOnly(c *check) {
	table := c.multi("KEYS")
	it := item{"pk": "a", "g1": "x", "g2": 1, "r1": "a", "r2": 1, "r3": []byte{1}}
	with := item{"other": true}
	for name, v := range it {
		with[name] = v
	}
	c.put(table, with)
	c.eventually("the item is in the index", func() bool { return c.query(table, xOne).Count == 1 })
	c.equal("items", c.query(table, xOne).Items, []item{it})
}

func multiKeyConditions(c *check) {
	table := c.multi()
	c.matches(table)
	is := func(op types.ComparisonOperator, v any) types.Condition {
		return types.Condition{ComparisonOperator: op, AttributeValueList: []types.AttributeValue{value(v)}}
	}
	conditions := map[string]types.Condition{"g1": is("EQ", "x"), "g2": is("EQ", 1), "r1": is("EQ", "a"), "r2": is("GT", 9)}
	in := &dynamodb.QueryInput{TableName: &table, IndexName: new("byG"), KeyConditions: conditions}
	out, err := c.DynamoDB.Query(c.ctx, in)
	c.ok(err)
	c.equal("keys", column(out.Items, "pk"), `["b", "c"]`)
	delete(conditions, "r1")
	_, err = c.DynamoDB.Query(c.ctx, in)
	c.invalid(err, "r1")
}

func multiBackfill(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "g1": "x", "g2": 1, "r1": "b"}, item{"pk": "b", "g1": "x", "g2": 1, "r1": "a"},
		item{"pk": "c", "g1": "x", "r1": "a"}, item{"pk": "d", "g1": "x", "g2": "no number", "r1": "a"})
	const schema = "g1:S g2:N | r1:S"
	c.ok(c.addKeys(table, keySchema(schema), schema))
	c.active(table)
	items, _ := c.pages(table, xOne)
	c.equal("keys", column(items, "pk"), `["b", "a"]`)
}

func multiScan(c *check) {
	table := c.multi()
	c.matches(table)
	seen := map[string]int{}
	for segment := range int32(3) {
		items, _ := c.scan(&dynamodb.ScanInput{
			TableName: &table, IndexName: new("byG"), Limit: new(int32(1)), Segment: &segment, TotalSegments: new(int32(3)),
		})
		for _, it := range items {
			seen[show(it["pk"])]++
		}
	}
	c.equal("items by segments", seen, map[string]int{`"a"`: 1, `"b"`: 1, `"c"`: 1, `"d"`: 1, `"e"`: 1})
}
