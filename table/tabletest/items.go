package tabletest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func itemRules() []rule {
	return []rule{
		{"items/put/every_type_comes_back_as_it_was", putEveryType},
		{"items/put/replaces_the_whole_item", putReplaces},
		{"items/put/returns_the_old_item_on_request", putReturnsOld},
		{"items/put/returns_only_NONE_or_ALL_OLD", putReturns},
		{"items/put/empty_strings_and_binaries_are_values", putEmptyValues},
		{"items/put/empty_sets_are_refused", putEmptySets},
		{"items/put/duplicates_in_sets_are_refused", putDuplicates},
		{"items/put/null_is_only_true", putNullFalse},
		{"items/put/an_item_of_400_KB_fits", putLargest},
		{"items/put/an_item_over_400_KB_is_refused", putTooLarge},
		{"items/put/32_levels_fit_and_33_do_not", putNesting},
		{"items/put/refuses_attribute_names_that_are_empty_or_too_long", putNames},
		{"items/get/a_missing_item_has_no_Item", getMissing},
		{"items/get/an_item_without_what_is_projected_is_empty", getNothing},
		{"items/get/eventual_reads_see_items_as_well", getEventual},
		{"items/delete/returns_the_old_item_on_request", deleteReturnsOld},
		{"items/delete/a_missing_item_is_no_error", deleteMissing},
		{"items/delete/returns_only_NONE_or_ALL_OLD", deleteReturns},
	}
}

func putEveryType(c *check) {
	table := c.create("pk:S")
	want := item{
		"pk": "a", "n": num("-1.5"), "b": []byte{0, 255}, "t": true, "f": false, "null": nil,
		"l": list{"x", 1, list{}, item{}}, "m": item{"k": item{"deep": []byte("y")}},
		"ss": ss{"b", "a"}, "ns": ns{"2", "1"}, "bs": bs{{1}, {}}, "text": "äöü 😀 \x00\n\"\\",
	}
	c.put(table, want)
	c.stored(table, item{"pk": "a"}, want)
}

func putReplaces(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "old": 1}, item{"pk": "a", "new": 2})
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "new": 2})
}

func putReturnsOld(c *check) {
	table := c.create("pk:S")
	old := func(in *dynamodb.PutItemInput) { in.ReturnValues = types.ReturnValueAllOld }
	out, err := c.tryPut(table, item{"pk": "a", "n": 1}, old)
	c.ok(err)
	c.equal("attributes of a new item", len(out.Attributes), 0)
	out, err = c.tryPut(table, item{"pk": "a", "n": 2}, old)
	c.ok(err)
	c.equal("attributes", out.Attributes, item{"pk": "a", "n": 1})
}

func putReturns(c *check) {
	table := c.create("pk:S")
	for _, kind := range []types.ReturnValue{types.ReturnValueAllNew, types.ReturnValueUpdatedNew, types.ReturnValueUpdatedOld} {
		_, err := c.tryPut(table, item{"pk": "a"}, func(in *dynamodb.PutItemInput) { in.ReturnValues = kind })
		c.invalid(err)
	}
	c.missing(table, item{"pk": "a"})
}

func putEmptyValues(c *check) {
	table := c.create("pk:S")
	want := item{"pk": "a", "s": "", "b": []byte{}, "l": list{""}, "m": item{"k": ""}, "ss": ss{""}}
	c.put(table, want)
	c.stored(table, item{"pk": "a"}, want)
}

func putEmptySets(c *check) {
	table := c.create("pk:S")
	for _, empty := range []any{ss{}, ns{}, bs{}} {
		_, err := c.tryPut(table, item{"pk": "a", "v": empty})
		c.invalid(err, "empty")
		_, err = c.tryPut(table, item{"pk": "a", "v": list{item{"deep": empty}}})
		c.invalid(err, "empty")
	}
}

