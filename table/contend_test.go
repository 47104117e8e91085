package table_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Of two writers whose condition holds for the same state one wins, also where they write the same in one millisecond.
func TestConditionalSavesDoNotBothWin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock stands still between two writes
		e := embedded.New(nil)
		defer func() { require.NoError(t, e.Close()) }()
		db, err := table.Open(e, create(t, e, Lines).Name(), nil)
		require.NoError(t, err)
		was, is := Line{"42", 1, "x", 1}, Line{"42", 1, "x", 2}
		require.NoError(t, Lines.Save(t.Context(), db, was))
		time.Sleep(time.Second)
		free := table.If(table.Eq(&Lines.F.Quantity, was.Quantity))
		other, err := table.Open(e, db.Name(), nil)
		require.NoError(t, err)
		require.NoError(t, Lines.Save(t.Context(), db, is, free))
		require.ErrorIs(t, Lines.Save(t.Context(), other, is, free), table.ErrConflict)
	})
}
