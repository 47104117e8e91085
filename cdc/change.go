package cdc

import (
	"errors"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Kind is what happened to a row or an aggregate. It is the second half of the default event type.
type Kind string

// The kinds of changes.
const (
	Created   Kind = "created"
	Updated   Kind = "updated"
	Deleted   Kind = "deleted"   // softly, with a tombstone, or removed from the table
	Undeleted Kind = "undeleted" // written again over its tombstone
	Expired   Kind = "expired"   // removed because its time to live was over; see Options.Expired
)

// ErrSkip is what a mapper returns for a change that is no fact: nothing is published for it, and nothing is wrong.
var ErrSkip = errors.New("cdc: nothing to publish")

// isNothing reports whether a mapper's error says that there is nothing to publish: also since the value that it would be about was
// erased with its key.
func isNothing(err error) bool {
	return errors.Is(err, ErrSkip) || errors.Is(err, insideout.ErrShredded)
}

// Change is one change of a row, or of an aggregate, in the terms of the model.
type Change[T any] struct {
	Kind Kind

	// New is the image of the row after the change, and nil where the row is gone from the table; a row that was deleted softly is still
	// there, and New is its last state. For the image before, see [Change.Old].
	New *T

	Key      table.RowKey // of the row; of an aggregate, of its root
	By       string       // who made the change, as far as the row says
	Region   string       // where, as far as the row says
	At       time.Time    // when; the timestamp of the event, in milliseconds
	RecordID string       // the id of the change record, the same on every delivery
	Sequence string       // the record's place in the stream: 21 to 40 digits, ordered within a partition key

	old *before[T] // or nil
}

// Old is the image of the row before the change, and nil where the row was created, where the stream does not carry old images, and where
// the row could not be decoded before (an attribute of another type, mended since). Of an aggregate there is only one image, what a read
// gave: it is New, or Old where the root is gone from the table.
//
// It is decoded with the first call, since most mappers do without.
func (c Change[T]) Old() *T {
	if c.old == nil {
		return nil
	}
	return c.old.get()
}

// WithOld is the change with another image from before: for tests of mappers.
func (c Change[T]) WithOld(old *T) Change[T] {
	c.old = &before[T]{v: old}
	return c
}

// State is what is known of the entity after the change: New, or Old where the row is gone. It is the zero value where
// the record has no image.
func (c Change[T]) State() T {
	if c.New != nil {
		return *c.New
	}
	return deref(c.Old())
}

// change is what a record says before a model has looked at its images.
type change struct {
	*record
	kind   Kind
	meta   table.Meta
	buried bool // the old image is a tombstone, and there is a new one
	turned turn // the row is another model's before, or after
	at     time.Time
}

// turn says which of the images are about the model.
type turn int

const (
	turnedNot  turn = iota // both
	turnedInto             // the new one
	turnedFrom             // the old one
)

// latest is the new image, as far as it is about the model, and last the old one.
func (c *change) latest() table.Item {
	if c.turned == turnedFrom {
		return nil
	}
	return c.record.new
}

func (c *change) last() table.Item {
	if c.turned == turnedInto {
		return nil
	}
	return c.record.last()
}

// again is the change with images of its own, which stay when those of the record are forgotten.
func (c *change) again() *change {
	d, r := *c, *c.record
	r.look(new(arena))
	d.record = &r
	return &d
}

// classify tells what the record says happened, and false where it says nothing to the outside: see the package comment
// for the list.
func classify(r *record, opts *Options) (change, bool, error) {
	c := change{record: r}
	switch {
	case isCheckpoint(r) || isGuard(r):
		return c, false, nil
	case r.image() == nil && r.swept() && !opts.Expired: // a stream of new images has none for it, and needs none
		return c, false, nil
	case r.image() == nil:
		return c, false, errNoImage
	}
	meta, err := table.ReadMeta(r.image())
	if err != nil {
		return c, false, err
	}
	if c.key.PK == "" {
		return c, false, errNoKey
	}
	c.meta, c.at = meta, meta.Timestamp
	if meta.Latched || r.replica(opts.Region, meta) || r.adornment() || r.resealed(meta) {
		return c, false, nil
	}
	if c.at.IsZero() {
		c.at = r.at
	}
	if r.removed() {
		return c.removal(opts)
	}
	return c.write()
}

// removal tells a deletion from an expiry. The timestamp of the record is rounded down to the second, so that a removal
// in the second of the last update would come before it: it is put right after that update instead.
func (c change) removal(opts *Options) (change, bool, error) {
	if c.meta.Deleted {
		return c, false, nil // the deletion was published when the tombstone was written
	}
	if !c.meta.Timestamp.IsZero() {
		c.at = c.meta.Timestamp.Add(time.Millisecond)
	}
	c.kind = Deleted
	if c.expiry(c.meta) {
		c.kind = Expired
		return c, opts.Expired, nil
	}
	return c, true, nil
}

func (c change) write() (change, bool, error) {
	c.buried = isTrue(c.from.lastValue("deleted", c.values))
	switch {
	case c.meta.Deleted && c.buried:
		return c, false, nil
	case c.meta.Deleted:
		c.kind = Deleted
	case c.buried:
		c.kind = Undeleted
	case c.operation == opInsert:
		c.kind = Created
	default:
		c.kind = Updated
	}
	return c, true, nil
}

// of is what the change is to the model that matches knows the rows of: nil if it says nothing. ours is false for a row that neither
// is nor was one. A row that has become another model's is gone for its own, and new to the other.
func (c *change) of(matches func(table.Item) bool) (own *change, ours bool) {
	is := matches(c.image())
	if c.new == nil || !c.from.hasLast() || text(c.new["discriminator"]) == text(c.from.lastValue("discriminator", c.values)) {
		return c, is
	}
	was := matches(c.record.last())
	switch {
	case is == was:
		return c, is
	case is && c.meta.Deleted, was && c.buried:
		return nil, true
	}
	turned := *c
	if is {
		turned.turned, turned.kind = turnedInto, Created
	} else {
		turned.turned, turned.kind, turned.meta.Discriminator = turnedFrom, Deleted, text(c.record.last()["discriminator"])
	}
	return &turned, true
}
