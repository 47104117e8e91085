package tabletest

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func tableRules() []rule {
	rules := []rule{
		{"tables/create/describes_what_was_asked_for", createDescribes},
		{"tables/create/twice_is_in_use", createTwice},
		{"tables/delete/answers_DELETING_and_the_table_goes", deleteGoes},
		{"tables/delete/unknown_is_not_found", deleteUnknown},
		{"tables/delete/protected_is_refused", deleteProtected},
		{"tables/describe/unknown_is_not_found", describeUnknown},
		{"tables/list/pages_in_order_of_names", listPages},
		{"tables/update/billing_mode_changes", updateBilling},
		{"tables/update/unknown_is_not_found", updateUnknown},
		{"tables/update/nothing_is_refused", updateNothing},
		{"tables/items/operations_on_an_unknown_table_are_not_found", itemsOnUnknown},
	}
	for _, b := range badDefinitions() {
		rules = append(rules, rule{"tables/create/refuses_" + b.name, func(c *check) {
			in := definition(c.unique(), "pk:S sk:S")
			b.spoil(in)
			_, err := c.DynamoDB.CreateTable(c.ctx, in)
			c.invalid(err, b.text)
		}})
	}
	return rules
}

type badDefinition struct {
	name, text string
	spoil      func(in *dynamodb.CreateTableInput)
}

func badDefinitions() []badDefinition {
	return []badDefinition{
		{"a_name_of_two_characters", "", func(in *dynamodb.CreateTableInput) { in.TableName = new("ab") }},
		{"a_name_of_256_characters", "", func(in *dynamodb.CreateTableInput) { in.TableName = new(strings.Repeat("a", 256)) }},
		{"a_name_with_other_characters", "", func(in *dynamodb.CreateTableInput) { in.TableName = new("a;bc") }},
		{"a_key_without_definition", "", func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions = in.AttributeDefinitions[:1]
		}},
		{"a_definition_that_no_key_uses", "", func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions = attributes("pk:S sk:S other:S")
		}},
		{"one_attribute_as_both_keys", "", func(in *dynamodb.CreateTableInput) {
			in.KeySchema[1].AttributeName = in.KeySchema[0].AttributeName
			in.AttributeDefinitions = attributes("pk:S")
		}},
		{"two_partition_keys", "", func(in *dynamodb.CreateTableInput) { in.KeySchema[1].KeyType = types.KeyTypeHash }},
		{"a_sort_key_first", "", func(in *dynamodb.CreateTableInput) { slices.Reverse(in.KeySchema) }},
		{"a_key_of_another_type", "", func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions[0].AttributeType = "BOOL"
		}},
		{"throughput_on_demand", "", func(in *dynamodb.CreateTableInput) {
			in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: new(int64(1)), WriteCapacityUnits: new(int64(1))}
		}},
		{"provisioned_without_throughput", "", func(in *dynamodb.CreateTableInput) {
			in.BillingMode = types.BillingModeProvisioned
		}},
		{"a_stream_view_without_a_stream", "", func(in *dynamodb.CreateTableInput) {
			in.StreamSpecification = &types.StreamSpecification{StreamEnabled: new(false), StreamViewType: types.StreamViewTypeNewImage}
		}},
		{"a_stream_without_a_view", "", func(in *dynamodb.CreateTableInput) {
			in.StreamSpecification = &types.StreamSpecification{StreamEnabled: new(true)}
		}},
		{"an_empty_name_of_a_key", "", func(in *dynamodb.CreateTableInput) { spoilKeyName(in, "") }},
		{"a_name_of_256_characters_of_a_key", "", func(in *dynamodb.CreateTableInput) { spoilKeyName(in, strings.Repeat("a", 256)) }},
		{"three_keys", "", func(in *dynamodb.CreateTableInput) {
			in.KeySchema, in.AttributeDefinitions = keySchema("pk:S sk:S more:S"), attributes("pk:S sk:S more:S")
		}},
		{"two_keys_of_one_definition", "", func(in *dynamodb.CreateTableInput) { in.AttributeDefinitions = attributes("pk:S") }},
		{"another_table_class", "", func(in *dynamodb.CreateTableInput) { in.TableClass = "GOLD" }},
		{"throughput_of_zero", "", func(in *dynamodb.CreateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = types.BillingModeProvisioned, throughput(1, 0)
		}},
		{"a_projection_of_21_attributes", "", global("byG", "g:S", names("n", 21)...)},
		{"an_attribute_projected_twice", "", global("byG", "g:S", "n", "n")},
		{"a_projected_attribute_without_name", "", global("byG", "g:S", "n", "")},
	}
}

func spoilKeyName(in *dynamodb.CreateTableInput, name string) {
	in.KeySchema[1].AttributeName, in.AttributeDefinitions[1].AttributeName = &name, &name
}

