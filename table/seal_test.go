package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Patient has a sealed field of every kind.
type Patient struct {
	ID      string
	Name    string                   `dynamo:"name"`
	Person  string                   `dynamo:"person"`
	Email   insideout.Sealed[string] `dynamo:"email" seal:"contact"`
	Phone   string                   `dynamo:"phone" seal:"contact"`
	Visits  int                      `dynamo:"visits,omitempty" seal:"health"`
	Home    Address                  `dynamo:"home,omitempty" seal:"contact"`
	Referer insideout.Sealed[string] `dynamo:"referer" seal:"contact,carried"`
}

type Note2 struct {
	PatientID, ID string
	Text          string `dynamo:"text" seal:"health"`
}

type File struct {
	Patient Patient
	Notes   []Note2
}

var (
	Patients = table.DefineNode("patient", func(p *Patient, d *table.Def[Patient]) {
		d.ID(&p.ID)
		d.Subject(&p.Person)
	})
	Note2s = table.DefineEdge("note2", "notes2", func(n *Note2, d *table.Def[Note2]) {
		d.Owner(&n.PatientID)
		d.ID(&n.ID)
		d.Subject(&n.PatientID)
	})
	Files = table.DefineAggregate(
		table.Root(Patients, func(f *File) *Patient { return &f.Patient }),
		table.Many(Note2s, func(f *File) *[]Note2 { return &f.Notes }),
	)
)

// vault is a sealer that remembers what it sealed instead of encrypting it.
type vault struct {
	mu           sync.Mutex
	sealed       map[string]insideout.SealedField
	shut         map[string]error // subjects whose key is not to be had
	seals, opens int
	err          error
}

func newVault() *vault {
	return &vault{sealed: map[string]insideout.SealedField{}, shut: map[string]error{}}
}

func (v *vault) Seal(ctx context.Context, fields []insideout.SealedField) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seals++
	if err := errors.Join(ctx.Err(), v.err); err != nil {
		return err
	}
	for i := range fields {
		if err := v.shut[fields[i].Origin.Subject]; err != nil {
			return err
		}
		fields[i].Ciphertext = fmt.Appendf(nil, "\x01%044d", len(v.sealed))
		v.sealed[string(fields[i].Ciphertext)] = fields[i]
	}
	return nil
}

func (v *vault) Open(ctx context.Context, fields []insideout.SealedField) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opens++
	faults := []error{ctx.Err(), v.err}
	for i := range fields {
		f := &fields[i]
		known, ok := v.sealed[string(f.Ciphertext)]
		switch {
		case !ok || known.Origin != f.Origin:
			f.Err = fmt.Errorf("%v was moved or changed", *f)
			faults = append(faults, f.Err)
		case v.shut[f.Origin.Subject] != nil:
			f.Err = v.shut[f.Origin.Subject]
		default:
			f.Plaintext = known.Plaintext
		}
	}
	return errors.Join(faults...)
}

// withVault is a DB of the same table that seals and opens with v, where it is given.
func withVault(t *testing.T, client table.Client, name string, s insideout.Sealer, o insideout.Opener) *table.DB {
	t.Helper()
	db, err := table.Open(client, name, &table.Options{Sealer: s, Opener: o})
	require.NoError(t, err)
	return db
}

func patient() Patient {
	return Patient{
		ID: "p1", Name: "Ann", Person: "7", Email: insideout.Seal("ann@example.com"), Phone: "555-1234", Visits: 3, Home: Address{City: "Bern"},
	}
}

// secrets are the values that must be nowhere in a row.
var secrets = []string{"ann@example.com", "555-1234", "Bern"}

func rawRow(t *testing.T, client table.Client, db *table.DB, key table.RowKey) table.Item {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new(db.Name()), Key: key.Item()})
	require.NoError(t, err)
	return out.Item
}

