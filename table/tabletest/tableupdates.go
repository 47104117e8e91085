package tabletest

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func tableUpdateRules() []rule {
	rules := []rule{
		{"tables/update/several_settings_in_one_call", updateSeveral},
		{"tables/update/throughput_tells_when_it_changed", updateThroughput},
		{"tables/update/billing_mode_is_told_and_changes_the_indexes", updateModes},
		{"indexes/update/changes_the_throughput", updateIndexThroughput},
		{"indexes/update/refuses_throughput_on_demand", updateIndexOnDemand},
		{"indexes/update/unknown_is_refused", updateUnknownIndex},
		{"indexes/delete/answers_DELETING", indexDeleting},
		{"indexes/create/only_one_at_once", indexOneAtOnce},
	}
	for _, b := range badTableUpdates() {
		rules = append(rules, rule{"tables/update/refuses_" + b.name, func(c *check) {
			in := &dynamodb.UpdateTableInput{TableName: new(c.provisioned())}
			b.spoil(in)
			_, err := c.DynamoDB.UpdateTable(c.ctx, in)
			c.invalid(err, b.text)
		}})
	}
	return rules
}

func throughput(read, write int64) *types.ProvisionedThroughput {
	return &types.ProvisionedThroughput{ReadCapacityUnits: &read, WriteCapacityUnits: &write}
}

// provisioned has 5 and 6 units, and its index "byG" one of each.
func (c *check) provisioned() string {
	return c.create("pk:S", global("byG", "g:S"), func(in *dynamodb.CreateTableInput) {
		in.BillingMode, in.ProvisionedThroughput = types.BillingModeProvisioned, throughput(5, 6)
		in.GlobalSecondaryIndexes[0].ProvisionedThroughput = throughput(1, 1)
	})
}

func indexUnits(read, write int64) types.GlobalSecondaryIndexUpdate {
	return types.GlobalSecondaryIndexUpdate{Update: &types.UpdateGlobalSecondaryIndexAction{
		IndexName: new("byG"), ProvisionedThroughput: throughput(read, write),
	}}
}

func deleteIndex(name string) types.GlobalSecondaryIndexUpdate {
	return types.GlobalSecondaryIndexUpdate{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: &name}}
}

type badTableUpdate struct {
	name, text string
	spoil      func(in *dynamodb.UpdateTableInput)
}

func badTableUpdates() []badTableUpdate {
	const same = "The provisioned throughput for the table will not change. The requested value equals the current value."
	indexes := func(updates ...types.GlobalSecondaryIndexUpdate) func(*dynamodb.UpdateTableInput) {
		return func(in *dynamodb.UpdateTableInput) { in.GlobalSecondaryIndexUpdates = updates }
	}
	both := indexUnits(2, 2)
	both.Delete = deleteIndex("byG").Delete
	return []badTableUpdate{
		{"the_throughput_that_it_has", same, func(in *dynamodb.UpdateTableInput) { in.ProvisionedThroughput = throughput(5, 6) }},
		{"the_throughput_that_its_index_has", same, indexes(indexUnits(1, 1))},
		{"no_throughput_when_provisioned", "", func(in *dynamodb.UpdateTableInput) { in.BillingMode = types.BillingModeProvisioned }},
		{"throughput_of_zero", "", func(in *dynamodb.UpdateTableInput) { in.ProvisionedThroughput = throughput(0, 6) }},
		{"throughput_on_demand", "", func(in *dynamodb.UpdateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = types.BillingModePayPerRequest, throughput(7, 7)
		}},
		{"throughput_and_stream_at_once", "", func(in *dynamodb.UpdateTableInput) {
			in.ProvisionedThroughput, in.StreamSpecification = throughput(7, 7), &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeKeysOnly}
		}},
		{"a_change_of_no_index", "", indexes(types.GlobalSecondaryIndexUpdate{})},
		{"a_change_of_two_kinds", "", indexes(both)},
		{"two_changes_of_one_index", "Only one global secondary index update per index is allowed simultaneously.", indexes(indexUnits(2, 2), indexUnits(3, 3))},
		{"an_index_name_of_two_characters", "", indexes(types.GlobalSecondaryIndexUpdate{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: new("ab"), KeySchema: keySchema("pk:S"), Projection: projection(nil), ProvisionedThroughput: throughput(1, 1),
		}})},
		{"another_type_of_a_key", "", func(in *dynamodb.UpdateTableInput) {
			in.AttributeDefinitions = attributes("pk:N h:S")
			in.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
				IndexName: new("byH"), KeySchema: keySchema("h:S"), Projection: projection(nil), ProvisionedThroughput: throughput(1, 1),
			}}}
		}},
		{"another_table_class", "", func(in *dynamodb.UpdateTableInput) { in.TableClass = "GOLD" }},
	}
}

