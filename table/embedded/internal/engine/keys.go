package engine

import (
	"encoding/binary"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// The spaces of the store, by the first byte of a key. Numbers are big-endian.
//
//	m t NAME                                             table, as JSON
//	m s STREAM(4)                                        stream, as JSON
//	m n                                                  counters, as JSON
//	m c                                                  item counts of a clean stop, as JSON
//	i TABLE(4) HASH(4) pk sk                             row
//	g TABLE(4) INDEX(4) HASH(4) index-keys pk sk         index entry
//	s STREAM(4) SHARD(4) SEQUENCE(8)                     stream record
//	t TABLE(4) SECONDS(8) HASH(4) pk sk                  expiry of a row
//	x TOKEN                                              transaction token
//	y NANOSECONDS(8) TOKEN                               expiry of a token
//	z TABLE(4) HASH(4) pk                                size of an item collection, where there are local indexes
//
// HASH is taken over the encoded partition key: a scan meets the partitions in
// the order of their hashes, as DynamoDB's does, and a segment is a range.
const (
	spaceMeta        = 'm'
	spaceRow         = 'i'
	spaceIndex       = 'g'
	spaceStream      = 's'
	spaceExpiry      = 't'
	spaceToken       = 'x'
	spaceTokenExpiry = 'y'
	spaceCollection  = 'z'
)

const (
	rowPrefixLen    = 1 + 4
	expiryPrefixLen = 1 + 4 + 8
)

var (
	counterKey = []byte{spaceMeta, 'n'}
	countsKey  = []byte{spaceMeta, 'c'}
)

func tableMetaPrefix() []byte { return []byte{spaceMeta, 't'} }

func tableMetaKey(name string) []byte { return append(tableMetaPrefix(), name...) }

func streamMetaPrefix() []byte { return []byte{spaceMeta, 's'} }

func streamMetaKey(id uint32) []byte {
	return binary.BigEndian.AppendUint32(streamMetaPrefix(), id)
}

func rowPrefix(table uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceRow}, table)
}

func indexPrefix(table uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceIndex}, table)
}

func oneIndexPrefix(table, index uint32) []byte {
	return binary.BigEndian.AppendUint32(indexPrefix(table), index)
}

func expiryPrefix(table uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceExpiry}, table)
}

// expiryKey names the row by the part of its key that follows the table.
func expiryKey(table uint32, seconds int64, row []byte) []byte {
	k := binary.BigEndian.AppendUint64(expiryPrefix(table), uint64(seconds))
	return append(k, row[rowPrefixLen:]...)
}

func streamPrefix(stream uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceStream}, stream)
}

func shardPrefix(stream, shard uint32) []byte {
	return binary.BigEndian.AppendUint32(streamPrefix(stream), shard)
}

func recordKey(stream, shard uint32, seq uint64) []byte {
	k := make([]byte, 0, 17)
	k = append(k, spaceStream)
	k = binary.BigEndian.AppendUint32(k, stream)
	k = binary.BigEndian.AppendUint32(k, shard)
	return binary.BigEndian.AppendUint64(k, seq)
}

func recordSeq(key []byte) uint64 {
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// hash32 is FNV-1a with a finalizer that spreads it over all bits.
func hash32(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// appendHashed appends the hash of the encoded attributes and then these.
func appendHashed(dst []byte, keys []keyAttr, item attr.Item) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst, err := appendKeys(dst, keys, item)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(dst[at:], hash32(dst[at+4:]))
	return dst, nil
}

func appendKeys(dst []byte, keys []keyAttr, item attr.Item) ([]byte, error) {
	var err error
	for _, k := range keys {
		if dst, err = attr.AppendKey(dst, item[k.Name]); err != nil {
			return nil, invalid(err)
		}
	}
	return dst, nil
}

// rowKey is the place of a row.
type rowKey struct {
	bytes        []byte
	hash         uint32
	partition    attr.Value
	partitionEnd int // where the sort key begins
}

func (t *table) rowKey(item attr.Item) (rowKey, error) {
	b := make([]byte, 0, 64)
	b = append(b, spaceRow)
	b = binary.BigEndian.AppendUint32(b, t.meta.ID)
	b, err := appendHashed(b, t.keys.Hash, item)
	if err != nil {
		return rowKey{}, err
	}
	hash, end := binary.BigEndian.Uint32(b[rowPrefixLen:]), len(b)
	if b, err = appendKeys(b, t.keys.Range, item); err != nil {
		return rowKey{}, err
	}
	return rowKey{b, hash, item[t.keys.Hash[0].Name], end}, nil
}

// entryKey returns the key of a row's entry in an index, whose attributes must
// be there.
func (t *table) entryKey(x *index, item attr.Item) ([]byte, error) {
	b := make([]byte, 0, 96)
	b = append(b, spaceIndex)
	b = binary.BigEndian.AppendUint32(b, t.meta.ID)
	b = binary.BigEndian.AppendUint32(b, x.ID)
	b, err := appendHashed(b, x.keys.Hash, item)
	if err != nil {
		return nil, err
	}
	for _, keys := range [][]keyAttr{x.keys.Range, t.keys.Hash, t.keys.Range} {
		if b, err = appendKeys(b, keys, item); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// after returns the smallest key greater than k.
func after(k []byte) []byte {
	return append(append(make([]byte, 0, len(k)+1), k...), 0)
}

func prefixRange(prefix []byte) (lo, hi []byte) {
	return prefix, kv.PrefixEnd(prefix)
}
