package tabletest

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// global adds a global index; the attributes of its schema are defined if they are not yet.
func global(name, schema string, projected ...string) func(*dynamodb.CreateTableInput) {
	return func(in *dynamodb.CreateTableInput) {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &name, KeySchema: keySchema(schema), Projection: projection(projected),
		})
		define(in, schema)
	}
}

func localIndex(name, schema string, projected ...string) func(*dynamodb.CreateTableInput) {
	return func(in *dynamodb.CreateTableInput) {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: &name, KeySchema: keySchema(schema), Projection: projection(projected),
		})
		define(in, schema)
	}
}

func define(in *dynamodb.CreateTableInput, schema string) {
	known := map[string]bool{}
	for _, a := range in.AttributeDefinitions {
		known[*a.AttributeName] = true
	}
	for _, a := range attributes(schema) {
		if !known[*a.AttributeName] {
			in.AttributeDefinitions = append(in.AttributeDefinitions, a)
		}
	}
}

// projection of everything, of the keys alone ("KEYS"), or of named attributes.
func projection(projected []string) *types.Projection {
	switch {
	case projected == nil:
		return &types.Projection{ProjectionType: types.ProjectionTypeAll}
	case projected[0] == "KEYS":
		return &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	default:
		return &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: projected}
	}
}

func indexRules() []rule {
	return []rule{
		{"indexes/global/finds_by_its_keys_in_order", globalOrder},
		{"indexes/global/is_sparse", globalSparse},
		{"indexes/global/follows_updates_and_deletes", globalFollows},
		{"indexes/global/last_key_has_the_keys_of_index_and_table", globalLastKey},
		{"indexes/global/pages_through_equal_keys", globalTies},
		{"indexes/global/projects_keys_only", globalKeysOnly},
		{"indexes/global/projects_named_attributes", globalInclude},
		{"indexes/global/refuses_consistent_reads", globalConsistent},
		{"indexes/global/refuses_ALL_ATTRIBUTES_of_a_partial_projection", globalAllAttributes},
		{"indexes/global/scan_sees_its_items_only", globalScan},
		{"indexes/global/refuses_a_key_of_another_type_on_every_write", globalType},
		{"indexes/global/refuses_an_empty_key", globalEmpty},
		{"indexes/global/refuses_a_key_that_is_too_large", globalLarge},
		{"indexes/global/refuses_to_return_what_is_not_projected", globalUnprojected},
		{"indexes/global/refuses_a_start_key_of_the_table_alone", globalStartKey},
		{"indexes/local/orders_a_partition_by_another_attribute", localOrder},
		{"indexes/local/reads_consistently", localConsistent},
		{"indexes/local/fetches_what_is_not_projected", localFetches},
		{"indexes/unknown_is_refused", indexUnknown},
		{"indexes/global/refuses_a_filter_on_what_is_not_projected", filterUnprojected(global("byG", "g:S h:N", "n"), "g = :x")},
		{"indexes/local/refuses_a_filter_on_what_is_not_projected", filterUnprojected(localIndex("byG", "pk:S h:N", "KEYS"), "pk = :x")},
		{"indexes/scan_filters_what_is_projected", scanUnprojected},
		{"indexes/refuses_paths_within_keys", pathsWithinKeys},
	}
}

func indexTableRules() []rule {
	return []rule{
		{"indexes/create/backfills_what_is_there", backfill},
		{"indexes/create/backfill_skips_what_cannot_be_a_key", backfillSkips},
		{"indexes/delete/goes", indexGoes},
		{"indexes/create/twice_is_refused", indexTwice},
		{"indexes/create/refuses_a_local_index_with_another_partition_key", localOtherKey},
		{"indexes/create/refuses_two_of_one_name", indexSameName},
		{"indexes/create/project_at_most_100_named_attributes_in_all", indexProjected},
		{"indexes/create/a_table_has_at_most_five_local_ones", indexesMany(6, localIndex, "pk:S h%d:S")},
		{"indexes/create/a_table_has_at_most_twenty_global_ones", indexesMany(21, global, "h%d:S")},
	}
}

// indexed has a global index "byG" on g and h.
func (c *check) indexed(projected ...string) string {
	return c.create("pk:S", global("byG", "g:S h:N", projected...))
}

// settled waits until a global index shows so many items of a key.
func (c *check) settled(table, g string, n int) []attrs {
	var items []attrs
	c.eventually(fmt.Sprintf("the index has %d items of %q", n, g), func() bool {
		items, _ = c.pages(table, find{index: "byG", key: "g = :g", values: item{":g": g}})
		return len(items) == n
	})
	return items
}

