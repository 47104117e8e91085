package table_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestWithheldWritesAreNotMade(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	open := create(t, e, Orders)
	var erased string
	db, err := table.Open(e, open.Name(), &table.Options{
		SubjectKey: make([]byte, 32),
		Suppressed: func(ref string, at time.Time) bool { return ref == erased && at.Before(day(10)) },
	})
	require.NoError(t, err)
	erased, err = db.SubjectRef("anna")
	require.NoError(t, err)
	upsert := func(id, customer string, at time.Time) idempotence.Outcome {
		ver, err := idempotence.NewVersion(at, "event")
		require.NoError(t, err)
		outcome, err := Orders.Upsert(t.Context(), db, Order{ID: id, CustomerID: customer}, ver)
		require.NoError(t, err)
		return outcome
	}
	require.Equal(t, idempotence.Withheld, upsert("1", "anna", day(3)))
	_, err = Orders.Get(t.Context(), db, "1", table.WithDeleted())
	require.ErrorIs(t, err, table.ErrNotFound)
	require.Equal(t, idempotence.Applied, upsert("2", "bert", day(3)))
	require.Equal(t, idempotence.Applied, upsert("3", "", day(3)), "without a subject there is nobody to protect")
	require.Equal(t, idempotence.Applied, upsert("4", "anna", day(11)), "who was readmitted comes back")

	_, err = table.Open(e, open.Name(), &table.Options{Suppressed: func(string, time.Time) bool { return true }})
	require.ErrorContains(t, err, "needs Options.SubjectKey")
}
