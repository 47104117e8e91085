package table

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// attrSealed is a text that a reseal makes anew whenever it writes a row, so that the stream's readers can tell such a change from a fact.
const attrSealed = "_sealed"

// Resealed reports whether the change of a row, from before to the one that m was read from, moved its sealed fields to other keys and did
// nothing else: it is no fact to be published. See DB.Sealed.
func (m Meta) Resealed(before Item) bool {
	return m.sealed != "" && len(before) > 0 && m.sealed != textOf(before[attrSealed])
}

// Sealed are the rows of models with their sealed fields, for the Reseal of a crypto.Sealer: after a key was rotated, or to seal what was plain
// text (`seal:"contact,plain"`). One walk serves several models, since DynamoDB reads, and bills, the whole table each time.
//
//	progress, err := sealer.Reseal(ctx, db.Sealed(Customers, Orders), cursor, nil)
//
// A page is one request, of 1 MB of rows at most, read consistently; deleted and expired rows are among them. A row is written by a conditional update of its sealed fields
// alone, so that no writer loses anything: its timestamp, its versions and its time to live stay, and package cdc publishes nothing, where the stream has old images. Whoever
// has read a row before and saves it afterwards, with an insideout.Sealed in it, brings the older ciphertext back, for another run.
//
// The DB needs neither Sealer nor Opener. A cursor holds the key of a row, and works in every process.
func (db *DB) Sealed(models ...Definition) insideout.SealedRows {
	w := &sealedRows{db: db, err: db.opened()}
	for _, d := range models {
		if missing(d) || len(d.definition().sealed) == 0 {
			w.err = errors.Join(w.err, invalid("Sealed: %s has no sealed fields", nameOf(d)))
			continue
		}
		w.models = append(w.models, d.definition())
	}
	if len(models) == 0 {
		w.err = errors.Join(w.err, invalid("Sealed: there are no models"))
	}
	return w
}

func nameOf(d Definition) string {
	if missing(d) {
		return "a model that is nil"
	}
	return strconv.Quote(d.Name())
}

// sealedRows walks the table. It has no state but the models.
type sealedRows struct {
	db     *DB
	models []*model
	err    error
}

// sealedKey is the key of an insideout.SealedRow: the row as it was read, and its fields in the same order.
type sealedKey struct {
	*model
	item   Item
	fields []*field
}

// Page implements insideout.SealedRows.
func (w *sealedRows) Page(ctx context.Context, cursor string) (rows []insideout.SealedRow, next string, err error) {
	in, err := w.scanInput(cursor)
	if err != nil {
		return nil, "", err
	}
	out, err := w.db.client.Scan(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("table: reseal: %w", err)
	}
	for _, item := range out.Items {
		for _, m := range w.models {
			if !m.holds(item) {
				continue
			}
			row, err := m.sealedRow(item)
			if err != nil { // one row holds up no other
				origin := m.originOf(m.sealed[0], keyOfItem(item), "")
				row.Fields = []insideout.SealedField{{Origin: origin, Err: m.fail("reseal", keyOfItem(item), err)}}
			}
			if len(row.Fields) > 0 {
				rows = append(rows, row)
			}
		}
	}
	if len(out.LastEvaluatedKey) > 0 {
		key, _ := json.Marshal(keyOfItem(out.LastEvaluatedKey)) // two texts
		next = base64.RawURLEncoding.EncodeToString(key)
	}
	return rows, next, nil
}

func (w *sealedRows) scanInput(cursor string) (*dynamodb.ScanInput, error) {
	if w.err != nil {
		return nil, w.err
	}
	consistent := true
	in := &dynamodb.ScanInput{
		TableName: &w.db.name, ConsistentRead: &consistent,
		ExpressionAttributeNames: map[string]string{"#0": attrDiscriminator}, ExpressionAttributeValues: Item{},
	}
	var list []string
	for i, m := range w.models {
		alias := ":" + strconv.Itoa(i)
		list, in.ExpressionAttributeValues[alias] = append(list, alias), &types.AttributeValueMemberS{Value: m.name}
	}
	filter := "#0 IN (" + strings.Join(list, ", ") + ") OR attribute_not_exists(#0)"
	in.FilterExpression = &filter
	if cursor == "" {
		return in, nil
	}
	var key RowKey
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil || key.PK == "" || key.SK == "" {
		return nil, invalid("the cursor of the reseal is none that an earlier one gave")
	}
	in.ExclusiveStartKey = key.Item()
	return in, nil
}

// holds is matches for rows in every state: also those of which only named lanes were written yet.
func (m *model) holds(item Item) bool {
	if m.matches(item) {
		return true
	}
	sk := textOf(item[attrSK])
	return m.keys == nil && !owned(item) && (m.owner == nil && sk == m.name || m.owner != nil && strings.HasPrefix(sk, m.role+delimiter))
}

