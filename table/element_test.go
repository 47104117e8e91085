package table_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Route has lists of many kinds.
type Route struct {
	ID     string
	Stops  []string `dynamo:"stops,omitempty"`
	Times  []int    `dynamo:"times,omitempty,omitemptyelem"`
	Legs   []Leg    `dynamo:"legs,omitempty"`
	Tags   []string `dynamo:"tags,set"`
	Inner  Tally    `dynamo:"inner"`
	Raw    []byte   `dynamo:"raw"`
	Nested [][]int  `dynamo:"nested,omitempty"`
}

type Leg struct {
	From  string   `dynamo:"from"`
	Miles int      `dynamo:"miles"`
	Via   []string `dynamo:"via,omitempty"`
	Shape Shape    `dynamo:"shape"`
	Near  *Shape   `dynamo:"near"`
}

type Shape struct {
	Kind string `dynamo:"kind"`
	Size int    `dynamo:"size"`
}

type Tally struct {
	Count int      `dynamo:"count"`
	Names []string `dynamo:"names,set"`
	Marks []string `dynamo:"marks"`
}

var routes = table.DefineNode("route", func(r *Route, d *table.Def[Route]) { d.ID(&r.ID) })

func TestUpdatesOfElements(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, routes), t.Context(), routes.F
		route := Route{
			ID: "r", Stops: []string{"a", "b", "c"}, Times: []int{1, 2, 3}, Legs: []Leg{{From: "a", Miles: 1}, {From: "b", Miles: 2, Via: []string{"x"}, Near: &Shape{}}},
			Inner: Tally{Count: 1, Marks: []string{"m"}},
		}
		require.NoError(t, routes.Save(ctx, db, route))
		require.NoError(t, routes.Update(ctx, db, "r",
			table.Set(&f.Stops[1], ""), table.Set(&f.Stops[99], "d"), table.Remove(&f.Times[0]), table.Add(&f.Times[2], 10),
			table.Set(&f.Legs[0].From, "z"), table.Add(&f.Legs[1].Miles, 5), table.Append(&f.Legs[1].Via, "y"), table.Set(&f.Legs[1].Shape.Kind, "round"),
			table.SetIfAbsent(&f.Legs[0].Miles, 9), table.Set(&f.Legs[7], Leg{From: "n"}), table.Remove(&f.Legs[1].Near),
			table.Add(&f.Inner.Count, 2), table.Set(&f.Inner.Marks[0], "M"),
			table.If(table.Eq(&f.Stops[2], "c"), table.Gt(&f.Legs[1].Miles, 1), table.Exists(&f.Legs[1].Near), table.Exists(&f.Stops[3]).Not())))
		got, err := routes.Get(ctx, db, "r")
		require.NoError(t, err)
		require.Equal(t, Route{
			ID: "r", Stops: []string{"a", "", "c", "d"}, Times: []int{2, 13},
			Legs:  []Leg{{From: "z", Miles: 1}, {From: "b", Miles: 7, Via: []string{"x", "y"}, Shape: Shape{Kind: "round"}}, {From: "n"}},
			Inner: Tally{Count: 3, Marks: []string{"M"}},
		}, got)
		require.ErrorIs(t, routes.Update(ctx, db, "r", table.Set(&f.Stops[0], "x"), table.If(table.Eq(&f.Legs[0].From, "a"))), table.ErrConflict)
		require.Len(t, collect(t, db, routes.List().Where(table.Eq(&f.Legs[2].From, "n"), table.Contains(&f.Stops, "d"))), 1)
		require.NoError(t, routes.Update(ctx, db, "r", table.Set(&f.Times, []int{7}), table.Remove(&f.Legs)), "whole lists go as ever")
		got, err = routes.Get(ctx, db, "r")
		require.NoError(t, err)
		require.Equal(t, []int{7}, got.Times)
		require.Nil(t, got.Legs)
	})
}

func TestUpdatesOfElementsRefuse(t *testing.T) {
	t.Parallel()
	db, f := dry(t), routes.F
	other := []string{"a"}
	for text, changes := range map[string][]table.Change{
		"field Stops[2]: two changes overlap":                    {table.Append(&f.Stops, "x"), table.Set(&f.Stops[2], "y")},
		"field Legs[0].From: two changes overlap":                {table.Remove(&f.Legs[0]), table.Set(&f.Legs[0].From, "y")},
		"field Inner.Names is nested, and DynamoDB changes sets": {table.AddToSet(&f.Inner.Names, "x")},
		"*string does not point to a field of table_test.Route":  {table.Set(&other[0], "x")},
		"there is nothing to change":                             {},
	} {
		err := routes.Update(t.Context(), db, "r", changes...)
		require.ErrorIs(t, err, table.ErrInvalid, text)
		require.ErrorContains(t, err, text)
	}
	requests, err := db.Params(func(db *table.DB) error {
		return routes.Update(t.Context(), db, "r", table.Set(&f.Legs[0].From, "x"), table.Set(&f.Legs[1].From, "y"))
	})
	require.NoError(t, err)
	require.Contains(t, *requests[0].(*dynamodb.UpdateItemInput).UpdateExpression, "#x0[0].#x1 = :x0, #x0[1].#x1 = :x1")
	for list, n := range map[string]int{"Stops": len(f.Stops), "Legs": len(f.Legs), "Marks": len(f.Inner.Marks)} {
		require.Equal(t, 100, n, list)
	}
	require.Empty(t, f.Tags, "sets have no elements")
	require.Empty(t, f.Raw)
	require.Empty(t, f.Nested)
	require.Empty(t, f.Legs[0].Via, "lists within elements are changed as a whole")
	_, err = table.NewNode("route", func(r *Route, d *table.Def[Route]) { d.ID(&r.ID); d.Unique(&r.Stops[0]) })
	require.ErrorContains(t, err, "Unique: the *string does not point to a stored field")
}
