package table

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/insideout-go/insideout/idempotence"
)

// How long tombstones stay. A listener's must outlast the latest older event that may still come: the retention of the source and
// the time that faults take to be resubmitted.
const (
	deletedFor  = 11 * Day
	removedFor  = 33 * Day
	maxAttempts = 10
)

// WriteOption changes one write.
type WriteOption func(*writeOptions)

type writeOptions struct {
	conds  []Cond
	lane   idempotence.Lane
	locked bool
	seen   time.Time
	err    error
}

// IfUnchanged is the optimistic lock of commands: the stored row must still have the timestamp that was read, Meta.Timestamp
// (see GetMeta); ErrConflict otherwise, with the row as it stands (see Current). The timestamp of a row grows with every command,
// and so is its version. A row that is not there has no timestamp: use Create.
func IfUnchanged(since time.Time) WriteOption {
	return func(o *writeOptions) { o.locked, o.seen = true, since }
}

// If adds conditions that the stored row must meet; ErrConflict otherwise. It is for commands: a listener's write has no
// other condition than the lock, or views would depend on the order of events.
func If(conds ...Cond) WriteOption {
	return func(o *writeOptions) { o.conds = append(o.conds, conds...) }
}

// InLane makes a listener write one named lane of the row, and nothing else. See Def.Lane.
func InLane(lane string) WriteOption {
	return func(o *writeOptions) { o.lane = idempotence.Lane(lane) }
}

func (o WriteOption) apply(to *writeOptions) {
	if o == nil {
		to.err = invalid("a WriteOption is nil: make it with If and its like")
		return
	}
	o(to)
}

func writeOptionsOf(opts []WriteOption) writeOptions {
	if len(opts) == 0 {
		return writeOptions{}
	}
	o := new(writeOptions) // most writes do without
	for _, opt := range opts {
		opt.apply(o)
	}
	return *o
}

// commandRow is a command's write with its stamps.
func (db *DB) commandRow(ctx context.Context, m *model, kind writeKind, sh *shape, key RowKey, opts []WriteOption) (*row, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	o := writeOptionsOf(opts)
	r := m.newRow(kind, sh, key)
	if err := r.accept(o); err != nil {
		return nil, err
	}
	r.values[slotDiscriminator] = r.arena.text(m.name)
	r.refer = db.refer
	if r.schemaSlot > 0 {
		r.values[r.schemaSlot] = m.schema()
	}
	r.values[slotBy] = stringOrNil(userOf(ctx))
	r.values[slotRegion] = stringOrNil(db.region)
	r.stamp(db.clock.next(key, 0))
	return r, nil
}

// accept takes the options of a command.
func (r *row) accept(o writeOptions) error {
	switch {
	case o.err != nil:
		return o.err
	case o.lane != "":
		return invalid("InLane is for listeners: a command writes the whole row")
	}
	r.cond = o.conds
	if !o.locked {
		return nil
	}
	if r.kind == writeCreate || o.seen.UnixMilli() <= 0 {
		return invalid("IfUnchanged needs a row that is there, and the timestamp that was read from it: %v", o.seen)
	}
	r.expected = o.seen.UnixMilli()
	return nil
}

// bare is the condition of a write that has no attributes.
func (r *row) bare() (parts, error) {
	p := parts{names: map[string]string{}, values: Item{}}
	if r.kind == writePurge {
		p.names["#1"] = attrTimestamp
		r.asRead(&p)
		return p, nil
	}
	p.condition, p.values[nowValue] = r.visible(), number(r.now.Unix())
	p.names["#5"], p.names["#6"] = attrDeleted, attrTTL
	if r.needsKey() {
		p.names[keyAlias] = attrPK
	}
	if !r.needsKey() || r.expected > 0 {
		p.names["#1"] = attrTimestamp
	}
	if r.expected > 0 {
		p.condition = "#1 = " + seenValue + " AND " + p.condition
		p.values[seenValue] = number(r.expected)
	}
	if len(r.cond) == 0 {
		return p, nil
	}
	return p, r.extend(&p, &text{names: p.names})
}

