package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// retention is how long a stream keeps its records.
const retention = 24 * time.Hour

const labelFormat = "2006-01-02T15:04:05.000"

// stream is a stream at work.
type stream struct {
	mu     sync.RWMutex // guards meta's Disabled and NextShard, and the list of shards
	meta   streamMeta
	shards []*shard
	due    atomic.Int64 // when the next shard ends, in milliseconds; 0: never
}

// shard takes the records of the partitions whose hashes lie in its range.
type shard struct {
	stream *stream

	mu      sync.Mutex // held while a batch with records of the shard is applied
	meta    shardMeta
	last    uint64    // the newest number; every one up to it is visible
	oldest  time.Time // of the oldest record, zero: not known
	pending atomic.Pointer[commit]
}

// newStream describes a stream for a table; the caller stores it.
func (e *Engine) newStream(t *table, view types.StreamViewType) *stream {
	e.counters.Stream++
	created := now().UTC()
	label := created.Format(labelFormat)
	for e.streams[t.arn+"/stream/"+label] != nil {
		created = created.Add(time.Millisecond)
		label = created.Format(labelFormat)
	}
	m := streamMeta{
		Version: metaVersion,
		ID:      e.counters.Stream,
		Table:   t.meta.Name,
		Label:   label,
		ARN:     t.arn + "/stream/" + label,
		View:    string(view),
		Hash:    t.meta.Hash,
		Range:   t.meta.Range,
		Created: created,
	}
	n := uint64(e.opts.Shards)
	for i := range n {
		m.Shards = append(m.Shards, shardMeta{
			No:     uint32(i),
			ID:     shardID(created, uint32(i)),
			Opened: created,
			From:   uint32(i << 32 / n),
			To:     uint32((i+1)<<32/n - 1),
			Start:  1,
		})
	}
	m.NextShard = uint32(n)
	return e.loadedStream(m)
}

func shardID(created time.Time, no uint32) string {
	return fmt.Sprintf("shardId-%020d-%08x", created.UnixMilli(), no)
}

func (e *Engine) loadedStream(m streamMeta) *stream {
	s := &stream{meta: m}
	for _, sm := range m.Shards {
		s.shards = append(s.shards, &shard{stream: s, meta: sm, last: max(sm.Last, sm.Start-1)})
		s.meta.NextShard = max(s.meta.NextShard, sm.No+1)
	}
	s.schedule(e.opts.ShardAge)
	return s
}

// save puts the description into a batch.
func (s *stream) save(b *kv.Batch) error {
	s.meta.Shards = s.meta.Shards[:0:0]
	for _, sh := range s.shards {
		s.meta.Shards = append(s.meta.Shards, sh.meta)
	}
	return putJSON(b, streamMetaKey(s.meta.ID), s.meta)
}

func (e *Engine) loadStreams() error {
	lo, hi := prefixRange(streamMetaPrefix())
	var found []*stream
	for p, err := range e.store.Iterate(lo, hi, false) {
		if err != nil {
			return fmt.Errorf("embedded: read: %w", err)
		}
		var m streamMeta
		if err := decodeJSON(p.Key, p.Value, &m); err != nil {
			return err
		}
		found = append(found, e.loadedStream(m))
	}
	for _, s := range found {
		for _, sh := range s.shards {
			if err := sh.load(e.store); err != nil {
				return err
			}
		}
		e.streams[s.meta.ARN] = s
	}
	return e.forgetStreams()
}

// load finds the newest number. Trimmed records count by way of the stored
// description.
func (sh *shard) load(store kv.Store) error {
	lo, hi := prefixRange(shardPrefix(sh.stream.meta.ID, sh.meta.No))
	for p, err := range store.Iterate(lo, hi, true) {
		if err != nil {
			return fmt.Errorf("embedded: read: %w", err)
		}
		sh.last = max(sh.last, recordSeq(p.Key))
		break
	}
	return nil
}

func (e *Engine) streamByID(id uint32) *stream {
	for _, s := range e.streams {
		if s.meta.ID == id {
			return s
		}
	}
	return nil
}

// changeKind tells what happened to a row. The numbers are stored.
type changeKind byte

