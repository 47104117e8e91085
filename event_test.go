package insideout_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
)

func read(t *testing.T, text string) insideout.Event {
	t.Helper()
	var e insideout.Event
	require.NoError(t, e.UnmarshalJSON([]byte(text)))
	return e
}

func write(t *testing.T, e insideout.Event) string {
	t.Helper()
	data, err := e.MarshalJSON()
	require.NoError(t, err)
	return string(data)
}

// TestRoundTripKeeps lists events that are written back exactly, since their members are sorted and dense already.
func TestRoundTripKeeps(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                    `{}`,
		"big number":                 `{"order":{"n":123456789012345678901234567890.10e-5}}`,
		"order of inner members":     `{"order":{"z":1,"a":2}}`,
		"escapes":                    `{"order":"\u00e9\/<&>"}`,
		"member with a quote":        `{"a\"b":1,"é":2}`,
		"nulls":                      `{"id":null,"partitionKey":null,"tags":null,"timestamp":null,"triggers":null,"type":null}`,
		"empty fields":               `{"id":"","tags":{},"triggers":[],"type":""}`,
		"time with a fraction":       `{"timestamp":1700000000123.75}`,
		"time zero":                  `{"timestamp":0}`,
		"time before 1970":           `{"timestamp":-1}`,
		"tags of every type":         `{"tags":{"a":"x","b":true,"c":null,"d":1.50,"e":{"f":[]},"skip":false}}`,
		"triggers with more members": `{"triggers":[{"id":"1","partitionKey":"p","timestamp":5,"type":"t"},{"id":"2","note":{}}]}`,
		"names in other case":        `{"ID":5,"Timestamp":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, text, write(t, read(t, text)))
		})
	}
}

func TestDecodeFields(t *testing.T) {
	t.Parallel()
	e := read(t, ` { "id" : "1", "type":"order-placed","timestamp":1.7e12, "partitionKey":"p", "order" : {"a": 1},
		"tags":{"source":"orders","skip":true}, "triggers":[{"id":"0","type":"x","timestamp":1.5}] } `)
	require.Equal(t, insideout.Event{
		ID: "1", Type: "order-placed", Timestamp: time.UnixMilli(1_700_000_000_000).UTC(), PartitionKey: "p",
		Tags:     insideout.Tags{"source": "orders"},
		Triggers: []insideout.Ref{{ID: "0", Type: "x", Timestamp: time.UnixMilli(1).UTC()}},
		Body: map[string]json.RawMessage{
			"order":    json.RawMessage(`{"a": 1}`),
			"tags":     json.RawMessage(`{"skip":true}`),
			"triggers": json.RawMessage(`[{"id":"0","type":"x","timestamp":1.5}]`),
		},
	}, e)
	require.Nil(t, read(t, `{"id":"1"}`).Body)
	require.Equal(t, "b", read(t, `{"id":"a","id":"b"}`).ID)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{``, `insideout: event: is not valid JSON`},
		{`null`, `insideout: event: want an object, got null`},
		{`[1]`, `insideout: event: want an object, got an array`},
		{`7`, `insideout: event: want an object, got a number`},
		{`{"id":"secret"`, `insideout: event: is not valid JSON (at byte 14)`},
		{`{"id":7}`, `insideout: event: member "id": want a string, got a number`},
		{`{"type":true,"id":"1"}`, `insideout: event "1": member "type": want a string, got a boolean`},
		{`{"id":"1","partitionKey":{}}`, `insideout: event "1": member "partitionKey": want a string, got an object`},
		{`{"id":"1","timestamp":"secret"}`, `insideout: event "1": member "timestamp": want a number of milliseconds, got a string`},
		{`{"timestamp":1e999}`, `insideout: event: member "timestamp": lies outside of ±8,640,000,000,000,000 milliseconds from 1970`},
		{`{"timestamp":8640000000000001}`, `insideout: event: member "timestamp": lies outside of ±8,640,000,000,000,000 milliseconds from 1970`},
		{`{"tags":["secret"]}`, `insideout: event: member "tags": want an object, got an array`},
		{`{"triggers":{}}`, `insideout: event: member "triggers": want an array, got an object`},
		{`{"triggers":[{},"x"]}`, `insideout: event: member "triggers[1]": want an object, got a string`},
		{`{"id":"1","triggers":[{"timestamp":"x"}]}`, `insideout: event "1": member "triggers[0].timestamp": want a number of milliseconds, got a string`},
	} {
		t.Run(tc.text, func(t *testing.T) {
			t.Parallel()
			before := insideout.Event{ID: "before"}
			e := before
			err := e.UnmarshalJSON([]byte(tc.text))
			require.EqualError(t, err, tc.want)
			require.Equal(t, before, e, "a refused event changes nothing")
		})
	}
}

func TestChangedFieldsWin(t *testing.T) {
	t.Parallel()
	e := read(t, `{"id":null,"tags":{"skip":true,"source":"a"},"timestamp":1.5,"triggers":[{"id":"1","note":1}]}`)
	e.ID = "2"
	e.Timestamp = time.UnixMilli(7)
	e.Tags["source"] = "b"
	e.Tags["skip"] = "yes"
	e.Triggers = append(e.Triggers, insideout.Ref{ID: "3"})
	require.Equal(t, `{"id":"2","tags":{"skip":"yes","source":"b"},"timestamp":7,"triggers":[{"id":"1"},{"id":"3"}]}`, write(t, e))

	e.ID, e.Timestamp, e.Tags, e.Triggers = "", time.Time{}, nil, nil
	require.Equal(t, `{"id":null,"tags":{"skip":true}}`, write(t, e))
}

func TestEncode(t *testing.T) {
	t.Parallel()
	e := insideout.Event{
		ID: `a"b`, Type: "é-<placed>", Timestamp: time.Date(2023, 11, 14, 23, 13, 20, 123_999_999, time.FixedZone("", 3600)),
		Body: map[string]json.RawMessage{"order": json.RawMessage("{\n \"b\": 1,\n \"a\": \"<\" }"), "id": json.RawMessage(`7`)},
	}
	want := `{"id":"a\"b","order":{"b":1,"a":"<"},"timestamp":1700000000123,"type":"é-<placed>"}`
	require.Equal(t, want, write(t, e))

	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(e))
	require.Equal(t, want+"\n", buf.String())
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	far := time.UnixMilli(8_640_000_000_000_001)
	for want, e := range map[string]insideout.Event{
		`insideout: event "1": member "order": is not valid JSON`:                                             {ID: "1", Body: map[string]json.RawMessage{"order": json.RawMessage("{secret}")}},
		`insideout: event "1": member "empty": is not valid JSON`:                                             {ID: "1", Body: map[string]json.RawMessage{"empty": nil}},
		`insideout: event: member "timestamp": lies outside of ±8,640,000,000,000,000 milliseconds from 1970`: {Timestamp: far},
		`insideout: event: member "triggers[0].timestamp": lies outside of ±8,640,000,000,000,000 milliseconds from 1970`: {
			Triggers: []insideout.Ref{{ID: "x", Timestamp: far}},
		},
		`insideout: event: member "tags": want an object, got an array`: {
			Tags: insideout.Tags{"a": "b"}, Body: map[string]json.RawMessage{"tags": json.RawMessage(`[]`)},
		},
	} {
		_, err := e.MarshalJSON()
		require.EqualError(t, err, want)
	}
}

