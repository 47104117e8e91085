package attr

import (
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// MaxDepth is the number of lists and maps that may stand within one another:
// with the value inside them these are DynamoDB's 32 levels.
const MaxDepth = 31

// The texts with which DynamoDB refuses values.
const (
	ErrEmpty Error = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	ErrDepth Error = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
	ErrNull  Error = invalid + "Null attribute value types must have the value of true"

	ErrNoName   Error = "Empty attribute name"
	ErrLongName Error = "Attribute name is too large, must be less than 65536 bytes"
)

const maxNameBytes = 65535

// CheckName refuses what no attribute may be called.
func CheckName(name string) error {
	switch {
	case name == "":
		return ErrNoName
	case len(name) > maxNameBytes:
		return ErrLongName
	default:
		return nil
	}
}

// FromSDK converts and checks a value of the SDK: numbers, sets, null, names, nesting.
// Errors are an [Error] or a [num.Error], each in DynamoDB's words. What v
// holds is copied where it could be changed later.
func FromSDK(v types.AttributeValue) (Value, error) { return fromSDK(v, 0) }

func fromSDK(v types.AttributeValue, depth int) (Value, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return S(v.Value), nil
	case *types.AttributeValueMemberN:
		n, err := num.Parse(v.Value)
		if err != nil {
			return Value{}, err
		}
		return N(n), nil
	case *types.AttributeValueMemberB:
		return B(v.Value), nil
	case *types.AttributeValueMemberBOOL:
		return BOOL(v.Value), nil
	case *types.AttributeValueMemberNULL:
		if !v.Value {
			return Value{}, ErrNull
		}
		return NULL(), nil
	case *types.AttributeValueMemberSS:
		return SS(v.Value)
	case *types.AttributeValueMemberNS:
		return numsFromSDK(v.Value)
	case *types.AttributeValueMemberBS:
		return BS(v.Value)
	case *types.AttributeValueMemberL:
		return listFromSDK(v.Value, depth+1)
	case *types.AttributeValueMemberM:
		m, err := mapFromSDK(v.Value, depth+1)
		return M(m), err
	default:
		return Value{}, ErrEmpty
	}
}

func numsFromSDK(texts []string) (Value, error) {
	numbers := make([]num.Number, len(texts))
	for i, text := range texts {
		n, err := num.Parse(text)
		if err != nil {
			return Value{}, err
		}
		numbers[i] = n
	}
	return NS(numbers)
}

func listFromSDK(list []types.AttributeValue, depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, ErrDepth
	}
	elements := make([]Value, len(list))
	for i, e := range list {
		v, err := fromSDK(e, depth)
		if err != nil {
			return Value{}, err
		}
		elements[i] = v
	}
	return L(elements), nil
}

func mapFromSDK(members map[string]types.AttributeValue, depth int) (map[string]Value, error) {
	if depth > MaxDepth {
		return nil, ErrDepth
	}
	m := make(map[string]Value, len(members))
	for name, e := range members {
		if err := CheckName(name); err != nil {
			return nil, err
		}
		v, err := fromSDK(e, depth)
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

// ItemFromSDK converts and checks the SDK's form of an item.
func ItemFromSDK(item map[string]types.AttributeValue) (Item, error) { return mapFromSDK(item, 0) }

// SDK gives the value in the SDK's form, which shares nothing with v that could
// be changed. It is nil for the zero Value.
func (v Value) SDK() types.AttributeValue {
	switch v.kind {
	case String:
		return &types.AttributeValueMemberS{Value: v.text}
	case Num:
		return &types.AttributeValueMemberN{Value: v.Num().String()}
	case Binary:
		return &types.AttributeValueMemberB{Value: v.Bytes()}
	case Bool:
		return &types.AttributeValueMemberBOOL{Value: v.truth}
	case Null:
		return &types.AttributeValueMemberNULL{Value: true}
	case List:
		return &types.AttributeValueMemberL{Value: listTo(v.List(), Value.SDK)}
	case Map:
		return &types.AttributeValueMemberM{Value: ItemToSDK(v.Map())}
	case StringSet:
		return &types.AttributeValueMemberSS{Value: append([]string(nil), v.Members()...)}
	case NumSet:
		return &types.AttributeValueMemberNS{Value: v.numTexts()}
	case BinarySet:
		return &types.AttributeValueMemberBS{Value: v.binaries()}
	default:
		return nil
	}
}

// ItemToSDK gives the item in the SDK's form.
func ItemToSDK(item Item) map[string]types.AttributeValue { return mapTo(item, Value.SDK) }

// Streams gives the value in the form of the SDK of DynamoDB Streams.
func (v Value) Streams() streams.AttributeValue {
	switch v.kind {
	case String:
		return &streams.AttributeValueMemberS{Value: v.text}
	case Num:
		return &streams.AttributeValueMemberN{Value: v.Num().String()}
	case Binary:
		return &streams.AttributeValueMemberB{Value: v.Bytes()}
	case Bool:
		return &streams.AttributeValueMemberBOOL{Value: v.truth}
	case Null:
		return &streams.AttributeValueMemberNULL{Value: true}
	case List:
		return &streams.AttributeValueMemberL{Value: listTo(v.List(), Value.Streams)}
	case Map:
		return &streams.AttributeValueMemberM{Value: ItemToStreams(v.Map())}
	case StringSet:
		return &streams.AttributeValueMemberSS{Value: append([]string(nil), v.Members()...)}
	case NumSet:
		return &streams.AttributeValueMemberNS{Value: v.numTexts()}
	case BinarySet:
		return &streams.AttributeValueMemberBS{Value: v.binaries()}
	default:
		return nil
	}
}

// ItemToStreams gives the item in the form of the SDK of DynamoDB Streams.
func ItemToStreams(item Item) map[string]streams.AttributeValue { return mapTo(item, Value.Streams) }

func listTo[T any](list []Value, to func(Value) T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = to(v)
	}
	return out
}

func mapTo[T any](m map[string]Value, to func(Value) T) map[string]T {
	out := make(map[string]T, len(m))
	for name, v := range m {
		out[name] = to(v)
	}
	return out
}

func (v Value) numTexts() []string {
	numbers := v.Nums()
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = n.String()
	}
	return texts
}

func (v Value) binaries() [][]byte {
	members := v.Members()
	out := make([][]byte, len(members))
	for i, m := range members {
		out[i] = []byte(m)
	}
	return out
}

// Text shows a scalar: the text of an S, the normal text of an N, the base64 of
// a B. It is empty for other types.
func (v Value) Text() string {
	switch v.kind {
	case String:
		return v.text
	case Num:
		return v.Num().String()
	case Binary:
		return base64.StdEncoding.EncodeToString([]byte(v.text))
	default:
		return ""
	}
}
