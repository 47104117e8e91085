package cdc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

type stamped struct {
	Since time.Time `dynamo:"since"`
}

type machine struct {
	ID     string `dynamo:"id"`
	Name   string `dynamo:"name,omitempty"`
	Parts  []string
	Note   *string        `dynamo:"note"`
	Secret string         `dynamo:"-"`
	Sizes  map[string]int `dynamo:"sizes"`
	stamped2
	Stamped stamped `dynamo:"stamped"`
	hidden  int
}

type stamped2 struct {
	Until time.Time `dynamo:"until"`
}

// TestDiff: what changed, in the terms of the entity.
func TestDiff(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	before := machine{ID: "1", Name: "lathe", Parts: []string{"a"}, Note: new("x"), stamped2: stamped2{noon}, Stamped: stamped{noon}, hidden: 1}
	after := before
	after.Note, after.Until, after.hidden, after.Secret = new("x"), noon.In(time.FixedZone("CET", 3600)), 2, "s"
	c := cdc.Change[machine]{Kind: cdc.Updated, New: &after}.WithOld(&before)
	require.Empty(t, c.Fields(), "the same values in other clothes")
	require.False(t, cdc.Diff(c, func(m *machine) time.Time { return m.Until }).Changed)

	after.Name, after.Parts, after.Stamped.Since = "mill", nil, noon.Add(time.Hour)
	after.Until = noon.Add(1)
	require.Equal(t, []cdc.FieldChange{
		{Name: "name", Old: "lathe", New: "mill"},
		{Name: "Parts", Old: []string{"a"}, New: []string(nil)},
		{Name: "until", Old: noon, New: noon.Add(1)},
		{Name: "stamped", Old: stamped{noon}, New: stamped{noon.Add(time.Hour)}},
	}, c.Fields())
	require.Equal(t, cdc.Delta[string]{Old: "lathe", New: "mill", Changed: true}, cdc.Diff(c, func(m *machine) string { return m.Name }))
	require.Equal(t, cdc.Delta[int]{Old: 1, New: 0, Changed: true}, cdc.Diff(c, func(m *machine) int { return len(m.Parts) }))
	require.False(t, cdc.Diff(c, func(m *machine) string { return m.ID }).Changed)

	created := cdc.Change[machine]{Kind: cdc.Created, New: &machine{ID: "1", Name: "lathe"}}
	require.Equal(t, []cdc.FieldChange{{Name: "id", Old: "", New: "1"}, {Name: "name", Old: "", New: "lathe"}}, created.Fields())
	gone := cdc.Change[machine]{Kind: cdc.Deleted}.WithOld(&machine{ID: "1"})
	require.Equal(t, []cdc.FieldChange{{Name: "id", Old: "1", New: ""}}, gone.Fields())
	require.Equal(t, cdc.Delta[string]{Old: "1", Changed: true}, cdc.Diff(gone, func(m *machine) string { return m.ID }))
	require.Empty(t, cdc.Change[machine]{}.Fields())
	require.Empty(t, cdc.Change[int]{New: new(2)}.WithOld(new(1)).Fields(), "no struct, no fields")
}

// An update says which of its fields have changed, and what they were before.
func ExampleDiff() {
	c := cdc.Change[Order]{Kind: cdc.Updated, New: &Order{ID: "42", Status: "shipped"}}.WithOld(&Order{ID: "42", Status: "open"})
	status := cdc.Diff(c, func(o *Order) string { return o.Status })
	fmt.Println(status.Changed, status.Old, status.New)
	for _, f := range c.Fields() {
		fmt.Printf("%s: %v, was %v\n", f.Name, f.New, f.Old)
	}
	// Output:
	// true open shipped
	// status: shipped, was open
}
