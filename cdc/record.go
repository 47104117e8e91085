package cdc

import (
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/insideout-go/insideout/table"
)

// Names of a record's operations, as DynamoDB Streams has them.
const (
	opInsert = "INSERT"
	opModify = "MODIFY"
	opRemove = "REMOVE"
)

// replication is the prefix of the attributes that the first version of global tables adds to a row.
const replication = "aws:rep:"

// record is one change record, from whichever source it came. Its images are of the toolkit's type only as long as somebody looks at them: a
// batch of 6 MB would else be in memory twice.
type record struct {
	id        string // eventID: the same on every delivery
	operation string
	sequence  string // 21 to 40 digits; longer than any number type
	at        time.Time
	region    string // where the record was read
	source    string
	arn       string
	version   string
	view      string
	size      int64
	user      *identity
	key       table.RowKey

	from   source
	values *arena     // for as long as the record is mapped: see batch.mapRows
	new    table.Item // the image, or nil
	old    table.Item // or nil; last tells whether there is one
}

// source is a record in the form in which it was delivered. Of images that there are not, it gives nil.
type source interface {
	keys(*arena) table.Item
	latest(*arena) table.Item
	last(*arena) table.Item
	hasLast() bool
	lastValue(attr string, a *arena) value
}

// identity is who made the change, where it was not a user of the table.
type identity struct{ kind, principal string }

// look has the images at hand until forget, or a look at another record with the same arena. The old one is made when it is asked for: most
// mappers say what is, not what was.
func (r *record) look(a *arena) {
	r.values, r.new, r.old = a, r.from.latest(a), nil
}

func (r *record) forget() { r.values, r.new, r.old = nil, nil, nil }

// last is the old image.
func (r *record) last() table.Item {
	if r.old == nil {
		r.old = r.from.last(r.values)
	}
	return r.old
}

// image is the row that the change left behind, or the last one where it is gone.
func (r *record) image() table.Item {
	if r.new != nil {
		return r.new
	}
	return r.last()
}

// removed reports whether the row is gone from the table.
func (r *record) removed() bool { return r.operation == opRemove }

// expiry reports whether the row was removed because its time to live was over. Only the region that removed it says
// so; in the others the time itself must do.
func (r *record) expiry(old table.Meta) bool {
	if !r.removed() {
		return false
	}
	if r.user != nil {
		return r.swept()
	}
	return !old.ExpiresAt.IsZero() && !r.at.IsZero() && !old.ExpiresAt.After(r.at)
}

// replica reports whether the change was made in another region than home, which publishes it itself.
func (r *record) replica(home string, meta table.Meta) bool {
	if home == "" {
		return false
	}
	region := meta.Region
	if region == "" {
		region = text(r.image()[replication+"updateregion"])
	}
	return region != "" && region != home
}

// adornment reports whether the record is the extra one that the first version of global tables writes after a change,
// to add its own attributes.
func (r *record) adornment() bool {
	if r.operation != opModify || r.new == nil {
		return false
	}
	bare, marked := withoutReplication(r.new)
	if !marked || r.last() == nil {
		return false
	}
	if _, before := withoutReplication(r.last()); before {
		return false
	}
	return reflect.DeepEqual(bare, r.last())
}

// sealedMark is in rows whose sealed fields were moved to other keys.
const sealedMark = "_sealed"

// resealed reports whether the change moved sealed fields to other keys, and did nothing else.
func (r *record) resealed(meta table.Meta) bool {
	return r.new[sealedMark] != nil && meta.Resealed(r.last())
}

// withoutReplication returns the item without the attributes of replication, and whether there were any.
func withoutReplication(item table.Item) (bare table.Item, marked bool) {
	for name := range item {
		if strings.HasPrefix(name, replication) {
			marked = true
		}
	}
	if !marked {
		return item, false
	}
	bare = maps.Clone(item)
	maps.DeleteFunc(bare, func(name string, _ value) bool { return strings.HasPrefix(name, replication) })
	return bare, true
}

// swept reports whether DynamoDB itself removed the row, since its time to live was over.
func (r *record) swept() bool {
	return r.removed() && r.user != nil && r.user.kind == "Service" && r.user.principal == "dynamodb.amazonaws.com"
}

// guardSK is how the sort key of a unique value's guard starts: a row of package table's own, which says nothing to the outside.
const guardSK = "{unique"

func isGuard(r *record) bool { return strings.HasPrefix(r.key.SK, guardSK) }
