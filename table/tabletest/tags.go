package tabletest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func tagRules() []rule {
	return []rule{
		{"tags/are_those_of_the_creation_and_later_ones", tagsFollow},
		{"tags/a_key_has_one_value", tagsReplace},
		{"tags/untag_takes_away_what_is_there", tagsUntag},
		{"tags/come_in_pages", tagsPages},
		{"tags/a_table_has_at_most_50", tagsMany},
		{"tags/keys_and_values_count_by_characters", tagsLengths},
		{"tags/refuses_keys_of_AWS", tagsRefused(types.Tag{Key: new("aws:x"), Value: new("")})},
		{"tags/refuses_an_empty_key", tagsRefused(types.Tag{Key: new(""), Value: new("x")})},
		{"tags/refuses_other_characters", tagsRefused(types.Tag{Key: new("a&b"), Value: new("x")})},
		{"tags/refuses_none", tagsRefused()},
		{"tags/refuses_what_is_no_ARN", tagsNoARN},
		{"tags/of_an_unknown_table_are_not_found", tagsUnknown},
		{"account/describes_limits", describesLimits},
		{"account/describes_an_endpoint", describesEndpoint},
	}
}

func (c *check) arn(table string) *string {
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &table})
	c.ok(err)
	return out.Table.TableArn
}

// tag adds tags such as "color=blue".
func (c *check) tag(arn *string, tags ...string) error {
	_, err := c.DynamoDB.TagResource(c.ctx, &dynamodb.TagResourceInput{ResourceArn: arn, Tags: tagList(tags)})
	return err
}

func tagList(tags []string) []types.Tag {
	var all []types.Tag
	for _, t := range tags {
		key, value, _ := strings.Cut(t, "=")
		all = append(all, types.Tag{Key: &key, Value: &value})
	}
	return all
}

// tags reads all pages.
func (c *check) tags(arn *string) (tags item, pages int) {
	tags = item{}
	in := &dynamodb.ListTagsOfResourceInput{ResourceArn: arn}
	for {
		out, err := c.DynamoDB.ListTagsOfResource(c.ctx, in)
		c.ok(err)
		for _, t := range out.Tags {
			tags[*t.Key] = *t.Value
		}
		pages++
		if in.NextToken = out.NextToken; in.NextToken == nil || pages > 100 {
			return tags, pages
		}
	}
}

// tagged waits until a table has these tags.
func (c *check) tagged(arn *string, want item) {
	c.eventually("the tags are "+show(want), func() bool {
		tags, _ := c.tags(arn)
		return show(tags) == show(want)
	})
}

func tagsFollow(c *check) {
	arn := c.arn(c.create("pk:S", func(in *dynamodb.CreateTableInput) { in.Tags = tagList([]string{"color=blue"}) }))
	c.tagged(arn, item{"color": "blue"})
	c.ok(c.tag(arn, "size=1", "empty="))
	c.tagged(arn, item{"color": "blue", "size": "1", "empty": ""})
}

func tagsReplace(c *check) {
	arn := c.arn(c.create("pk:S"))
	c.ok(c.tag(arn, "color=blue"))
	c.ok(c.tag(arn, "color=red", "Color=x"))
	c.tagged(arn, item{"color": "red", "Color": "x"})
}

func tagsUntag(c *check) {
	arn := c.arn(c.create("pk:S"))
	c.ok(c.tag(arn, "a=1", "b=2"))
	_, err := c.DynamoDB.UntagResource(c.ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "never"}})
	c.ok(err)
	c.tagged(arn, item{"b": "2"})
	_, err = c.DynamoDB.UntagResource(c.ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{}})
	c.invalid(err)
}

func many(n int) (tags []string, all item) {
	all = item{}
	for i := range n {
		tags = append(tags, fmt.Sprintf("k%d=v", i))
		all[fmt.Sprint("k", i)] = "v"
	}
	return tags, all
}

func tagsPages(c *check) {
	arn := c.arn(c.create("pk:S"))
	tags, all := many(23)
	c.ok(c.tag(arn, tags...))
	c.tagged(arn, all)
}

func tagsMany(c *check) {
	arn := c.arn(c.create("pk:S"))
	tags, all := many(50)
	c.ok(c.tag(arn, tags...))
	c.tagged(arn, all)
	c.invalid(c.tag(arn, "one=more"))
	c.ok(c.tag(arn, "k1=again"))
}

func tagsLengths(c *check) {
	arn := c.arn(c.create("pk:S"))
	key, value := strings.Repeat("é", 128), strings.Repeat("é", 256)
	c.ok(c.tag(arn, key+"="+value))
	c.tagged(arn, item{key: value})
	c.invalid(c.tag(arn, key+"é="+value))
	c.invalid(c.tag(arn, key+"="+value+"é"))
}

func tagsRefused(tags ...types.Tag) func(c *check) {
	return func(c *check) {
		in := &dynamodb.TagResourceInput{ResourceArn: c.arn(c.create("pk:S")), Tags: append([]types.Tag{}, tags...)}
		_, err := c.DynamoDB.TagResource(c.ctx, in)
		c.invalid(err)
	}
}

func tagsNoARN(c *check) {
	c.invalid(c.tag(new("no ARN"), "a=1"))
	_, err := c.DynamoDB.ListTagsOfResource(c.ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: new("no ARN")})
	c.invalid(err)
}

func tagsUnknown(c *check) {
	arn := c.arn(c.create("pk:S"))
	unknown := new(*arn + "x")
	c.fails(c.tag(unknown, "a=1"), notFound)
	_, err := c.DynamoDB.ListTagsOfResource(c.ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: unknown})
	c.fails(err, notFound)
}

func describesLimits(c *check) {
	out, err := c.DynamoDB.DescribeLimits(c.ctx, &dynamodb.DescribeLimitsInput{})
	c.ok(err)
	c.that(*out.AccountMaxReadCapacityUnits >= *out.TableMaxReadCapacityUnits && *out.TableMaxReadCapacityUnits > 0, "read limits")
	c.that(*out.AccountMaxWriteCapacityUnits >= *out.TableMaxWriteCapacityUnits && *out.TableMaxWriteCapacityUnits > 0, "write limits")
}

func describesEndpoint(c *check) {
	out, err := c.DynamoDB.DescribeEndpoints(c.ctx, &dynamodb.DescribeEndpointsInput{})
	c.ok(err)
	c.equal("endpoints", len(out.Endpoints), 1)
	c.that(*out.Endpoints[0].Address != "" && out.Endpoints[0].CachePeriodInMinutes > 0, "endpoint %v", out.Endpoints[0])
}
