package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// A sealed field that could not be opened is the zero value in what was read, and a Save of that would remove, or replace, what is stored. So a command that
// writes a whole row with such a zero value goes through only if nothing is stored there, or if the DB can open what is: then whoever read it has seen it.

// blind is a sealed field of which a row has the zero value.
type blind struct {
	*field
	slot int
	seen types.AttributeValue // the stored value that could be opened, or nil
	sent types.AttributeValue // what the last request had for seen
}

// findBlind looks for sealed fields with a zero value. A Sealed is not among them, since it keeps its ciphertext. Create has not read a row, and a
// listener's write is a function of its event.
func (r *row) findBlind(rv reflect.Value) {
	if r.kind != writeSave {
		return
	}
	for n, i := range r.fields {
		f := &r.all[i]
		if f.seal == nil || f.seal.carrier {
			continue
		}
		if v := f.value(rv); !v.IsValid() || v.IsZero() || nothing(v) {
			r.blind = append(r.blind, blind{field: f, slot: r.first + n})
		}
	}
}

// probe takes fields off the list of which the new ciphertext can be opened: the stored one could be, too.
func (db *DB) probe(ctx context.Context, r *row) error {
	var fields []insideout.SealedField
	for _, b := range r.blind {
		if av, ok := r.values[b.slot].(*types.AttributeValueMemberB); ok && db.opener != nil {
			fields = append(fields, insideout.SealedField{Origin: r.originOf(b.field, r.key, r.about[b.seal.whose]), Ciphertext: av.Value})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	if err := db.opener.Open(ctx, fields); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	r.blind = slices.DeleteFunc(r.blind, func(b blind) bool {
		return slices.ContainsFunc(fields, func(f insideout.SealedField) bool { return f.Origin.Field == b.attr && f.Err == nil })
	})
	return nil
}

// notBlind is the condition that nothing is lost that could not be opened.
func (r *row) notBlind(p *parts) {
	for n := range r.blind {
		b := &r.blind[n]
		name := r.aliases[b.slot].name
		text := "attribute_not_exists(" + name + ")"
		if b.sent = b.seen; b.seen != nil {
			value := ":b" + strconv.Itoa(n)
			text = "(" + text + " OR " + name + " = " + value + ")"
			p.values[value] = b.seen
		}
		p.condition = text + " AND (" + p.condition + ")"
	}
}

// errUnseen: a row has a value that the write would remove, and that was not opened yet.
var errUnseen = errors.New("table: the row has a value that could not be opened")

// unseen says whether the row that stopped a write has such a value.
func (r *row) unseen(stored Item) bool {
	return slices.ContainsFunc(r.blind, func(b blind) bool { return stored[b.attr] != nil && !sameValue(stored[b.attr], b.sent) })
}

// see opens the stored values that a write would remove, so that the next attempt may. What readers do not see anyway is not missed.
func (db *DB) see(ctx context.Context, r *row, stored Item) error {
	if shown(stored, r.now) {
		if err := db.mayRemove(ctx, r, stored); err != nil {
			return err
		}
	}
	for i := range r.blind {
		r.blind[i].seen = stored[r.blind[i].attr]
	}
	return nil
}

func (db *DB) mayRemove(ctx context.Context, r *row, stored Item) error {
	rows := []decoded{{model: r.model, item: stored, rv: reflect.New(r.goType).Elem()}}
	if err := r.decodeRow(stored, rows[0].rv); err != nil {
		return err
	}
	if err := db.open(ctx, rows, true); err != nil {
		return err
	}
	for _, b := range r.blind {
		_, sealed := stored[b.attr].(*types.AttributeValueMemberB)
		switch {
		case sealed && db.opener == nil:
			return invalid("field %s is empty, and the row has a value that a DB without an Opener has not seen: %s", b.path, insteadOfSave)
		case slices.Contains(rows[0].shut[insideout.ErrRestricted], b.attr):
			return fmt.Errorf("field %s is empty, and the row has a value that may not be opened, so that it was empty when it was read: %s: %w",
				b.path, insteadOfSave, insideout.ErrRestricted)
		}
	}
	return nil
}

const insteadOfSave = "Update the other fields, or Remove this one by an Update"

// seeAll is see for rows that will be written without a condition.
func (db *DB) seeAll(ctx context.Context, rows []*row) error {
	var keys []RowKey
	for _, r := range rows {
		if len(r.blind) > 0 {
			keys = append(keys, r.key)
		}
	}
	found, err := db.batchGet(ctx, keys, true)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if stored := found[r.key]; r.unseen(stored) {
			if err := db.see(ctx, r, stored); err != nil {
				return r.fail("batch", r.key, err)
			}
		}
	}
	return nil
}