// sealedRow finds the sealed fields of a row.
func (m *model) sealedRow(item Item) (insideout.SealedRow, error) {
	rv := reflect.New(m.goType).Elem()
	if err := m.decodeRow(item, rv); err != nil {
		return insideout.SealedRow{}, err
	}
	now, err := m.upgraded(item)
	if err != nil {
		return insideout.SealedRow{}, err
	}
	key := sealedKey{model: m, item: item}
	row := insideout.SealedRow{}
	for _, f := range m.sealed {
		if !sameValue(item[f.attr], now[f.attr]) {
			return row, invalid("field %s is made by an upgrade: Save the row first, which writes it in the model's version, and sealed", f.path)
		}
		if av := item[f.attr]; av == nil || isNull(av) {
			continue
		}
		held, err := m.sealedField(f, item, rv)
		if err != nil {
			return row, fmt.Errorf("field %s: %w", f.path, err)
		}
		key.fields, row.Fields = append(key.fields, f), append(row.Fields, held)
	}
	row.Key = key
	return row, nil
}

// sealedField is one of a row's fields as it is stored.
func (m *model) sealedField(f *field, item Item, rv reflect.Value) (held insideout.SealedField, err error) {
	if held.Ciphertext, err = f.ciphertext(item); err != nil {
		return held, err
	}
	if held.Origin, err = m.origin(f, item, rv); err != nil {
		return held, err
	}
	switch {
	case f.seal.carried: // whose it is stands beside it
	case held.Origin.Subject == "" && !owned(item): // the lane that says whose it is has not been written yet
		return insideout.SealedField{Origin: held.Origin}, nil
	case held.Origin.Subject == "":
		held.Err = invalid("field %s, which names the subject whose key seals it, is empty", m.people[f.seal.whose].goPath)
	case held.Ciphertext == nil:
		held.Plaintext, held.Err = f.plaintext(item[f.attr])
	}
	return held, nil
}

// plaintext is what would be sealed, had the stored value been.
func (f *field) plaintext(av types.AttributeValue) ([]byte, error) {
	v := reflect.New(f.typ).Elem()
	if err := f.seal.text.decode(av, v); err != nil { // the cause may quote the value
		return nil, fmt.Errorf("the stored plain text, of type %s, is not a %s", kindOf(av), f.typ)
	}
	return plainJSON(v.Interface())
}

// Replace implements insideout.SealedRows.
func (w *sealedRows) Replace(ctx context.Context, row insideout.SealedRow) (bool, error) {
	key, ok := row.Key.(sealedKey)
	if w.err != nil {
		return false, w.err
	}
	if !ok || len(row.Fields) != len(key.fields) {
		return false, invalid("Replace takes a row that Page gave, with all of its fields")
	}
	in := key.replacement(row.Fields)
	if in == nil {
		return true, nil
	}
	in.TableName = &w.db.name
	_, err := w.db.client.UpdateItem(ctx, in)
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return textOf(failed.Item[attrSealed]) == textOf(in.ExpressionAttributeValues[":new"]), nil // the client sends again what got no answer
	}
	return err == nil, key.fail("reseal", keyOfItem(key.item), err)
}

// replacement is the request for those fields that have another ciphertext now; nil if there are none.
func (k sealedKey) replacement(fields []insideout.SealedField) *dynamodb.UpdateItemInput {
	names, values := map[string]string{"#new": attrSealed}, Item{}
	var sets, conds []string
	for i, f := range fields {
		was := k.item[k.fields[i].attr]
		if old, _ := was.(*types.AttributeValueMemberB); len(f.Ciphertext) == 0 || old != nil && bytes.Equal(old.Value, f.Ciphertext) {
			continue
		}
		n := strconv.Itoa(i)
		names["#"+n], values[":"+n], values[":o"+n] = k.fields[i].attr, &types.AttributeValueMemberB{Value: f.Ciphertext}, was
		sets, conds = append(sets, "#"+n+" = :"+n), append(conds, "#"+n+" = :o"+n)
		values[":new"] = &types.AttributeValueMemberS{Value: hex.EncodeToString(f.Ciphertext[len(f.Ciphertext)-tagSize:])}
		if k.fields[i].seal.carried {
			names["#e"+n], names["#key"], values[":k"+n] = k.envelopeOf(k.indexOf(k.fields[i])), "key", &types.AttributeValueMemberS{Value: f.KeyID()}
			sets = append(sets, "#e"+n+".#"+n+".#key = :k"+n)
		}
	}
	if len(sets) == 0 {
		return nil
	}
	update, cond := "SET "+strings.Join(sets, ", ")+", #new = :new", strings.Join(conds, " AND ")
	return &dynamodb.UpdateItemInput{
		Key: keyOfItem(k.item).Item(), UpdateExpression: &update, ConditionExpression: &cond,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// tagSize is the size of the tag at the end of a ciphertext: random to whoever has no key, and different in every one.
const tagSize = 16
