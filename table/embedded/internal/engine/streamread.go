package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

const (
	maxRecords      = 1000
	maxRecordBytes  = 1 << 20
	maxIterator     = 2048
	iteratorExpires = 15 * time.Minute
)

// iterator is a position in a shard; it travels as opaque text.
type iterator struct {
	ARN    string `json:"a"`
	Shard  string `json:"s"`
	Next   uint64 `json:"n"`
	Issued int64  `json:"t"` // milliseconds
}

func (it iterator) text() *string {
	data, _ := json.Marshal(it) // strings and integers only
	return new(it.ARN + "|1|" + base64.StdEncoding.EncodeToString(data))
}

func parseIterator(text *string) (iterator, error) {
	bad := validation("Invalid ShardIterator")
	var it iterator
	at := len(*text)
	for at > 0 && (*text)[at-1] != '|' {
		at--
	}
	data, err := base64.StdEncoding.DecodeString((*text)[at:])
	if err != nil || json.Unmarshal(data, &it) != nil || *it.text() != *text {
		return iterator{}, bad
	}
	return it, nil
}

// GetShardIterator implements the operation of DynamoDB Streams.
func (e *Engine) GetShardIterator(ctx context.Context, in *dynamodbstreams.GetShardIteratorInput) (*dynamodbstreams.GetShardIteratorOutput, error) {
	if err := checkShardIterator(in); err != nil {
		return nil, err
	}
	s, err := e.stream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	sh := s.shard(*in.ShardId)
	if sh == nil {
		return nil, streamNotFound("Requested resource not found: Shard does not exist")
	}
	if err := e.trim(sh); err != nil {
		return nil, err
	}
	next, err := sh.position(in)
	if err != nil {
		return nil, err
	}
	it := iterator{ARN: s.meta.ARN, Shard: sh.meta.ID, Next: next, Issued: now().UnixMilli()}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: it.text()}, nil
}

func checkShardIterator(in *dynamodbstreams.GetShardIteratorInput) error {
	var v violations
	v.needed("streamArn", in.StreamArn, minStreamARN, maxARNLength)
	v.needed("shardId", in.ShardId, minShardID, maxShardID)
	if in.ShardIteratorType == "" {
		v.add(nil, "shardIteratorType", notNull)
	}
	numbered := []types.ShardIteratorType{types.ShardIteratorTypeAfterSequenceNumber, types.ShardIteratorTypeAtSequenceNumber}
	oneOf(&v, "shardIteratorType", in.ShardIteratorType,
		append(numbered, types.ShardIteratorTypeLatest, types.ShardIteratorTypeTrimHorizon))
	if in.SequenceNumber != nil {
		v.needed("sequenceNumber", in.SequenceNumber, minSequence, maxSequence)
	}
	switch needs := slices.Contains(numbered, in.ShardIteratorType); {
	case len(v) > 0:
		return v.err()
	case needs && in.SequenceNumber == nil:
		return invalidParameter("Invalid SequenceNumber")
	case !needs && in.SequenceNumber != nil:
		return invalidParameter("SequenceNumber should not be passed for this iterator type")
	}
	return nil
}

// position finds the number at which an iterator begins.
func (sh *shard) position(in *dynamodbstreams.GetShardIteratorInput) (uint64, error) {
	sh.mu.Lock()
	last, first := sh.last, max(sh.meta.Start, sh.meta.Trimmed+1)
	sh.mu.Unlock()
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeTrimHorizon:
		return first, nil
	case types.ShardIteratorTypeLatest:
		return last + 1, nil
	}
	seq, ok := parseSeq(*in.SequenceNumber)
	if !ok || seq < sh.meta.Start || seq > max(last, sh.meta.Start) {
		return 0, validation("Invalid SequenceNumber: %q is not one of shard %q", *in.SequenceNumber, sh.meta.ID)
	}
	after := in.ShardIteratorType == types.ShardIteratorTypeAfterSequenceNumber
	if after {
		seq++
	}
	if seq < first {
		return 0, trimmed()
	}
	return seq, nil
}

func trimmed() error {
	return &types.TrimmedDataAccessException{
		Message: new("The operation attempted to read past the oldest stream record in a shard."),
	}
}

