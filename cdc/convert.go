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

func fromLambda(r events.DynamoDBEventRecord) record {
	rec := record{
		id: r.EventID, operation: r.EventName, sequence: r.Change.SequenceNumber,
		at: r.Change.ApproximateCreationDateTime.Time, region: r.AWSRegion, source: r.EventSource,
		arn: r.EventSourceArn, version: r.EventVersion, view: r.Change.StreamViewType, size: r.Change.SizeBytes,
		keys: lambdaItem(r.Change.Keys), new: lambdaItem(r.Change.NewImage), old: lambdaItem(r.Change.OldImage),
	}
	if r.UserIdentity != nil {
		rec.user = &identity{kind: r.UserIdentity.Type, principal: r.UserIdentity.PrincipalID}
	}
	return rec
}

func fromStream(r streams.Record, arn string) record {
	rec := record{
		id: deref(r.EventID), operation: string(r.EventName), region: deref(r.AwsRegion),
		source: deref(r.EventSource), arn: arn, version: deref(r.EventVersion),
	}
	if change := r.Dynamodb; change != nil {
		rec.sequence, rec.at = deref(change.SequenceNumber), deref(change.ApproximateCreationDateTime)
		rec.view, rec.size = string(change.StreamViewType), deref(change.SizeBytes)
		rec.keys, rec.new, rec.old = streamItem(change.Keys), streamItem(change.NewImage), streamItem(change.OldImage)
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

func lambdaItem(item map[string]events.DynamoDBAttributeValue) table.Item {
	return convert(item, lambdaValue)
}

func streamItem(item map[string]streams.AttributeValue) table.Item {
	return convert(item, streamValue)
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

func lambdaValue(v events.DynamoDBAttributeValue) value {
	if v.IsNull() { // first, since the zero value claims to be binary
		return &types.AttributeValueMemberNULL{Value: true}
	}
	switch v.DataType() {
	case events.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}
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
		return &types.AttributeValueMemberL{Value: convertList(v.List(), lambdaValue)}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: convertMap(v.Map(), lambdaValue)}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func streamValue(v streams.AttributeValue) value {
	switch v := v.(type) {
	case *streams.AttributeValueMemberS:
		return &types.AttributeValueMemberS{Value: v.Value}
	case *streams.AttributeValueMemberN:
		return &types.AttributeValueMemberN{Value: v.Value}
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
		return &types.AttributeValueMemberL{Value: convertList(v.Value, streamValue)}
	case *streams.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: convertMap(v.Value, streamValue)}
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
