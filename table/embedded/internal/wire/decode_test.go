package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
)

func TestDecodesEveryAttributeType(t *testing.T) {
	t.Parallel()
	var got *dynamodb.PutItemInput
	f := &fake{put: func(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
		got = in
		return &dynamodb.PutItemOutput{Attributes: in.Item}, nil
	}}
	const item = `{"s":{"S":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"},"n":{"N":"1.5"},"b":{"B":"AAEC"},"t":{"BOOL":true},"f":{"BOOL":false},` +
		`"z":{"NULL":true},"l":{"L":[{"S":""},{"L":[]}]},"m":{"M":{"k":{"M":{}}}},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"bs":{"BS":["","AA=="]}}`
	status, body := call(t, f, "PutItem", `{"TableName":"T","Unknown":[{"x":[1,2.5e3,null]}],"ReturnValues":"ALL_OLD",
		"ExpressionAttributeNames":{"#a":"a"},"ConditionExpression":null,"Item":`+item+`}`)
	require.Equal(t, 200, status)
	require.Equal(t, &dynamodb.PutItemInput{
		TableName:                new("T"),
		ReturnValues:             types.ReturnValueAllOld,
		ExpressionAttributeNames: map[string]string{"#a": "a"},
		Item: map[string]types.AttributeValue{
			"s": &types.AttributeValueMemberS{Value: "a\"\\/\b\f\n\r\té😀é"},
			"n": &types.AttributeValueMemberN{Value: "1.5"},
			"b": &types.AttributeValueMemberB{Value: []byte{0, 1, 2}},
			"t": &types.AttributeValueMemberBOOL{Value: true},
			"f": &types.AttributeValueMemberBOOL{},
			"z": &types.AttributeValueMemberNULL{Value: true},
			"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{
				&types.AttributeValueMemberS{}, &types.AttributeValueMemberL{Value: []types.AttributeValue{}},
			}},
			"m": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
				"k": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}},
			}},
			"ss": &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
			"ns": &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
			"bs": &types.AttributeValueMemberBS{Value: [][]byte{{}, {0}}},
		},
	}, got)
	var sent, back map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"Attributes":`+item+`}`), &sent))
	require.NoError(t, json.Unmarshal([]byte(body), &back))
	require.Equal(t, sent, back)
	f.get = func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
		return &dynamodb.GetItemOutput{Item: got.Item, ConsumedCapacity: &types.ConsumedCapacity{CapacityUnits: new(0.5)}}, nil
	}
	f.query = func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
		return &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{{}, got.Item}, LastEvaluatedKey: got.Item}, nil
	}
	_, body = call(t, f, "GetItem", `{}`)
	require.JSONEq(t, `{"Item":`+item+`,"ConsumedCapacity":{"CapacityUnits":0.5}}`, body)
	_, body = call(t, f, "Query", `{}`)
	require.JSONEq(t, `{"Items":[{},`+item+`],"LastEvaluatedKey":`+item+`,"Count":0,"ScannedCount":0}`, body)
}

func TestDecodesNestedStructures(t *testing.T) {
	t.Parallel()
	var got *dynamodb.BatchWriteItemInput
	f := &fake{batch: func(in *dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
		got = in
		return &dynamodb.BatchWriteItemOutput{UnprocessedItems: in.RequestItems}, nil
	}}
	const requests = `{"T":[{"PutRequest":{"Item":{"a":{"S":"1"}}}},{"DeleteRequest":{"Key":{"a":{"S":"2"}}}}]}`
	status, body := call(t, f, "BatchWriteItem", `{"RequestItems":`+requests+`}`)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"UnprocessedItems":`+requests+`}`, body)
	require.Equal(t, map[string][]types.WriteRequest{"T": {
		{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: "1"}}}},
		{DeleteRequest: &types.DeleteRequest{Key: map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: "2"}}}},
	}}, got.RequestItems)
}

