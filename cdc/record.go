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

// record is one change record, from whichever source it came.
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
	keys      table.Item
	new, old  table.Item
}

// identity is who made the change, where it was not a user of the table.
type identity struct{ kind, principal string }

// image is the row that the change left behind, or the last one where it is gone.
func (r *record) image() table.Item {
	if r.new != nil {
		return r.new
	}
	return r.old
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
	if r.operation != opModify || r.old == nil || r.new == nil {
		return false
	}
	bare, marked := withoutReplication(r.new)
	if !marked {
		return false
	}
	if _, before := withoutReplication(r.old); before {
		return false
	}
	return reflect.DeepEqual(bare, r.old)
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

func isGuard(r *record) bool { return strings.HasPrefix(text(r.keyItem()["sk"]), guardSK) }

// keyItem falls back to the image, since a record that was made by hand may come without its keys.
func (r *record) keyItem() table.Item {
	if r.keys != nil {
		return r.keys
	}
	return r.image()
}
