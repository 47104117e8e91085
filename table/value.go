package table

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sameValue compares values. Nil is no attribute.
func sameValue(a, b types.AttributeValue) bool {
	return bytes.Equal(appendValue(nil, a), appendValue(nil, b))
}

// appendValue writes a value so that two different values never look alike.
func appendValue(b []byte, av types.AttributeValue) []byte {
	b = appendText(b, kindOf(av))
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		return appendText(b, av.Value)
	case *types.AttributeValueMemberN:
		return appendText(b, av.Value)
	case *types.AttributeValueMemberB:
		return appendText(b, string(av.Value))
	case *types.AttributeValueMemberBOOL:
		if av.Value {
			return append(b, 1)
		}
		return append(b, 0)
	case *types.AttributeValueMemberSS:
		return appendTexts(b, av.Value)
	case *types.AttributeValueMemberNS:
		return appendTexts(b, av.Value)
	case *types.AttributeValueMemberBS:
		texts := make([]string, len(av.Value))
		for i, v := range av.Value {
			texts[i] = string(v)
		}
		return appendTexts(b, texts)
	case *types.AttributeValueMemberL:
		b = binary.AppendUvarint(b, uint64(len(av.Value)))
		for _, v := range av.Value {
			b = appendValue(b, v)
		}
	case *types.AttributeValueMemberM:
		b = binary.AppendUvarint(b, uint64(len(av.Value)))
		for _, name := range slices.Sorted(maps.Keys(av.Value)) {
			b = appendValue(appendText(b, name), av.Value[name])
		}
	}
	return b
}

// appendTexts writes a set, which has no order.
func appendTexts(b []byte, texts []string) []byte {
	texts = slices.Sorted(slices.Values(texts))
	return appendText(binary.AppendUvarint(b, uint64(len(texts))), texts...)
}