func putDuplicates(c *check) {
	table := c.create("pk:S")
	for _, twice := range []any{ss{"a", "b", "a"}, ns{"1", "1.0"}, bs{{1}, {1}}} {
		_, err := c.tryPut(table, item{"pk": "a", "v": twice})
		c.invalid(err, "duplicates")
	}
}

func putNullFalse(c *check) {
	table := c.create("pk:S")
	_, err := c.tryPut(table, item{"pk": "a", "v": &types.AttributeValueMemberNULL{Value: false}})
	c.invalid(err, "Null attribute value types must have the value of true")
}

const maxItem = 400 << 10

func putLargest(c *check) {
	table := c.create("pk:S")
	// Names count as well: "pk" + "a" + "v" are four bytes.
	want := item{"pk": "a", "v": big(maxItem - 4)}
	c.put(table, want)
	c.that(show(c.get(table, item{"pk": "a"})) == show(want), "the largest item does not come back")
}

func putTooLarge(c *check) {
	table := c.create("pk:S")
	_, err := c.tryPut(table, item{"pk": "a", "v": big(maxItem - 3)})
	c.invalid(err, "Item size has exceeded the maximum allowed size")
	c.missing(table, item{"pk": "a"})
}

// nested wraps a value into n lists.
func nested(n int) any {
	var v any = "x"
	for range n {
		v = list{v}
	}
	return v
}

func putNesting(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "v": nested(31)})
	_, err := c.tryPut(table, item{"pk": "b", "v": nested(32)})
	c.invalid(err, "Nesting Levels have exceeded supported limits")
}

func putNames(c *check) {
	table := c.create("pk:S")
	longest := strings.Repeat("n", 1<<16-1)
	c.put(table, item{"pk": "a", longest: 1, "m": item{longest: 1}})
	for name, text := range map[string]string{"": "Empty attribute name", longest + "n": "Attribute name is too large, must be less than 65536 bytes"} {
		for _, v := range []item{{"pk": "b", name: 1}, {"pk": "b", "l": list{item{name: 1}}}} {
			_, err := c.tryPut(table, v)
			c.invalid(err, text)
			_, err = c.tryBatch(table, putOf(v))
			c.invalid(err, text)
			c.invalid(c.transact(txPut(table, v, "")), text)
		}
		_, err := c.update(table, item{"pk": "b"}, change{expr: "SET n = :v", values: item{":v": item{name: 1}}})
		c.invalid(err, text)
		_, err = c.update(table, item{"pk": "b"}, change{expr: "REMOVE #n", names: map[string]string{"#n": name}})
		c.invalid(err, text)
	}
	c.missing(table, item{"pk": "b"})
}

// getNothing: a transaction leaves such an item out.
func getNothing(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "a"}), ProjectionExpression: new("absent")})
	c.ok(err)
	c.that(out.Item != nil && len(out.Item) == 0, "Item is %s", show(out.Item))
	all, err := c.DynamoDB.TransactGetItems(c.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: &table, Key: row(item{"pk": "a"}), ProjectionExpression: new("absent")}},
	}})
	c.ok(err)
	c.that(all.Responses[0].Item == nil, "Item is %s", show(all.Responses[0].Item))
}

func getMissing(c *check) {
	table := c.create("pk:S")
	out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "a"})})
	c.ok(err)
	c.that(out.Item == nil, "Item is %s", show(out.Item))
}

func getEventual(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	c.eventually("the item is readable", func() bool {
		out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "a"})})
		c.ok(err)
		return out.Item != nil
	})
}

func (c *check) tryDelete(table string, key item, edits ...func(*dynamodb.DeleteItemInput)) (*dynamodb.DeleteItemOutput, error) {
	in := &dynamodb.DeleteItemInput{TableName: &table, Key: row(key)}
	for _, edit := range edits {
		edit(in)
	}
	return c.DynamoDB.DeleteItem(c.ctx, in)
}

