package interop_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// guest has a person's id as its key, and is kept without it.
type guest struct {
	ID   string `dynamo:"id" json:"id" gdpr:"pseudonymise"`
	Name string `dynamo:"name" json:"name" gdpr:"erase"`
	Paid string `dynamo:"paid" json:"paid" gdpr:"keep=Art. 17(3)(b): tax law,until=10y"`
}

var guests = table.DefineNode("guest", func(g *guest, d *table.Def[guest]) {
	d.ID(&g.ID)
	d.Subject(&g.ID)
})

// TestCorrectionsAndErasuresAreFacts: a row's trigger publishes what package gdpr does to it, as it publishes commands. A correction is an update. A row that goes
// on under a pseudonym is the deletion of the one, without what was erased, and the creation of the other.
func TestCorrectionsAndErasuresAreFacts(t *testing.T) {
	t.Parallel()
	engine, ctx, out := embedded.New(nil), t.Context(), &published{}
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(ctx, engine, "guests", table.Schema(guests)))
	require.NoError(t, table.Create(ctx, engine, "jobs", gdpr.Schema()))
	db, err := table.Open(engine, "guests", &table.Options{SubjectKey: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	jobs, err := table.Open(engine, "jobs", nil)
	require.NoError(t, err)
	controller, err := gdpr.New(jobs, []gdpr.Place{gdpr.Table("guests", db, []gdpr.Model{guests}, nil)}, &gdpr.Options{
		Signer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
	})
	require.NoError(t, err)

	require.NoError(t, guests.Save(ctx, db, guest{ID: "anna", Name: "Ana", Paid: "12.00"}))
	n, err := controller.Rectify(ctx, "anna", gdpr.Rectification{Kind: "guest", Field: "Name", Value: "Anna"})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	plan, err := controller.Plan(ctx, "anna")
	require.NoError(t, err)
	_, err = controller.Erase(ctx, plan, "DPO-7")
	require.NoError(t, err)

	trigger, err := cdc.New(out, cdc.Publish(guests, func(c cdc.Change[guest]) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("guest", c.State())
	}))
	require.NoError(t, err)
	over := make(chan struct{})
	close(over)
	require.NoError(t, cdc.Tail(ctx, engine, "guests", trigger, &cdc.TailOptions{Drain: over, Idle: 1}))

	found := map[string]guest{}
	for _, e := range out.events {
		g, err := insideout.Body[guest](e, "guest")
		require.NoError(t, err)
		if g.ID != "anna" {
			require.Regexp(t, "^pseudonym:", g.ID)
			g.ID = "somebody"
		}
		found[e.Type+" "+g.ID] = g
	}
	require.Equal(t, map[string]guest{
		"guest-created anna":     {ID: "anna", Name: "Ana", Paid: "12.00"},
		"guest-updated anna":     {ID: "anna", Name: "Anna", Paid: "12.00"},
		"guest-deleted anna":     {ID: "anna"},
		"guest-created somebody": {ID: "somebody", Paid: "12.00"},
	}, found)
}
