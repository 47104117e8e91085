package table

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// Meta is what the library knows of a row. What the row does not say is zero.
type Meta struct {
	Key           RowKey
	Discriminator string    // the attribute, or the sort key of a node that has none
	Timestamp     time.Time // of the last change, in milliseconds
	Deleted       bool      // soft-deleted: a tombstone
	Latched       bool      // last written by a listener
	ExpiresAt     time.Time // in seconds; zero is never
	By, Region    string    // who changed it last, and where
	Version       idempotence.Version
	// Shredded and Restricted are the attributes of sealed fields that could not be opened, and are zero: since their key was destroyed, or may not be
	// used. GetMeta alone fills them in.
	Shredded, Restricted []string

	sealed string // what the last reseal left: see Resealed
}

// ReadMeta reads the system attributes of a row, whatever its model. Missing ones are zero, so that key-only images and rows of
// other programs can be read; attributes of a wrong type are an error.
func ReadMeta(item Item) (Meta, error) {
	r := metaReader{item: item}
	m := Meta{
		Key:           RowKey{PK: r.text(attrPK), SK: r.text(attrSK)},
		Discriminator: r.text(attrDiscriminator),
		Timestamp:     r.time(attrTimestamp, time.UnixMilli),
		Deleted:       isTrue(item[attrDeleted]),
		Latched:       isTrue(item[attrLatched]),
		ExpiresAt:     r.time(attrTTL, func(s int64) time.Time { return time.Unix(s, 0) }),
		By:            r.text(attrBy),
		Region:        r.text(attrRegion),
		Version:       idempotence.Version(r.text(idempotence.Lane("").VersionAttribute())),
		sealed:        textOf(item[attrSealed]),
	}
	if m.Discriminator == "" {
		m.Discriminator, _, _ = strings.Cut(m.Key.SK, delimiter)
	}
	return m, r.err
}

type metaReader struct {
	item Item
	err  error
}

func (r *metaReader) text(attr string) string {
	switch av := r.item[attr].(type) {
	case *types.AttributeValueMemberS:
		return av.Value
	case nil, *types.AttributeValueMemberNULL:
	default:
		r.err = fmt.Errorf("table: attribute %q is of type %s, not S", attr, kindOf(av))
	}
	return ""
}

func (r *metaReader) time(attr string, of func(int64) time.Time) time.Time {
	switch av := r.item[attr].(type) {
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(av.Value, 10, 64)
		if err == nil {
			return of(n).UTC()
		}
		r.err = fmt.Errorf("table: attribute %q is not a whole number", attr)
	case nil, *types.AttributeValueMemberNULL:
	default:
		r.err = fmt.Errorf("table: attribute %q is of type %s, not N", attr, kindOf(av))
	}
	return time.Time{}
}

func isTrue(av types.AttributeValue) bool {
	b, ok := av.(*types.AttributeValueMemberBOOL)
	return ok && b.Value
}

func textOf(av types.AttributeValue) string {
	s, ok := av.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

func keyOfItem(item Item) RowKey { return RowKey{PK: textOf(item[attrPK]), SK: textOf(item[attrSK])} }

// shown says whether readers see a row: it is neither deleted nor expired, and its owner lane has been written.
func shown(item Item, now time.Time) bool {
	return !isTrue(item[attrDeleted]) && !expired(item, now) && owned(item)
}

func expired(item Item, now time.Time) bool {
	n, ok := item[attrTTL].(*types.AttributeValueMemberN)
	if !ok {
		return false
	}
	seconds, err := strconv.ParseInt(n.Value, 10, 64)
	return err == nil && seconds <= now.Unix()
}

// owned says whether the unnamed lane has been written. Named lanes may come first, and then wait unseen; they write no
// discriminator. Rows of other programs may have none either, but then they have no versions of lanes.
func owned(item Item) bool {
	if item[attrDiscriminator] != nil || item["_v"] != nil {
		return true
	}
	for attr := range item {
		if strings.HasPrefix(attr, "_v_") {
			return false
		}
	}
	return true
}

// matches says whether a row belongs to the model.
func (m *model) matches(item Item) bool {
	sk := textOf(item[attrSK])
	if m.keys != nil {
		return textOf(item[attrDiscriminator]) == m.name
	}
	if m.owner == nil && sk != m.name || m.owner != nil && !strings.HasPrefix(sk, m.role+delimiter) {
		return false
	}
	if d := textOf(item[attrDiscriminator]); d != "" {
		return d == m.name
	}
	return owned(item)
}
