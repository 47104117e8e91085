package table_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Sheet has plain sealed fields alone. The zero score is a value that is sealed; an empty remark is no attribute.
type Sheet struct {
	ID, Person string
	Title      string `dynamo:"title"`
	Remark     string `dynamo:"remark" seal:"health"`
	Score      int    `dynamo:"score" seal:"health"`
}

var Sheets = table.DefineNode("sheet", func(s *Sheet, d *table.Def[Sheet]) {
	d.ID(&s.ID)
	d.Subject(&s.Person)
})

// shutOpener opens nothing, for the reason that it is.
type shutOpener struct{ reason error }

func (o shutOpener) Open(_ context.Context, fields []insideout.SealedField) error {
	for i := range fields {
		fields[i].Err = o.reason
	}
	return nil
}

func TestWhatCouldNotBeOpenedIsNotRemoved(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		name := create(t, e, Sheets).Name()
		db, clerk := withVault(t, e, name, v, v), withVault(t, e, name, v, shutOpener{insideout.ErrRestricted})
		ctx, f, key := t.Context(), Sheets.F, table.RowKey{PK: "s1", SK: "sheet"}
		want := Sheet{"s1", "7", "first", "broken leg", 9}
		require.NoError(t, Sheets.Save(ctx, db, want))
		before := rawRow(t, e, db, key)

		read, meta, err := Sheets.GetMeta(ctx, clerk, "s1")
		require.NoError(t, err)
		require.Equal(t, Sheet{ID: "s1", Person: "7", Title: "first"}, read)
		read.Title = "second"
		for what, err := range map[string]error{
			"save":      Sheets.Save(ctx, clerk, read),
			"if":        Sheets.Save(ctx, clerk, read, table.If(table.Eq(&f.Title, "first"))),
			"unchanged": Sheets.Save(ctx, clerk, read, table.IfUnchanged(meta.Timestamp)),
			"transact":  clerk.Transact(ctx, Sheets.Put(read)),
			"batch":     clerk.Batch(ctx, Sheets.Put(read)),
			"one zero":  Sheets.Save(ctx, clerk, Sheet{ID: "s1", Person: "7", Remark: "healed"}),
		} {
			require.ErrorIs(t, err, insideout.ErrRestricted, what)
			require.ErrorContains(t, err, "sheet", what)
			require.ErrorContains(t, err, "Update the other fields", what)
			require.NotContains(t, err.Error(), "broken", what)
			require.False(t, table.Retryable(err), what)
			require.Equal(t, before, rawRow(t, e, db, key), what)
		}
		put := Sheets.Put(read)
		require.ErrorIs(t, put.Reason(clerk.Transact(ctx, put)), insideout.ErrRestricted)

		require.NoError(t, Sheets.Update(ctx, clerk, "s1", table.Set(&f.Title, "third")), "an update knows what it changes")
		want.Title = "third"
		require.Equal(t, want, second2(Sheets.Get(ctx, db, "s1")))
		require.NoError(t, Sheets.Save(ctx, clerk, Sheet{"s1", "7", "fourth", "healed", 1}), "what is given is written")
		require.NoError(t, Sheets.Update(ctx, clerk, "s1", table.Remove(&f.Remark)))
		require.Equal(t, Sheet{"s1", "7", "fourth", "", 1}, second2(Sheets.Get(ctx, db, "s1")))

		require.ErrorContains(t, Sheets.Save(ctx, withVault(t, e, name, v, nil), read), "a DB without an Opener has not seen")
		require.NoError(t, Sheets.Save(ctx, clerk, Sheet{ID: "new", Person: "8"}), "there is nothing to lose")
		require.NoError(t, clerk.Batch(ctx, Sheets.Put(Sheet{ID: "new too", Person: "8"})))
	})
}

func second2[T any](v T, _ error) T { return v }

func TestWhatCanBeOpenedCanBeRemoved(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		name, writes := create(t, e, Sheets).Name(), &counting{Client: e}
		db := withVault(t, writes, name, v, v)
		ctx := t.Context()
		full, empty := Sheet{"s1", "7", "first", "broken leg", 9}, Sheet{ID: "s1", Person: "7", Title: "first"}
		takes := func(n int, v Sheet, save func(Sheet) error) {
			t.Helper()
			writes.updates = 0
			require.NoError(t, save(v))
			require.Equal(t, n, writes.updates)
			require.Equal(t, v, second2(Sheets.Get(ctx, db, "s1")))
		}
		save := func(v Sheet) error { return Sheets.Save(ctx, db, v) }
		takes(1, empty, save)
		takes(1, empty, save) // the sealed zero can be opened, and an absent remark is not lost
		takes(1, full, save)
		takes(2, empty, save) // which was seen
		takes(1, full, save)
		takes(0, empty, func(v Sheet) error { return db.Transact(ctx, Sheets.Put(v)) })
		takes(1, full, save)
		takes(0, empty, func(v Sheet) error { return db.Batch(ctx, Sheets.Put(v)) })

		takes(1, full, save)
		require.NoError(t, Sheets.Save(ctx, withVault(t, e, name, v, shutOpener{insideout.ErrShredded}), empty), "what nobody can open is not lost")
		require.NoError(t, save(full))
		require.NoError(t, Sheets.Delete(ctx, db, "s1"))
		clerk := withVault(t, e, name, v, shutOpener{insideout.ErrRestricted})
		require.NoError(t, Sheets.Save(ctx, clerk, empty), "a deleted row is nobody's to keep")
	})
}

// meanwhile lets a test come in after each of the first updates.
type meanwhile struct {
	table.Client
	then []func()
}

func (m *meanwhile) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	out, err := m.Client.UpdateItem(ctx, in, opts...)
	if len(m.then) > 0 {
		m.then[0]()
		m.then = m.then[1:]
	}
	return out, err
}

// TestWhatComesBetweenIsSeenToo: a value that another writer stores while one is looked at is looked at as well.
func TestWhatComesBetweenIsSeenToo(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	v, ctx := newVault(), t.Context()
	name, client := create(t, e, Sheets).Name(), &meanwhile{Client: e}
	db := withVault(t, e, name, v, v)
	require.NoError(t, Sheets.Save(ctx, db, Sheet{"s1", "7", "first", "broken leg", 9}))
	client.then = []func(){
		func() { require.NoError(t, Sheets.Save(ctx, db, Sheet{"s1", "7", "first", "broken arm", 9})) },
		func() { v.shut["7"] = insideout.ErrRestricted }, // the leg was seen, the arm is not
	}
	err := Sheets.Save(ctx, withVault(t, client, name, sealsAlways{v}, v), Sheet{ID: "s1", Person: "7"})
	require.ErrorIs(t, err, insideout.ErrRestricted)
	require.Empty(t, client.then)
	delete(v.shut, "7")
	require.Equal(t, "broken arm", second2(Sheets.Get(ctx, db, "s1")).Remark)
}

// sealsAlways seals for the subjects that are shut, too, as package crypto does for restricted ones.
type sealsAlways struct{ *vault }

func (s sealsAlways) Seal(ctx context.Context, fields []insideout.SealedField) error {
	shut := s.shut
	s.shut = nil
	defer func() { s.shut = shut }()
	return s.vault.Seal(ctx, fields)
}