func TestSealedFieldsAreSealedInRows(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx := t.Context()
		require.NoError(t, Patients.Save(ctx, db, patient()))
		require.Equal(t, 1, v.seals, "one call a row")
		row := rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
		for _, attr := range []string{"email", "phone", "visits", "home"} {
			require.IsType(t, &types.AttributeValueMemberB{}, row[attr], attr)
		}
		require.NotContains(t, row, "referer")
		require.NotContains(t, row, "eem")
		for _, secret := range secrets {
			require.NotContains(t, fmt.Sprint(itemJSON(row)), secret)
		}

		got, err := Patients.Get(ctx, db, "p1")
		require.NoError(t, err)
		require.Equal(t, 1, v.opens)
		require.Equal(t, "ann@example.com", got.Email.RevealOr(""))
		require.Equal(t, "555-1234", got.Phone)
		require.Equal(t, 3, got.Visits)
		require.Equal(t, Address{City: "Bern"}, got.Home)

		before := row["email"]
		require.NoError(t, Patients.Save(ctx, db, got))
		row = rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
		require.Equal(t, before, row["email"], "a Sealed that was read is written as it is")
	})
}

func TestEveryWriteSeals(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx, f := t.Context(), Patients.F
		as := func(id string) Patient { p := patient(); p.ID = id; return p }
		ver := version(t)
		require.NoError(t, Patients.Create(ctx, db, as("create")))
		require.NoError(t, second(Patients.Upsert(ctx, db, as("upsert"), ver)))
		require.NoError(t, db.Batch(ctx, Patients.Put(as("batch"))))
		require.NoError(t, db.Transact(ctx, Patients.Put(as("put")), Patients.CreateOp(as("createop"))))
		for range 2 {
			require.NoError(t, db.TransactOnce(ctx, "token", Patients.Put(as("once"))), "the ciphertext of the second call differs")
		}
		require.NoError(t, Patients.Save(ctx, db, as("update")))
		require.NoError(t, Patients.Update(ctx, db, "update", table.Set(&f.Phone, "555-9999"), table.Set(&f.Email, insideout.Seal("new@example.com"))))
		require.NoError(t, Patients.Save(ctx, db, as("updateop")))
		require.NoError(t, db.Transact(ctx, Patients.UpdateOp("updateop", table.Set(&f.Phone, "555-8888"))))
		require.NoError(t, Note2s.Save(ctx, db, Note2{"p1", "a|b", "secret"}))
		for id, phone := range map[string]string{
			"create": "555-1234", "upsert": "555-1234", "batch": "555-1234", "put": "555-1234", "createop": "555-1234", "once": "555-1234",
			"update": "555-9999", "updateop": "555-8888",
		} {
			require.IsType(t, &types.AttributeValueMemberB{}, rawRow(t, e, db, table.RowKey{PK: id, SK: "patient"})["phone"], id)
			got, err := Patients.Get(ctx, db, id)
			require.NoError(t, err, id)
			require.Equal(t, phone, got.Phone, id)
		}
		note, err := Note2s.Get(ctx, db, table.Of("p1", "a|b"))
		require.NoError(t, err)
		require.Equal(t, "secret", note.Text)

		require.NoError(t, Patients.Update(ctx, db, "update", table.Remove(&f.Phone)))
		got, err := Patients.Get(ctx, db, "update")
		require.NoError(t, err)
		require.Empty(t, got.Phone)
		require.Equal(t, "new@example.com", got.Email.RevealOr(""))
	})
}

