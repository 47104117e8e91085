package views_test

import (
	"errors"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// TestBus: every listener gets every event, and the events are named that one of them could not apply.
func TestBus(t *testing.T) {
	t.Parallel()
	one, two := newTable(t, nil), newTable(t, nil)
	bus := views.NewBus(newListener(t, one), judging(t, two, nil))
	batch := []insideout.Event{registered(1, "ann", "Ann"), registered(2, "bob", "retry"), registered(3, "eve", "error"), registered(4, "joe", "Joe")}
	failed, ok := errors.AsType[*views.BatchError](bus.Publish(t.Context(), batch))
	require.True(t, ok)
	require.Equal(t, []int{1, 2}, failed.Failed())
	for _, id := range []string{"ann", "bob", "eve", "joe"} {
		_, err := customers.Get(t.Context(), one, id)
		require.NoError(t, err)
	}
	_, err := customers.Get(t.Context(), two, "joe")
	require.NoError(t, err)
	require.NoError(t, bus.Publish(t.Context(), batch[:1]))
	require.NoError(t, views.NewBus().Publish(t.Context(), batch))
}
