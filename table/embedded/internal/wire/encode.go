package wire

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// encoder writes JSON into buf. It is the serializer that the SDK's generated
// code writes its structs to.
type encoder struct {
	buf []byte
	// stack holds the opening of each container that is not closed yet.
	stack []opening
}

type opening byte

const (
	inStruct opening = iota
	inMap
	inList
)

var _ smithy.ShapeSerializer = (*encoder)(nil)

func (e *encoder) reset() {
	e.buf, e.stack = e.buf[:0], e.stack[:0]
}

// value writes what has to stand before the value of a member: a comma, and in a
// structure the name. The last byte tells whether it is the first one.
func (e *encoder) value(s *smithy.Schema) {
	if len(e.stack) == 0 {
		return
	}
	switch e.stack[len(e.stack)-1] {
	case inStruct:
		e.name(s.MemberName())
	case inList:
		e.comma()
	}
}

func (e *encoder) comma() {
	if c := e.buf[len(e.buf)-1]; c != '{' && c != '[' {
		e.buf = append(e.buf, ',')
	}
}

// name writes a member's name, which needs no escapes.
func (e *encoder) name(name string) {
	e.comma()
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
}

func (e *encoder) open(c byte, o opening) {
	e.buf = append(e.buf, c)
	e.stack = append(e.stack, o)
}

func (e *encoder) shut(c byte) {
	e.buf = append(e.buf, c)
	e.stack = e.stack[:len(e.stack)-1]
}

func (e *encoder) Bytes() []byte { return e.buf }

func (e *encoder) WriteInt8(s *smithy.Schema, v int8)   { e.WriteInt64(s, int64(v)) }
func (e *encoder) WriteInt16(s *smithy.Schema, v int16) { e.WriteInt64(s, int64(v)) }
func (e *encoder) WriteInt32(s *smithy.Schema, v int32) { e.WriteInt64(s, int64(v)) }

func (e *encoder) WriteInt64(s *smithy.Schema, v int64) {
	e.value(s)
	e.buf = strconv.AppendInt(e.buf, v, 10)
}

func (e *encoder) WriteFloat32(s *smithy.Schema, v float32) { e.WriteFloat64(s, float64(v)) }

func (e *encoder) WriteFloat64(s *smithy.Schema, v float64) {
	e.value(s)
	e.buf = strconv.AppendFloat(e.buf, v, 'f', -1, 64)
}

func (e *encoder) WriteBool(s *smithy.Schema, v bool) {
	e.value(s)
	e.buf = strconv.AppendBool(e.buf, v)
}

func (e *encoder) WriteString(s *smithy.Schema, v string) {
	e.value(s)
	e.str(v)
}

func (e *encoder) WriteBlob(s *smithy.Schema, v []byte) {
	e.value(s)
	e.buf = append(base64.StdEncoding.AppendEncode(append(e.buf, '"'), v), '"')
}

// WriteTime writes epoch seconds, with up to three decimals.
func (e *encoder) WriteTime(s *smithy.Schema, v time.Time) {
	e.WriteFloat64(s, float64(v.UnixMilli())/1000)
}

func (e *encoder) WriteBigInt(s *smithy.Schema, v *big.Int) {
	e.value(s)
	e.buf = v.Append(e.buf, 10)
}

func (e *encoder) WriteBigFloat(s *smithy.Schema, v *big.Float) {
	e.value(s)
	e.buf = v.Append(e.buf, 'g', -1)
}

// WriteDocument writes a null: neither protocol has documents.
func (e *encoder) WriteDocument(s *smithy.Schema, _ document.Value) { e.WriteNil(s) }

func (e *encoder) WriteNil(s *smithy.Schema) {
	e.value(s)
	e.buf = append(e.buf, "null"...)
}

func (e *encoder) WriteUnion(s, _ *smithy.Schema) { e.WriteStruct(s) }
func (e *encoder) CloseUnion()                    { e.CloseStruct() }

func (e *encoder) WriteStruct(s *smithy.Schema) {
	e.value(s)
	e.open('{', inStruct)
}
func (e *encoder) CloseStruct() { e.shut('}') }

func (e *encoder) WriteList(s *smithy.Schema) {
	e.value(s)
	e.open('[', inList)
}
func (e *encoder) CloseList() { e.shut(']') }

func (e *encoder) WriteMap(s *smithy.Schema) {
	e.value(s)
	e.open('{', inMap)
}
func (e *encoder) CloseMap() { e.shut('}') }

func (e *encoder) WriteKey(_ *smithy.Schema, key string) {
	e.comma()
	e.str(key)
	e.buf = append(e.buf, ':')
}

func (e *encoder) str(v string) { e.buf = attr.AppendString(e.buf, v) }
