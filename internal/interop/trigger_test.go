package interop_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// trigger is the one in Go that publishes what the service in JavaScript does, under the name of a service.
func trigger(t testing.TB, p cdc.Publisher, source string) *cdc.Trigger {
	t.Helper()
	tr, err := cdc.New(p,
		&cdc.Options{Region: "us-east-1", Source: source, Tags: insideout.Tags{"account": "dev", "stage": "test", "functionname": "things-function"}},
		cdc.Publish(things, func(c cdc.Change[thing]) (insideout.Event, error) {
			var e insideout.Event
			return e, e.SetBody("thing", c.State())
		}))
	require.NoError(t, err)
	return tr
}

// history is what happens to one thing: created, updated, deleted, touched while it is deleted, restored, removed.
func history(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	engine := embedded.New(nil)
	defer engine.Close()
	db := create(t, engine, "source")
	x := thing{ID: "1", Name: "one", Count: 1, Ratio: .25, Open: true, Labels: []string{"a", "b"}, Extra: map[string]any{"deep": map[string]any{"n": 7.0}}}
	steps := []struct {
		name string
		do   func() error
	}{
		{"created", func() error { return things.Save(t.Context(), db, x) }},
		{"updated", func() error { x.Count = 2; return things.Save(t.Context(), db, x) }},
		{"deleted", func() error { return things.Delete(t.Context(), db, "1") }},
		{"undeleted", func() error { return things.Save(t.Context(), db, x) }},
	}
	for _, step := range steps {
		require.NoError(t, step.do(), step.name)
	}
	list := stream(t, engine, "source")
	require.Len(t, list, len(steps))
	all := map[string]json.RawMessage{}
	for i, step := range steps {
		all[step.name] = list[i]
	}
	return all
}

// expectation is what each of the two libraries makes of a record: the type of its event, empty for none.
type expectation struct {
	record     json.RawMessage
	js, golang string
	// differs lists the members that differ on purpose; docs/interop.md tells why.
	differs []string
}

// TestTriggersPublishTheSame: the trigger in JavaScript and the one in Go, with the same records, publish the same events, field
// by field, but for the differences in docs/interop.md.
func TestTriggersPublishTheSame(t *testing.T) {
	t.Parallel()
	s, h := newService(t), history(t)
	removal := func(of string, with map[string]any) json.RawMessage {
		var r struct{ DynamoDB map[string]any }
		require.NoError(t, json.Unmarshal(h[of], &r))
		all := map[string]any{"eventID": "removed-" + of, "eventName": "REMOVE", "dynamodb.OldImage": r.DynamoDB["NewImage"], "dynamodb.NewImage": nil}
		for name, value := range with {
			all[name] = value
		}
		return changed(t, h[of], all)
	}
	expiry := map[string]any{"userIdentity": map[string]any{"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
	text := func(s string) map[string]any { return map[string]any{"S": s} }
	all := map[string]expectation{
		"created":                  {h["created"], "thing-created", "thing-created", nil},
		"updated":                  {h["updated"], "thing-updated", "thing-updated", nil},
		"deleted softly":           {h["deleted"], "thing-deleted", "thing-deleted", nil},
		"undeleted":                {h["undeleted"], "thing-undeleted", "thing-undeleted", nil},
		"removed":                  {removal("created", nil), "thing-deleted", "thing-deleted", []string{"timestamp"}},
		"another region":           {changed(t, h["created"], map[string]any{"image.awsregion": text("eu-west-1")}), "", "", nil},
		"no region":                {changed(t, h["created"], map[string]any{"image.awsregion": nil}), "thing-created", "thing-created", nil},
		"latched":                  {changed(t, h["created"], map[string]any{"image.latched": map[string]any{"BOOL": true}}), "", "", nil},
		"no discriminator":         {changed(t, h["created"], map[string]any{"image.discriminator": nil}), "thing-created", "thing-created", nil},
		"another entity":           {changed(t, h["created"], map[string]any{"image.discriminator": text("other")}), "", "", nil},
		"a longer name":            {changed(t, h["created"], map[string]any{"image.discriminator": text("something")}), "something-created", "", nil},
		"expired":                  {removal("created", expiry), "thing-deleted", "", nil},
		"tombstone expired":        {removal("deleted", expiry), "thing-deleted", "", nil},
		"tombstone removed":        {removal("deleted", nil), "thing-deleted", "", nil},
		"tombstone touched":        {changed(t, h["deleted"], map[string]any{"image.deleted": map[string]any{"BOOL": true}}), "thing-deleted", "", nil},
		"upper case discriminator": {changed(t, h["created"], map[string]any{"image.discriminator": text("Thing")}), "thing-created", "", nil},
	}
	theirs := map[string][]insideout.Event{} // by the record's id, which is that of the case
	var calls []invocation
	for name, c := range all {
		c.record = changed(t, c.record, map[string]any{"eventID": name})
		all[name] = c
		calls = append(calls, invocation{"trigger", map[string]any{"Records": []json.RawMessage{c.record}}})
	}
	s.run(nil, calls...)
	for _, e := range s.bus.taken(t) {
		theirs[e.ID] = append(theirs[e.ID], e)
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ours published
			response, err := trigger(t, &ours, "things-js").HandleDynamoDB(t.Context(), lambdaEvent(t, c.record))
			require.NoError(t, err)
			require.Empty(t, response.BatchItemFailures)
			require.Equal(t, c.js, typesOf(theirs[name]))
			require.Equal(t, c.golang, typesOf(ours.events))
			if c.js != "" && c.golang != "" {
				require.Equal(t, slices.Sorted(slices.Values(append(c.differs, "tags.pipeline"))), slices.Sorted(slices.Values(differences(t, theirs[name][0], ours.events[0], c.record))))
			}
		})
	}
}

func typesOf(list []insideout.Event) string {
	var types []string
	for _, e := range list {
		types = append(types, e.Type)
	}
	return strings.Join(types, " ")
}

// differences lists the members in which two events differ. The time of the record, in whole seconds, is what 1.0.0 of the
// JavaScript library has where a later version has that of the row; both are taken for the same.
func differences(t *testing.T, theirs, ours insideout.Event, record json.RawMessage) []string {
	t.Helper()
	var list []string
	flatTheirs, flatOurs := flatten(t, theirs), flatten(t, ours)
	for name := range flatTheirs {
		if _, ok := flatOurs[name]; !ok {
			list = append(list, name)
		}
	}
	r := lambdaEvent(t, record).Records[0]
	rounded := r.Change.ApproximateCreationDateTime.Time
	for name, value := range flatOurs {
		if value == flatTheirs[name] || name == "timestamp" && r.EventName != "REMOVE" && theirs.Timestamp.Equal(rounded) && ours.Timestamp.Truncate(time.Second).Equal(rounded) {
			continue
		}
		list = append(list, name)
	}
	return list
}

// flatten has the values within an event by their paths.
func flatten(t *testing.T, e insideout.Event) map[string]any {
	t.Helper()
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(raw, &all))
	flat := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(path+"."+name, inner)
			}
		case []any:
			for i, inner := range v {
				walk(path+"."+string(rune('0'+i)), inner)
			}
		default:
			flat[strings.TrimPrefix(path, ".")] = v
		}
	}
	walk("", all)
	return flat
}
