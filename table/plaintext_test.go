package table_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Guest is the model of rows some of which were written by BareGuest, before fields were sealed.
type Guest struct {
	ID     string
	Person string   `dynamo:"person"`
	Phone  string   `dynamo:"phone" seal:"contact,plain"`
	Visits *int     `dynamo:"visits" seal:"health,plain"`
	Labels []string `dynamo:"labels,set" seal:"contact,plain"`
	Home   Address  `dynamo:"home,omitempty" seal:"contact,plain"`
}

type BareGuest struct {
	ID     string
	Person string   `dynamo:"person"`
	Phone  string   `dynamo:"phone"`
	Visits *int     `dynamo:"visits"`
	Labels []string `dynamo:"labels,set"`
	Home   Address  `dynamo:"home,omitempty"`
}

var (
	Guests = table.DefineNode("guest", func(g *Guest, d *table.Def[Guest]) {
		d.ID(&g.ID)
		d.Subject(&g.Person)
	})
	BareGuests = table.DefineNode("guest", func(g *BareGuest, d *table.Def[BareGuest]) { d.ID(&g.ID) })
)

func TestPlainTextIsAcceptedForAWhile(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v, seen := newVault(), []string(nil)
		bare, ctx := create(t, e, Guests), t.Context()
		db, err := table.Open(e, bare.Name(), &table.Options{
			Sealer: v, Opener: v, Plaintext: func(model, field string) { seen = append(seen, model+"."+field) },
		})
		require.NoError(t, err)
		counts := func(want ...string) {
			t.Helper()
			require.Equal(t, want, seen)
			seen = nil
		}
		old := BareGuest{"g1", "7", "555-1234", new(3), []string{"vip"}, Address{City: "Bern"}}
		want := Guest(old)
		require.NoError(t, BareGuests.Save(ctx, bare, old))
		got, err := Guests.Get(ctx, db, "g1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		counts("guest.phone", "guest.visits", "guest.labels", "guest.home")
		require.Zero(t, v.opens)
		require.Equal(t, []Guest{want}, collect(t, db, Guests.List()))
		counts("guest.phone", "guest.visits", "guest.labels", "guest.home")
		silent, err := Guests.Get(ctx, bare, "g1")
		require.NoError(t, err, "neither the hook nor an opener is needed")
		require.Equal(t, want, silent)

		require.NoError(t, Guests.Update(ctx, db, "g1", table.Set(&Guests.F.Phone, "555-9999")))
		want.Phone, seen = "555-9999", nil
		got, err = Guests.Get(ctx, db, "g1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		counts("guest.visits", "guest.labels", "guest.home")

		require.NoError(t, Guests.Save(ctx, db, got))
		row := rawRow(t, e, db, table.RowKey{PK: "g1", SK: "guest"})
		for _, attr := range []string{"phone", "visits", "labels", "home"} {
			require.IsType(t, &types.AttributeValueMemberB{}, row[attr], attr)
		}
		got, err = Guests.Get(ctx, db, "g1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		counts()
	})
}

func TestPlainTextIsReadAndNeverWritten(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		v := newVault()
		bare := create(t, e, Guests)
		ctx, db := t.Context(), withVault(t, e, bare.Name(), v, v)
		require.ErrorContains(t, Guests.Save(ctx, bare, Guest{ID: "g1", Person: "7", Phone: "555-1234"}), "the DB has no Sealer")

		require.NoError(t, BareGuests.Save(ctx, bare, BareGuest{ID: "g1", Person: "7", Phone: "555-1234"}))
		row := rawRow(t, e, db, table.RowKey{PK: "g1", SK: "guest"})
		image, err := Guests.Decode(row)
		require.NoError(t, err)
		require.Zero(t, image.Phone, "an image is not opened")

		row["phone"] = &types.AttributeValueMemberNULL{Value: true}
		row["visits"] = &types.AttributeValueMemberS{Value: "555-1234"}
		_, err = e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(db.Name()), Item: row})
		require.NoError(t, err)
		_, err = Guests.Get(ctx, db, "g1")
		require.ErrorContains(t, err, "field Visits: the stored plain text, of type S, is not a *int")
		require.NotContains(t, err.Error(), "555-1234")
	})
}

func TestPlainTextRefuses(t *testing.T) {
	t.Parallel()
	type guest struct {
		ID, Person string
		Sealed     insideout.Sealed[string] `seal:"contact,plain"`
		Carried    string                   `seal:"contact,carried"`
		Plane      string                   `seal:"contact,plane"`
		Photo      []byte                   `seal:"contact,plain"`
		Print      *[4]byte                 `seal:"contact,plain"`
		Set        []bool                   `dynamo:"set,set" seal:"contact,plain"`
	}
	_, err := table.NewNode("guest", func(g *guest, d *table.Def[guest]) {
		d.ID(&g.ID)
		d.Subject(&g.Person)
	})
	require.ErrorIs(t, err, table.ErrInvalid)
	for _, text := range []string{
		`Sealed: option "plain" in`, `Carried: option "carried" in`, `Plane: option "plane" in`, "Photo: plain text of a []uint8 looks like a ciphertext",
		"Print: plain text of a *[4]uint8 looks like a ciphertext", "Set: a set cannot be made of bool",
		"the options are carried, of an insideout.Sealed, and plain, of any other type",
	} {
		require.ErrorContains(t, err, text)
	}
}
