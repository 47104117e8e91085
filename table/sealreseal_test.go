package table_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Visitor is a view with a named lane, which may be written before anybody knows whose the row is.
type Visitor struct {
	ID     string
	Person string                   `dynamo:"person"`
	Email  insideout.Sealed[string] `dynamo:"email" seal:"contact,carried"`
	Badge  string                   `dynamo:"badge" seal:"contact"`
	Photo  insideout.Sealed[string] `dynamo:"photo" seal:"contact,carried"`
}

var Visitors = table.DefineNode("visitor", func(v *Visitor, d *table.Def[Visitor]) {
	d.ID(&v.ID)
	d.Subject(&v.Person)
	d.Lane("door", &v.Badge, &v.Photo)
})

// resealAll gives every field of every row another ciphertext, as crypto does, and counts.
func resealAll(t *testing.T, rows insideout.SealedRows, v *vault) (seen, written, left int) {
	t.Helper()
	ctx := t.Context()
	for cursor := ""; ; {
		page, next, err := rows.Page(ctx, cursor)
		require.NoError(t, err)
		for _, row := range page {
			seen += len(row.Fields)
			for i := range row.Fields {
				f := &row.Fields[i]
				require.NoError(t, f.Err)
				if f.Plaintext == nil && f.Ciphertext == nil {
					continue
				}
				if f.Plaintext == nil {
					require.NoError(t, v.Open(ctx, row.Fields[i:i+1]))
				}
				require.NoError(t, v.Seal(ctx, row.Fields[i:i+1]))
			}
			done, err := rows.Replace(ctx, row)
			require.NoError(t, err)
			if done {
				written++
			} else {
				left++
			}
		}
		if cursor = next; cursor == "" {
			return seen, written, left
		}
	}
}

func TestSealedRowsOfEveryKind(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		bare := create(t, e, Patients, Note2s, Guests, Visitors)
		ctx, db := t.Context(), withVault(t, e, bare.Name(), v, v)
		require.NoError(t, Patients.Save(ctx, db, patient()))
		require.NoError(t, Patients.Save(ctx, db, Patient{ID: "p2", Person: "8", Phone: "555-2222"}))
		require.NoError(t, Patients.Delete(ctx, db, "p2"))
		require.NoError(t, Patients.Save(ctx, db, Patient{ID: "p3", Person: "9"}), "it has nothing to reseal")
		require.NoError(t, Note2s.Save(ctx, db, Note2{"p1", "a|b", "secret"}))
		require.NoError(t, BareGuests.Save(ctx, bare, BareGuest{ID: "g1", Person: "7", Phone: "555-1234", Visits: new(3), Labels: []string{"vip"}}))
		held, err := Patients.Get(ctx, db, "p1")
		require.NoError(t, err)
		visitor := Visitor{ID: "v1", Person: "7", Email: held.Email, Badge: "b-1", Photo: held.Email}
		require.NoError(t, second(Visitors.Upsert(ctx, db, visitor, version(t), table.InLane("door"))))
		seen, written, left := resealAll(t, bare.Sealed(Visitors), v)
		require.Equal(t, []int{2, 1, 0}, []int{seen, written, left}, "the badge waits for the lane that says whose it is")
		require.NoError(t, second(Visitors.Upsert(ctx, db, visitor, version(t))))

		keys := []table.RowKey{{PK: "p1", SK: "patient"}, {PK: "p2", SK: "patient"}, {PK: "p1", SK: "notes2|a|b"}, {PK: "g1", SK: "guest"}, {PK: "v1", SK: "visitor"}}
		keys[2], err = Note2s.KeyOf(table.Of("p1", "a|b"))
		require.NoError(t, err)
		var before []table.Item
		for _, key := range keys {
			before = append(before, rawRow(t, e, db, key))
		}
		seen, written, left = resealAll(t, bare.Sealed(Patients, Note2s, Guests, Visitors), v)
		require.Equal(t, []int{4 + 1 + 1 + 3 + 3, 5, 0}, []int{seen, written, left})
		for i, key := range keys {
			requireMoved(t, before[i], rawRow(t, e, db, key))
		}
		got, err := Patients.Get(ctx, db, "p1")
		require.NoError(t, err)
		require.Equal(t, "ann@example.com", got.Email.RevealOr(""))
		require.Equal(t, Address{City: "Bern"}, got.Home)
		require.NoError(t, Patients.Restore(ctx, db, "p2"))
		got, err = Patients.Get(ctx, db, "p2")
		require.NoError(t, err)
		require.Equal(t, "555-2222", got.Phone)
		guest, err := Guests.Get(ctx, db, "g1")
		require.NoError(t, err)
		require.Equal(t, Guest{ID: "g1", Person: "7", Phone: "555-1234", Visits: new(3), Labels: []string{"vip"}}, guest)
		now, err := Visitors.Get(ctx, db, "v1")
		require.NoError(t, err)
		require.Equal(t, []string{"ann@example.com", "b-1", "ann@example.com"}, []string{now.Email.RevealOr(""), now.Badge, now.Photo.RevealOr("")})
	})
}

