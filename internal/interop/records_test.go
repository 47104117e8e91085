package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// thing is the entity that both services know.
type thing struct {
	ID     string         `dynamo:"id" json:"id"`
	Name   string         `dynamo:"name" json:"name"`
	Count  int            `dynamo:"count" json:"count"`
	Ratio  float64        `dynamo:"ratio,omitempty" json:"ratio,omitempty"`
	Open   bool           `dynamo:"open" json:"open"`
	Labels []string       `dynamo:"labels,omitempty" json:"labels,omitempty"`
	Extra  map[string]any `dynamo:"extra,omitempty" json:"extra,omitempty"`
}

var things = table.DefineNode("thing", func(x *thing, d *table.Def[thing]) {
	d.ID(&x.ID)
	d.Adopt()
})

// create makes a table of things in an engine.
func create(t testing.TB, engine *embedded.DB, name string) *table.DB {
	t.Helper()
	in, err := table.Schema(things).CreateTableInput(name)
	require.NoError(t, err)
	_, err = engine.CreateTable(context.Background(), in)
	require.NoError(t, err)
	db, err := table.Open(engine, name, &table.Options{Region: "us-east-1"})
	require.NoError(t, err)
	return db
}

// published keeps events, as a publisher.
type published struct {
	mu     sync.Mutex
	events []insideout.Event
}

func (p *published) Publish(_ context.Context, events []insideout.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, events...)
	return nil
}

// queueEvent has the events as messages of a queue.
func queueEvent(t testing.TB, list []insideout.Event) events.SQSEvent {
	t.Helper()
	var batch events.SQSEvent
	for i, e := range list {
		raw, err := e.MarshalJSON()
		require.NoError(t, err)
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId: fmt.Sprint("m", i), Body: string(raw), EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:123456789012:q",
			AWSRegion: "us-east-1", Attributes: map[string]string{"SentTimestamp": "1700000000000", "ApproximateReceiveCount": "1"},
		})
	}
	return batch
}

// stream returns the change records of a table as Lambda delivers them, in JSON.
func stream(t testing.TB, engine *embedded.DB, name string) []json.RawMessage {
	t.Helper()
	ctx := context.Background()
	described, err := engine.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	require.NoError(t, err)
	arn := described.Table.LatestStreamArn
	shards, err := engine.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	require.NoError(t, err)
	var out []json.RawMessage
	for _, shard := range shards.StreamDescription.Shards {
		at, err := engine.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		require.NoError(t, err)
		read, err := engine.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: at.ShardIterator})
		require.NoError(t, err)
		for _, r := range read.Records {
			out = append(out, recordJSON(t, r, *arn))
		}
	}
	return out
}

func recordJSON(t testing.TB, r types.Record, arn string) json.RawMessage {
	t.Helper()
	change := map[string]any{
		"ApproximateCreationDateTime": r.Dynamodb.ApproximateCreationDateTime.Unix(), "SequenceNumber": *r.Dynamodb.SequenceNumber,
		"StreamViewType": r.Dynamodb.StreamViewType, "SizeBytes": *r.Dynamodb.SizeBytes,
	}
	for name, item := range map[string]map[string]types.AttributeValue{"Keys": r.Dynamodb.Keys, "NewImage": r.Dynamodb.NewImage, "OldImage": r.Dynamodb.OldImage} {
		if item != nil {
			change[name] = itemJSON(item)
		}
	}
	raw, err := json.Marshal(map[string]any{
		"eventID": *r.EventID, "eventName": r.EventName, "eventSource": "aws:dynamodb", "eventVersion": "1.1", "awsRegion": "us-east-1",
		"eventSourceARN": arn, "dynamodb": change,
	})
	require.NoError(t, err)
	return raw
}

func itemJSON(item map[string]types.AttributeValue) map[string]any {
	out := map[string]any{}
	for name, v := range item {
		out[name] = valueJSON(v)
	}
	return out
}

func valueJSON(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberL:
		list := []any{}
		for _, e := range v.Value {
			list = append(list, valueJSON(e))
		}
		return map[string]any{"L": list}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": itemJSON(v.Value)}
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": true}
	default:
		panic(fmt.Sprintf("%T", v))
	}
}

// changed returns a record with other members: of the record by their names, of the change as "dynamodb.NAME", of both images as
// "image.NAME". Nil takes one away.
func changed(t testing.TB, raw json.RawMessage, with map[string]any) json.RawMessage {
	t.Helper()
	var r map[string]any
	require.NoError(t, json.Unmarshal(raw, &r))
	change, _ := r["dynamodb"].(map[string]any)
	for name, value := range with {
		switch {
		case len(name) > 9 && name[:9] == "dynamodb.":
			set(change, name[9:], value)
		case len(name) > 6 && name[:6] == "image.":
			for _, image := range []string{"NewImage", "OldImage"} {
				if row, ok := change[image].(map[string]any); ok {
					set(row, name[6:], value)
				}
			}
		default:
			set(r, name, value)
		}
	}
	out, err := json.Marshal(r)
	require.NoError(t, err)
	return out
}

func set(m map[string]any, name string, value any) {
	if value == nil {
		delete(m, name)
		return
	}
	m[name] = value
}

func lambdaEvent(t testing.TB, records ...json.RawMessage) events.DynamoDBEvent {
	t.Helper()
	var batch events.DynamoDBEvent
	for _, raw := range records {
		var r events.DynamoDBEventRecord
		require.NoError(t, json.Unmarshal(raw, &r))
		batch.Records = append(batch.Records, r)
	}
	return batch
}
