package tabletest

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

func streamRules() []rule {
	return []rule{
		{"streams/records/insert_modify_and_remove_with_their_images", streamRecords},
		{"streams/records/have_all_their_fields", streamFields},
		{"streams/records/a_write_that_changes_nothing_has_none", streamNothing},
		{"streams/records/come_in_order_with_growing_numbers", streamOrder},
		{"streams/records/of_batches_and_transactions", streamBatches},
		{"streams/records/of_a_failed_write_are_none", streamFailed},
		{"streams/records/carry_every_type", streamTypes},
		{"streams/views/KEYS_ONLY", func(c *check) { streamView(c, types.StreamViewTypeKeysOnly, "none", "none") }},
		{"streams/views/NEW_IMAGE", func(c *check) { streamView(c, types.StreamViewTypeNewImage, "{n: 2, pk: \"a\"}", "none") }},
		{"streams/views/OLD_IMAGE", func(c *check) { streamView(c, types.StreamViewTypeOldImage, "none", "{n: 1, pk: \"a\"}") }},
		{"streams/list/finds_the_stream_of_a_table", streamList},
		{"streams/describe/tells_what_it_is", streamDescribe},
		{"streams/describe/unknown_is_not_found", streamUnknown},
	}
}

// streaming turns on the stream of a new table.
func streaming(view types.StreamViewType) func(*dynamodb.CreateTableInput) {
	return func(in *dynamodb.CreateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: view}
	}
}

// streamed makes a table with both images in its stream, and returns the stream's ARN.
func (c *check) streamed(schema string) (table, arn string) {
	table = c.create(schema, streaming(types.StreamViewTypeNewAndOldImages))
	return table, c.streamOf(table)
}

func (c *check) streamOf(table string) string {
	out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &table})
	c.ok(err)
	c.that(out.Table.LatestStreamArn != nil, "the table has no stream")
	return *out.Table.LatestStreamArn
}

// shards lists all shards of a stream.
func (c *check) shards(arn string) []streamtypes.Shard {
	var all []streamtypes.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &arn}
	for {
		out, err := c.Streams.DescribeStream(c.ctx, in)
		c.ok(err)
		all = append(all, out.StreamDescription.Shards...)
		in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId
		if in.ExclusiveStartShardId == nil {
			return all
		}
	}
}

func (c *check) iterator(arn, shard string, kind streamtypes.ShardIteratorType, number *string) (string, error) {
	out, err := c.Streams.GetShardIterator(c.ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &arn, ShardId: &shard, ShardIteratorType: kind, SequenceNumber: number,
	})
	if err != nil {
		return "", err
	}
	return *out.ShardIterator, nil
}

// read returns what an iterator has until nothing more comes, and the iterator to go on from; nil at a closed shard's end.
func (c *check) read(iterator *string) ([]streamtypes.Record, *string) {
	var records []streamtypes.Record
	for iterator != nil {
		out, err := c.Streams.GetRecords(c.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
		c.ok(err)
		records = append(records, out.Records...)
		iterator = out.NextShardIterator
		if len(out.Records) == 0 {
			break
		}
	}
	return records, iterator
}

// records reads a stream from its start until it has n records.
func (c *check) records(arn string, n int) []streamtypes.Record {
	var records []streamtypes.Record
	c.eventually(fmt.Sprintf("the stream has %d records", n), func() bool {
		records = nil
		for _, shard := range c.shards(arn) {
			iterator, err := c.iterator(arn, *shard.ShardId, streamtypes.ShardIteratorTypeTrimHorizon, nil)
			c.ok(err)
			more, _ := c.read(&iterator)
			records = append(records, more...)
		}
		return len(records) >= n
	})
	c.equal("records", len(records), n)
	return records
}

func event(r streamtypes.Record) string {
	return fmt.Sprint(r.EventName, " ", show(r.Dynamodb.Keys), " ", image(r.Dynamodb.OldImage), " -> ", image(r.Dynamodb.NewImage))
}

func image(it map[string]streamtypes.AttributeValue) string {
	if it == nil {
		return "none"
	}
	return show(it)
}

func streamRecords(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a", "n": 1})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", values: item{":v": 2}})
	c.ok(err)
	_, err = c.tryDelete(table, item{"pk": "a"})
	c.ok(err)
	records := c.records(arn, 3)
	c.equal("first", event(records[0]), `INSERT {pk: "a"} none -> {n: 1, pk: "a"}`)
	c.equal("second", event(records[1]), `MODIFY {pk: "a"} {n: 1, pk: "a"} -> {n: 2, pk: "a"}`)
	c.equal("third", event(records[2]), `REMOVE {pk: "a"} {n: 2, pk: "a"} -> none`)
}

func streamFields(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	r := c.records(arn, 1)[0]
	c.that(r.EventID != nil && *r.EventID != "", "no event id")
	c.equal("version", *r.EventVersion, "1.1")
	c.equal("source", *r.EventSource, "aws:dynamodb")
	c.that(r.AwsRegion != nil && *r.AwsRegion != "", "no region")
	c.that(r.UserIdentity == nil, "a user identity")
	c.equal("view", r.Dynamodb.StreamViewType, streamtypes.StreamViewTypeNewAndOldImages)
	c.equal("image of an item that is only its key", image(r.Dynamodb.NewImage), `{pk: "a"}`)
	c.that(r.Dynamodb.SizeBytes != nil && *r.Dynamodb.SizeBytes > 0, "no size")
	at := r.Dynamodb.ApproximateCreationDateTime
	c.that(at != nil && at.Equal(at.Truncate(time.Second)), "creation time %v is not in whole seconds", at)
	c.that(time.Since(*at) < time.Hour && time.Until(*at) < time.Hour, "creation time %v is not now", at)
}

