package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// carry gives the Sealed fields of a decoded row their ciphertexts and origins. Other sealed fields stay zero until they are opened.
func (m *model) carry(item Item, rv reflect.Value) error {
	for _, f := range m.sealed {
		ciphertext, err := f.ciphertext(item)
		if err != nil {
			return err
		}
		if !f.seal.carrier || ciphertext == nil {
			continue
		}
		held := insideout.SealedField{Ciphertext: ciphertext}
		if held.Origin, err = m.origin(f, item, rv); err == nil {
			err = f.settable(rv).Addr().Interface().(insideout.Carrier).SetField(held)
		}
		if err != nil {
			return fmt.Errorf("field %s: %w", f.path, err)
		}
	}
	return nil
}

// ciphertext is the attribute of a sealed field; nil if there is none, or plain text that is accepted.
func (f *field) ciphertext(item Item) ([]byte, error) {
	switch av := item[f.attr].(type) {
	case nil, *types.AttributeValueMemberNULL:
		return nil, nil
	case *types.AttributeValueMemberB:
		return av.Value, nil
	default:
		if f.seal.plain {
			return nil, nil
		}
		return nil, fmt.Errorf("field %s: the stored attribute is of type %s, and a sealed value is of type B", f.path, kindOf(av))
	}
}

// openPlain decodes a field that was stored before it was sealed, where the tag accepts that. Images are not opened, and so have none of it.
func (db *DB) openPlain(row *decoded, f *field) error {
	av := row.item[f.attr]
	if _, sealed := av.(*types.AttributeValueMemberB); av == nil || sealed || isNull(av) || !f.seal.plain {
		return nil
	}
	if err := f.seal.text.decode(av, f.settable(row.rv)); err != nil { // the cause may quote the value
		return fmt.Errorf("field %s: the stored plain text, of type %s, is not a %s", f.path, kindOf(av), f.typ)
	}
	if db.plaintext != nil {
		db.plaintext(row.model.name, f.attr)
	}
	return nil
}

// origin is where the stored value of a field was sealed.
func (m *model) origin(f *field, item Item, rv reflect.Value) (insideout.Origin, error) {
	if !f.seal.carried {
		return m.originOf(f, keyOfItem(item), subjectText(m.people[f.seal.whose].value(rv))), nil
	}
	attr := m.envelopeOf(m.indexOf(f))
	envelope, _ := item[attr].(*types.AttributeValueMemberM)
	if envelope == nil {
		envelope = &types.AttributeValueMemberM{}
	}
	entry, ok := envelope.Value[f.attr].(*types.AttributeValueMemberM)
	if !ok {
		return insideout.Origin{}, fmt.Errorf("attribute %q does not say where the value was sealed", attr)
	}
	text := func(name string) string { return textOf(entry.Value[name]) }
	return insideout.Origin{Subject: text("subject"), Model: text("model"), ID: text("id"), Field: text("field"), Class: text("class")}, nil
}

// decoded is a row on its way to be opened: rv is its struct.
type decoded struct {
	model *model
	item  Item
	rv    reflect.Value
	// shut are the attributes that could not be opened, by the reason.
	shut map[error][]string
}

// opening is one sealed field of a decoded row.
type opening struct {
	row *decoded
	*field
}

// open opens the sealed fields of rows in one call. A value of which the key was destroyed or may not be used is the zero value. Without an
// opener, whoever is lenient gets zero values, too.
func (db *DB) open(ctx context.Context, rows []decoded, lenient bool) error {
	var fields []insideout.SealedField
	var places []opening
	for i := range rows {
		row := &rows[i]
		var err error
		if row.item, err = row.model.upgraded(row.item); err != nil {
			return row.fail(err)
		}
		for _, f := range row.model.sealed {
			if err := db.openPlain(row, f); err != nil {
				return row.fail(err)
			}
			ciphertext, err := f.ciphertext(row.item)
			if err != nil || ciphertext == nil {
				continue // decoding has complained
			}
			if db.opener == nil && !f.seal.carrier && !lenient {
				return row.fail(invalid("field %s is sealed: give the DB an Opener, or make the field an insideout.Sealed, which carries its ciphertext", f.path))
			}
			origin, err := row.model.origin(f, row.item, row.rv)
			if err != nil {
				return row.fail(fmt.Errorf("field %s: %w", f.path, err))
			}
			fields, places = append(fields, insideout.SealedField{Origin: origin, Ciphertext: ciphertext}), append(places, opening{row, f})
		}
	}
	if db.opener == nil || len(fields) == 0 {
		return nil
	}
	if err := db.opener.Open(ctx, fields); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	for i, f := range fields {
		if err := places[i].put(f); err != nil {
			return places[i].row.fail(err)
		}
	}
	return nil
}