// stamp sets what depends on the time of a command.
func (r *row) stamp(now time.Time) {
	r.now = now
	r.values[slotTimestamp] = r.arena.int(now.UnixMilli())
	switch {
	case r.kind == writeDelete:
		r.values[slotDeleted] = yes()
		r.values[slotTTL] = number(now.Add(deletedFor).Unix())
	case r.retain > 0:
		r.values[slotTTL] = number(now.Add(r.retain).Unix())
	}
}

// command writes until the row's timestamp grows: a row that has a later one than the clock gets the next millisecond after it.
// The stored timestamp comes with the failed condition, so nothing is read.
func (db *DB) command(ctx context.Context, r *row) error {
	if err := db.seal(ctx, r); err != nil {
		return err
	}
	if r.guarded() {
		return db.commitOne(ctx, r)
	}
	pause := newPause()
	for attempt := range maxAttempts {
		in, err := r.input(&db.name)
		if err != nil {
			return err
		}
		_, err = db.client.UpdateItem(ctx, in, r.sending()...)
		if r.accumulates() && refused(err) {
			if err := pause.Wait(ctx); err != nil {
				return err
			}
			continue
		}
		failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			return err
		}
		done, verdict := r.verdict(failed.Item)
		if done {
			return nil
		}
		if mend := db.mend(ctx, r, failed.Item, verdict); mend != nil {
			return mend
		}
		db.log.DebugContext(ctx, "table: row changed meanwhile, trying again", "model", r.name, "attempt", attempt+1)
		r.stamp(db.clock.next(r.key, storedTimestamp(failed.Item)+1))
	}
	return &Error{Err: ErrConflict, again: true}
}

// mend does what a verdict asks for, so that the write can be tried again. The error is what stands in its way.
func (db *DB) mend(ctx context.Context, r *row, stored Item, verdict error) error {
	switch verdict {
	case errOutdated:
		return db.rewrite(ctx, r, stored)
	case errUnseen:
		verdict = db.see(ctx, r, stored)
	}
	if verdict == nil {
		return nil
	}
	return &Error{Model: r.name, Key: r.key, Err: verdict, Current: stored}
}

// accumulates says that making the write twice differs from making it once.
func (r *row) accumulates() bool { return slices.ContainsFunc(r.edits, edit.accumulates) }

// sending keeps the client from repeating a write that must not be made twice, when it did not get the answer to the first.
func (r *row) sending() []func(*dynamodb.Options) {
	if !r.accumulates() {
		return nil
	}
	return []func(*dynamodb.Options){func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }}
}

// refused says that DynamoDB did not try the write, so that it may be sent again.
func refused(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorFault() != smithy.FaultServer && slices.Contains(retryableCodes(), e.ErrorCode())
}

// verdict says why a condition failed: nothing, if only the timestamp was in the way. done says that the row is as this very
// write would leave it: the client may have sent the request twice because the first answer was lost. Create and a write with conditions do not trust
// that, or two callers in one millisecond would both have won; a conditional write whose answer was lost is a conflict.
func (r *row) verdict(stored Item) (done bool, err error) {
	visible := len(stored) > 0 && shown(stored, r.now)
	same := len(stored) > 0 && storedTimestamp(stored) == r.now.UnixMilli()
	switch {
	case r.kind == writeCreate && visible:
		return false, ErrExists
	case (r.kind == writeSave || r.kind == writeDelete || r.kind == writeRestore) && same && r.unconditional() && r.wrote(stored):
		return true, nil
	case (r.kind == writeDelete || r.kind == writeUpdate || r.kind == writeCheck) && !visible, r.kind == writeRestore && !isTrue(stored[attrDeleted]):
		return false, ErrNotFound
	case r.expected > 0 && storedTimestamp(stored) != r.expected:
		return false, ErrConflict
	case r.outdated(stored) != nil:
		return false, r.outdated(stored)
	case r.unseen(stored):
		return false, errUnseen
	case r.kind == writeCheck:
		return false, ErrConflict
	case len(stored) == 0 && len(r.cond) > 0, len(stored) > 0 && storedTimestamp(stored) < r.now.UnixMilli():
		return false, ErrConflict
	}
	return false, nil
}

