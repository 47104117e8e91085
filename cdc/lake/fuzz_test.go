package lake_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// lakeOf is a lake with one object.
func lakeOf(t testing.TB, name string, data []byte) *lake.Lake {
	t.Helper()
	m := newMemory()
	m.objects[name] = data
	return inMemory(t, m, &lake.Options{ReadOnly: true})
}

func zip(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(part))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return b.Bytes()
}

// FuzzLine: a line is read exactly as [insideout.Event] reads it, or refused as it refuses it; and its neighbours are read whatever
// it is.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","type":"a","timestamp":1700000000000,"partitionKey":"p","tags":{"a":"b"},"x":{"y":[1,2.5e-3,true,null,"\u00e9\n"]}}`,
		`{ "id" : "1" , "type" : "a" , "timestamp" : 0 , "tags" : { } , "x" : 1 }`,
		`{"id":"1","id":"2","type":"","timestamp":1.5,"tags":{"a":1,"a":"2"},"triggers":[{"id":"0"}]}`,
		`{"x":"a\"}{b","":1,"é":2,"ID":3}`, `{}`, `[]`, `x`, `{"a":01}`, `{"a":"` + "\x01" + `"}`, `{"id":1}`, `{"a":1}{"b":2}`, `{"a":-}`, `{"a":"\u12g4"}`,
		`{"timestamp":9999999999999999,"id":"1"}`, `{"timestamp":8640000000000001}`, strings.Repeat(`{"a":[`, 200), `{"type":"x","detail-type":"y","detail":{}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n\r") || strings.Contains(line, `detail`) || strings.TrimSpace(line) == "" {
			return // several lines, and envelopes, are other tests
		}
		before, after := `{"id":"before"}`+"\n", "\n"+`{"id":"after"}`+"\n"
		want, failed := objects(line)
		var damage []error
		l := lakeOf(t, "r/2026/11/21/12/foreign.gz", zip(t, before+line+after))
		var got []insideout.Event
		for e, err := range l.Events(t.Context(), lake.Query{Damaged: func(err error) error { damage = append(damage, err); return nil }}) {
			require.NoError(t, err)
			got = append(got, e)
		}
		require.Equal(t, "before", got[0].ID)
		require.Equal(t, "after", got[len(got)-1].ID)
		if !failed {
			require.Empty(t, damage)
			require.Equal(t, want, got[1:len(got)-1])
			return
		}
		require.NotEmpty(t, damage)
		for _, err := range damage {
			require.ErrorIs(t, err, lake.ErrDamaged)
			require.ErrorContains(t, err, "line 2")
		}
	})
}

// objects reads objects that stand one behind the other.
func objects(line string) (events []insideout.Event, failed bool) {
	lines := json.NewDecoder(strings.NewReader(line))
	for {
		var raw json.RawMessage
		var e insideout.Event
		err := lines.Decode(&raw)
		if err == io.EOF {
			return events, false
		}
		if err != nil || e.UnmarshalJSON(raw) != nil {
			return nil, true
		}
		events = append(events, e)
	}
}

// FuzzObject: no bytes whatever make the reader panic, hang, or take damage for something else.
func FuzzObject(f *testing.F) {
	f.Add(zip(f, `{"id":"1"}`, `{"id":"2"}`), true)
	f.Add([]byte(`{"id":"1"}{"id":"2"}`), false)
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0}, true)
	f.Fuzz(func(t *testing.T, data []byte, own bool) {
		name := "r/2026/11/21/12/foreign"
		if own {
			name = noonFile
		}
		l := lakeOf(t, name, data)
		for _, err := range l.Events(t.Context(), lake.Query{}) {
			if err != nil {
				require.ErrorIs(t, err, lake.ErrDamaged)
				require.ErrorContains(t, err, fmt.Sprintf("%q", name))
			}
		}
	})
}