func TestSkipped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{}`: false, `{"tags":{}}`: false, `{"tags":null}`: false,
		`{"tags":{"skip":true}}`: true, `{"tags":{"skip":false}}`: false, `{"tags":{"skip":"true"}}`: true,
		`{"tags":{"skip":""}}`: false, `{"tags":{"skip":0}}`: false, `{"tags":{"skip":1}}`: true,
		`{"tags":{"skip":null}}`: false, `{"tags":{"skip":{}}}`: true,
	} {
		require.Equal(t, want, read(t, text).Skipped(), text)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	e := insideout.Event{ID: "1", Type: "order-placed", Timestamp: time.UnixMilli(1)}
	require.NoError(t, e.Validate())
	e = insideout.Event{Body: map[string]json.RawMessage{"b": nil, "a": json.RawMessage("{")}}
	require.EqualError(t, e.Validate(), `insideout: event: member "id": is missing
insideout: event: member "type": is missing
insideout: event: member "timestamp": is missing
insideout: event: member "a": is not valid JSON
insideout: event: member "b": is not valid JSON`)
	e = insideout.Event{ID: "1", Type: "t", Timestamp: time.UnixMilli(math.MaxInt64)}
	require.ErrorContains(t, e.Validate(), `member "timestamp": lies outside`)
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	e := read(t, `{"id":"1","tags":{"a":"b"},"triggers":[{"id":"0"}],"order":{"n":1}}`)
	c := e.Clone()
	require.Equal(t, e, c)
	before := write(t, e)
	c.Tags["a"], c.Triggers[0].ID, c.Body["order"][5] = "x", "x", '9'
	require.NoError(t, c.SetBody("more", 1))
	require.Equal(t, before, write(t, e))
	require.Equal(t, insideout.Event{}, insideout.Event{}.Clone())
}