func (r *row) unconditional() bool { return len(r.cond) == 0 && r.expected == 0 }

// wrote says whether every slot is stored as this write would have it.
func (r *row) wrote(stored Item) bool {
	for i, av := range r.values {
		if !r.keeps(i) && !sameValue(av, stored[r.names[i]]) {
			return false
		}
	}
	return true
}

func storedTimestamp(item Item) int64 {
	n, ok := item[attrTimestamp].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	ms, _ := strconv.ParseInt(n.Value, 10, 64)
	return ms
}

// laneNamed finds the lane that a listener writes.
func (m *model) laneNamed(name idempotence.Lane) (*lanePlan, error) {
	for _, l := range m.lanes {
		if l.name == name {
			return l, nil
		}
	}
	return nil, invalid("%s has no lane %q: add it to the definition with d.Lane", m.name, name)
}

// listenerRow is a listener's write, without fields.
func (db *DB) listenerRow(m *model, key RowKey, ver idempotence.Version, opts []WriteOption) (*row, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	o := writeOptionsOf(opts)
	if o.err != nil {
		return nil, o.err
	}
	if len(o.conds) > 0 || o.locked {
		return nil, invalid("If and IfUnchanged are for commands: a listener's write has no other condition than the lock")
	}
	when := ver.Time()
	if when.IsZero() {
		return nil, invalid("%w", ver.Valid())
	}
	if len(m.uniques) > 0 && o.lane == "" {
		return nil, invalid("%s has unique fields, and a listener's write may not fail: unique fields are for commands", m.name)
	}
	l, err := m.laneNamed(o.lane)
	if err != nil {
		return nil, err
	}
	r := m.newRow(writeListener, &l.shape, key)
	r.refer = db.refer
	if r.schemaSlot > 0 {
		r.values[r.schemaSlot] = m.schema()
	}
	r.values[r.versionSlot()] = r.arena.text(string(ver))
	if l.shape.lane > 0 {
		r.values[laneLatched] = yes()
		return r, nil
	}
	r.values[slotDiscriminator] = r.arena.text(m.name)
	r.values[slotTimestamp] = r.arena.number(millisOf(ver))
	r.values[slotRegion] = stringOrNil(db.region)
	r.values[slotLatched] = r.arena.bool(true)
	return r, nil
}

// millisOf is the timestamp that a version begins with, without a new text.
func millisOf(ver idempotence.Version) string {
	text, _, _ := strings.Cut(string(ver), "#")
	if text = strings.TrimLeft(text, "0"); text == "" {
		return "0"
	}
	return text
}

// remove turns a listener's write into a tombstone. Its time to live counts from now where the event is old: a tombstone that is
// swept at once could not stop the events that it is there to stop.
func (r *row) remove(ver idempotence.Version) {
	if r.lane > 0 {
		r.values[laneDeleted] = yes()
		return
	}
	from := ver.Time()
	if now := time.Now(); now.After(from) {
		from = now
	}
	r.values[slotDeleted] = yes()
	r.values[slotTTL] = number(from.Add(removedFor).Unix())
}

// listen sends a listener's write. A failed lock is old news, and a success.
func (db *DB) listen(ctx context.Context, r *row, ver idempotence.Version) (idempotence.Outcome, error) {
	if err := db.seal(ctx, r); err != nil {
		return 0, err
	}
	in, err := r.input(&db.name)
	if err != nil {
		return 0, err
	}
	if value := r.aliases[r.versionSlot()].value; db.replay {
		in.ConditionExpression = new(strings.Replace(*in.ConditionExpression, " < "+value, " <= "+value, 1))
	}
	_, err = db.client.UpdateItem(ctx, in)
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		if err != nil {
			return 0, err
		}
		return idempotence.Applied, nil
	}
	return r.outcome(failed.Item, ver)
}
