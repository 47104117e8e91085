package views

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

const (
	contentBytes = sha256.Size
	attributeTTL = "ttl"
)

// laneNames are the attributes that a lane's writes set or remove, in order.
type laneNames []string

// measure works out what each write makes of its row: the request that would be sent tells.
func (r *rebuild) measure(ctx context.Context, chunk []*kept) error {
	b := newBatch(r.Listener, nil)
	errs := make([]error, len(chunk))
	b.each(len(chunk), func(i int) {
		_, errs[i] = safely(func() (struct{}, error) { return struct{}{}, r.measureOne(ctx, chunk[i]) })
	})
	return errors.Join(errs...)
}

func (r *rebuild) measureOne(ctx context.Context, k *kept) error {
	requests, err := r.db.Params(func(db *table.DB) error {
		_, err := k.m.write(ctx, db)
		return err
	})
	k.withheld = err == nil && len(requests) == 0
	if err != nil || len(requests) != 1 {
		return nil // the write itself will say so
	}
	in, ok := requests[0].(*dynamodb.UpdateItemInput)
	if !ok {
		return nil
	}
	item := table.Item{}
	names := make(laneNames, 0, len(in.ExpressionAttributeNames))
	for alias, name := range in.ExpressionAttributeNames {
		names = append(names, name)
		if v, ok := in.ExpressionAttributeValues[":"+alias[1:]]; ok {
			item[name] = v
		}
	}
	slices.Sort(names)
	k.names = &names
	k.content = contentOf(item, names)
	k.expires = expiryOf(item)
	return nil
}

func expiryOf(item table.Item) time.Time {
	n, ok := item[attributeTTL].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// verify compares the table with what a fold has kept.
func (r *rebuild) verify(ctx context.Context, f *fold) error {
	r.meter.begin(verifying, r.done.Passes, 0)
	r.done.Verified.Lanes += int64(len(f.lanes))
	for _, k := range f.lanes {
		r.digests[0].add(k.content)
	}
	raw, ok := r.db.Dynamo()
	if !ok {
		return errors.New("views: the client of the table cannot scan")
	}
	c := &check{rebuild: r, fold: f, found: make(map[laneKey]bool, len(f.lanes))}
	errs := make([]error, verifySegments)
	var segments sync.WaitGroup
	for n := range verifySegments {
		segments.Go(func() { errs[n] = c.scan(ctx, raw.Scan().Consistent(true).Segment(n, verifySegments).Iter()) })
	}
	segments.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("views: the rebuilt table could not be read: %w", err)
	}
	for id, k := range f.lanes {
		if !c.found[id] {
			r.verifyMissing(id, k)
		}
	}
	return nil
}

const verifySegments = 4 // of the table, read at a time

// check is one reading of the table.
type check struct {
	*rebuild
	fold *fold

	mu    sync.Mutex // guards what follows, and the result
	found map[laneKey]bool
}

func (c *check) scan(ctx context.Context, rows dynamo.Iter) error {
	var item table.Item
	for n := 1; rows.Next(ctx, &item); n++ {
		c.row(item)
		item = nil
		if n%rebuildChunk == 0 {
			c.mu.Lock()
			c.meter.add(rebuildChunk)
			c.mu.Unlock()
		}
	}
	return rows.Err()
}

// row looks at every lane of a row.
func (c *check) row(item table.Item) {
	pk, _ := item["pk"].(*types.AttributeValueMemberS)
	sk, _ := item["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return
	}
	if h := hashOf(pk.Value); h < c.fold.from || h > c.fold.to {
		return
	}
	c.foreign(laneKey{key: table.RowKey{PK: pk.Value, SK: sk.Value}}, item)
	for name, value := range item {
		text, ok := value.(*types.AttributeValueMemberS)
		if !ok || !isVersion(name) {
			continue
		}
		id, stored := laneKey{table.RowKey{PK: pk.Value, SK: sk.Value}, laneOf(name)}, idempotence.Version(text.Value)
		k := c.fold.lanes[id]
		var have [contentBytes]byte
		if k != nil && stored == k.version() && k.names != nil {
			have = contentOf(item, *k.names)
		}
		c.mu.Lock()
		if c.found[id] {
			c.mu.Unlock()
			continue
		}
		if k != nil {
			c.found[id] = true
			c.verifyLane(id, k, stored, have)
		} else if c.kinds[kindOfLane(id)] {
			c.verifyUnknown(id, stored)
		}
		c.mu.Unlock()
	}
}

// foreign finds rows that another program has written since, which leaves a time and no version: see table's Adopt.
func (c *check) foreign(id laneKey, item table.Item) {
	k := c.fold.lanes[id]
	if k == nil {
		return
	}
	meta, err := table.ReadMeta(item)
	at := k.version().Time()
	if err != nil || meta.Timestamp.Before(at) || meta.Version >= k.version() || meta.Timestamp.Equal(at) && meta.Version != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[id] = true
	c.done.Verified.Newer++
	c.digests[0].subtract(k.content)
}

