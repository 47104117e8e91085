package engine

import (
	"context"
	"encoding/binary"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// maxSegments is DynamoDB's limit on a parallel scan.
const maxSegments = 1_000_000

// Scan implements DynamoDB's operation. Partitions come in the order of their
// hashes; a segment is a range of these.
func (e *Engine) Scan(ctx context.Context, in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	return e.ScanJSON(ctx, in, nil)
}

// ScanJSON is to Scan what [Engine.QueryJSON] is to Query.
func (e *Engine) ScanJSON(ctx context.Context, in *dynamodb.ScanInput, text *[]byte) (*dynamodb.ScanOutput, error) {
	if err := checkScan(in); err != nil {
		return nil, err
	}
	parsed, err := e.parseScan(in)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	q, err := t.scan(in, parsed)
	if err != nil {
		return nil, err
	}
	q.text = text
	p, err := e.run(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := e.seenAll(); err != nil {
		return nil, internal(err)
	}
	return &dynamodb.ScanOutput{
		Items: p.items, Count: p.count, ScannedCount: p.scanned, LastEvaluatedKey: p.last,
		ConsumedCapacity: q.usage.report(in.ReturnConsumedCapacity),
	}, nil
}

func checkScan(in *dynamodb.ScanInput) error {
	var v violations
	v.table(in.TableName)
	v.read(in.IndexName, in.Limit, in.Select, in.ReturnConsumedCapacity)
	v.older("scanFilter", in.ScanFilter, in.ConditionalOperator, in.AttributesToGet)
	if in.Segment != nil {
		v.between("segment", int(*in.Segment), 0, maxSegments-1)
	}
	if in.TotalSegments != nil {
		v.between("totalSegments", int(*in.TotalSegments), 1, maxSegments)
	}
	if err := v.err(); err != nil {
		return err
	}
	err := unmixed([]given{
		{"AttributesToGet", in.AttributesToGet != nil},
		{"ScanFilter", in.ScanFilter != nil},
		{"ConditionalOperator", in.ConditionalOperator != ""},
	}, []given{
		{"ProjectionExpression", in.ProjectionExpression != nil},
		{"FilterExpression", in.FilterExpression != nil},
	})
	if err != nil {
		return err
	}
	if err := checkStart(in.ExclusiveStartKey); err != nil {
		return err
	}
	switch {
	case in.Segment == nil && in.TotalSegments != nil:
		return validation("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.Segment != nil && in.TotalSegments == nil:
		return validation("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment != nil && *in.Segment >= *in.TotalSegments:
		return validation("The Segment parameter is zero-based and must be less than parameter TotalSegments: "+
			"Segment: %d is not less than TotalSegments: %d", *in.Segment, *in.TotalSegments)
	}
	return checkSelect(in.Select, in.AttributesToGet != nil, in.ProjectionExpression != nil)
}

func (e *Engine) parseScan(in *dynamodb.ScanInput) (*parsedRead, error) {
	var p parsedRead
	nulls := ""
	if in.FilterExpression == nil && in.ProjectionExpression == nil {
		nulls = "FilterExpression is null"
	}
	env, err := e.newEnv(in.ExpressionAttributeNames, in.ExpressionAttributeValues, nulls)
	if err != nil {
		return nil, err
	}
	if env == nil {
		return &p, p.older(in.AttributesToGet, in.ScanFilter, in.ConditionalOperator)
	}
	if p.filter, p.project, err = parseRead(in.FilterExpression, in.ProjectionExpression, env); err != nil {
		return nil, err
	}
	return &p, invalid(env.CheckUnused())
}

// scan makes the reading of a scan.
func (t *table) scan(in *dynamodb.ScanInput, parsed *parsedRead) (*reading, error) {
	x, err := t.readIndex(in.IndexName, in.ConsistentRead)
	if err != nil {
		return nil, err
	}
	q := &reading{
		t: t, x: x, filter: parsed.filter, project: parsed.project, strong: in.ConsistentRead, usage: newUsage(t),
	}
	if in.Limit != nil {
		q.limit = int(*in.Limit)
	}
	if err := q.choose(in.Select, attributesOf(parsed.project)); err != nil {
		return nil, err
	}
	if err := t.checkScalars(parsed.filter, parsed.project); err != nil {
		return nil, err
	}
	segment, total := int32(0), int32(1)
	if in.Segment != nil {
		segment, total = *in.Segment, *in.TotalSegments
	}
	q.segment(uint64(segment), uint64(total))
	if in.ExclusiveStartKey == nil {
		return q, nil
	}
	key, err := q.start(in.ExclusiveStartKey)
	if err != nil {
		return nil, err
	}
	if !q.contains(key) {
		return nil, validation("The provided starting key is invalid: Invalid ExclusiveStartKey. "+
			"Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", total, segment)
	}
	q.continueAfter(key)
	return q, nil
}

// segment sets the range of hashes that a segment has.
func (q *reading) segment(n, total uint64) {
	prefix := rowPrefix(q.t.meta.ID)
	if q.x != nil {
		prefix = oneIndexPrefix(q.t.meta.ID, q.x.ID)
	}
	q.lo, q.hi = prefixRange(prefix)
	if n > 0 {
		q.lo = binary.BigEndian.AppendUint32(prefix[:len(prefix):len(prefix)], segmentStart(n, total))
	}
	if n+1 < total {
		q.hi = binary.BigEndian.AppendUint32(prefix[:len(prefix):len(prefix)], segmentStart(n+1, total))
	}
}

func segmentStart(n, total uint64) uint32 { return uint32(n << 32 / total) }
