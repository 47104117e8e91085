package tabletest

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

func shardRules() []rule {
	return []rule{
		{"streams/iterators/LATEST_sees_the_next_write", iterateLatest},
		{"streams/iterators/AT_and_AFTER_a_number", iterateNumbers},
		{"streams/iterators/are_read_again_with_the_same_answer", iterateAgain},
		{"streams/iterators/refuse_an_unknown_shard", iterateUnknown},
		{"streams/iterators/refuse_AT_without_a_number", iterateNoNumber},
		{"streams/iterators/refuse_LATEST_with_a_number", iterateNumbered},
		{"streams/iterators/refuse_a_number_that_is_too_short", iterateShort},
		{"streams/iterators/refuse_nonsense", iterateNonsense},
		{"streams/describe/refuses_a_shard_id_that_is_too_short", describeShort},
		{"streams/records/a_limit_is_kept", recordsLimit},
		{"streams/records/refuses_a_limit_over_1000", recordsLimitHigh},
		{"streams/disable/closes_the_shards_and_keeps_the_records", disableCloses},
		{"streams/disable/enabling_again_is_a_new_stream", enableAgain},
		{"streams/enable/on_a_table_that_exists", enableLater},
		{"streams/enable/twice_is_refused", enableTwice},
	}
}

// first is the iterator of a kind on the first shard.
func (c *check) first(arn string, kind streamtypes.ShardIteratorType, number *string) string {
	iterator, err := c.iterator(arn, *c.shards(arn)[0].ShardId, kind, number)
	c.ok(err)
	return iterator
}

func iterateLatest(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	c.records(arn, 1)
	next := new(string)
	*next = c.first(arn, streamtypes.ShardIteratorTypeLatest, nil)
	c.put(table, item{"pk": "a", "n": 2})
	var records []streamtypes.Record
	c.eventually("the record comes", func() bool {
		records, next = c.read(next)
		return len(records) > 0
	})
	c.equal("record", event(records[0]), `MODIFY {pk: "a"} {n: 1, pk: "a"} -> {n: 2, pk: "a"}`)
}

func iterateNumbers(c *check) {
	table, arn := c.streamed("pk:S")
	for i := range 3 {
		c.put(table, item{"pk": "a", "n": i})
	}
	number := c.records(arn, 3)[1].Dynamodb.SequenceNumber
	at := c.first(arn, streamtypes.ShardIteratorTypeAtSequenceNumber, number)
	records, _ := c.read(&at)
	c.equal("records at", len(records), 2)
	after := c.first(arn, streamtypes.ShardIteratorTypeAfterSequenceNumber, number)
	records, _ = c.read(&after)
	c.equal("records after", len(records), 1)
	c.equal("value", show(records[0].Dynamodb.NewImage["n"]), "2")
}

func iterateAgain(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	c.records(arn, 1)
	iterator := c.first(arn, streamtypes.ShardIteratorTypeTrimHorizon, nil)
	one, next := c.read(&iterator)
	two, _ := c.read(&iterator)
	c.equal("event id", *one[0].EventID, *two[0].EventID)
	c.that(next != nil, "an open shard has no next iterator")
}

func iterateUnknown(c *check) {
	_, arn := c.streamed("pk:S")
	_, err := c.iterator(arn, "shardId-00000000000000000000-00000000", streamtypes.ShardIteratorTypeLatest, nil)
	c.fails(err, notFound)
}

func iterateNoNumber(c *check) {
	_, arn := c.streamed("pk:S")
	_, err := c.iterator(arn, *c.shards(arn)[0].ShardId, streamtypes.ShardIteratorTypeAtSequenceNumber, nil)
	c.invalid(err)
}

func iterateNumbered(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	number := c.records(arn, 1)[0].Dynamodb.SequenceNumber
	for _, kind := range []streamtypes.ShardIteratorType{streamtypes.ShardIteratorTypeLatest, streamtypes.ShardIteratorTypeTrimHorizon} {
		_, err := c.iterator(arn, *c.shards(arn)[0].ShardId, kind, number)
		c.invalid(err, "SequenceNumber should not be passed for this iterator type")
	}
}

