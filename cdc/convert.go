package cdc

import (
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout/table"
)

// value is an attribute value as the rest of the toolkit has it. DynamoDB's change records come with two other types
// for the same thing: the one of the streams client and the one of Lambda.
type value = types.AttributeValue

// arena makes the values of a batch. Those that rows mostly consist of are made many at a time, since they live and die with the batch. The
// rows themselves are looked at one after the other, and take turns in two maps: only their values may be kept.
type arena struct {
	texts    []types.AttributeValueMemberS
	numbers  []types.AttributeValueMemberN
	new, old table.Item
}

const firstChunk, maxChunk = 16, 512

// extended returns the list with room for one more: a new list where it is full, since what is in it does not move.
func extended[V any](list []V) []V {
	if len(list) < cap(list) {
		return list
	}
	return make([]V, 0, min(maxChunk, max(firstChunk, 2*cap(list))))
}

func (a *arena) text(s string) value {
	a.texts = append(extended(a.texts), types.AttributeValueMemberS{Value: s})
	return &a.texts[len(a.texts)-1]
}

func (a *arena) number(s string) value {
	a.numbers = append(extended(a.numbers), types.AttributeValueMemberN{Value: s})
	return &a.numbers[len(a.numbers)-1]
}

// lambdaRecord is a record as Lambda delivers it.
type lambdaRecord struct{ *events.DynamoDBEventRecord }

func (r lambdaRecord) keys(a *arena) table.Item { return fill(a, nil, r.Change.Keys, lambdaValue) }
func (r lambdaRecord) latest(a *arena) table.Item {
	return fill(a, &a.new, r.Change.NewImage, lambdaValue)
}

func (r lambdaRecord) last(a *arena) table.Item {
	return fill(a, &a.old, r.Change.OldImage, lambdaValue)
}
func (r lambdaRecord) hasLast() bool { return len(r.Change.OldImage) > 0 }

func (r lambdaRecord) lastValue(attr string, a *arena) value {
	return pick(a, r.Change.OldImage, attr, lambdaValue)
}

func fromLambda(r *events.DynamoDBEventRecord) record {
	text := func(v events.DynamoDBAttributeValue) string {
		if v.DataType() != events.DataTypeString {
			return ""
		}
		return v.String()
	}
	rec := record{
		id: r.EventID, operation: r.EventName, sequence: r.Change.SequenceNumber,
		at: r.Change.ApproximateCreationDateTime.Time, region: r.AWSRegion, source: r.EventSource,
		arn: r.EventSourceArn, version: r.EventVersion, view: r.Change.StreamViewType, size: r.Change.SizeBytes,
		key: keyOf(text, r.Change.Keys, r.Change.NewImage, r.Change.OldImage), from: lambdaRecord{r},
	}
	if r.UserIdentity != nil {
		rec.user = &identity{kind: r.UserIdentity.Type, principal: r.UserIdentity.PrincipalID}
	}
	return rec
}

// streamRecord is a record as DynamoDB Streams has it.
type streamRecord struct{ *streams.StreamRecord }

func (r streamRecord) keys(a *arena) table.Item   { return fill(a, nil, r.Keys, streamValue) }
func (r streamRecord) latest(a *arena) table.Item { return fill(a, &a.new, r.NewImage, streamValue) }

func (r streamRecord) last(a *arena) table.Item { return fill(a, &a.old, r.OldImage, streamValue) }
func (r streamRecord) hasLast() bool            { return len(r.OldImage) > 0 }

func (r streamRecord) lastValue(attr string, a *arena) value {
	return pick(a, r.OldImage, attr, streamValue)
}

func fromStream(r *streams.Record, arn string) record {
	text := func(v streams.AttributeValue) string {
		s, ok := v.(*streams.AttributeValueMemberS)
		if !ok {
			return ""
		}
		return s.Value
	}
	change := r.Dynamodb
	if change == nil {
		change = &streams.StreamRecord{}
	}
	rec := record{
		id: deref(r.EventID), operation: string(r.EventName), region: deref(r.AwsRegion),
		source: deref(r.EventSource), arn: arn, version: deref(r.EventVersion),
		sequence: deref(change.SequenceNumber), at: deref(change.ApproximateCreationDateTime),
		view: string(change.StreamViewType), size: deref(change.SizeBytes),
		key: keyOf(text, change.Keys, change.NewImage, change.OldImage), from: streamRecord{change},
	}
	if r.UserIdentity != nil {
		rec.user = &identity{kind: deref(r.UserIdentity.Type), principal: deref(r.UserIdentity.PrincipalId)}
	}
	return rec
}

