package views

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	contentBytes = sha256.Size
	attributeTTL = "ttl"
	maxDigits    = 38 // of a number in DynamoDB
)

// laneShape is which attributes a lane's writes set or remove. The lists go together, in the order of the names.
type laneShape struct {
	names   []string // of the attributes
	aliases []string // that stand for them in a request
	values  []string // that stand for their values there
}

// shapeOf reads the shape from a request.
func shapeOf(in *dynamodb.UpdateItemInput) *laneShape {
	s := &laneShape{aliases: slices.Collect(maps.Keys(in.ExpressionAttributeNames))}
	slices.SortFunc(s.aliases, func(x, y string) int {
		return strings.Compare(in.ExpressionAttributeNames[x], in.ExpressionAttributeNames[y])
	})
	for _, alias := range s.aliases {
		s.names = append(s.names, in.ExpressionAttributeNames[alias])
		s.values = append(s.values, ":"+alias[1:])
	}
	return s
}

// fits reports whether a request has this shape.
func (s *laneShape) fits(in *dynamodb.UpdateItemInput) bool {
	if s == nil || len(in.ExpressionAttributeNames) != len(s.names) {
		return false
	}
	for i, alias := range s.aliases {
		if in.ExpressionAttributeNames[alias] != s.names[i] {
			return false
		}
	}
	return true
}

// ofRequest is the digest of what a request makes of the lane.
func (s *laneShape) ofRequest(in *dynamodb.UpdateItemInput) [contentBytes]byte {
	return contentOf(in.ExpressionAttributeValues, s.names, s.values)
}

// ofRow is the digest of the lane in a row.
func (s *laneShape) ofRow(item map[string]types.AttributeValue) [contentBytes]byte {
	return contentOf(item, s.names, s.names)
}

// contentOf is a digest of some attributes, each with the key under which values has it. The time to live of a tombstone depends on
// when it was written, and is left out; binary attributes may be sealed, and then differ each time that they are, so only
// their presence counts.
func contentOf(values map[string]types.AttributeValue, names, keys []string) [contentBytes]byte {
	buf := make([]byte, 0, 2048)
	for i, name := range names {
		if v, ok := values[keys[i]]; ok && name != attributeTTL {
			buf = appendValue(appendText(buf, name), v)
		}
	}
	return sha256.Sum256(buf)
}

func appendText(buf []byte, text string) []byte {
	return append(append(strconv.AppendInt(buf, int64(len(text)), 10), ':'), text...)
}

// appendValue writes a value so that different ones differ, and equal ones do not, however they are written.
func appendValue(buf []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return appendText(append(buf, 'S'), v.Value)
	case *types.AttributeValueMemberN:
		return appendText(append(buf, 'N'), plainNumber(v.Value))
	case *types.AttributeValueMemberBOOL:
		return strconv.AppendBool(append(buf, 'T'), v.Value)
	case *types.AttributeValueMemberSS:
		return appendSet(append(buf, 's'), slices.Clone(v.Value))
	case *types.AttributeValueMemberNS:
		numbers := make([]string, len(v.Value))
		for i, n := range v.Value {
			numbers[i] = plainNumber(n)
		}
		return appendSet(append(buf, 'n'), numbers)
	case *types.AttributeValueMemberL:
		buf = append(strconv.AppendInt(append(buf, 'L'), int64(len(v.Value)), 10), ':')
		for _, e := range v.Value {
			buf = appendValue(buf, e)
		}
		return buf
	case *types.AttributeValueMemberM:
		buf = append(strconv.AppendInt(append(buf, 'M'), int64(len(v.Value)), 10), ':')
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			buf = appendValue(appendText(buf, name), v.Value[name])
		}
		return buf
	default:
		return appendText(append(buf, '?'), fmt.Sprintf("%T", v))
	}
}

func appendSet(buf []byte, set []string) []byte {
	buf = append(strconv.AppendInt(buf, int64(len(set)), 10), ':')
	slices.Sort(set)
	for _, s := range set {
		buf = appendText(buf, s)
	}
	return buf
}

// plainNumber writes equal numbers alike.
func plainNumber(text string) string {
	if isPlainInteger(text) {
		return text
	}
	if n, ok := new(big.Rat).SetString(text); ok {
		return n.RatString()
	}
	return text
}

// isPlainInteger is for what nearly all numbers are, written as RatString does.
func isPlainInteger(text string) bool {
	digits := text
	if len(text) > 1 && text[0] == '-' && text[1] != '0' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(digits) > 1 {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// digestSum is a digest of a set: the sum of the digests of its elements, modulo 2 to the power of their bits, the lowest part first.
type digestSum [contentBytes / 8]uint64

func (d *digestSum) add(sum [contentBytes]byte) {
	var carry uint64
	for i := range d {
		d[i], carry = bits.Add64(d[i], wordOf(sum, i), carry)
	}
}

func (d *digestSum) subtract(sum [contentBytes]byte) {
	var borrow uint64
	for i := range d {
		d[i], borrow = bits.Sub64(d[i], wordOf(sum, i), borrow)
	}
}

func wordOf(sum [contentBytes]byte, i int) uint64 { return binary.LittleEndian.Uint64(sum[8*i:]) }

// String is in hexadecimal.
func (d *digestSum) String() string {
	var text []byte
	for _, word := range d {
		text = binary.LittleEndian.AppendUint64(text, word)
	}
	return hex.EncodeToString(text)
}
