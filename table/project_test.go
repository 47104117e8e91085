package table_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Card is what a list shows of an order.
type Card struct {
	Number string    `dynamo:"id"`
	Since  time.Time `dynamo:"placedAt"`
	Where  *Address  `dynamo:"address"`
}

// Slip has a part that every row has to have anew.
type Slip struct{ *Placed }

type Placed struct {
	Since time.Time `dynamo:"placedAt"`
}

func TestProject(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db := create(t, e, Orders, Lines)
		ctx, f := t.Context(), Orders.F
		for i := range 5 {
			o := Order{ID: fmt.Sprint(i), Status: "OPEN", PlacedAt: day(1 + i), Note: "long", Address: &Address{City: "Bern"}}
			require.NoError(t, Orders.Save(ctx, db, o))
		}
		cards := table.Project[Card](Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).Where(table.Eq(&f.Note, "long")))
		page, err := cards.Page(ctx, db, table.Limit(2), table.Desc())
		require.NoError(t, err)
		require.Equal(t, []Card{{"4", day(5), &Address{City: "Bern"}}, {"3", day(4), &Address{City: "Bern"}}}, page.Items)
		page, err = cards.Page(ctx, db, table.Limit(9), table.Desc(), table.After(page.Next))
		require.NoError(t, err)
		require.Len(t, page.Items, 3)
		require.Empty(t, page.Next)
		n, err := cards.Count(ctx, db)
		require.NoError(t, err)
		require.Equal(t, 5, n)
		var slips []Slip
		for slip, err := range table.Project[Slip](Orders.List()).All(ctx, db) {
			require.NoError(t, err)
			slips = append(slips, slip)
		}
		require.Equal(t, []Slip{{&Placed{day(1)}}, {&Placed{day(2)}}, {&Placed{day(3)}}, {&Placed{day(4)}}, {&Placed{day(5)}}}, slips)
	})
}

func TestProjectRefuses(t *testing.T) {
	t.Parallel()
	db := dry(t)
	type unknown struct {
		Colour string `dynamo:"colour"`
	}
	type changed struct {
		Since string `dynamo:"placedAt"`
	}
	require.ErrorContains(t, all(table.Project[unknown](Orders.List()))(t.Context(), db), `attribute "colour" is none of "order"`)
	require.ErrorContains(t, all(table.Project[changed](Orders.List()))(t.Context(), db), "it is a string, and field PlacedAt of the model is a time.Time")
	require.ErrorIs(t, all(table.Project[int](Orders.List()))(t.Context(), db), table.ErrInvalid)
	require.ErrorIs(t, all(table.Project[Card](table.Query[Order]{}))(t.Context(), db), table.ErrInvalid)
}
