package lake_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// FuzzEncode: a line is what MarshalJSON writes, whatever is in the event.
func FuzzEncode(f *testing.F) {
	f.Add("1", "order-placed", "42", "source", "orders", "order", `{"id":"42","n":[1,-2.5e3,true,null],"text":"a b \"<&>\u2028 ü"}`, int64(1700000000123), 7)
	f.Add("1", "x", "", "", "", "a", `{ "spaced": 1 }`, int64(1), 7)
	f.Add("ü", "a\"b", "c\\d", "t\n", "\x7f", "m\"n", ` 1 `, int64(-1), 7)
	f.Add("1", "x", "k", "t", "v", "tags", `{"flag":true}`, int64(1700000000123), 7)
	f.Add("1", "x", "k", "t", "v", "timestamp", `1.5`, int64(1), 7)
	f.Add("1", "x", "k", "t", "v", "", `{`, int64(1), 3)
	f.Add("1", "x", "k", "t", "v", "zz", "\"\xff\"", int64(1), 0)
	f.Add("1", "x", "k", "t", "v", "b", "", int64(1), 15)
	f.Fuzz(func(t *testing.T, id, kind, key, tag, value, name, raw string, millis int64, parts int) {
		e := insideout.Event{ID: id, Type: kind, Timestamp: time.UnixMilli(millis % 100_000_000_000_000).UTC(), PartitionKey: key}
		if parts&1 != 0 {
			e.Tags = insideout.Tags{"stage": "prd", tag: value}
		}
		if parts&2 != 0 {
			e.Body = map[string]json.RawMessage{name: json.RawMessage(raw), "other": json.RawMessage(`"x"`)}
		}
		if parts&8 != 0 {
			e.Triggers = []insideout.Ref{{ID: key, Type: kind}}
		}
		line, err := lake.Encode(e)
		if err != nil {
			return
		}
		want, err := e.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want)+"\n", string(line))
	})
}
