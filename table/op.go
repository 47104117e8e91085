package table

import (
	"context"
	"iter"
	"reflect"
	"time"
)

// Op is one operation of a Transact or a Batch. Models make them: Orders.Put(order), Orders.UpdateOp("42", table.Set(&f.Status, "PAID")).
type Op struct {
	model *model
	key   RowKey
	kind  writeKind
	plain bool // without options: for Batch as well
	build func(ctx context.Context, db *DB) (*row, error)
	err   error
}

// Key is the row that the operation is about.
func (o Op) Key() RowKey { return o.key }

// Reason is what stood in the way of this operation, from the error of the Transact that it was part of: nil if it was another one
// that did. ErrExists, ErrNotFound and ErrConflict mean what they mean for a command.
func (o Op) Reason(err error) error {
	for e := range errorsIn(err) {
		if e.Key == o.key && o.model != nil && e.Model == o.model.name {
			return e
		}
	}
	return nil
}

// errorsIn are all of this package's errors that an error joins or wraps, the outer ones first.
func errorsIn(err error) iter.Seq[*Error] {
	return func(yield func(*Error) bool) { walkErrors(err, yield) }
}

func walkErrors(err error, yield func(*Error) bool) bool {
	if e, ok := err.(*Error); ok && !yield(e) {
		return false
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !walkErrors(one, yield) {
				return false
			}
		}
	case interface{ Unwrap() error }:
		return walkErrors(e.Unwrap(), yield)
	}
	return true
}

// Put is Save for DB.Batch, which takes no options, and DB.Transact.
//
//go:noinline
func (e *entity[T]) Put(v T, opts ...WriteOption) Op {
	return e.m.whole("put", writeSave, hold(e.m, &v), opts)
}

// CreateOp is Create for DB.Transact.
//
//go:noinline
func (e *entity[T]) CreateOp(v T, opts ...WriteOption) Op {
	return e.m.whole("create", writeCreate, hold(e.m, &v), opts)
}

// whole is the operation that writes a value. It keeps a copy until it is built.
func (m *model) whole(op string, kind writeKind, s *scratch, opts []WriteOption) Op {
	defer s.giveBack()
	v := reflect.New(m.goType).Elem()
	v.Set(s.rv)
	key, err := m.keyOf(s)
	return m.op(op, kind, key, err, len(opts) == 0, func(ctx context.Context, db *DB) (*row, error) {
		r, err := db.commandRow(ctx, m, kind, &m.command, key, opts)
		if err != nil {
			return nil, err
		}
		s := m.borrow()
		defer s.giveBack()
		s.rv.Set(v)
		return r, r.fillFrom(s)
	})
}

func (m *model) op(name string, kind writeKind, key RowKey, err error, plain bool, build func(context.Context, *DB) (*row, error)) Op {
	return Op{model: m, key: key, kind: kind, err: m.fail(name, key, err), plain: plain, build: func(ctx context.Context, db *DB) (*row, error) {
		r, err := build(ctx, db)
		return r, m.fail(name, key, err)
	}}
}

// DeleteOp is Delete for DB.Transact.
//
//go:noinline
func (u *untyped) DeleteOp(id ID, opts ...WriteOption) Op {
	return u.model.marking("delete", writeDelete, id, opts)
}

// RestoreOp is Restore for DB.Transact.
//
//go:noinline
func (u *untyped) RestoreOp(id ID, opts ...WriteOption) Op {
	return u.model.marking("restore", writeRestore, id, opts)
}

func (m *model) marking(op string, kind writeKind, id ID, opts []WriteOption) Op {
	key, err := m.keyOfID(id)
	return m.op(op, kind, key, err, false, func(ctx context.Context, db *DB) (*row, error) {
		return db.commandRow(ctx, m, kind, &m.system, key, opts)
	})
}

// UpdateOp is Update for DB.Transact.
func (u *untyped) UpdateOp(id ID, changes ...Change) Op {
	key, err := u.model.keyOfID(id)
	return u.model.op("update", writeUpdate, key, err, false, func(ctx context.Context, db *DB) (*row, error) {
		return u.model.updating(ctx, db, key, changes)
	})
}

// CheckOp changes nothing: DB.Transact goes through only if readers see the row (ErrNotFound) and it meets the options, If and IfUnchanged
// (ErrConflict).
func (u *untyped) CheckOp(id ID, opts ...WriteOption) Op {
	key, err := u.model.keyOfID(id)
	return u.model.op("check", writeCheck, key, err, false, func(context.Context, *DB) (*row, error) {
		r := u.model.newRow(writeCheck, &u.model.system, key)
		r.now = time.Now()
		return r, r.accept(writeOptionsOf(opts))
	})
}

// row is the operation as a command.
func (o Op) row(ctx context.Context, db *DB) (*row, error) {
	if o.model == nil {
		return nil, invalid("an Op is empty: make it with Put and its like")
	}
	if o.err != nil {
		return nil, o.err
	}
	r, err := o.build(ctx, db)
	if err == nil {
		err = o.model.fail("seal", o.key, db.seal(ctx, r))
	}
	return r, err
}

// plainRow is the operation for a Batch, which has no conditions and replaces whole rows.
func (o Op) plainRow(ctx context.Context, db *DB) (*row, error) {
	r, err := o.row(ctx, db)
	switch {
	case err != nil:
		return nil, err
	case o.kind != writeSave || !o.plain:
		return nil, o.model.fail("batch", o.key, invalid("a Batch has no conditions, and takes Put without options: use Transact"))
	case len(o.model.uniques) > 0:
		return nil, o.model.fail("batch", o.key, invalid("the model has unique fields, and a Batch has no conditions to keep them so: use Transact"))
	}
	return r, nil
}

// Current is the row as it stood when a condition failed, decoded, deleted or not: from the error of a command on this model, or of a
// transaction in which it took part. ok is false if the error has none.
//
//go:noinline
func (e *entity[T]) Current(err error) (v T, meta Meta, ok bool) {
	s := e.m.current(err, &meta)
	take(s, &v)
	return v, meta, s != nil
}

func (m *model) current(err error, meta *Meta) *scratch {
	for failed := range errorsIn(err) {
		if len(failed.Current) == 0 || !m.matches(failed.Current) {
			continue
		}
		known, err := ReadMeta(failed.Current)
		if err != nil {
			break
		}
		s, err := m.decoded(failed.Current)
		if err != nil {
			break
		}
		*meta = known
		return s
	}
	return nil
}
