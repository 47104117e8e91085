package table

import (
	"context"
	"reflect"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
)

// Model is what nodes and edges have in common. *Node and *Edge meet it.
type Model[T any] interface {
	// Name is the discriminator: the prefix of the types of the model's events.
	Name() string

	// Save writes the whole entity, as a command: who and when are stamped, the latch and the tombstone are cleared, so that the
	// change is published. Attributes of the row that are not the model's are left as they are. The row's timestamp always grows, also where clocks disagree.
	// A sealed field that is empty removes a stored value only if the DB can open that: see Options.Opener.
	Save(ctx context.Context, db *DB, v T, opts ...WriteOption) error
	// Create is Save for a row that must not exist (or be deleted or expired): ErrExists otherwise.
	Create(ctx context.Context, db *DB, v T, opts ...WriteOption) error
	// Delete marks the row as deleted and lets it live on for 11 days, with its last state. ErrNotFound if there is none.
	Delete(ctx context.Context, db *DB, id ID, opts ...WriteOption) error
	// Get reads one row, consistently unless Eventual is given: ErrNotFound if there is none, or it is deleted or expired.
	Get(ctx context.Context, db *DB, id ID, opts ...ReadOption) (T, error)

	// Upsert writes the entity, or one lane of it, as a listener does: if ver is greater than the stored version, every attribute of
	// the lane is replaced, else nothing happens. Stale and duplicate events are outcomes, not errors. The row is latched, so
	// that it is not published again. One request, no read.
	Upsert(ctx context.Context, db *DB, v T, ver idempotence.Version, opts ...WriteOption) (idempotence.Outcome, error)
	// Remove leaves a tombstone under the same lock. It may come before any Upsert. The tombstone lives for 33 days.
	Remove(ctx context.Context, db *DB, id ID, ver idempotence.Version, opts ...WriteOption) (idempotence.Outcome, error)

	// Put is Save for DB.Batch and DB.Transact.
	Put(v T, opts ...WriteOption) Op
	// RowKey is the key of the row that v is stored in.
	RowKey(v T) (RowKey, error)
	// KeyOf is the key of the row that id names.
	KeyOf(id ID) (RowKey, error)
	// Matches says whether a row is one of this model's, by its discriminator and key.
	Matches(item Item) bool
	// Decode reads an entity from a row, for instance from an image of the change stream. It does not ask whether the row is deleted. Nothing is
	// opened: an insideout.Sealed carries its ciphertext, and other sealed fields are zero.
	Decode(item Item) (T, error)
	// DecodeOpen is Decode with what is sealed opened by o, in one call for all rows.
	DecodeOpen(ctx context.Context, o insideout.Opener, items ...Item) ([]T, error)

	definition() *model
}

// entity carries the methods of Node and Edge that take or return a T. The compiler makes each of them anew for every model, with three wrappers, so they only move
// a value into a scratch or out of one: the rest is done by the model, whose methods are compiled once. They, and what of untyped, def and Query is short, are not inlined,
// for that would mostly be into wrappers that nobody calls.
type entity[T any] struct {
	// F names fields in queries and conditions: f := Orders.F; table.Eq(&f.Status, "OPEN"). It holds no values; do not write to it.
	F *T

	m *model
}

// untyped carries the other methods of Node and Edge.
type untyped struct{ model *model }

func (u *untyped) definition() *model { return u.model }

// Name is the discriminator.
func (u *untyped) Name() string { return u.model.name }

// fail gives an error its place.
func (m *model) fail(op string, key RowKey, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*Error); ok && inner.Op == "" {
		inner.Op, inner.Model, inner.Key = op, m.name, key
		return inner
	}
	return &Error{Op: op, Model: m.name, Key: key, Err: err}
}

// Save writes the whole entity, as a command. See Model.
//
//go:noinline
func (e *entity[T]) Save(ctx context.Context, db *DB, v T, opts ...WriteOption) error {
	return e.m.write(ctx, db, "save", writeSave, hold(e.m, &v), opts)
}

// Create is Save for a row that must not exist: ErrExists otherwise. See Model.
//
//go:noinline
func (e *entity[T]) Create(ctx context.Context, db *DB, v T, opts ...WriteOption) error {
	return e.m.write(ctx, db, "create", writeCreate, hold(e.m, &v), opts)
}

func (m *model) write(ctx context.Context, db *DB, op string, kind writeKind, s *scratch, opts []WriteOption) error {
	r, err := m.commandRow(ctx, db, kind, s, opts)
	if err != nil {
		return m.fail(op, RowKey{}, err)
	}
	defer r.release()
	return m.fail(op, r.key, db.command(ctx, r))
}

func (m *model) commandRow(ctx context.Context, db *DB, kind writeKind, s *scratch, opts []WriteOption) (*row, error) {
	defer s.giveBack()
	key, err := m.keyOf(s)
	if err != nil {
		return nil, err
	}
	r, err := db.commandRow(ctx, m, kind, &m.command, key, opts)
	if err != nil {
		return nil, err
	}
	return r, r.fillFrom(s)
}

// Delete marks the row as deleted. See Model.
//
//go:noinline
func (u *untyped) Delete(ctx context.Context, db *DB, id ID, opts ...WriteOption) error {
	return u.model.mark(ctx, db, "delete", writeDelete, id, opts)
}

// Restore takes back a Delete, as long as the row is there: ErrNotFound if it is not, or is not deleted.
//
//go:noinline
func (u *untyped) Restore(ctx context.Context, db *DB, id ID, opts ...WriteOption) error {
	return u.model.mark(ctx, db, "restore", writeRestore, id, opts)
}