// updateTable changes a table that has to accept it, and waits until it is active again.
func (c *check) updateTable(in *dynamodb.UpdateTableInput) *types.TableDescription {
	_, err := c.DynamoDB.UpdateTable(c.ctx, in)
	c.ok(err)
	c.active(*in.TableName)
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: in.TableName})
	c.ok(err)
	return out.Table
}

func updateSeveral(c *check) {
	table := c.provisioned()
	got := c.updateTable(&dynamodb.UpdateTableInput{
		TableName: &table, DeletionProtectionEnabled: new(true),
		StreamSpecification: &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeKeysOnly},
	})
	protected := *got.DeletionProtectionEnabled
	c.updateTable(&dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: new(false)})
	c.that(protected, "the table is not protected")
	c.equal("view", got.StreamSpecification.StreamViewType, types.StreamViewTypeKeysOnly)
	c.that(got.LatestStreamArn != nil, "no stream")
}

func updateThroughput(c *check) {
	table := c.provisioned()
	got := c.updateTable(&dynamodb.UpdateTableInput{TableName: &table, ProvisionedThroughput: throughput(7, 6)}).ProvisionedThroughput
	c.that(got.LastIncreaseDateTime != nil && !got.LastIncreaseDateTime.IsZero(), "no time of the increase")
	c.equal("decreases", *got.NumberOfDecreasesToday, 0)
	got = c.updateTable(&dynamodb.UpdateTableInput{TableName: &table, ProvisionedThroughput: throughput(7, 5)}).ProvisionedThroughput
	c.that(got.LastDecreaseDateTime != nil && !got.LastDecreaseDateTime.IsZero(), "no time of the decrease")
	c.equal("decreases", *got.NumberOfDecreasesToday, 1)
}

func updateModes(c *check) {
	table := c.provisioned()
	got := c.updateTable(&dynamodb.UpdateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest})
	c.equal("mode", got.BillingModeSummary.BillingMode, types.BillingModePayPerRequest)
	c.that(got.BillingModeSummary.LastUpdateToPayPerRequestDateTime != nil, "no time of the change")
	c.equal("units of the table", *got.ProvisionedThroughput.ReadCapacityUnits, 0)
	c.equal("units of the index", *got.GlobalSecondaryIndexes[0].ProvisionedThroughput.ReadCapacityUnits, 0)

	back := &dynamodb.UpdateTableInput{TableName: &table, BillingMode: types.BillingModeProvisioned, ProvisionedThroughput: throughput(5, 6)}
	_, err := c.DynamoDB.UpdateTable(c.ctx, back)
	c.invalid(err)
	back.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{indexUnits(2, 3)}
	got = c.updateTable(back)
	c.that(got.BillingModeSummary != nil, "a table that was on demand does not tell its mode")
	c.equal("mode", got.BillingModeSummary.BillingMode, types.BillingModeProvisioned)
	c.equal("units of the table", *got.ProvisionedThroughput.WriteCapacityUnits, 6)
	c.equal("units of the index", *got.GlobalSecondaryIndexes[0].ProvisionedThroughput.WriteCapacityUnits, 3)
}

func updateIndexThroughput(c *check) {
	table := c.provisioned()
	got := c.updateTable(&dynamodb.UpdateTableInput{TableName: &table, GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{indexUnits(3, 4)}})
	c.equal("read units", *got.GlobalSecondaryIndexes[0].ProvisionedThroughput.ReadCapacityUnits, 3)
	c.equal("write units", *got.GlobalSecondaryIndexes[0].ProvisionedThroughput.WriteCapacityUnits, 4)
}

func updateIndexOnDemand(c *check) {
	table := c.indexed()
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{indexUnits(3, 4)},
	})
	c.invalid(err)
}

func updateUnknownIndex(c *check) {
	table := c.provisioned()
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{deleteIndex("other")},
	})
	c.fails(err, notFound)
}

func indexDeleting(c *check) {
	table := c.indexed()
	out, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{deleteIndex("byG")},
	})
	c.ok(err)
	c.equal("indexes", len(out.TableDescription.GlobalSecondaryIndexes), 1)
	c.equal("status", out.TableDescription.GlobalSecondaryIndexes[0].IndexStatus, types.IndexStatusDeleting)
}

func indexOneAtOnce(c *check) {
	table := c.create("pk:S")
	var updates []types.GlobalSecondaryIndexUpdate
	for _, name := range []string{"one", "two"} {
		updates = append(updates, types.GlobalSecondaryIndexUpdate{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: &name, KeySchema: keySchema("g:S"), Projection: projection(nil),
		}})
	}
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{
		TableName: &table, AttributeDefinitions: attributes("g:S"), GlobalSecondaryIndexUpdates: updates,
	})
	c.fails(err, "LimitExceededException", "Only 1 online index can be created or deleted simultaneously per table")
}
