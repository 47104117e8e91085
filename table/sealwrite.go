package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// spot is the place of a value to be sealed in a row: a slot, or the value of an edit.
type spot struct {
	*unsealed
	at *types.AttributeValue
}

func (r *row) spots() []spot {
	var list []spot
	for i := range r.values {
		if u, ok := r.values[i].(*unsealed); ok {
			list = append(list, spot{u, &r.values[i]})
		}
	}
	for i := range r.edits {
		if u, ok := r.edits[i].value.(*unsealed); ok {
			list = append(list, spot{u, &r.edits[i].value})
		}
	}
	return list
}

// seal replaces what is to be sealed by its ciphertext, in one call of the sealer. A row that has been sealed stays as it is.
func (db *DB) seal(ctx context.Context, r *row) error {
	if len(r.sealed) == 0 {
		return nil
	}
	spots := r.spots()
	if len(spots) == 0 {
		return r.allSealed()
	}
	if r.kind == writeUpdate {
		if err := db.learnSubject(ctx, r); err != nil {
			return err
		}
	}
	if err := db.sealSpots(ctx, r, spots); err != nil {
		return err
	}
	for _, s := range spots {
		*s.at = &types.AttributeValueMemberB{Value: s.field.Ciphertext}
	}
	r.envelop(spots)
	if err := db.probe(ctx, r); err != nil {
		return err
	}
	return r.allSealed()
}

// sealSpots seals what has no ciphertext yet, and checks where the others come from.
func (db *DB) sealSpots(ctx context.Context, r *row, spots []spot) error {
	var fresh []insideout.SealedField
	var to []*unsealed
	for _, s := range spots {
		about := r.about[s.of.seal.whose]
		own := r.originOf(s.of, r.key, about)
		switch f := &s.field; {
		case about == "" && (f.Ciphertext == nil || !s.of.seal.carried):
			return invalid("field %s is sealed with the key of the row's subject, and field %s, which names it, is empty", s.of.path, r.people[s.of.seal.whose].goPath)
		case f.Ciphertext == nil:
			f.Origin = own
			fresh, to = append(fresh, *f), append(to, s.unsealed)
		case f.Origin == own || s.of.seal.carried && f.Origin != (insideout.Origin{}):
		case s.of.seal.carried:
			return invalid("field %s holds a ciphertext of unknown origin, which nobody could open", s.of.path)
		default:
			return invalid("field %s holds a ciphertext that was made for another row or field: Seal the value anew, or tag the field `seal:\"%s,carried\"`", s.of.path, s.of.seal.class)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if db.sealer == nil {
		return invalid("field %s is to be sealed, and the DB has no Sealer: a sealed field is never stored as plain text", to[0].of.path)
	}
	if err := db.sealer.Seal(ctx, fresh); err != nil {
		return fmt.Errorf("sealing: %w", err)
	}
	for i, f := range fresh {
		if len(f.Ciphertext) == 0 {
			return fmt.Errorf("field %s: the Sealer made no ciphertext", to[i].of.path)
		}
		to[i].field.Ciphertext = f.Ciphertext
	}
	return nil
}

// envelop writes where the ciphertexts of carried fields were made.
func (r *row) envelop(spots []spot) {
	for _, s := range spots {
		if !s.of.seal.carried {
			continue
		}
		attr := r.envelopeOf(r.indexOf(s.of))
		for i, name := range r.names {
			if name != attr {
				continue
			}
			m, ok := r.values[i].(*types.AttributeValueMemberM)
			if !ok {
				m = &types.AttributeValueMemberM{Value: Item{}}
				r.values[i] = m
			}
			m.Value[s.of.attr] = entryOf(s.field)
		}
	}
}

func (m *model) indexOf(f *field) int {
	for i := range m.all {
		if m.all[i].attr == f.attr {
			return i
		}
	}
	return -1
}

// entryOf is what eem says of one carried field. The key is there for those who look for what a key seals.
func entryOf(f insideout.SealedField) types.AttributeValue {
	m := Item{}
	for name, text := range map[string]string{
		"subject": f.Origin.Subject, "model": f.Origin.Model, "id": f.Origin.ID, "field": f.Origin.Field, "class": f.Origin.Class, "key": f.KeyID(),
	} {
		if text != "" {
			m[name] = &types.AttributeValueMemberS{Value: text}
		}
	}
	return &types.AttributeValueMemberM{Value: m}
}

// acceptSealed says which changes an update can make to sealed fields, and to the subject whose key seals them.
func (r *row) acceptSealed(h *handle, op editOp) error {
	switch {
	case len(r.sealed) == 0:
		return nil
	case slices.ContainsFunc(r.people, func(p *person) bool { return overlap(h.attrs, p.attrs) }):
		return invalid("field %s is the subject of the row, with whose key its sealed fields are sealed: Save the whole row", h.goPath)
	case h.field.seal == nil:
		return nil
	case h.field.seal.carried:
		return invalid("field %s carries a ciphertext whose origin is stored beside it: write the whole row, or its lane", h.goPath)
	case op > editRemove:
		return h.refuseSealed()
	}
	return nil
}

// learnSubject finds whose keys seal the fields of an update: the subjects are in the key of the row, or have to be read. Then the update goes through
// only if they are still the same.
func (db *DB) learnSubject(ctx context.Context, r *row) error {
	rv := reflect.New(r.goType).Elem()
	if err := r.decodeKey(r.key, rv); err != nil {
		return err
	}
	names, projection := map[string]string{"#k": attrPK}, "#k"
	for i, p := range r.people {
		if p.place == inAttribute {
			alias := "#" + strconv.Itoa(i)
			names[alias], projection = p.attrs[0], projection+", "+alias
		}
	}
	if len(names) > 1 {
		consistent := true
		out, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &db.name, Key: r.key.Item(), ConsistentRead: &consistent,
			ProjectionExpression: &projection, ExpressionAttributeNames: names,
		})
		if err != nil {
			return err
		}
		if len(out.Item) == 0 {
			return ErrNotFound
		}
		if err := decodeFields(r.all, out.Item, rv); err != nil {
			return err
		}
		r.ifSubjectsAre(rv)
	}
	r.identify(rv)
	return nil
}