const (
	inserted changeKind = 1
	modified changeKind = 2
	removed  changeKind = 3
)

// record is one change of one row on its way to a shard, or read from it. The
// images are the bytes of rows.
type record struct {
	stream   *stream
	hash     uint32
	shard    *shard // found once the record is to be stored
	seq      uint64
	kind     changeKind
	expiry   bool
	at       time.Time
	keys     []byte
	new, old []byte
	value    []byte // what is stored, once it is to be
}

func (a *action) record(at time.Time) (*record, error) {
	s := a.t.stream
	r := &record{stream: s, hash: a.key.hash, at: at, kind: modified, expiry: a.expiry}
	image := a.new.decoded
	switch {
	case !a.old.exists():
		r.kind = inserted
	case !a.new.exists():
		r.kind = removed
		old, err := a.old.item()
		if err != nil {
			return nil, err
		}
		image = old
	}
	keys := newRow(keyOf(image, a.t.keys))
	r.keys = keys.raw
	view := types.StreamViewType(s.meta.View)
	if view == types.StreamViewTypeNewImage || view == types.StreamViewTypeNewAndOldImages {
		r.new = a.new.raw
	}
	if view == types.StreamViewTypeOldImage || view == types.StreamViewTypeNewAndOldImages {
		r.old = a.old.raw
	}
	r.value = r.encode()
	return r, nil
}

// appendRecords numbers the records and adds them to a batch. Their shards are
// locked.
func appendRecords(b *kv.Batch, records []*record) {
	for i, r := range records {
		r.seq = r.shard.last + 1
		for _, before := range records[:i] {
			if before.shard == r.shard {
				r.seq = max(r.seq, before.seq+1)
			}
		}
		b.Set(recordKey(r.shard.stream.meta.ID, r.shard.meta.No, r.seq), r.value)
	}
}

// publish makes the numbers known, unless applying has failed, and unlocks.
func publish(shards []*shard, records []*record, failure error) {
	for _, r := range records {
		if failure == nil {
			r.shard.last = max(r.shard.last, r.seq)
			if r.shard.oldest.IsZero() && r.seq == r.shard.meta.Start {
				r.shard.oldest = r.at
			}
		}
	}
	unlockShards(shards)
}

// recordVersion is the first byte of a stored record.
const recordVersion = 1

func (r *record) encode() []byte {
	b := make([]byte, 0, 32+len(r.keys)+len(r.new)+len(r.old))
	expiry := byte(0)
	if r.expiry {
		expiry = 1
	}
	b = append(b, recordVersion, byte(r.kind), expiry)
	b = binary.AppendVarint(b, r.at.UnixMilli())
	for _, part := range [][]byte{r.keys, r.new, r.old} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

func decodeRecord(p kv.Pair) (*record, error) {
	b := p.Value
	if len(b) < 4 || b[0] != recordVersion {
		return nil, internal(attr.ErrCorrupt)
	}
	r := &record{seq: recordSeq(p.Key), kind: changeKind(b[1]), expiry: b[2] == 1}
	ms, n := binary.Varint(b[3:])
	if n <= 0 {
		return nil, internal(attr.ErrCorrupt)
	}
	r.at = time.UnixMilli(ms)
	b = b[3+n:]
	for _, part := range []*[]byte{&r.keys, &r.new, &r.old} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, internal(attr.ErrCorrupt)
		}
		if size > 0 {
			*part = b[n : n+int(size)]
		}
		b = b[n+int(size):]
	}
	return r, nil
}

// seqText gives every number 21 digits, so that they sort as text too.
func seqText(seq uint64) string { return fmt.Sprintf("1%020d", seq) }

// parseSeq is the inverse of seqText.
func parseSeq(text string) (uint64, bool) {
	if len(text) < 1 || len(text) > 40 {
		return 0, false
	}
	digits := text
	if len(text) == 21 && text[0] == '1' {
		digits = text[1:]
	}
	var seq uint64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' || seq > (math.MaxUint64-9)/10 {
			return 0, false
		}
		seq = seq*10 + uint64(c-'0')
	}
	return seq, true
}