// requireMoved wants nothing to differ but the ciphertexts, the keys that they name, and the mark.
func requireMoved(t *testing.T, before, after table.Item) {
	t.Helper()
	meta, err := table.ReadMeta(after)
	require.NoError(t, err)
	require.True(t, meta.Resealed(before))
	require.False(t, meta.Resealed(nil), "a stream without old images does not tell")
	require.False(t, meta.Resealed(after))
	sealed := 0
	for attr, av := range after {
		switch now := av.(type) {
		case *types.AttributeValueMemberB:
			require.NotEqual(t, before[attr], now, attr)
			sealed++
		case *types.AttributeValueMemberM: // eem
			for field, entry := range now.Value {
				ciphertext, _ := after[field].(*types.AttributeValueMemberB)
				m, _ := entry.(*types.AttributeValueMemberM)
				require.Equal(t, &types.AttributeValueMemberS{Value: insideout.SealedField{Ciphertext: ciphertext.Value}.KeyID()}, m.Value["key"])
				require.Len(t, m.Value, 6)
			}
		default:
			if attr != "_sealed" {
				require.Equal(t, before[attr], av, attr)
			}
		}
	}
	require.Positive(t, sealed)
	for attr := range before {
		require.Contains(t, after, attr)
	}
}

func TestAResealLosesNoWrite(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx, f := t.Context(), Patients.F
		rows := db.Sealed(Patients)
		read := func() insideout.SealedRow {
			require.NoError(t, Patients.Save(ctx, db, patient()))
			page, _, err := rows.Page(ctx, "")
			require.NoError(t, err)
			for i := range page[0].Fields {
				require.NoError(t, v.Open(ctx, page[0].Fields[i:i+1]))
				require.NoError(t, v.Seal(ctx, page[0].Fields[i:i+1]))
			}
			return page[0]
		}
		for name, tc := range map[string]struct {
			write func() error
			done  bool
		}{
			"the same field":    {func() error { return Patients.Update(ctx, db, "p1", table.Set(&f.Phone, "555-9999")) }, false},
			"it is removed":     {func() error { return Patients.Update(ctx, db, "p1", table.Remove(&f.Phone)) }, false},
			"the whole row":     {func() error { return Patients.Save(ctx, db, patient()) }, false},
			"another field":     {func() error { return Patients.Update(ctx, db, "p1", table.Set(&f.Name, "Bea")) }, true},
			"a soft delete":     {func() error { return Patients.Delete(ctx, db, "p1") }, true},
			"the row is gone":   {func() error { return purge(ctx, e, db, "p1") }, false},
			"nobody in between": {func() error { return nil }, true},
		} {
			row := read()
			require.NoError(t, tc.write(), name)
			before := rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
			done, err := rows.Replace(ctx, row)
			require.NoError(t, err, name)
			require.Equal(t, tc.done, done, name)
			after := rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
			if !tc.done {
				require.Equal(t, before, after, name)
				continue
			}
			requireMoved(t, before, after)
			done, err = rows.Replace(ctx, row)
			require.NoError(t, err)
			require.True(t, done, "the same again, since the answer was lost")
			require.Equal(t, after, rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"}))
		}
	})
}

func purge(ctx context.Context, e endpoint, db *table.DB, id string) error {
	_, err := e.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: new(db.Name()), Key: table.RowKey{PK: id, SK: "patient"}.Item()})
	return err
}

// small gives pages of three rows.
type small struct{ endpoint }

func (s small) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.Limit = new(int32(3))
	return s.endpoint.Scan(ctx, in, o...)
}

func TestSealedRowsComeInPages(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, small{e}, create(t, e, Patients, Note2s).Name(), v, v)
		want := map[string]bool{}
		for i := range 20 {
			id := fmt.Sprint(i, "/ü|#")
			want[id] = true
			require.NoError(t, Patients.Save(t.Context(), db, Patient{ID: id, Person: "7", Phone: "1"}))
			require.NoError(t, Note2s.Save(t.Context(), db, Note2{id, "1", "x"}))
		}
		pages := 0
		for cursor := ""; cursor != "" || pages == 0; pages++ {
			again := withVault(t, small{e}, db.Name(), nil, nil) // another process each time
			page, next, err := again.Sealed(Patients).Page(t.Context(), cursor)
			require.NoError(t, err)
			for _, row := range page {
				found := false
				for id := range want {
					if key, err := Patients.KeyOf(id); err == nil && key.PK == row.Fields[0].Origin.ID {
						delete(want, id)
						found = true
					}
				}
				require.True(t, found, "once each")
			}
			cursor = next
		}
		require.Empty(t, want)
		require.GreaterOrEqual(t, pages, 14)
	})
}