func TestReadsOpenOncePerPage(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx := t.Context()
		var ids []table.ID
		for i := range 5 {
			p := patient()
			p.ID, p.Person = fmt.Sprint("p", i), fmt.Sprint(i)
			ids = append(ids, p.ID)
			require.NoError(t, Patients.Save(ctx, db, p))
			require.NoError(t, Note2s.Save(ctx, db, Note2{"p0", fmt.Sprint(i), "secret"}))
		}
		opens := func(what string, n int, read func() error) {
			v.opens = 0
			require.NoError(t, read(), what)
			require.Equal(t, n, v.opens, what)
		}
		opens("batch get", 1, func() error { return second(Patients.BatchGet(ctx, db, ids)) })
		opens("page", 1, func() error {
			page, err := Note2s.Of("p0").Page(ctx, db)
			require.Len(t, page.Items, 5)
			require.Equal(t, "secret", page.Items[4].Text)
			return err
		})
		opens("all", 1, func() error { return all(Note2s.Of("p0"))(ctx, db) })
		opens("scan", 1, func() error {
			n := 0
			for p, err := range Patients.Scan(ctx, db, 1) {
				require.NoError(t, err)
				require.Equal(t, "555-1234", p.Phone)
				n++
			}
			require.Equal(t, 5, n)
			return nil
		})
		opens("aggregate", 1, func() error {
			file, err := Files.Get(ctx, db, "p0")
			require.Equal(t, "555-1234", file.Patient.Phone)
			require.Equal(t, "secret", file.Notes[4].Text)
			return err
		})
		opens("count", 0, func() error { return second(Note2s.Of("p0").Count(ctx, db)) })
	})
}

func TestShreddedAndRestrictedFieldsAreZero(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx := t.Context()
		require.NoError(t, Patients.Save(ctx, db, patient()))
		for outcome, of := range map[error]func(table.Meta) []string{
			insideout.ErrShredded:   func(m table.Meta) []string { return m.Shredded },
			insideout.ErrRestricted: func(m table.Meta) []string { return m.Restricted },
		} {
			v.shut["7"] = outcome
			got, meta, err := Patients.GetMeta(ctx, db, "p1")
			require.NoError(t, err)
			require.Equal(t, []string{"email", "phone", "visits", "home"}, of(meta))
			require.Zero(t, got.Phone)
			_, err = got.Email.Reveal()
			require.ErrorIs(t, err, outcome)
			require.Equal(t, "Ann", got.Name)
			require.ErrorIs(t, Patients.Save(ctx, db, patient()), outcome, "a late write about somebody whose key is shut")
		}
	})
}

func TestCarriedFieldsTravelWithTheirOrigin(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		name := create(t, e, Patients, Note2s).Name()
		db, blind := withVault(t, e, name, v, v), withVault(t, e, name, nil, nil)
		ctx := t.Context()
		require.NoError(t, Patients.Save(ctx, db, patient()))
		image, err := Patients.Decode(rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"}))
		require.NoError(t, err)
		require.Zero(t, image.Phone, "an image is not opened")

		view := Patient{ID: "p2", Person: "8", Referer: image.Email}
		outcome, err := Patients.Upsert(ctx, blind, view, version(t))
		require.NoError(t, err, "who carries needs no sealer")
		require.Equal(t, idempotence.Applied, outcome)
		require.Equal(t, map[string]any{"M": map[string]any{"referer": map[string]any{"M": map[string]any{
			"subject": map[string]any{"S": "7"}, "model": map[string]any{"S": "patient"}, "id": map[string]any{"S": "p1"},
			"field": map[string]any{"S": "email"}, "class": map[string]any{"S": "contact"}, "key": map[string]any{"S": strings.Repeat("30", 16)},
		}}}}, dynamoJSON(rawRow(t, e, db, table.RowKey{PK: "p2", SK: "patient"})["eem"]))

		carried, err := Patients.Get(ctx, blind, "p2")
		require.NoError(t, err)
		_, err = carried.Referer.Reveal()
		require.ErrorIs(t, err, insideout.ErrSealed)
		opened, err := Patients.Get(ctx, db, "p2")
		require.NoError(t, err)
		require.Equal(t, "ann@example.com", opened.Referer.RevealOr(""))
		require.NoError(t, Patients.Save(ctx, blind, carried), "what was carried is written as it is")

		require.ErrorContains(t, Patients.Save(ctx, db, Patient{ID: "p3", Person: "8", Email: image.Email}), "field Email holds a ciphertext that was made for another row")
		require.NoError(t, Patients.Save(ctx, db, Patient{ID: "p2", Person: "8"}))
		require.NotContains(t, rawRow(t, e, db, table.RowKey{PK: "p2", SK: "patient"}), "eem")
	})
}

