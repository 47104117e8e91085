package views_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestMappersGetTheWholeEvent: whatever is in an event of the same process, its mapper decodes what Event.MarshalJSON writes, and an event
// that has no JSON form fails.
func TestMappersGetTheWholeEvent(t *testing.T) {
	t.Parallel()
	var got map[string]any
	l, err := views.New(newTable(t, nil), views.Upsert(customers, views.On("x"), func(e map[string]any) (customer, error) {
		got = e
		return customer{}, views.Skip("seen")
	}))
	require.NoError(t, err)
	text := rapid.SampledFrom([]string{"", "a", "é", `"`, `\`, "\n", "<&>", "long enough"})
	value := rapid.SampledFrom([]string{
		`{"a":1}`, ` [1, {"b":"}"}] `, `"s\"x"`, `null`, `1`, ``, `1,"type":"other"`, `{`, `[}`, `{"a":1} {"b":2}`, `nul`, `"`,
	})
	name := rapid.SampledFrom([]string{"customer", "Customer", "id", "ID", "tags", "triggers", "timestamp", "raw", `q"`})
	rapid.Check(t, func(rt *rapid.T) {
		e := insideout.Event{ID: text.Draw(rt, "id"), Type: "x", Timestamp: start, PartitionKey: text.Draw(rt, "key")}
		e.Tags = rapid.OneOf(rapid.Just[map[string]string](nil), rapid.MapOfN(text, text, 0, 2)).Draw(rt, "tags")
		if rapid.Bool().Draw(rt, "caused") {
			e.Triggers = []insideout.Ref{{ID: "t"}}
		}
		e.Body = map[string]json.RawMessage{}
		for k, v := range rapid.MapOfN(name, value, 0, 3).Draw(rt, "body") {
			e.Body[k] = json.RawMessage(v)
		}
		got = nil
		failed := l.Handle(context.Background(), []insideout.Event{e})
		raw, err := e.MarshalJSON()
		if err != nil || e.ID == "" {
			require.Error(rt, failed)
			require.Nil(rt, got)
			return
		}
		var want map[string]any
		require.NoError(rt, json.Unmarshal(raw, &want))
		require.NoError(rt, failed)
		require.Equal(rt, want, got)
	})
}