func TestSealedRowsRefuse(t *testing.T) {
	t.Parallel()
	e, v := embedded.New(nil), newVault()
	bare := create(t, e, Patients, Guests, Customers)
	ctx, db := t.Context(), withVault(t, e, bare.Name(), v, v)
	for text, rows := range map[string]insideout.SealedRows{
		"there are no models":               db.Sealed(),
		`"customer" has no sealed fields`:   db.Sealed(Patients, Customers),
		"a model that is nil has no sealed": db.Sealed(nil),
		"is none that an earlier one gave":  db.Sealed(Patients),
	} {
		_, _, err := rows.Page(ctx, "x")
		require.ErrorIs(t, err, table.ErrInvalid)
		require.ErrorContains(t, err, text)
	}
	_, err := db.Sealed(Patients).Replace(ctx, insideout.SealedRow{Key: 3})
	require.ErrorContains(t, err, "a row that Page gave")

	require.NoError(t, BareGuests.Save(ctx, bare, BareGuest{ID: "whose", Phone: "555-1234"}))
	require.NoError(t, BareGuests.Save(ctx, bare, BareGuest{ID: "wrong", Person: "7", Phone: "555-1234"}))
	row := rawRow(t, e, db, table.RowKey{PK: "wrong", SK: "guest"})
	row["visits"] = &types.AttributeValueMemberS{Value: "555-1234"}
	_, err = e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(db.Name()), Item: row})
	require.NoError(t, err)
	require.NoError(t, Patients.Save(ctx, db, patient()))
	row = rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
	row["phone"] = &types.AttributeValueMemberS{Value: "555-1234"}
	_, err = e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(db.Name()), Item: row})
	require.NoError(t, err)
	page, _, err := db.Sealed(Guests, Patients).Page(ctx, "")
	require.NoError(t, err)
	var faults []error
	for _, row := range page {
		for _, f := range row.Fields {
			faults = append(faults, f.Err)
		}
	}
	all := errors.Join(faults...)
	for _, text := range []string{
		"field Person, which names the subject whose key seals it, is empty",
		"the stored plain text, of type S, is not a *int",
		`reseal patient "p1" "patient"`, "field Phone: the stored attribute is of type S, and a sealed value is of type B",
	} {
		require.ErrorContains(t, all, text)
	}
	require.NotContains(t, all.Error(), "555-1234")
}

// What an upgrade makes is not in the row, and is not resealed as if it were.
func TestSealedRowsOfOlderVersions(t *testing.T) {
	t.Parallel()
	type first struct {
		ID, Person string
		Tel        string `dynamo:"tel"`
		Name       string `dynamo:"name"`
	}
	type now struct {
		ID, Person string
		Phone      string `dynamo:"phone" seal:"contact,plain"`
		Name       string `dynamo:"name" seal:"contact,plain"`
	}
	old := table.DefineNode("contact", func(c *first, d *table.Def[first]) { d.ID(&c.ID) })
	model := table.DefineNode("contact", func(c *now, d *table.Def[now]) {
		d.ID(&c.ID)
		d.Subject(&c.Person)
		d.Upgrades(func(row table.Item) error {
			if tel, ok := row["tel"]; ok {
				row["phone"] = tel
				delete(row, "tel")
			}
			return nil
		})
	})
	e, v := embedded.New(nil), newVault()
	bare := create(t, e, model)
	db := withVault(t, e, bare.Name(), v, v)
	require.NoError(t, old.Save(t.Context(), bare, first{ID: "1", Person: "7", Name: "Ann"}))
	seen, written, _ := resealAll(t, db.Sealed(model), v)
	require.Equal(t, []int{1, 1}, []int{seen, written}, "an attribute that no upgrade touches")
	require.NoError(t, old.Save(t.Context(), bare, first{ID: "2", Person: "7", Tel: "555-1234"}))
	page, _, err := db.Sealed(model).Page(t.Context(), "")
	require.NoError(t, err)
	var faults []error
	for _, row := range page {
		faults = append(faults, row.Fields[0].Err)
	}
	require.ErrorContains(t, errors.Join(faults...), "field Phone is made by an upgrade: Save the row first")
}