func TestSealingRefuses(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		name := create(t, e, Patients, Note2s).Name()
		db, blind := withVault(t, e, name, v, v), withVault(t, e, name, nil, nil)
		ctx, f := t.Context(), Patients.F
		require.NoError(t, Patients.Save(ctx, db, patient()))
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		stranger := patient()
		stranger.Person = ""
		for want, err := range map[string]error{
			"the DB has no Sealer":                   Patients.Save(ctx, blind, patient()),
			"give the DB an Opener":                  second(Patients.Get(ctx, blind, "p1")),
			"context canceled":                       Patients.Save(canceled, db, patient()),
			"field Person, which names it, is":       Patients.Save(ctx, db, stranger),
			"field Phone is sealed: DynamoDB has":    Patients.Update(ctx, db, "p1", table.Set(&f.Name, "x"), table.If(table.Eq(&f.Phone, "555-1234"))),
			"field Email is sealed: DynamoDB has":    all(Patients.List().Where(table.Ne(&f.Email, insideout.Seal("x"))))(ctx, db),
			"field Visits is sealed: DynamoDB has":   Patients.Update(ctx, db, "p1", table.Add(&f.Visits, 1)),
			"with whose key its sealed fields":       Patients.Update(ctx, db, "p1", table.Set(&f.Person, "8")),
			"field Referer carries a ciphertext":     Patients.Update(ctx, db, "p1", table.Remove(&f.Referer)),
			"does not point to a field of":           Patients.Update(ctx, db, "p1", table.Set(&f.Home.City, "Basel")),
			"not found":                              Patients.Update(ctx, db, "nobody", table.Set(&f.Phone, "1")),
			"field Text: the stored attribute is of": plainText(t, e, db),
		} {
			require.ErrorContains(t, err, want)
			for _, secret := range secrets {
				require.NotContains(t, err.Error(), secret)
			}
		}
		require.ErrorContains(t, blind.Transact(ctx, Patients.Put(patient())), "the DB has no Sealer")
		require.ErrorContains(t, blind.Batch(ctx, Patients.Put(patient())), "the DB has no Sealer")
		n, err := Patients.List().Where(table.Exists(&f.Phone)).Count(ctx, db)
		require.NoError(t, err, "whether there is a value is no secret")
		require.Equal(t, 1, n)

		v.err = errors.New("the key service is away")
		require.ErrorIs(t, Patients.Save(ctx, db, patient()), v.err)
		require.ErrorIs(t, second(Patients.Get(ctx, db, "p1")), v.err)
		require.NotErrorIs(t, Patients.Save(ctx, db, patient()), table.ErrInvalid)
	})
}

// plainText reads a row in which a sealed field is plain text.
func plainText(t *testing.T, client table.Client, db *table.DB) error {
	item := table.RowKey{PK: "p9", SK: "notes2|1"}.Item()
	item["discriminator"], item["text"] = &types.AttributeValueMemberS{Value: "note2"}, &types.AttributeValueMemberS{Value: "plain"}
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(db.Name()), Item: item})
	require.NoError(t, err)
	return second(Note2s.Get(t.Context(), db, table.Of("p9", "1")))
}

func TestMovedCiphertextsDoNotOpen(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		db := withVault(t, e, create(t, e, Patients, Note2s).Name(), v, v)
		ctx := t.Context()
		require.NoError(t, Patients.Save(ctx, db, patient()))
		item := rawRow(t, e, db, table.RowKey{PK: "p1", SK: "patient"})
		item["email"], item["phone"] = item["phone"], item["email"]
		_, err := e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(db.Name()), Item: item})
		require.NoError(t, err)
		_, err = Patients.Get(ctx, db, "p1")
		require.ErrorContains(t, err, "was moved or changed")
	})
}
