package engine

import (
	"encoding/binary"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// row is a stored item. Its bytes are the item's size by DynamoDB's
// arithmetic, as a varint, and the encoded item; equal items have equal bytes.
// The item is decoded when it is first asked for.
type row struct {
	raw     []byte // nil: there is no such row
	decoded attr.Item
}

func (r *row) exists() bool { return r.raw != nil }

func (r *row) size() int {
	n, _ := binary.Uvarint(r.raw)
	return int(n)
}

// item returns the attributes, nil if there is no row.
func (r *row) item() (attr.Item, error) {
	if r.decoded != nil || r.raw == nil {
		return r.decoded, nil
	}
	_, n := binary.Uvarint(r.raw)
	if n <= 0 {
		return nil, internal(attr.ErrCorrupt)
	}
	it, err := attr.DecodeItem(r.raw[n:])
	if err != nil {
		return nil, internal(err)
	}
	r.decoded = it
	return it, nil
}

// sdk returns the attributes in the SDK's form, nil if there is no row.
func (r *row) sdk() (map[string]types.AttributeValue, error) {
	if r.raw == nil {
		return nil, nil
	}
	_, n := binary.Uvarint(r.raw)
	if n <= 0 {
		return nil, internal(attr.ErrCorrupt)
	}
	it, err := attr.DecodeSDK(r.raw[n:])
	if err != nil {
		return nil, internal(err)
	}
	return it, nil
}

// appendJSON appends the attributes that p chooses as DynamoDB's JSON.
func (r *row) appendJSON(dst []byte, p *expr.Projection) ([]byte, error) {
	_, n := binary.Uvarint(r.raw)
	if n <= 0 {
		return dst, internal(attr.ErrCorrupt)
	}
	encoded := r.raw[n:]
	if p != nil {
		item, err := r.item()
		if err != nil {
			return dst, err
		}
		encoded = attr.AppendItem(nil, p.Apply(item))
	}
	dst, err := attr.AppendJSON(dst, encoded)
	return dst, internal(err)
}

func newRow(item attr.Item) row {
	size := attr.ItemSize(item)
	raw := make([]byte, 0, size+size/8+16)
	raw = binary.AppendUvarint(raw, uint64(size))
	return row{raw: attr.AppendItem(raw, item), decoded: item}
}

func readRow(r kv.Reader, key []byte) (row, error) {
	raw, ok, err := r.Get(key)
	if err != nil {
		return row{}, internal(err)
	}
	if !ok {
		return row{}, nil
	}
	return row{raw: raw}, nil
}
