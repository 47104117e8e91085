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

// arena makes the values of a batch. Those that rows mostly consist of are made many at a time, since they live and die with the batch.
type arena struct {
	texts   []types.AttributeValueMemberS
	numbers []types.AttributeValueMemberN
	lambda  func(events.DynamoDBAttributeValue) value
	stream  func(streams.AttributeValue) value
}

const firstChunk, maxChunk = 16, 512

func newArena() *arena {
	a := &arena{}
	a.lambda, a.stream = a.lambdaValue, a.streamValue
	return a
}

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

func (a *arena) fromLambda(r *events.DynamoDBEventRecord) record {
	rec := record{
		id: r.EventID, operation: r.EventName, sequence: r.Change.SequenceNumber,
		at: r.Change.ApproximateCreationDateTime.Time, region: r.AWSRegion, source: r.EventSource,
		arn: r.EventSourceArn, version: r.EventVersion, view: r.Change.StreamViewType, size: r.Change.SizeBytes,
		keys: convert(r.Change.Keys, a.lambda), new: convert(r.Change.NewImage, a.lambda), old: convert(r.Change.OldImage, a.lambda),
	}
	if r.UserIdentity != nil {
		rec.user = &identity{kind: r.UserIdentity.Type, principal: r.UserIdentity.PrincipalID}
	}
	return rec
}

func (a *arena) fromStream(r *streams.Record, arn string) record {
	rec := record{
		id: deref(r.EventID), operation: string(r.EventName), region: deref(r.AwsRegion),
		source: deref(r.EventSource), arn: arn, version: deref(r.EventVersion),
	}
	if change := r.Dynamodb; change != nil {
		rec.sequence, rec.at = deref(change.SequenceNumber), deref(change.ApproximateCreationDateTime)
		rec.view, rec.size = string(change.StreamViewType), deref(change.SizeBytes)
		rec.keys, rec.new, rec.old = convert(change.Keys, a.stream), convert(change.NewImage, a.stream), convert(change.OldImage, a.stream)
	}
	if r.UserIdentity != nil {
		rec.user = &identity{kind: deref(r.UserIdentity.Type), principal: deref(r.UserIdentity.PrincipalId)}
	}
	return rec
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

// convert keeps nil apart from empty: a record without an image is not one with an empty image. Both sources hand over
// an empty map for an image that the stream does not carry, and no row is without attributes.
func convert[V any](item map[string]V, one func(V) value) table.Item {
	if len(item) == 0 {
		return nil
	}
	out := make(table.Item, len(item))
	for name, v := range item {
		out[name] = one(v)
	}
	return out
}

func (a *arena) lambdaValue(v events.DynamoDBAttributeValue) value {
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
		return &types.AttributeValueMemberL{Value: convertList(v.List(), a.lambda)}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: convertMap(v.Map(), a.lambda)}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func (a *arena) streamValue(v streams.AttributeValue) value {
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
		return &types.AttributeValueMemberL{Value: convertList(v.Value, a.stream)}
	case *streams.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: convertMap(v.Value, a.stream)}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func convertList[V any](list []V, one func(V) value) []value {
	out := make([]value, len(list))
	for i, v := range list {
		out[i] = one(v)
	}
	return out
}

// convertMap differs from convert in that an empty map within a row is one.
func convertMap[V any](m map[string]V, one func(V) value) map[string]value {
	out := make(map[string]value, len(m))
	for name, v := range m {
		out[name] = one(v)
	}
	return out
}
