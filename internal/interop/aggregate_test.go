package interop_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/stretchr/testify/require"
)

// part belongs to a thing.
type part struct {
	ThingID string `dynamo:"thingId" json:"-"`
	ID      string `dynamo:"id" json:"id"`
	Weight  int    `dynamo:"weight" json:"weight"`
}

// assembly is a thing with its parts.
type assembly struct {
	thing
	Parts []part `json:"parts"`
}

var (
	parts = table.DefineEdge("part", "parts", func(p *part, d *table.Def[part]) {
		d.Owner(&p.ThingID)
		d.ID(&p.ID)
	})
	assemblies = table.DefineAggregate(
		table.Root(things, func(a *assembly) *thing { return &a.thing }),
		table.Many(parts, func(a *assembly) *[]part { return &a.Parts }),
	)
)

// TestTriggersPublishTheSameAggregates: a thing with its parts, read by both libraries, is the same event, but for its id.
func TestTriggersPublishTheSameAggregates(t *testing.T) {
	t.Parallel()
	s := newService(t)
	db := create(t, s.db, "things")
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "1", Name: "one", Count: 1}))
	for n := range 3 {
		require.NoError(t, parts.Save(t.Context(), db, part{ThingID: "1", ID: fmt.Sprint("p", n), Weight: n}))
	}
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "1", Name: "one", Count: 2}))
	records := stream(t, s.db, "things")
	require.Len(t, records, 5)
	s.run(nil, invocation{"aggregates", map[string]any{"Records": records}})
	theirs := s.bus.taken(t)
	require.Equal(t, "thing-created thing-updated", typesOf(theirs), "one for each change of the root")

	var ours published
	tr, err := cdc.New(&ours,
		&cdc.Options{Region: "us-east-1", Source: "things-js", Tags: insideout.Tags{"account": "dev", "stage": "test", "functionname": "things-function"}},
		cdc.PublishAggregate(db, assemblies, func(c cdc.Change[assembly]) (insideout.Event, error) {
			var e insideout.Event
			return e, e.SetBody("thing", c.State())
		}))
	require.NoError(t, err)
	for _, batch := range [][]json.RawMessage{records, records[4:]} {
		_, err = tr.HandleDynamoDB(t.Context(), lambdaEvent(t, batch...))
		require.NoError(t, err)
	}
	require.Equal(t, "thing-created thing-updated", typesOf(ours.events), "one for all changes of a batch")
	require.Equal(t, []string{"id", "tags.pipeline"}, slices.Sorted(slices.Values(differences(t, theirs[1], ours.events[1], records[4]))))

	var body struct {
		Parts []json.RawMessage `json:"parts"`
	}
	require.NoError(t, json.Unmarshal(ours.events[0].Body["thing"], &body))
	require.Len(t, body.Parts, 3)
}
