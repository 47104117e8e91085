package wire_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

// echo is a backend whose PutItem sends the item back, and that accepts the
// other operations.
func echo() *fake {
	return &fake{
		put: func(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
			if err := complete(&types.AttributeValueMemberM{Value: in.Item}); err != nil {
				return nil, err
			}
			return &dynamodb.PutItemOutput{Attributes: in.Item}, nil
		},
		batch: func(*dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
			return &dynamodb.BatchWriteItemOutput{}, nil
		},
		create: func(*dynamodb.CreateTableInput) (*dynamodb.CreateTableOutput, error) {
			return &dynamodb.CreateTableOutput{}, nil
		},
		transact: func(*dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error) {
			return &dynamodb.TransactWriteItemsOutput{}, nil
		},
	}
}

// complete refuses a value without a type, as every backend has to.
func complete(v types.AttributeValue) error {
	var inner []types.AttributeValue
	switch v := v.(type) {
	case nil:
		return &smithy.GenericAPIError{Code: "ValidationException", Message: "Supplied AttributeValue is empty"}
	case *types.AttributeValueMemberL:
		inner = v.Value
	case *types.AttributeValueMemberM:
		inner = slices.Collect(maps.Values(v.Value))
	}
	for _, v := range inner {
		if err := complete(v); err != nil {
			return err
		}
	}
	return nil
}

// FuzzRequest holds that a body is either accepted or refused with 400, that what is not
// JSON is never accepted, and that an accepted item survives the way back.
func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"Item":{"a":{"S":"x"},"b":{"L":[{"N":"1"},{"M":{}}]},"c":{"BS":["AA=="]}}}`, `{"Item":{"a":{"S":"é\u00e9\ud83d"}}}`,
		`{"RequestItems":{"T":[{"PutRequest":{"Item":{"a":{"NULL":true}}}}]}}`, `{"TransactItems":[{"Put":{"TableName":"T"}}]}`,
		`{"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":1e2}}`, `[[[{`, `{"a":"\u00`, `-0`,
		`{"Item":{"a":null,"b":{"SS":[null]},"c":{}}}`,
	} {
		f.Add(body)
	}
	h := wire.New(echo(), nil)
	f.Fuzz(func(t *testing.T, body string) {
		for _, op := range []string{"PutItem", "BatchWriteItem", "CreateTable", "TransactWriteItems", "None"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(op, body))
			require.Contains(t, []int{200, 400}, w.Code, w.Body)
			require.True(t, json.Valid(w.Body.Bytes()))
			if w.Code != 200 {
				continue
			}
			require.True(t, json.Valid([]byte(body)))
			if op == "PutItem" {
				roundTrip(t, w.Body.Bytes())
			}
		}
	})
}

// roundTrip sends an answered item back and expects the same answer, but for the order of the members.
func roundTrip(t *testing.T, answer []byte) {
	t.Helper()
	var first struct{ Attributes json.RawMessage }
	require.NoError(t, json.Unmarshal(answer, &first))
	if first.Attributes == nil {
		return
	}
	_, body := call(t, echo(), "PutItem", `{"Item":`+string(first.Attributes)+`}`)
	require.JSONEq(t, string(answer), body)
}

// TestEveryInputCanBeDecoded walks the inputs of all operations: a new version
// of the SDK may bring a kind of member that the plans do not know.
func TestEveryInputCanBeDecoded(t *testing.T) {
	t.Parallel()
	for _, api := range []reflect.Type{reflect.TypeFor[wire.API](), reflect.TypeFor[wire.Tagger](), reflect.TypeFor[wire.Limiter]()} {
		for i := range api.NumMethod() {
			walk(t, api.Method(i).Type.In(1), api.Method(i).Name)
		}
	}
}

func walk(t *testing.T, typ reflect.Type, path string) {
	t.Helper()
	if typ == reflect.TypeFor[types.AttributeValue]() {
		return
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		walk(t, typ.Elem(), path)
	case reflect.Struct:
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && !f.Anonymous {
				walk(t, f.Type, path+"."+f.Name)
			}
		}
	default:
		require.Contains(t, []reflect.Kind{reflect.String, reflect.Bool, reflect.Int32, reflect.Int64}, typ.Kind(), path)
	}
}
