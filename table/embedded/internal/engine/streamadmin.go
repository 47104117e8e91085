package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// DynamoDB's limits on the requests of streams.
const (
	maxStreamPage = 100
	minStreamARN  = 37
	minShardID    = 28
	maxShardID    = 65
	minSequence   = 21
	maxSequence   = 40
)

func streamNotFound(text string) error {
	return &types.ResourceNotFoundException{Message: &text}
}

// stream finds a stream by its ARN.
func (e *Engine) stream(arn *string) (*stream, error) {
	if !strings.HasPrefix(*arn, "arn:") || !strings.Contains(*arn, "/stream/") {
		return nil, validation("Invalid StreamArn: %s", *arn)
	}
	e.mu.RLock()
	s := e.streams[*arn]
	e.mu.RUnlock()
	if s == nil || s.expired(now()) {
		return nil, streamNotFound("Requested resource not found: Stream: " + *arn + " not found")
	}
	return s, e.roll(s, now())
}

// expired reports whether the stream was turned off so long ago that all its
// records are gone.
func (s *stream) expired(at time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.meta.Disabled.IsZero() && at.Sub(s.meta.Disabled) > retention
}

func (s *stream) shard(id string) *shard {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sh := range s.shards {
		if sh.meta.ID == id {
			return sh
		}
	}
	return nil
}

// ListStreams implements the operation of DynamoDB Streams.
func (e *Engine) ListStreams(ctx context.Context, in *dynamodbstreams.ListStreamsInput) (*dynamodbstreams.ListStreamsOutput, error) {
	var v violations
	if in.TableName != nil {
		v.tableAt("tableName", in.TableName)
	}
	if in.ExclusiveStartStreamArn != nil {
		v.needed("exclusiveStartStreamArn", in.ExclusiveStartStreamArn, minStreamARN, maxARNLength)
	}
	limit := v.limit(in.Limit, maxStreamPage)
	if err := v.err(); err != nil {
		return nil, err
	}
	e.mu.RLock()
	arns := sortedNames(e.streams)
	e.mu.RUnlock()
	out := &dynamodbstreams.ListStreamsOutput{Streams: []types.Stream{}}
	for _, arn := range arns {
		if in.ExclusiveStartStreamArn != nil && arn <= *in.ExclusiveStartStreamArn {
			continue
		}
		s, err := e.stream(&arn)
		if err != nil || in.TableName != nil && s.meta.Table != tableName(in.TableName) {
			continue
		}
		out.Streams = append(out.Streams, types.Stream{
			StreamArn: &s.meta.ARN, StreamLabel: &s.meta.Label, TableName: &s.meta.Table,
		})
		if len(out.Streams) == limit {
			out.LastEvaluatedStreamArn = &s.meta.ARN
			break
		}
	}
	return out, nil
}

// DescribeStream implements the operation of DynamoDB Streams.
func (e *Engine) DescribeStream(ctx context.Context, in *dynamodbstreams.DescribeStreamInput) (*dynamodbstreams.DescribeStreamOutput, error) {
	var v violations
	v.needed("streamArn", in.StreamArn, minStreamARN, maxARNLength)
	if in.ExclusiveStartShardId != nil {
		v.needed("exclusiveStartShardId", in.ExclusiveStartShardId, minShardID, maxShardID)
	}
	if f := in.ShardFilter; f != nil {
		oneOf(&v, "shardFilter.type", f.Type, f.Type.Values())
		if f.ShardId != nil {
			v.needed("shardFilter.shardId", f.ShardId, minShardID, maxShardID)
		}
	}
	limit := v.limit(in.Limit, maxStreamPage)
	if err := v.err(); err != nil {
		return nil, err
	}
	s, err := e.stream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	d := s.describe()
	all := s.describeShards(in.ShardFilter)
	if in.ExclusiveStartShardId != nil {
		at := slices.IndexFunc(all, func(x types.Shard) bool { return *x.ShardId == *in.ExclusiveStartShardId })
		if at < 0 {
			at = len(all) - 1
		}
		all = all[at+1:]
	}
	if len(all) > limit {
		all = all[:limit]
		d.LastEvaluatedShardId = all[limit-1].ShardId
	}
	d.Shards = all
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: d}, nil
}

