package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// metaVersion is the version of the JSON documents below.
const metaVersion = 1

// tableMeta is a table as stored.
type tableMeta struct {
	Version            int               `json:"version"`
	ID                 uint32            `json:"id"`
	UUID               string            `json:"uuid"`
	Name               string            `json:"name"`
	Created            time.Time         `json:"created"`
	Attributes         []keyAttrMeta     `json:"attributes"`
	Hash               []string          `json:"hash"`
	Range              []string          `json:"range,omitempty"`
	Indexes            []indexMeta       `json:"indexes,omitempty"`
	NextIndex          uint32            `json:"nextIndex"`
	Throughput         throughput        `json:"throughput"`
	OnDemand           bool              `json:"onDemand,omitempty"`
	OnDemandSince      time.Time         `json:"onDemandSince,omitzero"`
	TableClass         string            `json:"tableClass,omitempty"`
	DeletionProtection bool              `json:"deletionProtection,omitempty"`
	TTL                string            `json:"ttl,omitempty"`
	Stream             uint32            `json:"stream,omitempty"` // the enabled one
	LastStream         string            `json:"lastStream,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
}

type keyAttrMeta struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type throughput struct {
	Read      int64     `json:"read,omitempty"`
	Write     int64     `json:"write,omitempty"`
	Increased time.Time `json:"increased,omitzero"` // at last
	Decreased time.Time `json:"decreased,omitzero"`
	Decreases int64     `json:"decreases,omitempty"` // on the day of the last one
}

// indexMeta is an index as stored. One that is not active yet is back-filled
// again when the store is opened.
type indexMeta struct {
	ID         uint32     `json:"id"`
	Name       string     `json:"name"`
	Local      bool       `json:"local,omitempty"`
	Hash       []string   `json:"hash"`
	Range      []string   `json:"range,omitempty"`
	Projection string     `json:"projection"`
	NonKey     []string   `json:"nonKey,omitempty"`
	Throughput throughput `json:"throughput"`
	Creating   bool       `json:"creating,omitempty"`
}

// streamMeta is a stream as stored. It outlives its table.
type streamMeta struct {
	Version  int         `json:"version"`
	ID       uint32      `json:"id"`
	Table    string      `json:"table"`
	Label    string      `json:"label"`
	ARN      string      `json:"arn"`
	View     string      `json:"view"`
	Hash     []string    `json:"hash"`
	Range    []string    `json:"range,omitempty"`
	Created  time.Time   `json:"created"`
	Disabled time.Time   `json:"disabled,omitzero"`
	Shards   []shardMeta `json:"shards"`
	// NextShard is the number of the next shard.
	NextShard uint32 `json:"nextShard,omitempty"`
}

// shardMeta is a shard as stored. Last is only right once the shard is closed
// or trimmed: it is the least that the next number must exceed.
type shardMeta struct {
	No      uint32    `json:"no"`
	ID      string    `json:"id"`
	Parent  string    `json:"parent,omitempty"`
	From    uint32    `json:"from"` // the partition hashes it takes: from, inclusive,
	To      uint32    `json:"to"`   // to, inclusive
	Start   uint64    `json:"start"`
	Last    uint64    `json:"last"`
	Trimmed uint64    `json:"trimmed,omitempty"`
	Opened  time.Time `json:"opened,omitzero"`
	// ClosedAt is zero for an open shard.
	ClosedAt time.Time `json:"closedAt,omitzero"`
}

func (m *shardMeta) closed() bool { return !m.ClosedAt.IsZero() }

// counters number what is never numbered twice.
type counters struct {
	Version int    `json:"version"`
	Table   uint32 `json:"table"`
	Stream  uint32 `json:"stream"`
}

// itemCounts is written at a clean stop and removed at the next start.
type itemCounts struct {
	Version int              `json:"version"`
	Tables  map[uint32]count `json:"tables"`
}

type count struct {
	Items   int64            `json:"items"`
	Bytes   int64            `json:"bytes"`
	Indexes map[uint32]count `json:"indexes,omitempty"`
}

func putJSON(b *kv.Batch, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("embedded: encode %q: %w", key, err)
	}
	b.Set(key, data)
	return nil
}

// decodeJSON refuses a document of another version, so that it is never
// misread.
func decodeJSON(key, data []byte, v any) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("embedded: the description %q is damaged: %w", key, err)
	}
	if head.Version != metaVersion {
		return fmt.Errorf("embedded: the description %q has version %d, this program reads version %d",
			key, head.Version, metaVersion)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("embedded: the description %q is damaged: %w", key, err)
	}
	return nil
}