func (r *rebuild) verifyLane(id laneKey, k *kept, stored idempotence.Version, have [contentBytes]byte) {
	v := &r.done.Verified
	switch {
	case stored > k.version():
		v.Newer++
		r.digests[0].subtract(k.content)
	case stored < k.version() || k.names == nil:
		r.verifyMissing(id, k)
	default:
		r.digests[1].add(have)
		if have != k.content {
			v.Wrong++
			note(&v.First, fmt.Sprintf("%s has other attributes than the event %q makes", place(id), k.event.ID))
		}
	}
}

// verifyMissing is for a lane that is not there, which is as it should be if its time is over.
func (r *rebuild) verifyMissing(id laneKey, k *kept) {
	v := &r.done.Verified
	if k.withheld {
		v.Withheld++
		return
	}
	if !k.expires.IsZero() && k.expires.Before(time.Now()) {
		v.Expired++
		r.digests[0].subtract(k.content)
		return
	}
	v.Missing++
	note(&v.First, fmt.Sprintf("%s does not have what the event %q makes", place(id), k.event.ID))
}

// verifyUnknown is for a lane of which the history has no event. The live listener may have had one since.
func (r *rebuild) verifyUnknown(id laneKey, stored idempotence.Version) {
	v := &r.done.Verified
	if stored.Time().After(r.began.Add(-r.Listener.opts.MaxSkew)) {
		v.Newer++
		return
	}
	v.Unexplained++
	note(&v.First, fmt.Sprintf("%s was made by the event %q, which the history does not have", place(id), stored.EventID()))
}

func place(id laneKey) string {
	text := fmt.Sprintf("the row %q, %q", id.key.PK, id.key.SK)
	if id.lane != "" {
		text += fmt.Sprintf(", lane %q,", string(id.lane))
	}
	return text
}

func laneOf(attribute string) idempotence.Lane {
	owner := idempotence.Lane("").VersionAttribute()
	return idempotence.Lane(strings.TrimPrefix(strings.TrimPrefix(attribute, owner), "_"))
}

// sortKind is what the sort keys of a model's rows have in common.
func sortKind(sk string) string {
	kind, _, edge := strings.Cut(sk, "|")
	if edge {
		kind += "|"
	}
	return kind
}

// contentOf is a digest of some attributes of a row. The time to live of a tombstone depends on when it was written, and is
// left out; binary attributes may be sealed, and then differ each time that they are, so only their presence counts.
func contentOf(item table.Item, names laneNames) (sum [contentBytes]byte) {
	h := sha256.New()
	for _, name := range names {
		if v, ok := item[name]; ok && name != attributeTTL {
			writeText(h, name)
			writeValue(h, v)
		}
	}
	h.Sum(sum[:0])
	return sum
}

func writeText(h hash.Hash, text string) {
	var buf [24]byte
	_, _ = h.Write(append(strconv.AppendInt(buf[:0], int64(len(text)), 10), ':'))
	_, _ = h.Write([]byte(text))
}

// writeValue writes a value so that different ones differ, and equal ones do not, however they are written.
func writeValue(h hash.Hash, v types.AttributeValue) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		writeText(h, "S")
		writeText(h, v.Value)
	case *types.AttributeValueMemberN:
		writeText(h, "N")
		writeText(h, plainNumber(v.Value))
	case *types.AttributeValueMemberBOOL:
		writeText(h, "BOOL"+strconv.FormatBool(v.Value))
	case *types.AttributeValueMemberSS:
		writeSet(h, "SS", v.Value)
	case *types.AttributeValueMemberNS:
		numbers := make([]string, len(v.Value))
		for i, n := range v.Value {
			numbers[i] = plainNumber(n)
		}
		writeSet(h, "NS", numbers)
	case *types.AttributeValueMemberL:
		writeText(h, "L"+strconv.Itoa(len(v.Value)))
		for _, e := range v.Value {
			writeValue(h, e)
		}
	case *types.AttributeValueMemberM:
		writeText(h, "M"+strconv.Itoa(len(v.Value)))
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			writeText(h, name)
			writeValue(h, v.Value[name])
		}
	default:
		writeText(h, fmt.Sprintf("%T", v))
	}
}

func writeSet(h hash.Hash, kind string, set []string) {
	writeText(h, kind+strconv.Itoa(len(set)))
	for _, s := range slices.Sorted(slices.Values(set)) {
		writeText(h, s)
	}
}

// plainNumber writes equal numbers alike.
func plainNumber(text string) string {
	if n, ok := new(big.Rat).SetString(text); ok {
		return n.RatString()
	}
	return text
}

// digestSum is a digest of a set: the sum of the digests of its elements.
type digestSum struct{ n big.Int }

func (d *digestSum) add(sum [contentBytes]byte) { d.n.Add(&d.n, new(big.Int).SetBytes(sum[:])) }

func (d *digestSum) subtract(sum [contentBytes]byte) { d.n.Sub(&d.n, new(big.Int).SetBytes(sum[:])) }

// String is in hexadecimal, modulo 2 to the power of the digest's bits.
func (d *digestSum) String() string {
	modulus := new(big.Int).Lsh(big.NewInt(1), contentBytes*8)
	return hex.EncodeToString(new(big.Int).Mod(&d.n, modulus).FillBytes(make([]byte, contentBytes)))
}
