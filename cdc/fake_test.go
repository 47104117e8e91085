package cdc_test

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout/cdc"
)

// memory keeps checkpoints in a map, and every one that was saved.
type memory struct {
	mu    sync.Mutex
	at    map[cdc.Shard]cdc.Checkpoint
	saved []string
	err   error
}

func (m *memory) Load(_ context.Context, shards []cdc.Shard) ([]cdc.Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]cdc.Checkpoint, len(shards))
	for i, s := range shards {
		list[i] = m.at[s]
	}
	return list, nil
}

func (m *memory) Swap(ctx context.Context, s cdc.Shard, seen, next cdc.Checkpoint) (cdc.Checkpoint, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.err, ctx.Err()); err != nil {
		return cdc.Checkpoint{}, false, err
	}
	if kept := m.at[s]; kept.Beat != seen.Beat {
		return kept, false, nil
	}
	if m.at == nil {
		m.at = map[cdc.Shard]cdc.Checkpoint{}
	}
	m.at[s] = next
	m.saved = append(m.saved, fmt.Sprintf("%s %s %v", s.ID, next.Sequence, next.End))
	return next, true, nil
}

// fakeStreams is a stream whose shards a test lays out, and whose calls it can break.
type fakeStreams struct {
	mu     sync.Mutex
	shards []*fakeShard
	// fail is asked before each call and may answer in its place.
	fail func(call, shard string) error
	// after is called when the answer is made and not seen yet: it may take its time.
	after func(call, shard string)
	calls []string
}

// put appends records to a shard.
func (f *fakeStreams) put(shard string, numbers ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shards[f.index(shard)]
	s.records = append(s.records, records(numbers...)...)
}

type fakeShard struct {
	id, parent string
	records    []streams.Record
	closed     bool
	trimmed    int // records that are gone
}

const fakeARN = "arn:aws:dynamodb:eu-west-1:1:table/things/stream/2023"

func (f *fakeStreams) call(name, shard string) error {
	f.calls = append(f.calls, strings.TrimSpace(name+" "+shard))
	if f.fail != nil {
		return f.fail(name, shard)
	}
	return nil
}

func (f *fakeStreams) ListStreams(_ context.Context, in *dynamodbstreams.ListStreamsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("ListStreams", ""); err != nil {
		return nil, err
	}
	old := streams.Stream{StreamArn: new("old"), StreamLabel: new("2022"), TableName: in.TableName}
	now := streams.Stream{StreamArn: new(fakeARN), StreamLabel: new("2023"), TableName: in.TableName}
	if in.ExclusiveStartStreamArn == nil { // the newest one is on the second page
		return &dynamodbstreams.ListStreamsOutput{Streams: []streams.Stream{old}, LastEvaluatedStreamArn: new("old")}, nil
	}
	return &dynamodbstreams.ListStreamsOutput{Streams: []streams.Stream{now}}, nil
}

func (f *fakeStreams) DescribeStream(_ context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	out, err := f.describe(in)
	if f.after != nil {
		f.after("DescribeStream", "")
	}
	return out, err
}

func (f *fakeStreams) describe(in *dynamodbstreams.DescribeStreamInput) (*dynamodbstreams.DescribeStreamOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("DescribeStream", ""); err != nil {
		return nil, err
	}
	out := &dynamodbstreams.DescribeStreamOutput{StreamDescription: &streams.StreamDescription{StreamArn: in.StreamArn}}
	for i, s := range f.shards { // one shard a page
		if in.ExclusiveStartShardId != nil && i <= f.index(*in.ExclusiveStartShardId) {
			continue
		}
		shard := streams.Shard{ShardId: new(s.id)}
		if s.parent != "" {
			shard.ParentShardId = new(s.parent)
		}
		out.StreamDescription.Shards = []streams.Shard{shard}
		if i < len(f.shards)-1 {
			out.StreamDescription.LastEvaluatedShardId = new(s.id)
		}
		return out, nil
	}
	return out, nil
}

func (f *fakeStreams) index(id string) int {
	for i, s := range f.shards {
		if s.id == id {
			return i
		}
	}
	return -1
}

func (f *fakeStreams) GetShardIterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("GetShardIterator", *in.ShardId); err != nil {
		return nil, err
	}
	shard := f.shards[f.index(*in.ShardId)]
	at := shard.trimmed
	if in.SequenceNumber != nil {
		at = 0
		for i, r := range shard.records {
			if *r.Dynamodb.SequenceNumber == *in.SequenceNumber {
				at = i + 1
			}
		}
		if at < shard.trimmed {
			return nil, &streams.TrimmedDataAccessException{}
		}
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: new(fmt.Sprint(*in.ShardId, "/", at))}, nil
}

func (f *fakeStreams) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	out, err := f.records(in)
	if f.after != nil {
		shard, _, _ := strings.Cut(*in.ShardIterator, "/")
		f.after("GetRecords", shard)
	}
	return out, err
}

func (f *fakeStreams) records(in *dynamodbstreams.GetRecordsInput) (*dynamodbstreams.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, text, _ := strings.Cut(*in.ShardIterator, "/")
	if err := f.call("GetRecords", id); err != nil {
		return nil, err
	}
	at, _ := strconv.Atoi(text)
	shard := f.shards[f.index(id)]
	end := min(len(shard.records), at+int(*in.Limit))
	out := &dynamodbstreams.GetRecordsOutput{Records: shard.records[at:end]}
	if end < len(shard.records) || !shard.closed {
		out.NextShardIterator = new(fmt.Sprint(id, "/", end))
	}
	return out, nil
}

// streamRecord is the record of a new thing, or of a checkpoint.
func streamRecord(n int, entity string) streams.Record {
	s := func(v string) streams.AttributeValue { return &streams.AttributeValueMemberS{Value: v} }
	number := func(v int64) streams.AttributeValue {
		return &streams.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
	}
	id := fmt.Sprintf("t%d", n)
	if entity == "checkpoint" {
		id = "cdc " + id
	}
	keys := map[string]streams.AttributeValue{"pk": s(id), "sk": s(entity)}
	image := map[string]streams.AttributeValue{
		"pk": s(id), "sk": s(entity), "discriminator": s(entity), "name": s(""), "count": number(1), "timestamp": number(1_700_000_000_000 + int64(n)),
	}
	return streams.Record{
		EventID: new(fmt.Sprint("id", n)), EventName: streams.OperationTypeInsert,
		Dynamodb: &streams.StreamRecord{
			Keys: keys, NewImage: image, SequenceNumber: new(fmt.Sprintf("%021d", n)),
			ApproximateCreationDateTime: new(time.Unix(900_000_000, 0)), // before the time of a bubble,
		},
	}
}

func records(numbers ...int) []streams.Record {
	var list []streams.Record
	for _, n := range numbers {
		list = append(list, streamRecord(n, "thing"))
	}
	return list
}