func TestDecodesTableDefinition(t *testing.T) {
	t.Parallel()
	var got *dynamodb.CreateTableInput
	f := &fake{create: func(in *dynamodb.CreateTableInput) (*dynamodb.CreateTableOutput, error) {
		got = in
		return &dynamodb.CreateTableOutput{}, nil
	}}
	status, _ := call(t, f, "CreateTable", `{"TableName":"T","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],
		"ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":6.9},"StreamSpecification":{"StreamEnabled":true}}`)
	require.Equal(t, 200, status)
	require.Equal(t, []types.KeySchemaElement{{AttributeName: new("a"), KeyType: types.KeyTypeHash}}, got.KeySchema)
	require.Equal(t, int64(5), *got.ProvisionedThroughput.ReadCapacityUnits)
	require.Equal(t, int64(6), *got.ProvisionedThroughput.WriteCapacityUnits)
	require.True(t, *got.StreamSpecification.StreamEnabled)
}

// TestWrongTypes holds the texts that DynamoDB gives for JSON of the wrong
// type, as independent suites record them.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	const structure = "Start of structure or map found where not expected"
	tests := []struct{ op, body, message string }{
		{"PutItem", `{"TableName":23}`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":-0.5}`, "DECIMAL_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":true}`, "TRUE_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":false}`, "FALSE_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":[]}`, "Unrecognized collection type class java.lang.String"},
		{"PutItem", `{"TableName":{}}`, structure},
		{"GetItem", `{"ConsistentRead":"23"}`, "Unexpected token received from parser"},
		{"GetItem", `{"ConsistentRead":23}`, "NUMBER_VALUE cannot be converted to Boolean"},
		{"GetItem", `{"ConsistentRead":[]}`, "Unrecognized collection type class java.lang.Boolean"},
		{"Query", `{"Limit":"23"}`, "STRING_VALUE cannot be converted to Integer"},
		{"Query", `{"Limit":true}`, "TRUE_VALUE cannot be converted to Integer"},
		{"Query", `{"Limit":{}}`, structure},
		{"Query", `{"Limit":3000000000}`, "NUMBER_VALUE cannot be converted to Integer"},
		{"CreateTable", `{"ProvisionedThroughput":{"ReadCapacityUnits":[]}}`, "Unrecognized collection type class java.lang.Long"},
		{"CreateTable", `{"ProvisionedThroughput":"x"}`, "Unexpected field type"},
		{"CreateTable", `{"ProvisionedThroughput":[]}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.ProvisionedThroughput"},
		{"CreateTable", `{"KeySchema":["x"]}`, "Unexpected value type in payload"},
		{"GetItem", `{"AttributesToGet":"x"}`, "Unexpected field type"},
		{"GetItem", `{"AttributesToGet":{}}`, structure},
		{"PutItem", `{"Item":"x"}`, "Unexpected field type"},
		{"PutItem", `{"Item":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"},
		{"PutItem", `{"Item":{"a":1}}`, "Unexpected value type in payload"},
		{"PutItem", `{"Item":{"a":[]}}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"},
		{"PutItem", `{"Item":{"a":{"N":123}}}`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `{"Item":{"a":{"B":true}}}`, "only base-64-encoded strings are convertible to bytes"},
		{"PutItem", `{"Item":{"a":{"B":"23456"}}}`, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{"PutItem", `{"Item":{"a":{"B":"=+/="}}}`, "Invalid last non-pad Base64 character dectected"},
		{"PutItem", `{"Item":{"a":{"B":"+/+="}}}`, "Invalid last non-pad Base64 character dectected"},
		{"PutItem", `{"Item":{"a":{"B":"AA\n="}}}`, "Invalid base 64 character: '\n'"},
		{"PutItem", `{"Item":{"a":{"B":[]}}}`, "Unrecognized collection type class java.nio.ByteBuffer"},
		{"PutItem", `{"Item":{"a":{"SS":"x"}}}`, "Unexpected field type"},
		{"PutItem", `{"Item":{"a":{"L":[{"BS":[1]}]}}}`, "only base-64-encoded strings are convertible to bytes"},
		{"PutItem", `{"Item":{"a":{"M":"x"}}}`, "Unexpected field type"},
		{"PutItem", `{"ExpressionAttributeNames":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>"},
		{"BatchWriteItem", `{"RequestItems":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>"},
		{"BatchWriteItem", `{"RequestItems":{"T":"x"}}`, "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"},
		{"BatchWriteItem", `{"RequestItems":{"T":[{"PutRequest":1}]}}`, "Unexpected field type"},
	}
	for _, tt := range tests {
		status, body := call(t, &fake{}, tt.op, tt.body)
		require.Equal(t, 400, status, tt.body)
		var got map[string]string
		require.NoError(t, json.Unmarshal([]byte(body), &got), tt.body)
		require.Equal(t, map[string]string{
			"__type": "com.amazon.coral.service#SerializationException", "Message": tt.message,
		}, got, tt.body)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`,
		`{"a":1e}`, `{"a":+1}`, `{"a":.5}`, `{"a":nul}`, `{"a":tru}`, `{"a":"`, `{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`,
		"{\"a\":\"\n\"}", "{\"a\":\"\\n\x01\"}", `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":NaN}`, `{"a":'x'}`, "\xff", "{\"TableName\":\"\xff\"}", `{}{}`,
		`{"a":` + strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000),
	}
	for _, body := range bodies {
		status, answer := call(t, &fake{}, "PutItem", body)
		require.Equal(t, 400, status, "%.40q", body)
		require.Equal(t, `{"__type":"com.amazon.coral.service#SerializationException"}`, answer, "%.40q", body)
	}
}

// TestDepth holds that nesting is bounded, in members that nobody reads too.
func TestDepth(t *testing.T) {
	t.Parallel()
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { return &dynamodb.PutItemOutput{}, nil }}
	for depth, want := range map[int]int{32: 200, 100_000: 400} {
		for _, body := range []string{
			`{"Unknown":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`,
			`{"Item":{"a":` + strings.Repeat(`{"L":[`, depth) + strings.Repeat(`]}`, depth) + `}}`,
		} {
			status, _ := call(t, f, "PutItem", body)
			require.Equal(t, want, status, "%d %.30s", depth, body)
		}
	}
}

func TestSurrogates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`\ud83d\ude00`: "😀", `\ud83d`: "\ufffd", `\ude00x`: "\ufffdx", `\ud83d\u0041`: "\ufffdA", `\uD83D\uD83D\uDE00`: "\ufffd😀",
	} {
		var got string
		f := &fake{put: func(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
			got = *in.TableName
			return &dynamodb.PutItemOutput{}, nil
		}}
		status, _ := call(t, f, "PutItem", `{"TableName":"`+text+`"}`)
		require.Equal(t, 200, status)
		require.Equal(t, want, got, text)
	}
}

func TestSeveralTypesInOneValue(t *testing.T) {
	t.Parallel()
	status, body := call(t, &fake{}, "PutItem", `{"Item":{"a":{"S":"x","N":"1"}}}`)
	require.Equal(t, 400, status)
	require.Contains(t, body, "com.amazon.coral.validate#ValidationException")
	require.Contains(t, body, "more than one datatypes set")
}

func TestCountOfZeroIsSent(t *testing.T) {
	t.Parallel()
	for _, scanned := range []int32{0, 3} {
		f := &fake{query: func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
			return &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{}, ScannedCount: scanned}, nil
		}}
		_, body := call(t, f, "Query", `{}`)
		require.JSONEq(t, fmt.Sprintf(`{"Items":[],"Count":0,"ScannedCount":%d}`, scanned), body)
	}
}

func TestEncodesAwkwardText(t *testing.T) {
	t.Parallel()
	text := "\x00\x1f\"\\\n\r\t\u2028é😀\x7f"
	f := &fake{get: func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
		return &dynamodb.GetItemOutput{Item: map[string]types.AttributeValue{
			text:   &types.AttributeValueMemberS{Value: text},
			"bad":  &types.AttributeValueMemberS{Value: "a\xffb\xc3"},
			"none": &types.AttributeValueMemberB{},
		}}, nil
	}}
	_, body := call(t, f, "GetItem", `{}`)
	var got struct{ Item map[string]map[string]string }
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, map[string]map[string]string{
		text: {"S": text}, "bad": {"S": "a\ufffdb\ufffd"}, "none": {"B": ""},
	}, got.Item)
}