func (m *model) mark(ctx context.Context, db *DB, op string, kind writeKind, id ID, opts []WriteOption) error {
	key, err := m.keyOfID(id)
	if err != nil {
		return m.fail(op, key, err)
	}
	r, err := db.commandRow(ctx, m, kind, &m.system, key, opts)
	if err != nil {
		return m.fail(op, key, err)
	}
	return m.fail(op, key, db.command(ctx, r))
}

// Upsert writes the entity under the inverse lock, as a listener does. See Model.
//
//go:noinline
func (e *entity[T]) Upsert(ctx context.Context, db *DB, v T, ver idempotence.Version, opts ...WriteOption) (idempotence.Outcome, error) {
	return e.m.upsert(ctx, db, hold(e.m, &v), ver, opts)
}

func (m *model) upsert(ctx context.Context, db *DB, s *scratch, ver idempotence.Version, opts []WriteOption) (idempotence.Outcome, error) {
	defer s.giveBack()
	key, err := m.keyOf(s)
	if err != nil {
		return 0, m.fail("upsert", key, err)
	}
	if db.withholds(m, key, s.rv, ver) {
		return idempotence.Withheld, nil
	}
	r, err := db.listenerRow(m, key, ver, opts)
	if err != nil {
		return 0, m.fail("upsert", key, err)
	}
	if r.lane == 0 && m.retain > 0 {
		r.values[slotTTL] = number(ver.Time().Add(m.retain).Unix())
	}
	if err := r.fillFrom(s); err != nil {
		return 0, m.fail("upsert", key, err)
	}
	defer r.release()
	outcome, err := db.listen(ctx, r, ver)
	return outcome, m.fail("upsert", key, err)
}

// Remove leaves a tombstone under the inverse lock. See Model.
func (u *untyped) Remove(ctx context.Context, db *DB, id ID, ver idempotence.Version, opts ...WriteOption) (idempotence.Outcome, error) {
	key, err := u.model.keyOfID(id)
	if err != nil {
		return 0, u.model.fail("remove", key, err)
	}
	r, err := db.listenerRow(u.model, key, ver, opts)
	if err != nil {
		return 0, u.model.fail("remove", key, err)
	}
	r.remove(ver)
	if err := r.setSubjectOfKey(); err != nil {
		return 0, u.model.fail("remove", key, err)
	}
	outcome, err := db.listen(ctx, r, ver)
	return outcome, u.model.fail("remove", key, err)
}

// RowKey is the key of the row that v is stored in.
//
//go:noinline
func (e *entity[T]) RowKey(v T) (RowKey, error) { return e.m.rowKey(hold(e.m, &v)) }

func (m *model) rowKey(s *scratch) (RowKey, error) {
	defer s.giveBack()
	key, err := m.keyOf(s)
	return key, m.fail("key of", key, err)
}

// KeyOf is the key of the row that id names.
func (u *untyped) KeyOf(id ID) (RowKey, error) {
	key, err := u.model.keyOfID(id)
	return key, u.model.fail("key of", key, err)
}

// Matches says whether a row is one of this model's.
func (u *untyped) Matches(item Item) bool { return u.model.matches(item) }

// Decode reads an entity from a row, whether it is deleted or not. Nothing is opened: an insideout.Sealed carries its ciphertext, and other
// sealed fields are zero.
//
//go:noinline
func (e *entity[T]) Decode(item Item) (v T, err error) {
	s, err := e.m.decode(item)
	take(s, &v)
	return v, err
}

func (m *model) decodeRow(item Item, rv reflect.Value) error {
	item, err := m.upgraded(item)
	if err != nil {
		return err
	}
	if err := decodeFields(m.all, item, rv); err != nil {
		return err
	}
	if err := m.decodeKey(keyOfItem(item), rv); err != nil {
		return err
	}
	return m.carry(item, rv)
}

// Node is the model of an entity with a partition of its own.
type Node[T any] struct {
	entity[T]
	untyped
}

// Edge is the model of an entity that belongs to a node, in the node's partition.
type Edge[T any] struct {
	entity[T]
	untyped
}

// NewNode defines a node, or returns every mistake of the definition at once. The name is the discriminator: it is
// stored in rows and starts the types of events, so it outlives the Go type's.
func NewNode[T any](name string, fn func(v *T, d *Def[T])) (*Node[T], error) {
	e, err := define(name, "", false, fn)
	if err != nil {
		return nil, err
	}
	return &Node[T]{e, untyped{e.m}}, nil
}

// DefineNode is NewNode for package variables: it panics with the mistakes.
func DefineNode[T any](name string, fn func(v *T, d *Def[T])) *Node[T] {
	n, err := NewNode(name, fn)
	if err != nil {
		panic(err)
	}
	return n
}

// NewEdge defines an edge, or returns every mistake of the definition at once. The role is the beginning of the sort
// key, and says what the edges are to their owner: "lines".
func NewEdge[T any](name, role string, fn func(v *T, d *Def[T])) (*Edge[T], error) {
	e, err := define(name, role, true, fn)
	if err != nil {
		return nil, err
	}
	return &Edge[T]{e, untyped{e.m}}, nil
}

// DefineEdge is NewEdge for package variables: it panics with the mistakes.
func DefineEdge[T any](name, role string, fn func(v *T, d *Def[T])) *Edge[T] {
	e, err := NewEdge(name, role, fn)
	if err != nil {
		panic(err)
	}
	return e
}
