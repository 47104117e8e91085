package engine

import (
	"encoding/binary"
	"math"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// gigabyte is the unit of DynamoDB's estimates, defaultCollectionLimit what an item collection may have in a table with
// local indexes: the items of one partition key, in the table and in these indexes.
const (
	gigabyte               = 1 << 30
	defaultCollectionLimit = 10 * gigabyte
)

// collectionFull is why an action did not happen. Its number is that of the action.
type collectionFull struct{ action int }

func (*collectionFull) Error() string { return "Collection size exceeded." }

func (f *collectionFull) exception() error {
	return &types.ItemCollectionSizeLimitExceededException{Message: new(f.Error())}
}

// collectionKey is where the size of an action's collection is kept.
func (a *action) collectionKey() []byte {
	return append([]byte{spaceCollection}, a.key.bytes[1:a.key.partitionEnd]...)
}

func collectionPrefix(table uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceCollection}, table)
}

// growth is by how much an action changes the size of its collection.
func (a *action) growth() int64 {
	if !a.changed() {
		return 0
	}
	n := int64(a.new.size() - a.old.size())
	for _, m := range a.moved {
		if m.x.Local {
			n += m.bytes
		}
	}
	return n
}

// collect adds the new sizes of the item collections to a batch, and refuses
// what would make one too large. The stripes of the actions are locked.
func (e *Engine) collect(b *kv.Batch, actions []*action) error {
	var sizes map[string]int64
	for i, a := range actions {
		if !a.t.hasLocal() {
			continue
		}
		if sizes == nil {
			sizes = map[string]int64{}
		}
		key := a.collectionKey()
		size, known := sizes[string(key)]
		if !known {
			var err error
			if size, err = e.collectionSize(a, key); err != nil {
				return err
			}
		}
		growth := a.growth()
		if size += growth; growth > 0 && size > e.opts.CollectionLimit {
			return &collectionFull{i}
		}
		sizes[string(key)] = size
		if a.collected = size; growth == 0 {
			continue
		}
		if size == 0 {
			b.Delete(key)
			continue
		}
		b.Set(key, binary.AppendVarint(nil, size))
	}
	return nil
}

// collectionSize reads the size of an action's collection. One that was never
// written down, as in folders of earlier versions, is counted.
func (e *Engine) collectionSize(a *action, key []byte) (int64, error) {
	data, found, err := e.store.Get(key)
	if err != nil {
		return 0, internal(err)
	}
	if found {
		size, n := binary.Varint(data)
		if n <= 0 {
			return 0, internal(attr.ErrCorrupt)
		}
		return size, nil
	}
	sum, err := countRange(e.store, a.key.bytes[:a.key.partitionEnd])
	if err != nil {
		return 0, err
	}
	for _, x := range a.t.indexes {
		if !x.Local {
			continue
		}
		prefix := append(oneIndexPrefix(a.t.meta.ID, x.ID), a.key.bytes[rowPrefixLen:a.key.partitionEnd]...)
		n, err := countRange(e.store, prefix)
		if err != nil {
			return 0, err
		}
		sum.Bytes += n.Bytes
	}
	return sum.Bytes, nil
}

// estimate is the range of gigabytes that a size lies in.
func estimate(size int64) []float64 {
	least := math.Floor(float64(size) / gigabyte)
	return []float64{least, least + 1}
}