func deleteReturnsOld(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	out, err := c.tryDelete(table, item{"pk": "a"}, func(in *dynamodb.DeleteItemInput) { in.ReturnValues = types.ReturnValueAllOld })
	c.ok(err)
	c.equal("attributes", out.Attributes, item{"pk": "a", "n": 1})
	c.missing(table, item{"pk": "a"})
}

func deleteMissing(c *check) {
	table := c.create("pk:S")
	out, err := c.tryDelete(table, item{"pk": "a"}, func(in *dynamodb.DeleteItemInput) { in.ReturnValues = types.ReturnValueAllOld })
	c.ok(err)
	c.equal("attributes", len(out.Attributes), 0)
}

func deleteReturns(c *check) {
	table := c.create("pk:S")
	_, err := c.tryDelete(table, item{"pk": "a"}, func(in *dynamodb.DeleteItemInput) { in.ReturnValues = types.ReturnValueAllNew })
	c.invalid(err)
}

func keyRules() []rule {
	rules := []rule{
		{"keys/types/every_key_type_finds_its_item", keyTypes},
		{"keys/numbers/are_equal_by_value", keyNumbers},
	}
	for _, k := range []struct {
		name string
		key  item
	}{
		{"of_another_type", item{"pk": 1, "sk": "a"}},
		{"without_the_sort_key", item{"pk": "a"}},
		{"without_the_partition_key", item{"sk": "a"}},
		{"with_an_empty_partition_key", item{"pk": "", "sk": "a"}},
		{"with_an_empty_sort_key", item{"pk": "a", "sk": ""}},
		{"with_a_partition_key_over_2048_bytes", item{"pk": strings.Repeat("é", 1024) + "x", "sk": "a"}},
		{"with_a_sort_key_over_1024_bytes", item{"pk": "a", "sk": big(1025)}},
		{"with_a_set_as_key", item{"pk": ss{"a"}, "sk": "a"}},
	} {
		rules = append(rules, rule{"keys/refuses_an_item_" + k.name, func(c *check) { refusesKey(c, k.key) }})
	}
	return append(rules,
		rule{"keys/refuses_a_lookup_with_a_further_attribute", keyFurther},
		rule{"keys/the_longest_keys_fit", keyLongest})
}

// refusesKey holds for each operation that takes a key.
func refusesKey(c *check, key item) {
	table := c.create("pk:S sk:S")
	_, err := c.tryPut(table, key)
	c.invalid(err)
	_, err = c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(key)})
	c.invalid(err)
	_, err = c.tryDelete(table, key)
	c.invalid(err)
	_, err = c.update(table, key, change{expr: "SET a = :v", values: item{":v": 1}})
	c.invalid(err)
}

func keyFurther(c *check) {
	table := c.create("pk:S")
	_, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(item{"pk": "a", "x": 1})})
	c.invalid(err, "The provided key element does not match the schema")
}

func keyLongest(c *check) {
	table := c.create("pk:S sk:S")
	want := item{"pk": big(2048), "sk": big(1024)}
	c.put(table, want)
	c.that(c.get(table, want) != nil, "the item is not found")
}

func keyTypes(c *check) {
	for schema, key := range map[string]item{
		"pk:S": {"pk": "a\x00b"}, "pk:N": {"pk": -3}, "pk:B": {"pk": []byte{0, 1, 0}},
		"pk:S sk:S": {"pk": "a", "sk": "é"}, "pk:N sk:N": {"pk": 0, "sk": num("1.5")}, "pk:B sk:B": {"pk": []byte{255}, "sk": []byte{0}},
	} {
		table := c.create(schema)
		c.put(table, key)
		c.stored(table, key, key)
	}
}

func keyNumbers(c *check) {
	table := c.create("pk:N")
	c.put(table, item{"pk": num("1.0"), "v": 1})
	c.put(table, item{"pk": num("10E-1"), "v": 2})
	c.stored(table, item{"pk": num("01")}, item{"pk": 1, "v": 2})
}
