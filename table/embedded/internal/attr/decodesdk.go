package attr

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// DecodeSDK reads what AppendItem wrote straight into the SDK's form, which is
// what [DecodeItem] and [ItemToSDK] give together, for a third of their work:
// reads that neither filter nor project do little else.
func DecodeSDK(b []byte) (map[string]types.AttributeValue, error) {
	if len(b) == 0 || b[0] != formatVersion {
		return nil, ErrCorrupt
	}
	d := sdkDecoder{decoder: decoder{reader[string]{rest: string(b[1:])}}}
	item := d.members(0)
	if d.failed || d.rest != "" {
		return nil, ErrCorrupt
	}
	return item, nil
}

// sdkDecoder takes the memory of strings, the most frequent values, from one
// piece for each map or list.
type sdkDecoder struct {
	decoder
	strings []types.AttributeValueMemberS
}

// maxPiece bounds a piece, which lives as long as any value in it.
const maxPiece = 16

// str takes a string's place from a piece; n values at most are to come.
func (d *sdkDecoder) str(n int) *types.AttributeValueMemberS {
	if len(d.strings) == 0 {
		d.strings = make([]types.AttributeValueMemberS, min(n, maxPiece))
	}
	v := &d.strings[0]
	d.strings = d.strings[1:]
	return v
}

func (d *sdkDecoder) members(depth int) map[string]types.AttributeValue {
	n := d.count()
	m := make(map[string]types.AttributeValue, n)
	last := ""
	for i := range n {
		name := d.text()
		if i > 0 && name <= last {
			d.fail()
		}
		last = name
		m[name] = d.value(depth, n-i)
		if d.failed {
			return nil
		}
	}
	return m
}

// value reads one of n values that are to come.
func (d *sdkDecoder) value(depth, n int) types.AttributeValue {
	if depth > maxDecodeDepth {
		d.fail()
		return nil
	}
	switch kind := Kind(d.byte()); kind {
	case String:
		v := d.str(n)
		v.Value = d.text()
		return v
	case Num:
		return &types.AttributeValueMemberN{Value: d.digits()}
	case Binary:
		return &types.AttributeValueMemberB{Value: []byte(d.text())}
	case Bool:
		b := d.byte()
		if b > 1 {
			d.fail()
		}
		return &types.AttributeValueMemberBOOL{Value: b == 1}
	case Null:
		return &types.AttributeValueMemberNULL{Value: true}
	case List:
		return &types.AttributeValueMemberL{Value: d.elements(depth + 1)}
	case Map:
		return &types.AttributeValueMemberM{Value: d.members(depth + 1)}
	case StringSet, NumSet, BinarySet:
		return d.set(kind)
	default:
		d.fail()
		return nil
	}
}

func (d *sdkDecoder) digits() string {
	n, rest, err := num.DecodeKey(d.rest)
	if err != nil {
		d.fail()
		return ""
	}
	d.rest = rest
	return n.String()
}

func (d *sdkDecoder) elements(depth int) []types.AttributeValue {
	elements := make([]types.AttributeValue, d.count())
	for i := range elements {
		if elements[i] = d.value(depth, len(elements)-i); d.failed {
			return nil
		}
	}
	return elements
}

// set reads the members of a set by way of the engine's own form, which knows
// their order.
func (d *sdkDecoder) set(kind Kind) types.AttributeValue {
	member := (*decoder).text
	if kind == NumSet {
		member = (*decoder).number
	}
	return d.decoder.set(kind, member).SDK()
}
