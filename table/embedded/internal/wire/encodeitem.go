package wire

import (
	"encoding/base64"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item writes the attributes of an item as the SDK's serializer would, for the
// reads that do little else: without a call through an interface for each
// bracket.
func (e *encoder) item(item map[string]types.AttributeValue) {
	e.buf = append(e.buf, '{')
	for name, v := range item {
		e.comma()
		e.str(name)
		e.buf = append(e.buf, ':')
		e.attribute(v)
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) items(items []map[string]types.AttributeValue) {
	e.buf = append(e.buf, '[')
	for _, item := range items {
		e.comma()
		e.item(item)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) attribute(v types.AttributeValue) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		e.buf = append(e.buf, `{"S":`...)
		e.str(v.Value)
	case *types.AttributeValueMemberN:
		e.buf = append(e.buf, `{"N":`...)
		e.str(v.Value)
	case *types.AttributeValueMemberB:
		e.buf = append(e.buf, `{"B":`...)
		e.blob(v.Value)
	case *types.AttributeValueMemberBOOL:
		e.buf = strconv.AppendBool(append(e.buf, `{"BOOL":`...), v.Value)
	case *types.AttributeValueMemberNULL:
		e.buf = strconv.AppendBool(append(e.buf, `{"NULL":`...), v.Value)
	case *types.AttributeValueMemberM:
		e.buf = append(e.buf, `{"M":`...)
		e.item(v.Value)
	case *types.AttributeValueMemberL:
		e.buf = append(e.buf, `{"L":`...)
		array(e, v.Value, e.attribute)
	case *types.AttributeValueMemberSS:
		e.buf = append(e.buf, `{"SS":`...)
		array(e, v.Value, e.str)
	case *types.AttributeValueMemberNS:
		e.buf = append(e.buf, `{"NS":`...)
		array(e, v.Value, e.str)
	case *types.AttributeValueMemberBS:
		e.buf = append(e.buf, `{"BS":`...)
		array(e, v.Value, e.blob)
	default:
		e.buf = append(e.buf, '{')
	}
	e.buf = append(e.buf, '}')
}

func array[T any](e *encoder, values []T, write func(T)) {
	e.buf = append(e.buf, '[')
	for _, v := range values {
		e.comma()
		write(v)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) blob(v []byte) {
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, v)
	e.buf = append(e.buf, '"')
}