func (s *stream) describe() *types.StreamDescription {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := &types.StreamDescription{
		CreationRequestDateTime: &s.meta.Created,
		StreamArn:               &s.meta.ARN,
		StreamLabel:             &s.meta.Label,
		StreamStatus:            types.StreamStatusEnabled,
		StreamViewType:          types.StreamViewType(s.meta.View),
		TableName:               &s.meta.Table,
	}
	if !s.meta.Disabled.IsZero() {
		d.StreamStatus = types.StreamStatusDisabled
	}
	for _, n := range s.meta.Hash {
		d.KeySchema = append(d.KeySchema, types.KeySchemaElement{AttributeName: &n, KeyType: types.KeyTypeHash})
	}
	for _, n := range s.meta.Range {
		d.KeySchema = append(d.KeySchema, types.KeySchemaElement{AttributeName: &n, KeyType: types.KeyTypeRange})
	}
	return d
}

func (s *stream) describeShards(filter *types.ShardFilter) []types.Shard {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []types.Shard{}
	horizon := now().Add(-retention)
	for _, sh := range s.shards {
		if sh.meta.closed() && sh.meta.ClosedAt.Before(horizon) {
			continue // nothing is left in it
		}
		if filter != nil && filter.ShardId != nil && sh.meta.Parent != *filter.ShardId {
			continue
		}
		sh.mu.Lock()
		x := types.Shard{
			ShardId:             &sh.meta.ID,
			SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: new(seqText(sh.meta.Start))},
		}
		if sh.meta.Parent != "" {
			x.ParentShardId = &sh.meta.Parent
		}
		if sh.meta.closed() {
			x.SequenceNumberRange.EndingSequenceNumber = new(seqText(max(sh.last, sh.meta.Start)))
		}
		sh.mu.Unlock()
		list = append(list, x)
	}
	return list
}

// enableStream gives the table a stream. The caller holds the table's
// description for writing, and e.mu.
func (e *Engine) enableStream(b *kv.Batch, t *table, spec *ddb.StreamSpecification) error {
	if err := e.forgetStreams(); err != nil {
		return err
	}
	s := e.newStream(t, spec.StreamViewType)
	t.meta.Stream, t.meta.LastStream = s.meta.ID, s.meta.Label
	if err := putJSON(b, counterKey, e.counters); err != nil {
		return err
	}
	if err := s.save(b); err != nil {
		return err
	}
	e.streams[s.meta.ARN] = s
	t.stream = s
	return nil
}

// disableStream closes the shards of the table's stream; its records stay
// readable until they are trimmed. The caller holds the table's description for
// writing.
func (t *table) disableStream(b *kv.Batch) error {
	s := t.stream
	t.stream, t.meta.Stream = nil, 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta.Disabled = now().UTC()
	for _, sh := range s.shards {
		sh.end(s.meta.Disabled)
	}
	return s.save(b)
}

// trim removes the records of a shard that are older than the retention.
func (e *Engine) trim(sh *shard) error {
	sh.stream.mu.Lock()
	defer sh.stream.mu.Unlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	horizon := now().Add(-retention)
	if !sh.oldest.IsZero() && !sh.oldest.Before(horizon) {
		return nil
	}
	id, no := sh.stream.meta.ID, sh.meta.No
	first, upto := max(sh.meta.Start, sh.meta.Trimmed+1), uint64(0)
	sh.oldest = time.Time{}
	for p, err := range e.store.Iterate(recordKey(id, no, first), recordKey(id, no, sh.last+1), false) {
		if err != nil {
			return internal(err)
		}
		r, err := decodeRecord(p)
		if err != nil {
			return err
		}
		if !r.at.Before(horizon) {
			sh.oldest = r.at
			break
		}
		upto = r.seq
	}
	if upto == 0 {
		return nil
	}
	sh.meta.Trimmed, sh.meta.Last = upto, sh.last
	var b kv.Batch
	b.DeleteRange(recordKey(id, no, first), recordKey(id, no, upto+1))
	if err := sh.stream.save(&b); err != nil {
		return err
	}
	return e.applyDurably(&b)
}