func globalOrder(c *check) {
	table := c.indexed()
	c.put(table, item{"pk": "a", "g": "x", "h": 10}, item{"pk": "b", "g": "x", "h": 9}, item{"pk": "c", "g": "y", "h": 1})
	items := c.settled(table, "x", 2)
	c.equal("items", items, []item{{"pk": "b", "g": "x", "h": 9}, {"pk": "a", "g": "x", "h": 10}})
	out := c.query(table, find{index: "byG", key: "g = :g AND h > :h", values: item{":g": "x", ":h": 9}})
	c.equal("keys", column(out.Items, "pk"), `["a"]`)
}

func globalSparse(c *check) {
	table := c.indexed()
	c.put(table, item{"pk": "a", "g": "x"}, item{"pk": "b", "h": 1}, item{"pk": "c"}, item{"pk": "d", "g": "x", "h": 1})
	c.equal("keys", column(c.settled(table, "x", 1), "pk"), `["d"]`)
}

func globalFollows(c *check) {
	table := c.indexed()
	c.put(table, item{"pk": "a", "g": "x", "h": 1, "n": 1}, item{"pk": "b", "g": "x", "h": 2})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :n, h = :h", values: item{":n": 2, ":h": 5}})
	c.ok(err)
	c.eventually("the index follows an update", func() bool {
		return column(c.settled(table, "x", 2), "h") == "[2, 5]"
	})
	_, err = c.update(table, item{"pk": "a"}, change{expr: "SET g = :g", values: item{":g": "y"}})
	c.ok(err)
	c.equal("moved", c.settled(table, "y", 1), []item{{"pk": "a", "g": "y", "h": 5, "n": 2}})
	_, err = c.update(table, item{"pk": "a"}, change{expr: "REMOVE h"})
	c.ok(err)
	c.settled(table, "y", 0)
	_, err = c.tryDelete(table, item{"pk": "b"})
	c.ok(err)
	c.settled(table, "x", 0)
}

func globalLastKey(c *check) {
	table := c.indexed()
	c.put(table, item{"pk": "a", "g": "x", "h": 1}, item{"pk": "b", "g": "x", "h": 2})
	c.settled(table, "x", 2)
	out := c.query(table, find{index: "byG", key: "g = :g", values: item{":g": "x"}, limit: 1})
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "a", "g": "x", "h": 1})
}

func globalTies(c *check) {
	table := c.indexed()
	for i := range 12 {
		c.put(table, item{"pk": fmt.Sprint("k", i), "g": "x", "h": 1})
	}
	c.settled(table, "x", 12)
	for _, descending := range []bool{false, true} {
		seen := map[string]bool{}
		items, pages := c.pages(table, find{index: "byG", key: "g = :g", values: item{":g": "x"}, limit: 5, descending: descending})
		for _, it := range items {
			seen[show(it["pk"])] = true
		}
		c.equal("items, distinct ones, pages", []int{len(items), len(seen), pages}, []int{12, 12, 3})
	}
}

func globalKeysOnly(c *check) {
	table := c.indexed("KEYS")
	c.put(table, item{"pk": "a", "g": "x", "h": 1, "n": 1})
	c.equal("items", c.settled(table, "x", 1), []item{{"pk": "a", "g": "x", "h": 1}})
}

func globalInclude(c *check) {
	table := c.indexed("n", "missing")
	c.put(table, item{"pk": "a", "g": "x", "h": 1, "n": 1, "m": 2})
	c.equal("items", c.settled(table, "x", 1), []item{{"pk": "a", "g": "x", "h": 1, "n": 1}})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :n", values: item{":n": 7}})
	c.ok(err)
	c.eventually("a projected attribute follows", func() bool { return column(c.settled(table, "x", 1), "n") == "[7]" })
}

func globalConsistent(c *check) {
	_, err := c.tryQuery(c.indexed(), find{index: "byG", key: "g = :g", values: item{":g": "x"}, consistent: true})
	c.invalid(err, "Consistent reads are not supported on global secondary indexes")
}

func globalAllAttributes(c *check) {
	_, err := c.tryQuery(c.indexed("KEYS"), find{
		index: "byG", key: "g = :g", values: item{":g": "x"}, selected: types.SelectAllAttributes,
	})
	c.invalid(err, "Select type ALL_ATTRIBUTES is not supported for global secondary index byG")
}

func globalScan(c *check) {
	table := c.indexed()
	c.put(table, item{"pk": "a", "g": "x", "h": 1}, item{"pk": "b"}, item{"pk": "c", "g": "y", "h": 1})
	c.settled(table, "x", 1)
	c.settled(table, "y", 1)
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table, IndexName: new("byG"), Limit: new(int32(1))})
	c.equal("items", printed(items), []string{show(item{"pk": "a", "g": "x", "h": 1}), show(item{"pk": "c", "g": "y", "h": 1})})
}

