package insideout_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
)

type order struct {
	ID    string      `json:"id"`
	Total json.Number `json:"total"`
	Lines int         `json:"lines"`
	At    time.Time   `json:"at,omitzero"`
}

func TestBody(t *testing.T) {
	t.Parallel()
	e := read(t, `{"id":"1","order":{"id":"o-1","total":12345678901234567890.50,"lines":2},"nothing":null}`)
	got, err := insideout.Body[order](e, "order")
	require.NoError(t, err)
	require.Equal(t, order{ID: "o-1", Total: "12345678901234567890.50", Lines: 2}, got)

	nothing, err := insideout.Body[*order](e, "nothing")
	require.NoError(t, err)
	require.Nil(t, nothing)
}

func TestBodyErrorsNameTheMemberAndNoValue(t *testing.T) {
	t.Parallel()
	e := read(t, `{"id":"1","order":{"id":"o-1","lines":99887766.5},"late":{"at":"secret"},"text":"secret"}`)
	for name, want := range map[string]string{
		"thing": `insideout: event "1": member "thing": no such member`,
		"order": `insideout: event "1": member "order": field "lines" does not fit int (at byte 30)`,
		"late":  `insideout: event "1": member "late": its type does not take it (*time.ParseError)`,
		"text":  `insideout: event "1": member "text": does not fit insideout_test.order (at byte 8)`,
	} {
		got, err := insideout.Body[order](e, name)
		require.EqualError(t, err, want)
		require.Zero(t, got)
		require.Equal(t, name == "thing", errorsIs(err, insideout.ErrNoMember))
	}
}

func TestSetBody(t *testing.T) {
	t.Parallel()
	var e insideout.Event
	require.NoError(t, e.SetBody("order", order{ID: "<o&1>", Total: "1.50"}))
	require.Equal(t, `{"order":{"id":"<o&1>","total":1.50,"lines":0}}`, write(t, e))
	got, err := insideout.Body[order](e, "order")
	require.NoError(t, err)
	require.Equal(t, order{ID: "<o&1>", Total: "1.50"}, got)
}

func TestSetBodyRefuses(t *testing.T) {
	t.Parallel()
	e := insideout.Event{ID: "1"}
	for name, want := range map[string]string{
		"":             `insideout: event "1": a body member needs a name`,
		"id":           `insideout: event "1": member "id": is a field of the event, not a member of its body`,
		"partitionKey": `insideout: event "1": member "partitionKey": is a field of the event, not a member of its body`,
		"tags":         `insideout: event "1": member "tags": is a field of the event, not a member of its body`,
		"order":        `insideout: event "1": member "order": type chan int has no JSON form`,
	} {
		require.EqualError(t, e.SetBody(name, make(chan int)), want)
	}
	require.Equal(t, insideout.Event{ID: "1"}, e)
}
