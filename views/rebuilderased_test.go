package views_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

type person struct {
	ID   string `dynamo:"id"`
	Name string `dynamo:"name"`
}

var people = table.DefineNode("person", func(p *person, d *table.Def[person]) {
	d.ID(&p.ID)
	d.Subject(&p.ID)
})

// TestRebuildDoesNotBringBackTheErased: what the history has of people who were erased stays out, and that is as it should be.
func TestRebuildDoesNotBringBackTheErased(t *testing.T) {
	t.Parallel()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "people", table.Schema(people)))
	var refs []string
	db, err := table.Open(engine, "people", &table.Options{
		SubjectKey: []byte(strings.Repeat("k", 32)),
		Suppressed: func(ref string, _ time.Time) bool {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref) // the first one is of the first person
			}
			return ref == refs[0]
		},
	})
	require.NoError(t, err)
	l, err := views.New(db, &views.Options{Workers: 1}, views.Upsert(people, views.On("customer-registered"), func(e customerEvent) (person, error) {
		return person{ID: e.Customer.ID, Name: e.Customer.Name}, nil
	}))
	require.NoError(t, err)
	_, err = people.Upsert(t.Context(), db, person{ID: "erased"}, "1700000000000#x")
	require.NoError(t, err)
	history := []insideout.Event{registered(1, "erased", "x"), registered(2, "other", "y"), registered(3, "erased", "z")}
	done, err := views.Rebuild(t.Context(), l, historyOf(history), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Withheld)
	require.EqualValues(t, 1, done.Verified.Withheld)
	require.EqualValues(t, 1, done.Applied)
	_, err = people.Get(t.Context(), db, "erased")
	require.ErrorIs(t, err, table.ErrNotFound)
}

type whisper struct {
	ID   string `dynamo:"id"`
	Text string `dynamo:"text" seal:"contact"`
}

var whispers = table.DefineNode("whisper", func(w *whisper, d *table.Def[whisper]) {
	d.ID(&w.ID)
	d.Subject(&w.ID)
})

// keyless seals for everybody but one person, whose key was destroyed.
type keyless string

func (k keyless) Seal(_ context.Context, fields []insideout.SealedField) error {
	for i := range fields {
		if fields[i].Origin.Subject == string(k) {
			return fmt.Errorf("sealing: %w", insideout.ErrShredded)
		}
		fields[i].Ciphertext = []byte("0123456789012345678901234567890123456789012345")
	}
	return nil
}

// TestRebuildPassesOverTheShredded: what cannot be sealed any more, since its person was erased, is not missing.
func TestRebuildPassesOverTheShredded(t *testing.T) {
	t.Parallel()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "whispers", table.Schema(whispers)))
	db, err := table.Open(engine, "whispers", &table.Options{Sealer: keyless("erased")})
	require.NoError(t, err)
	l, err := views.New(db, views.Upsert(whispers, views.On("customer-registered"), func(e customerEvent) (whisper, error) {
		return whisper{ID: e.Customer.ID, Text: e.Customer.Name}, nil
	}))
	require.NoError(t, err)
	history := historyOf([]insideout.Event{registered(1, "erased", "x"), registered(2, "other", "y")})
	done, err := views.Rebuild(t.Context(), l, history, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Withheld)
	require.EqualValues(t, 1, done.Verified.Withheld)
	require.EqualValues(t, 1, done.Applied)
}