func globalType(c *check) {
	const text = "Type mismatch for Index Key"
	table := c.indexed()
	_, err := c.tryPut(table, item{"pk": "a", "g": 1, "h": 1})
	c.invalid(err, text)
	_, err = c.update(table, item{"pk": "a"}, change{expr: "SET g = :g", values: item{":g": list{}}})
	c.invalid(err)
	_, err = c.DynamoDB.BatchWriteItem(c.ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{table: {{PutRequest: &types.PutRequest{Item: row(item{"pk": "a", "h": "x"})}}}},
	})
	c.invalid(err, text)
	c.missing(table, item{"pk": "a"})
}

func globalEmpty(c *check) {
	table := c.indexed()
	const key = "secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. " +
		"IndexName: byG, IndexKey: g"
	_, err := c.tryPut(table, item{"pk": "a", "g": "", "h": 1})
	c.invalid(err, key)
	_, err = c.update(table, item{"pk": "a"}, change{expr: "SET g = :g", values: item{":g": ""}})
	c.invalid(err, "The update expression attempted to update a secondary index key to a value that is not supported. "+
		"The AttributeValue for a key attribute cannot contain an empty string value.")
	_, err = c.tryQuery(table, find{index: "byG", key: "g = :g", values: item{":g": ""}})
	c.invalid(err, key)
}

func globalLarge(c *check) {
	const text = "Size limit exceeded for Index Key g Actual Size: 2049 bytes Max Size: 2048 bytes IndexName: byG"
	table := c.indexed()
	_, err := c.tryPut(table, item{"pk": "a", "g": big(2049), "h": 1})
	c.invalid(err, text)
	_, err = c.update(table, item{"pk": "a"}, change{expr: "SET g = :g", values: item{":g": big(2049)}})
	c.invalid(err, text)
	c.missing(table, item{"pk": "a"})
}

func globalUnprojected(c *check) {
	_, err := c.tryQuery(c.indexed("KEYS"), find{index: "byG", key: "g = :g", values: item{":g": "x"}, project: "z, pk, a.b"})
	c.invalid(err, "Global secondary index byG does not project [a, z]")
}

func globalStartKey(c *check) {
	_, err := c.tryQuery(c.indexed(), find{index: "byG", key: "g = :g", values: item{":g": "x"}, start: row(item{"pk": "a"})})
	c.invalid(err, "The provided starting key is invalid")
}

// partitioned has a local index "byG" on h.
func (c *check) partitioned(projected ...string) string {
	return c.create("pk:S sk:S", localIndex("byG", "pk:S h:N", projected...))
}

func localOrder(c *check) {
	table := c.partitioned()
	c.put(table, item{"pk": "x", "sk": "a", "h": 2}, item{"pk": "x", "sk": "b", "h": 1}, item{"pk": "x", "sk": "c"}, item{"pk": "y", "sk": "d", "h": 0})
	out := c.query(table, find{index: "byG", key: "pk = :p", values: item{":p": "x"}, limit: 1})
	c.equal("items", out.Items, []item{{"pk": "x", "sk": "b", "h": 1}})
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "x", "sk": "b", "h": 1})
	items, _ := c.pages(table, find{index: "byG", key: "pk = :p AND h >= :h", values: item{":p": "x", ":h": 1}, limit: 1})
	c.equal("sort keys", column(items, "sk"), `["b", "a"]`)
}

func localConsistent(c *check) {
	table := c.partitioned()
	c.put(table, item{"pk": "x", "sk": "a", "h": 2})
	out := c.query(table, find{index: "byG", key: "pk = :p", values: item{":p": "x"}, consistent: true})
	c.equal("items", len(out.Items), 1)
}

func localFetches(c *check) {
	table := c.partitioned("KEYS")
	c.put(table, item{"pk": "x", "sk": "a", "h": 2, "n": 1})
	out := c.query(table, find{index: "byG", key: "pk = :p", values: item{":p": "x"}})
	c.equal("projected", out.Items, []item{{"pk": "x", "sk": "a", "h": 2}})
	out = c.query(table, find{index: "byG", key: "pk = :p", values: item{":p": "x"}, selected: types.SelectAllAttributes})
	c.equal("fetched", out.Items, []item{{"pk": "x", "sk": "a", "h": 2, "n": 1}})
	out = c.query(table, find{index: "byG", key: "pk = :p", values: item{":p": "x"}, project: "n"})
	c.equal("asked for", out.Items, []item{{"n": 1}})
}

func indexUnknown(c *check) {
	_, err := c.tryQuery(c.create("pk:S"), find{index: "none", key: "g = :g", values: item{":g": "x"}})
	c.invalid(err, "The table does not have the specified index: none")
}

