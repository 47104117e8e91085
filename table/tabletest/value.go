package tabletest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// The cases write values as Go literals: a string is S, an int or a num is N,
// []byte is B, a bool BOOL, nil NULL, list L and item M.
type (
	item = map[string]any
	list = []any
	num  string
	ss   []string
	ns   []string
	bs   [][]byte
)

// row makes the attribute values of an item.
func row(it item) map[string]types.AttributeValue {
	if it == nil {
		return nil
	}
	r := make(map[string]types.AttributeValue, len(it))
	for name, v := range it {
		r[name] = value(v)
	}
	return r
}

func value(v any) types.AttributeValue {
	switch v := v.(type) {
	case types.AttributeValue:
		return v
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case int:
		return &types.AttributeValueMemberN{Value: strconv.Itoa(v)}
	case num:
		return &types.AttributeValueMemberN{Value: string(v)}
	case []byte:
		return &types.AttributeValueMemberB{Value: v}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case ss:
		return &types.AttributeValueMemberSS{Value: v}
	case ns:
		return &types.AttributeValueMemberNS{Value: v}
	case bs:
		return &types.AttributeValueMemberBS{Value: v}
	case item:
		return &types.AttributeValueMemberM{Value: row(v)}
	case list:
		values := make([]types.AttributeValue, len(v))
		for i, e := range v {
			values[i] = value(e)
		}
		return &types.AttributeValueMemberL{Value: values}
	default:
		panic(fmt.Sprintf("tabletest: no attribute value for %T", v))
	}
}

// show prints anything so that equal values look equal: sets in order, maps by
// their keys, attribute values by their content.
func show(v any) string {
	switch v := v.(type) {
	case item:
		return show(row(v))
	case []item:
		return join(v, func(it item) string { return show(it) })
	case map[string]types.AttributeValue:
		return showMap(v)
	case map[string]streamtypes.AttributeValue:
		return showMap(v)
	case []map[string]types.AttributeValue:
		return join(v, func(it map[string]types.AttributeValue) string { return showMap(it) })
	case types.AttributeValue:
		return showValue(v)
	case streamtypes.AttributeValue:
		return showStreamed(v)
	case nil:
		return "none"
	default:
		return fmt.Sprintf("%v", v)
	}
}

func showMap[V any](m map[string]V) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+": "+show(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func join[T any](values []T, text func(T) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = text(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func set(kind string, members []string) string {
	return kind + "<" + strings.Join(slices.Sorted(slices.Values(members)), " ") + ">"
}

func base64All(members [][]byte) []string {
	texts := make([]string, len(members))
	for i, b := range members {
		texts[i] = base64.StdEncoding.EncodeToString(b)
	}
	return texts
}

func showValue(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return strconv.Quote(v.Value)
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return "b64:" + base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberBOOL:
		return strconv.FormatBool(v.Value)
	case *types.AttributeValueMemberNULL:
		return "null"
	case *types.AttributeValueMemberL:
		return join(v.Value, showValue)
	case *types.AttributeValueMemberM:
		return showMap(v.Value)
	case *types.AttributeValueMemberSS:
		return set("SS", v.Value)
	case *types.AttributeValueMemberNS:
		return set("NS", v.Value)
	case *types.AttributeValueMemberBS:
		return set("BS", base64All(v.Value))
	default:
		return fmt.Sprintf("?%T", v)
	}
}

// showStreamed prints a value of the streams protocol, whose types are others.
func showStreamed(v streamtypes.AttributeValue) string {
	switch v := v.(type) {
	case *streamtypes.AttributeValueMemberS:
		return strconv.Quote(v.Value)
	case *streamtypes.AttributeValueMemberN:
		return v.Value
	case *streamtypes.AttributeValueMemberB:
		return "b64:" + base64.StdEncoding.EncodeToString(v.Value)
	case *streamtypes.AttributeValueMemberBOOL:
		return strconv.FormatBool(v.Value)
	case *streamtypes.AttributeValueMemberNULL:
		return "null"
	case *streamtypes.AttributeValueMemberL:
		return join(v.Value, showStreamed)
	case *streamtypes.AttributeValueMemberM:
		return showMap(v.Value)
	case *streamtypes.AttributeValueMemberSS:
		return set("SS", v.Value)
	case *streamtypes.AttributeValueMemberNS:
		return set("NS", v.Value)
	case *streamtypes.AttributeValueMemberBS:
		return set("BS", base64All(v.Value))
	default:
		return fmt.Sprintf("?%T", v)
	}
}

// big is a text of n bytes.
func big(n int) string { return string(bytes.Repeat([]byte{'x'}, n)) }