func streamNothing(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a", "n": num("1.0"), "s": ss{"x", "y"}})
	c.put(table, item{"pk": "a", "n": 1, "s": ss{"y", "x"}})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", values: item{":v": 1}})
	c.ok(err)
	_, err = c.tryDelete(table, item{"pk": "none"})
	c.ok(err)
	c.put(table, item{"pk": "z"})
	records := c.records(arn, 2)
	c.equal("last", event(records[1]), `INSERT {pk: "z"} none -> {pk: "z"}`)
}

func streamOrder(c *check) {
	const n = 30
	table, arn := c.streamed("pk:S")
	for i := range n {
		c.put(table, item{"pk": "a", "n": i})
	}
	records := c.records(arn, n)
	ids := map[string]bool{}
	for i, r := range records {
		c.equal("value", show(r.Dynamodb.NewImage["n"]), i)
		c.that(!ids[*r.EventID], "event id %q twice", *r.EventID)
		ids[*r.EventID] = true
		c.that(i == 0 || less(*records[i-1].Dynamodb.SequenceNumber, *r.Dynamodb.SequenceNumber), "numbers do not grow")
	}
}

// less compares decimal numbers of any length.
func less(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func streamBatches(c *check) {
	table, arn := c.streamed("pk:S")
	_, err := c.tryBatch(table, putOf(item{"pk": "a"}), putOf(item{"pk": "b"}))
	c.ok(err)
	c.ok(c.transact(txPut(table, item{"pk": "c"}, ""), txDelete(table, item{"pk": "a"})))
	kinds := map[string]int{}
	for _, r := range c.records(arn, 4) {
		kinds[string(r.EventName)+" "+show(r.Dynamodb.Keys)]++
	}
	c.equal("records", kinds, map[string]int{`INSERT {pk: "a"}`: 1, `INSERT {pk: "b"}`: 1, `INSERT {pk: "c"}`: 1, `REMOVE {pk: "a"}`: 1})
}

func streamFailed(c *check) {
	table, arn := c.streamed("pk:S")
	c.put(table, item{"pk": "a"})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :v", cond: "n = :v", values: item{":v": 1}})
	c.fails(err, conditional)
	c.fails(c.transact(txPut(table, item{"pk": "b"}, ""), txCheck(table, item{"pk": "x"}, "attribute_exists(pk)")), canceled)
	c.put(table, item{"pk": "z"})
	c.equal("last", show(c.records(arn, 2)[1].Dynamodb.Keys), `{pk: "z"}`)
}

func streamTypes(c *check) {
	table, arn := c.streamed("pk:S")
	want := item{
		"pk": "a", "n": num("-1.5"), "b": []byte{0, 255}, "t": true, "f": false, "null": nil, "l": list{"x", 1, list{}, item{}},
		"m": item{"k": item{"deep": []byte("y")}}, "ss": ss{"b", "a"}, "ns": ns{"2", "1"}, "bs": bs{{1}, {2}}, "empty": "",
	}
	c.put(table, want)
	c.equal("image", show(c.records(arn, 1)[0].Dynamodb.NewImage), show(want))
}

func streamView(c *check, view types.StreamViewType, newImage, oldImage string) {
	table := c.create("pk:S", streaming(view))
	c.put(table, item{"pk": "a", "n": 1}, item{"pk": "a", "n": 2})
	r := c.records(c.streamOf(table), 2)[1]
	c.equal("keys", show(r.Dynamodb.Keys), `{pk: "a"}`)
	c.equal("new image", image(r.Dynamodb.NewImage), newImage)
	c.equal("old image", image(r.Dynamodb.OldImage), oldImage)
	c.equal("view", r.Dynamodb.StreamViewType, streamtypes.StreamViewType(view))
}

func streamList(c *check) {
	table, arn := c.streamed("pk:S")
	out, err := c.Streams.ListStreams(c.ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	c.ok(err)
	c.equal("streams", len(out.Streams), 1)
	c.equal("ARN", *out.Streams[0].StreamArn, arn)
	c.equal("table", *out.Streams[0].TableName, table)
	c.that(out.Streams[0].StreamLabel != nil && *out.Streams[0].StreamLabel != "", "no label")
}

func streamDescribe(c *check) {
	table, arn := c.streamed("pk:S sk:N")
	out, err := c.Streams.DescribeStream(c.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	c.ok(err)
	d := out.StreamDescription
	c.equal("status", d.StreamStatus, streamtypes.StreamStatusEnabled)
	c.equal("view", d.StreamViewType, streamtypes.StreamViewTypeNewAndOldImages)
	c.equal("table", *d.TableName, table)
	c.equal("keys", len(d.KeySchema), 2)
	c.that(len(d.Shards) > 0, "no shards")
	for _, s := range d.Shards {
		c.that(s.SequenceNumberRange != nil && s.SequenceNumberRange.StartingSequenceNumber != nil, "a shard without starting number")
		c.that(s.SequenceNumberRange.EndingSequenceNumber == nil, "an open shard with an ending number")
	}
}

func streamUnknown(c *check) {
	table, arn := c.streamed("pk:S")
	other := arn[:len(arn)-len("2026-01-01T00:00:00.000")] + "1999-01-01T00:00:00.000"
	_, err := c.Streams.DescribeStream(c.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &other})
	c.fails(err, notFound, table)
}
