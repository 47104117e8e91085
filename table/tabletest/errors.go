package tabletest

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func errorRules() []rule {
	return []rule{
		{"errors/constraints_come_with_value_path_and_rule", errorEnvelope},
		{"errors/several_constraints_come_together", errorSeveral},
		{"errors/an_update_tells_the_first_constraint_alone", errorOne},
		{"errors/constraints_come_before_the_table", errorConstraintFirst},
		{"errors/expressions_come_before_the_table", errorExpressionFirst},
		{"errors/keys_come_after_the_table", errorKeyAfter},
		{"errors/old_and_new_parameters_do_not_mix", errorMixture},
	}
}

func errorEnvelope(c *check) {
	table := c.create("pk:S")
	_, err := c.tryPut(table, item{"pk": "a"}, func(in *dynamodb.PutItemInput) { in.ReturnConsumedCapacity = "MUCH" })
	c.invalid(err, "1 validation error detected: Value 'MUCH' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]")
	_, err = c.DynamoDB.CreateTable(c.ctx, &dynamodb.CreateTableInput{
		TableName: new(c.unique()), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: "SS"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
	})
	c.invalid(err, "1 validation error detected: Value 'SS' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]")
}

func errorSeveral(c *check) {
	table := c.create("pk:S")
	_, err := c.tryPut(table, item{"pk": "a"}, func(in *dynamodb.PutItemInput) {
		in.ReturnConsumedCapacity, in.ReturnValues = "MUCH", "MORE"
	})
	c.invalid(err, "2 validation errors detected: ", "Value 'MUCH' at 'returnConsumedCapacity'", "Value 'MORE' at 'returnValues'")
}

func errorOne(c *check) {
	table := c.create("pk:S")
	_, err := c.DynamoDB.UpdateItem(c.ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: row(item{"pk": "a"}), ReturnConsumedCapacity: "MUCH", ReturnValues: "MORE",
	})
	c.invalid(err, "1 validation error detected: Value 'M")
}

func errorConstraintFirst(c *check) {
	_, err := c.tryPut(c.unique(), item{"pk": "a"}, func(in *dynamodb.PutItemInput) { in.ReturnConsumedCapacity = "MUCH" })
	c.invalid(err, "at 'returnConsumedCapacity'")
}

func errorExpressionFirst(c *check) {
	_, err := c.update(c.unique(), item{"pk": "a"}, change{expr: "SET ="})
	c.invalid(err, "Invalid UpdateExpression: Syntax error")
	_, err = c.tryPut(c.unique(), item{"pk": "a", "n": num("x")})
	c.invalid(err)
}

func errorKeyAfter(c *check) {
	_, err := c.tryPut(c.unique(), item{"no": "key"})
	c.fails(err, notFound)
}

func errorMixture(c *check) {
	table := c.create("pk:S")
	_, err := c.tryPut(table, item{"pk": "a"}, func(in *dynamodb.PutItemInput) {
		in.ConditionExpression = new("attribute_exists(pk)")
		in.Expected = map[string]types.ExpectedAttributeValue{"pk": {Exists: new(false)}}
	})
	c.invalid(err, "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}")
}

func ttlRules() []rule {
	return []rule{
		{"ttl/is_off_at_first", ttlOff},
		{"ttl/turns_on", ttlOn},
		{"ttl/twice_is_refused", ttlTwice},
		{"ttl/turning_off_what_is_off_is_refused", ttlOffTwice},
		{"ttl/of_an_unknown_table_is_not_found", ttlUnknown},
		{"ttl/an_expired_item_is_readable_until_it_goes", ttlReadable},
	}
}

func (c *check) setTTL(table, attribute string, on bool) error {
	_, err := c.DynamoDB.UpdateTimeToLive(c.ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &on},
	})
	return err
}

func (c *check) ttl(table string) *types.TimeToLiveDescription {
	out, err := c.DynamoDB.DescribeTimeToLive(c.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	c.ok(err)
	return out.TimeToLiveDescription
}

func ttlOff(c *check) {
	d := c.ttl(c.create("pk:S"))
	c.equal("status", d.TimeToLiveStatus, types.TimeToLiveStatusDisabled)
	c.that(d.AttributeName == nil, "an attribute")
}

func ttlOn(c *check) {
	table := c.create("pk:S")
	c.ok(c.setTTL(table, "ttl", true))
	c.eventually("the time to live is on", func() bool { return c.ttl(table).TimeToLiveStatus == types.TimeToLiveStatusEnabled })
	c.equal("attribute", *c.ttl(table).AttributeName, "ttl")
}

func ttlTwice(c *check) {
	table := c.create("pk:S")
	c.ok(c.setTTL(table, "ttl", true))
	c.invalid(c.setTTL(table, "ttl", true))
	c.invalid(c.setTTL(table, "other", true))
	c.invalid(c.setTTL(table, "other", false))
}

func ttlOffTwice(c *check) {
	c.invalid(c.setTTL(c.create("pk:S"), "ttl", false), "TimeToLive is already disabled")
}

func ttlUnknown(c *check) {
	c.fails(c.setTTL(c.unique(), "ttl", true), notFound)
}

func ttlReadable(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "ttl": 1}, item{"pk": "text", "ttl": "1"}, item{"pk": "later", "ttl": num("9e12")})
	c.ok(c.setTTL(table, "ttl", true))
	c.stored(table, item{"pk": "text"}, item{"pk": "text", "ttl": "1"})
	c.stored(table, item{"pk": "later"}, item{"pk": "later", "ttl": num("9000000000000")})
	// Older than five years: never removed.
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "ttl": 1})
}