func (d *decoded) fail(err error) error { return d.model.fail("open", keyOfItem(d.item), err) }

// put moves an opened value into its field.
func (o opening) put(f insideout.SealedField) error {
	for _, outcome := range []error{insideout.ErrShredded, insideout.ErrRestricted} {
		if errors.Is(f.Err, outcome) {
			if o.row.shut == nil {
				o.row.shut = map[error][]string{}
			}
			o.row.shut[outcome] = append(o.row.shut[outcome], o.attr)
		}
	}
	into := o.settable(o.row.rv).Addr().Interface()
	if carrier, ok := into.(insideout.Carrier); ok {
		return carrier.SetField(f)
	}
	if f.Err != nil || f.Plaintext == nil {
		return nil
	}
	if err := json.Unmarshal(f.Plaintext, into); err != nil { // the cause may quote the value
		return fmt.Errorf("field %s: the sealed value is not a %s", o.path, o.typ)
	}
	return nil
}

// decodeAll decodes rows of the model, and opens them in one call. The result is a []T.
func (m *model) decodeAll(ctx context.Context, db *DB, items []Item) (any, error) {
	list := reflect.MakeSlice(m.slice, len(items), len(items))
	if err := m.decodeInto(ctx, db, items, list); err != nil {
		return nil, err
	}
	return list.Interface(), nil
}

// decodeInto is decodeAll for a slice that is there already.
func (m *model) decodeInto(ctx context.Context, db *DB, items []Item, list reflect.Value) error {
	for i, item := range items {
		s, err := m.decode(item)
		if err != nil {
			return err
		}
		list.Index(i).Set(s.rv)
		s.giveBack()
	}
	if len(m.sealed) == 0 {
		return nil
	}
	rows := make([]decoded, len(items))
	for i := range items {
		rows[i] = decoded{model: m, item: items[i], rv: list.Index(i)}
	}
	return db.open(ctx, rows, false)
}

// DecodeOpen is Decode with what is sealed opened by o, in one call for all rows. A field whose key was destroyed or may not be used is zero.
//
//go:noinline
func (e *entity[T]) DecodeOpen(ctx context.Context, o insideout.Opener, items ...Item) ([]T, error) {
	list, err := e.m.decodeAll(ctx, &DB{opener: o}, items)
	values, _ := list.([]T)
	return values, err
}

// untype makes a yield of entities one of pointers to them: nil, which comes with an error, is a zero entity.
//
//go:noinline
func untype[T any](yield func(T, error) bool) func(pointer any, err error) bool {
	return func(pointer any, err error) bool {
		v, _ := pointer.(*T)
		if v == nil {
			v = new(T)
		}
		return yield(*v, err)
	}
}

// sealedChunk is how many rows a loop opens in one call.
const sealedChunk = 100

// chunk is how many rows a loop decodes at a time.
func (m *model) chunk(db *DB) int {
	if len(m.sealed) == 0 || db == nil || db.opener == nil {
		return 1
	}
	return sealedChunk
}

// inChunks hands on n rows at a time. What came before an error comes first.
func inChunks(rows iter.Seq2[Item, error], n int) iter.Seq2[[]Item, error] {
	return func(yield func([]Item, error) bool) {
		var chunk []Item
		for item, err := range rows {
			if err == nil {
				chunk = append(chunk, item)
			}
			if (err != nil || len(chunk) == n) && len(chunk) > 0 {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}

// openRow opens a row that was decoded for a write of it: what may not be opened now would be lost.
func (db *DB) openRow(ctx context.Context, m *model, item Item, rv reflect.Value) error {
	if len(m.sealed) == 0 {
		return nil
	}
	rows := []decoded{{model: m, item: item, rv: rv}}
	if err := db.open(ctx, rows, false); err != nil {
		return err
	}
	if shut := rows[0].shut[insideout.ErrRestricted]; len(shut) > 0 {
		return fmt.Errorf("attributes %q: %w", shut, insideout.ErrRestricted)
	}
	return nil
}