// addIndex creates the index "byG" on a table that exists.
func (c *check) addIndex(table, name string) error {
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, AttributeDefinitions: attributes("g:S h:N"),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: &name, KeySchema: keySchema("g:S h:N"), Projection: projection(nil),
		}}},
	})
	return err
}

func backfill(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "g": "x", "h": 1}, item{"pk": "b", "g": "x"})
	c.ok(c.addIndex(table, "byG"))
	c.active(table)
	c.equal("keys", column(c.settled(table, "x", 1), "pk"), `["a"]`)
	c.put(table, item{"pk": "c", "g": "x", "h": 0})
	c.equal("keys", column(c.settled(table, "x", 2), "pk"), `["c", "a"]`)
}

func backfillSkips(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "g": "x", "h": "no number"}, item{"pk": "b", "g": "x", "h": 1}, item{"pk": "c", "g": list{}, "h": 1},
		item{"pk": "d", "g": big(2049), "h": 1}, item{"pk": "e", "g": "", "h": 1})
	c.ok(c.addIndex(table, "byG"))
	c.active(table)
	c.equal("keys", column(c.settled(table, "x", 1), "pk"), `["b"]`)
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table, IndexName: new("byG")})
	c.equal("keys of all", column(items, "pk"), `["b"]`)
}

func indexGoes(c *check) {
	table := c.indexed()
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table,
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{
			{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: new("byG")}},
		},
	})
	c.ok(err)
	c.eventually("the index goes", func() bool {
		out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &table})
		c.ok(err)
		return len(out.Table.GlobalSecondaryIndexes) == 0 && len(out.Table.AttributeDefinitions) == 1
	})
	_, err = c.tryQuery(table, find{index: "byG", key: "g = :g", values: item{":g": "x"}})
	c.invalid(err)
}

func indexTwice(c *check) {
	c.invalid(c.addIndex(c.indexed(), "byG"))
}

func localOtherKey(c *check) {
	in := definition(c.unique(), "pk:S sk:S")
	localIndex("byG", "g:S h:N")(in)
	_, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.invalid(err)
}

func indexSameName(c *check) {
	in := definition(c.unique(), "pk:S sk:S")
	global("byG", "g:S")(in)
	global("byG", "h:S")(in)
	_, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.invalid(err)
}

func filterUnprojected(index func(*dynamodb.CreateTableInput), key string) func(c *check) {
	return func(c *check) {
		table := c.create("pk:S sk:S", index)
		_, err := c.tryQuery(table, find{index: "byG", key: key, filter: "z = :x OR a > :x", values: item{":x": "x"}})
		c.invalid(err, "Secondary index byG does not project one or more filter attributes: [a, z]")
	}
}

func scanUnprojected(c *check) {
	table := c.indexed("KEYS")
	c.put(table, item{"pk": "a", "g": "x", "h": 1, "n": 1})
	c.settled(table, "x", 1)
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table, IndexName: new("byG"), FilterExpression: new("attribute_exists(n)")})
	c.equal("items", len(items), 0)
}

// pathsWithinKeys: keys are scalars, so that an expression that looks into one is a mistake, in every place.
func pathsWithinKeys(c *check) {
	const text = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	table := c.indexed()
	for path, want := range map[string]string{"pk.x": "Key: pk", "g[0]": "IndexKey: g"} {
		_, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{
			TableName: &table, Key: row(item{"pk": "a"}), ProjectionExpression: new("n, " + path),
		})
		c.invalid(err, text+want)
		_, err = c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, FilterExpression: new("attribute_exists(" + path + ")")})
		c.invalid(err, text+want)
		_, err = c.tryPut(table, item{"pk": "a"}, func(in *dynamodb.PutItemInput) {
			in.ConditionExpression = new("attribute_not_exists(" + path + ")")
		})
		c.invalid(err, text+want)
		_, err = c.update(table, item{"pk": "a"}, change{expr: "SET n = " + path})
		c.invalid(err, text+want)
	}
	c.missing(table, item{"pk": "a"})
}

func names(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return all
}

func indexProjected(c *check) {
	in := definition(c.unique(), "pk:S")
	for i := range 5 { // of DynamoDB's 20 a projection
		global(fmt.Sprint("byG", i), "g:S", names(fmt.Sprint("n", i), 20)...)(in)
	}
	global("byH", "h:S", "one_more")(in)
	_, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.invalid(err)
}

func indexesMany(n int, index func(name, schema string, projected ...string) func(*dynamodb.CreateTableInput), schema string) func(c *check) {
	return func(c *check) {
		in := definition(c.unique(), "pk:S sk:S")
		for i := range n {
			index(fmt.Sprint("index", i), fmt.Sprintf(schema, i))(in)
		}
		_, err := c.DynamoDB.CreateTable(c.ctx, in)
		c.invalid(err)
	}
}