func iterateShort(c *check) {
	_, arn := c.streamed("pk:S")
	_, err := c.iterator(arn, *c.shards(arn)[0].ShardId, streamtypes.ShardIteratorTypeAtSequenceNumber, new("1"))
	c.invalid(err, "Value '1' at 'sequenceNumber' failed to satisfy constraint: Member must have length greater than or equal to 21")
}

func describeShort(c *check) {
	_, arn := c.streamed("pk:S")
	_, err := c.Streams.DescribeStream(c.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn, ExclusiveStartShardId: new("shard")})
	c.invalid(err, "Value 'shard' at 'exclusiveStartShardId' failed to satisfy constraint: Member must have length greater than or equal to 28")
}

func iterateNonsense(c *check) {
	_, err := c.Streams.GetRecords(c.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: new("nonsense")})
	c.invalid(err)
}

func recordsLimit(c *check) {
	table, arn := c.streamed("pk:S")
	for i := range 5 {
		c.put(table, item{"pk": "a", "n": i})
	}
	c.records(arn, 5)
	iterator := c.first(arn, streamtypes.ShardIteratorTypeTrimHorizon, nil)
	out, err := c.Streams.GetRecords(c.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: &iterator, Limit: new(int32(2))})
	c.ok(err)
	c.equal("records", len(out.Records), 2)
	rest, _ := c.read(out.NextShardIterator)
	c.equal("rest", len(rest), 3)
	c.equal("value", show(rest[0].Dynamodb.NewImage["n"]), "2")
}

func recordsLimitHigh(c *check) {
	_, arn := c.streamed("pk:S")
	iterator := c.first(arn, streamtypes.ShardIteratorTypeTrimHorizon, nil)
	_, err := c.Streams.GetRecords(c.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: &iterator, Limit: new(int32(1001))})
	c.invalid(err)
}

// setStream turns the stream of a table on or off.
func (c *check) setStream(table string, on bool) error {
	spec := &types.StreamSpecification{StreamEnabled: &on}
	if on {
		spec.StreamViewType = types.StreamViewTypeNewImage
	}
	_, err := c.DynamoDB.UpdateTable(c.ctx, &dynamodb.UpdateTableInput{TableName: &table, StreamSpecification: spec})
	return err
}

func disableCloses(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	c.records(arn, 1)
	c.ok(c.setStream(table, false))
	c.active(table)
	c.put(table, item{"pk": "b"})
	c.eventually("the shards close", func() bool {
		for _, s := range c.shards(arn) {
			if s.SequenceNumberRange.EndingSequenceNumber == nil {
				return false
			}
		}
		return true
	})
	iterator := c.first(arn, streamtypes.ShardIteratorTypeTrimHorizon, nil)
	records, next := c.read(&iterator)
	c.equal("records", len(records), 1)
	c.that(next == nil, "a closed shard that is read to its end has a next iterator")
}

func enableAgain(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	c.ok(c.setStream(table, false))
	c.active(table)
	c.ok(c.setStream(table, true))
	c.active(table)
	again := c.streamOf(table)
	c.that(again != arn, "the same ARN")
	c.put(table, item{"pk": "b"})
	c.equal("keys", show(c.records(again, 1)[0].Dynamodb.Keys), `{pk: "b"}`)
	c.equal("keys of the old stream", show(c.records(arn, 1)[0].Dynamodb.Keys), `{pk: "a"}`)
}

func enableLater(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a"})
	c.ok(c.setStream(table, true))
	c.active(table)
	c.put(table, item{"pk": "a", "n": 1})
	c.equal("record", event(c.records(c.streamOf(table), 1)[0]), `MODIFY {pk: "a"} none -> {n: 1, pk: "a"}`)
}

func enableTwice(c *check) {
	table, _ := c.streamed("pk:S")
	c.invalid(c.setStream(table, true), "Table already has an enabled stream")
}