func createDescribes(c *check) {
	in := definition(c.unique(), "pk:S sk:N")
	created, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.ok(err)
	c.active(*in.TableName)
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: in.TableName})
	c.ok(err)
	table := out.Table
	c.equal("name", *table.TableName, *in.TableName)
	c.equal("keys", len(table.KeySchema), 2)
	c.equal("partition key", *table.KeySchema[0].AttributeName+" "+string(table.KeySchema[0].KeyType), "pk HASH")
	c.equal("sort key", *table.KeySchema[1].AttributeName+" "+string(table.KeySchema[1].KeyType), "sk RANGE")
	c.equal("definitions", len(table.AttributeDefinitions), 2)
	c.equal("items", *table.ItemCount, 0)
	c.that(table.CreationDateTime != nil && !table.CreationDateTime.IsZero(), "no creation date")
	c.that(strings.HasSuffix(*table.TableArn, "table/"+*in.TableName), "ARN %q", *table.TableArn)
	c.equal("billing mode", table.BillingModeSummary.BillingMode, types.BillingModePayPerRequest)
	c.that(table.TableId != nil && *table.TableId == *created.TableDescription.TableId, "TableId is not stable")
}

func createTwice(c *check) {
	name := c.create("pk:S")
	_, err := c.DynamoDB.CreateTable(c.ctx, definition(name, "pk:S"))
	c.fails(err, inUse, name)
}

func deleteGoes(c *check) {
	name := c.create("pk:S")
	out, err := c.DynamoDB.DeleteTable(c.ctx, &dynamodb.DeleteTableInput{TableName: &name})
	c.ok(err)
	c.equal("status", out.TableDescription.TableStatus, types.TableStatusDeleting)
	c.eventually("the table goes", func() bool {
		_, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &name})
		return err != nil
	})
	c.tables = nil
	_, err = c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &name})
	c.fails(err, notFound)
}

func deleteUnknown(c *check) {
	name := c.unique()
	_, err := c.DynamoDB.DeleteTable(c.ctx, &dynamodb.DeleteTableInput{TableName: &name})
	c.fails(err, notFound, "Requested resource not found: Table: "+name+" not found")
}

func deleteProtected(c *check) {
	name := c.create("pk:S", func(in *dynamodb.CreateTableInput) { in.DeletionProtectionEnabled = new(true) })
	_, err := c.DynamoDB.DeleteTable(c.ctx, &dynamodb.DeleteTableInput{TableName: &name})
	_, undo := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: new(false)})
	c.ok(undo)
	c.active(name)
	c.invalid(err)
}

func describeUnknown(c *check) {
	name := c.unique()
	_, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &name})
	c.fails(err, notFound, "Requested resource not found: Table: "+name+" not found")
}

func listPages(c *check) {
	base := c.unique()
	var want []string
	for _, suffix := range []string{"c", "a", "b"} {
		name := base + suffix
		c.tables = append(c.tables, name)
		want = append(want, name)
		_, err := c.DynamoDB.CreateTable(c.ctx, definition(name, "pk:S"))
		c.ok(err)
		c.active(name)
	}
	slices.Sort(want)
	var got []string
	for start := &base; start != nil && len(got) < len(want); {
		out, err := c.DynamoDB.ListTables(c.ctx, &dynamodb.ListTablesInput{Limit: new(int32(1)), ExclusiveStartTableName: start})
		c.ok(err)
		c.equal("tables on the page", len(out.TableNames), 1)
		got = append(got, out.TableNames...)
		start = out.LastEvaluatedTableName
	}
	c.equal("names", got, want)
}

func updateBilling(c *check) {
	name := c.create("pk:S")
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &name, BillingMode: types.BillingModeProvisioned,
		ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: new(int64(2)), WriteCapacityUnits: new(int64(3))},
	})
	c.ok(err)
	c.active(name)
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &name})
	c.ok(err)
	c.equal("read units", *out.Table.ProvisionedThroughput.ReadCapacityUnits, 2)
	c.equal("write units", *out.Table.ProvisionedThroughput.WriteCapacityUnits, 3)
}

func updateUnknown(c *check) {
	name := c.unique()
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: new(true)})
	c.fails(err, notFound)
}

func updateNothing(c *check) {
	name := c.create("pk:S")
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{TableName: &name})
	c.invalid(err)
}

func itemsOnUnknown(c *check) {
	const text = "Requested resource not found"
	name, key := c.unique(), row(item{"pk": "a"})
	_, err := c.DynamoDB.PutItem(c.ctx, &dynamodb.PutItemInput{TableName: &name, Item: key})
	c.fails(err, notFound, text)
	_, err = c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &name, Key: key})
	c.fails(err, notFound, text)
	_, err = c.DynamoDB.DeleteItem(c.ctx, &dynamodb.DeleteItemInput{TableName: &name, Key: key})
	c.fails(err, notFound, text)
	_, err = c.update(name, item{"pk": "a"}, change{expr: "REMOVE a"})
	c.fails(err, notFound, text)
	_, err = c.tryQuery(name, find{key: "pk = :p", values: item{":p": "a"}})
	c.fails(err, notFound, text)
	_, err = c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &name})
	c.fails(err, notFound, text)
	_, err = c.DynamoDB.BatchGetItem(c.ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{name: {Keys: []attrs{key}}},
	})
	c.fails(err, notFound, text)
}
