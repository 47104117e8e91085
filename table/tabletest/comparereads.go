package tabletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// query reads all pages. What one page of a global index holds is not compared, since items of equal keys have no order there.
func (g *generator) query() request {
	x := newExpressions(g)
	in := dynamodb.QueryInput{ScanIndexForward: new(g.chance(2)), Select: pick(g, "", "", "", types.SelectCount)}
	keys, ties := g.tableKeys(), false
	if len(g.indexes) > 0 && g.chance(2) {
		index := pick(g, g.indexes...)
		in.IndexName, keys, ties = &index.name, index.keys, true
	}
	in.KeyConditionExpression = new(x.keyCondition(keys))
	if g.chance(3) {
		in.FilterExpression = new(x.condition(2))
	}
	if in.Select == "" && g.chance(4) {
		in.ProjectionExpression = new(x.projection())
	}
	if g.chance(2) {
		in.Limit = new(int32(1 + g.IntN(4)))
	}
	if !ties {
		in.ReturnConsumedCapacity = g.units()
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.names, x.values
	return request{
		fmt.Sprintf("Query %s %s where %s filter %s project %s select %s limit %s forward %v", shown(in.IndexName), *in.KeyConditionExpression, x,
			shown(in.FilterExpression), shown(in.ProjectionExpression), in.Select, limitOf(in.Limit), *in.ScanIndexForward),
		func(e Endpoint, c *check, table string) string { return queryAll(e, c, in, table, ties) },
	}
}

func (g *generator) tableKeys() []string {
	var names []string
	for _, k := range g.keys {
		names = append(names, *k.AttributeName)
	}
	return names
}

func limitOf(n *int32) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func queryAll(e Endpoint, c *check, in dynamodb.QueryInput, table string, ties bool) string {
	in.TableName = &table
	var r pagesRead
	for {
		out, err := e.DynamoDB.Query(c.ctx, &in)
		if err != nil {
			return failure(err)
		}
		r.page(out.Items, out.Count, out.ScannedCount, !ties, show(out.LastEvaluatedKey)+consumed(out.ConsumedCapacity))
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return r.text(ties)
		}
	}
}

// pagesRead collects pages.
type pagesRead struct {
	items          []string
	pages          []string
	count, scanned int32
}

func (r *pagesRead) page(items []attrs, count, scanned int32, each bool, rest string) {
	r.count, r.scanned = r.count+count, r.scanned+scanned
	for _, it := range items {
		r.items = append(r.items, show(it))
	}
	if each {
		r.pages = append(r.pages, fmt.Sprint(count, " of ", scanned, " ", rest))
	}
}

func (r *pagesRead) text(anyOrder bool) string {
	if anyOrder {
		slices.Sort(r.items)
	}
	return fmt.Sprintf("ok %d of %d %s %s", r.count, r.scanned, strings.Join(r.items, " "), strings.Join(r.pages, "; "))
}

// scan reads all pages of all segments, in any order.
func (g *generator) scan() request {
	x := newExpressions(g)
	in := dynamodb.ScanInput{Select: pick(g, "", "", types.SelectCount)}
	if len(g.indexes) > 0 && g.chance(2) {
		in.IndexName = new(pick(g, g.indexes...).name)
	}
	if g.chance(2) {
		in.FilterExpression = new(x.condition(3))
	}
	if in.Select == "" && g.chance(3) {
		in.ProjectionExpression = new(x.projection())
	}
	if g.chance(2) {
		in.Limit = new(int32(1 + g.IntN(5)))
	}
	segments := int32(1 + g.IntN(3))
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.names, x.values
	return request{
		fmt.Sprintf("Scan %s filter %s project %s %s select %s limit %s segments %d", shown(in.IndexName), shown(in.FilterExpression),
			shown(in.ProjectionExpression), x, in.Select, limitOf(in.Limit), segments),
		func(e Endpoint, c *check, table string) string {
			var r pagesRead
			for segment := range segments {
				in := in
				in.TableName = &table
				if segments > 1 {
					in.Segment, in.TotalSegments = &segment, &segments
				}
				if failed := scanEach(e, c, in, &r); failed != "" {
					return failed
				}
			}
			return r.text(true)
		},
	}
}

func scanEach(e Endpoint, c *check, in dynamodb.ScanInput, r *pagesRead) (failed string) {
	for {
		out, err := e.DynamoDB.Scan(c.ctx, &in)
		if err != nil {
			return failure(err)
		}
		r.page(out.Items, out.Count, out.ScannedCount, false, "")
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return ""
		}
	}
}

// everything are the requests that read everything.
func everything(schema *dynamodb.CreateTableInput) []request {
	scan := func(index *string) request {
		return request{"the whole of " + shown(index), func(e Endpoint, c *check, table string) string {
			var r pagesRead
			if failed := scanEach(e, c, dynamodb.ScanInput{TableName: &table, IndexName: index}, &r); failed != "" {
				return failed
			}
			return r.text(true)
		}}
	}
	all := []request{scan(nil)}
	for _, x := range schema.LocalSecondaryIndexes {
		all = append(all, scan(x.IndexName))
	}
	for _, x := range schema.GlobalSecondaryIndexes {
		all = append(all, scan(x.IndexName))
	}
	if schema.StreamSpecification != nil {
		all = append(all, request{"the stream", func(e Endpoint, c *check, table string) string { return streamed(e, c, table) }})
	}
	return all
}

// streamed prints the records of a table's stream, in order for each key.
func streamed(e Endpoint, c *check, table string) string {
	out, err := e.Streams.ListStreams(c.ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	if err != nil {
		return failure(err)
	}
	described, err := e.Streams.DescribeStream(c.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: out.Streams[0].StreamArn})
	if err != nil {
		return failure(err)
	}
	byKey := map[string]any{}
	for _, shard := range described.StreamDescription.Shards {
		records, err := shardRecords(e, c, out.Streams[0].StreamArn, shard.ShardId)
		if err != nil {
			return failure(err)
		}
		for _, r := range records {
			key := show(r.Dynamodb.Keys)
			before, _ := byKey[key].(string)
			byKey[key] = before + fmt.Sprintf("\n   %s %s -> %s", r.EventName, show(r.Dynamodb.OldImage), show(r.Dynamodb.NewImage))
		}
	}
	return "ok " + showMap(byKey)
}

func shardRecords(e Endpoint, c *check, arn, shard *string) ([]streamtypes.Record, error) {
	at, err := e.Streams.GetShardIterator(c.ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: arn, ShardId: shard, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return nil, err
	}
	var all []streamtypes.Record
	for next := at.ShardIterator; next != nil; {
		out, err := e.Streams.GetRecords(c.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: next})
		if err != nil {
			return nil, err
		}
		if len(out.Records) == 0 {
			break
		}
		all, next = append(all, out.Records...), out.NextShardIterator
	}
	return all, nil
}