// GetRecords implements the operation of DynamoDB Streams.
func (e *Engine) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput) (*dynamodbstreams.GetRecordsOutput, error) {
	var v violations
	v.needed("shardIterator", in.ShardIterator, 1, maxIterator)
	limit := v.limit(in.Limit, maxRecords)
	if err := v.err(); err != nil {
		return nil, err
	}
	it, err := parseIterator(in.ShardIterator)
	if err != nil {
		return nil, err
	}
	if now().Sub(time.UnixMilli(it.Issued)) > iteratorExpires {
		return nil, &types.ExpiredIteratorException{Message: new("The shard iterator has expired. " +
			"Shard iterators are valid for 15 minutes.")}
	}
	s, err := e.stream(&it.ARN)
	if err != nil {
		return nil, err
	}
	sh := s.shard(it.Shard)
	if sh == nil {
		return nil, streamNotFound("Requested resource not found: Shard does not exist")
	}
	if err := e.trim(sh); err != nil {
		return nil, err
	}
	return e.records(ctx, sh, it, limit)
}

func (e *Engine) records(ctx context.Context, sh *shard, it iterator, limit int) (*dynamodbstreams.GetRecordsOutput, error) {
	sh.mu.Lock()
	last, closed, gone := sh.last, sh.meta.closed(), sh.meta.Trimmed
	sh.mu.Unlock()
	if it.Next <= gone {
		return nil, trimmed()
	}
	out := &dynamodbstreams.GetRecordsOutput{Records: []types.Record{}}
	pairs, err := e.readRecords(sh, it.Next, last, limit)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		r, err := decodeRecord(p)
		if err != nil {
			return nil, err
		}
		rec, err := e.toSDK(sh, r)
		if err != nil {
			return nil, err
		}
		out.Records = append(out.Records, rec)
		it.Next = r.seq + 1
	}
	// Nothing may be published that a power loss could still take back.
	if err := seen(ctx, &sh.pending); err != nil {
		return nil, internal(err)
	}
	if !closed || it.Next <= last {
		it.Issued = now().UnixMilli()
		out.NextShardIterator = it.text()
	}
	return out, nil
}

func (e *Engine) readRecords(sh *shard, next, last uint64, limit int) ([]kv.Pair, error) {
	id, no := sh.stream.meta.ID, sh.meta.No
	if next > last {
		return nil, nil
	}
	pairs := make([]kv.Pair, 0, min(uint64(limit), last-next+1))
	size := 0
	for p, err := range e.store.Iterate(recordKey(id, no, next), recordKey(id, no, last+1), false) {
		if err != nil {
			return nil, internal(err)
		}
		if size += len(p.Value); size > maxRecordBytes && len(pairs) > 0 {
			break
		}
		if pairs = append(pairs, p); len(pairs) == limit {
			break
		}
	}
	return pairs, nil
}

func (e *Engine) toSDK(sh *shard, r *record) (types.Record, error) {
	names := map[changeKind]types.OperationType{
		inserted: types.OperationTypeInsert, modified: types.OperationTypeModify, removed: types.OperationTypeRemove,
	}
	rec := types.Record{
		AwsRegion:    new(e.opts.Region),
		EventID:      new(eventID(sh, r.seq)),
		EventName:    names[r.kind],
		EventSource:  new("aws:dynamodb"),
		EventVersion: new("1.1"),
		Dynamodb: &types.StreamRecord{
			ApproximateCreationDateTime: new(r.at.Truncate(time.Second).UTC()),
			SequenceNumber:              new(seqText(r.seq)),
			StreamViewType:              types.StreamViewType(sh.stream.meta.View),
		},
	}
	if r.expiry {
		rec.UserIdentity = &types.Identity{Type: new("Service"), PrincipalId: new("dynamodb.amazonaws.com")}
	}
	var size int64
	for _, part := range []struct {
		raw []byte
		to  *map[string]types.AttributeValue
	}{{r.keys, &rec.Dynamodb.Keys}, {r.new, &rec.Dynamodb.NewImage}, {r.old, &rec.Dynamodb.OldImage}} {
		if part.raw == nil {
			continue
		}
		image := row{raw: part.raw}
		item, err := image.item()
		if err != nil {
			return rec, err
		}
		*part.to = attr.ItemToStreams(item)
		size += int64(image.size())
	}
	rec.Dynamodb.SizeBytes = &size
	return rec, nil
}

// eventID is the same on every reading and differs by stream.
func eventID(sh *shard, seq uint64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s|%d|%d", sh.stream.meta.ARN, sh.meta.No, seq))
	return hex.EncodeToString(h[:16])
}