// ifSubjectsAre lets an update through only if the row is about the same people still.
func (r *row) ifSubjectsAre(rv reflect.Value) {
	for ptr, h := range r.handles {
		for _, p := range r.people {
			if h == p.handle && p.place == inAttribute {
				r.cond = append(r.cond, Cond{op: opEq, field: ptr, values: []any{p.value(rv).Interface()}})
			}
		}
	}
}

var errPlain = errors.New("table: a value that is to be sealed got past the sealer")

// allSealed is the last guard of a request: whatever goes wrong above, a sealed field is stored as a ciphertext or not at all.
func (r *row) allSealed() error {
	if len(r.sealed) == 0 {
		return nil
	}
	for n, i := range r.fields {
		if r.all[i].seal != nil && !stored(r.values[r.first+n]) {
			return errPlain
		}
	}
	for _, e := range r.edits {
		if e.handle.field != nil && e.handle.field.seal != nil && !stored(e.value) {
			return errPlain
		}
	}
	return nil
}

func stored(av types.AttributeValue) bool {
	_, sealed := av.(*types.AttributeValueMemberB)
	return av == nil || sealed
}

// constant is the value of a slot as repetitions of the write have it: a ciphertext differs every time.
func (r *row) constant(slot int) types.AttributeValue {
	if n := slot - r.first; n < len(r.fields) && r.all[r.fields[n]].seal != nil {
		return anyCiphertext()
	}
	return r.values[slot]
}

func anyCiphertext() types.AttributeValue { return &types.AttributeValueMemberB{} }
