package insideout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
)

func errorsIs(err, target error) bool { return errors.Is(err, target) }

// values draws any JSON value, numbers beyond float64 included.
func values() *rapid.Generator[json.RawMessage] {
	return rapid.Custom(func(t *rapid.T) json.RawMessage {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return json.RawMessage(rapid.SampledFrom([]string{"null", "true", "false", `""`, "{}", "[]"}).Draw(t, "word"))
		case 1:
			return json.RawMessage(rapid.StringMatching(`-?[1-9][0-9]{0,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,3})?`).Draw(t, "number"))
		case 2:
			return quote(rapid.String().Draw(t, "text"))
		case 3:
			list := rapid.SliceOfN(values(), 0, 3).Draw(t, "list")
			return slices.Concat([]byte("["), bytes.Join(rawBytes(list), []byte(",")), []byte("]"))
		default:
			return object(rapid.MapOfN(rapid.String(), values(), 0, 3).Draw(t, "object"))
		}
	})
}

func rawBytes(list []json.RawMessage) [][]byte {
	all := make([][]byte, len(list))
	for i, raw := range list {
		all[i] = raw
	}
	return all
}

func quote(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return raw
}

func object(members map[string]json.RawMessage) json.RawMessage {
	var parts [][]byte
	for _, name := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, slices.Concat(quote(name), []byte(":"), members[name]))
	}
	return slices.Concat([]byte("{"), bytes.Join(parts, []byte(",")), []byte("}"))
}

// events draws an event as a producer would build it.
func events() *rapid.Generator[insideout.Event] {
	return rapid.Custom(func(t *rapid.T) insideout.Event {
		at := rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMilli(rapid.Int64Range(-8_640_000_000_000_000, 8_640_000_000_000_000).Draw(t, "millis")).UTC()
		})
		e := insideout.Event{
			ID: rapid.StringN(1, 20, -1).Draw(t, "id"), Type: rapid.StringN(1, 20, -1).Draw(t, "type"),
			PartitionKey: rapid.StringN(1, 20, -1).Draw(t, "key"), Timestamp: at.Draw(t, "at"),
			Tags: rapid.MapOfN(rapid.String(), rapid.String(), 0, 4).Draw(t, "tags"),
			Body: rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}.?`).Filter(isMember), values(), 1, 4).Draw(t, "body"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "triggers") {
			ref := insideout.Ref{ID: rapid.StringN(1, 9, -1).Draw(t, "ref"), Type: "x-y", Timestamp: at.Draw(t, "ref at")}
			e.Triggers = append(e.Triggers, ref)
		}
		return e
	})
}

// isMember says that a name is not one of the event's own fields.
func isMember(name string) bool { return !slices.Contains([]string{"id", "type", "tags"}, name) }

// Law: what is written is read back as the same event, and equal events give equal bytes.
func TestLawRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := events().Draw(t, "event")
		data, err := e.MarshalJSON()
		require.NoError(t, err)
		again, err := e.Clone().MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(data), string(again))
		var got insideout.Event
		require.NoError(t, got.UnmarshalJSON(data))
		require.Equal(t, e, got)
	})
}

// Law: a JSON object whose members are all unknown is written back byte for byte.
func TestLawUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.MapOf(rapid.StringMatching(`x[a-z"\\é<]*`), values()).Draw(t, "members")
		var e insideout.Event
		require.NoError(t, e.UnmarshalJSON(object(members)))
		require.Len(t, e.Body, len(members))
		for name, raw := range members {
			require.Equal(t, string(raw), string(e.Body[name]))
		}
		data, err := e.MarshalJSON()
		require.NoError(t, err)
		var again insideout.Event
		require.NoError(t, again.UnmarshalJSON(data))
		require.Equal(t, e, again)
	})
}

// FuzzUnmarshalJSON: no input panics, what is accepted keeps its meaning, and writing is stable.
func FuzzUnmarshalJSON(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"id":"","timestamp":1.5,"tags":{"a":1},"triggers":[{"x":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e insideout.Event
		if e.UnmarshalJSON(data) != nil {
			return
		}
		first, err := e.MarshalJSON()
		require.NoError(t, err)
		var again insideout.Event
		require.NoError(t, again.UnmarshalJSON(first))
		second, err := again.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		var value any
		if json.Unmarshal(data, &value) == nil { // numbers beyond float64 have no value to compare
			require.JSONEq(t, string(data), string(first))
		}
	})
}