// keyOf falls back to the images, since a record that was made by hand may come without its keys.
func keyOf[V any](text func(V) string, candidates ...map[string]V) table.RowKey {
	for _, item := range candidates {
		if len(item) > 0 {
			return table.RowKey{PK: text(item["pk"]), SK: text(item["sk"])}
		}
	}
	return table.RowKey{}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// text returns a string attribute, empty for every other value.
func text(v value) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func isTrue(v value) bool {
	b, ok := v.(*types.AttributeValueMemberBOOL)
	return ok && b.Value
}

// fill keeps nil apart from empty: a record without an image is not one with an empty image. Both sources hand over
// an empty map for an image that the stream does not carry, and no row is without attributes. The map that into points at is used again.
func fill[V any](a *arena, into *table.Item, item map[string]V, one func(*arena, V) value) table.Item {
	if len(item) == 0 {
		return nil
	}
	var out table.Item
	if into != nil {
		out = *into
	}
	if out == nil {
		out = make(table.Item, len(item))
	}
	clear(out)
	for name, v := range item {
		out[name] = one(a, v)
	}
	if into != nil {
		*into = out
	}
	return out
}

// pick is one value of an image, nil where there is none.
func pick[V any](a *arena, item map[string]V, attr string, one func(*arena, V) value) value {
	v, ok := item[attr]
	if !ok {
		return nil
	}
	return one(a, v)
}

func lambdaValue(a *arena, v events.DynamoDBAttributeValue) value {
	if v.IsNull() { // first, since the zero value claims to be binary
		return &types.AttributeValueMemberNULL{Value: true}
	}
	switch v.DataType() {
	case events.DataTypeString:
		return a.text(v.String())
	case events.DataTypeNumber:
		return a.number(v.Number())
	case events.DataTypeBinary:
		return &types.AttributeValueMemberB{Value: v.Binary()}
	case events.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}
	case events.DataTypeStringSet:
		return &types.AttributeValueMemberSS{Value: v.StringSet()}
	case events.DataTypeNumberSet:
		return &types.AttributeValueMemberNS{Value: v.NumberSet()}
	case events.DataTypeBinarySet:
		return &types.AttributeValueMemberBS{Value: v.BinarySet()}
	case events.DataTypeList:
		return &types.AttributeValueMemberL{Value: convertList(a, v.List(), lambdaValue)}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: convertMap(a, v.Map(), lambdaValue)}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func streamValue(a *arena, v streams.AttributeValue) value {
	switch v := v.(type) {
	case *streams.AttributeValueMemberS:
		return a.text(v.Value)
	case *streams.AttributeValueMemberN:
		return a.number(v.Value)
	case *streams.AttributeValueMemberB:
		return &types.AttributeValueMemberB{Value: v.Value}
	case *streams.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Value}
	case *streams.AttributeValueMemberSS:
		return &types.AttributeValueMemberSS{Value: v.Value}
	case *streams.AttributeValueMemberNS:
		return &types.AttributeValueMemberNS{Value: v.Value}
	case *streams.AttributeValueMemberBS:
		return &types.AttributeValueMemberBS{Value: v.Value}
	case *streams.AttributeValueMemberL:
		return &types.AttributeValueMemberL{Value: convertList(a, v.Value, streamValue)}
	case *streams.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: convertMap(a, v.Value, streamValue)}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func convertList[V any](a *arena, list []V, one func(*arena, V) value) []value {
	out := make([]value, len(list))
	for i, v := range list {
		out[i] = one(a, v)
	}
	return out
}

// convertMap differs from fill in that an empty map within a row is one.
func convertMap[V any](a *arena, m map[string]V, one func(*arena, V) value) map[string]value {
	out := make(map[string]value, len(m))
	for name, v := range m {
		out[name] = one(a, v)
	}
	return out
}
