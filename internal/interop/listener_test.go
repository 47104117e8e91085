package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// thingEvent is what the listener in Go reads of events.
type thingEvent struct {
	Thing thing `json:"thing"`
}

// listener is the one in Go that keeps what the service in JavaScript does. The name "poison" is poison.
func listener(t testing.TB, db *table.DB, opts *views.Options) *views.Listener {
	t.Helper()
	l, err := views.New(db, opts,
		views.Upsert(things, views.On("thing-created", "thing-updated", "thing-undeleted"), func(e thingEvent) (thing, error) {
			if e.Thing.Name == "poison" && opts != nil {
				return thing{}, errors.New("this name is poison")
			}
			return e.Thing, nil
		}),
		views.Remove(things, views.On("thing-deleted"), func(e thingEvent) (table.ID, error) { return e.Thing.ID, nil }))
	require.NoError(t, err)
	return l
}

// publishedByGo is what the trigger in Go publishes of a history of things: of each one several changes, of some a deletion.
func publishedByGo(t testing.TB, n int) (list []insideout.Event, want map[string]thing) {
	t.Helper()
	engine := embedded.New(nil)
	defer engine.Close()
	db := create(t, engine, "source")
	want = map[string]thing{}
	for i := range n {
		x := thing{ID: fmt.Sprint("t", i), Name: fmt.Sprint("name ", i), Ratio: 1.5, Labels: []string{"ä", "\"b\""}, Extra: map[string]any{"n": 1.0}}
		for x.Count = range 3 {
			require.NoError(t, things.Save(t.Context(), db, x))
		}
		x.Count = 2
		want[x.ID] = x
		if i%4 == 3 {
			require.NoError(t, things.Delete(t.Context(), db, x.ID))
			delete(want, x.ID)
		}
	}
	var p published
	_, err := trigger(t, &p, "things-go").HandleDynamoDB(t.Context(), lambdaEvent(t, stream(t, engine, "source")...))
	require.NoError(t, err)
	return p.events, want
}

// requireView holds the rows of a table to what must be there.
func requireView(t testing.TB, db *table.DB, want map[string]thing) {
	t.Helper()
	got := map[string]thing{}
	for x, err := range things.List().All(t.Context(), db) {
		require.NoError(t, err)
		got[x.ID] = x
	}
	require.Equal(t, want, got)
}

// TestJavaScriptListensToGo: what our trigger publishes is what a listener in JavaScript makes its rows of, and we read those
// rows. In order, since 1.0.0 takes a row that is newer than an event for an error; see docs/interop.md.
func TestJavaScriptListensToGo(t *testing.T) {
	t.Parallel()
	s := newService(t, "PARALLEL=1")
	db := create(t, s.db, "things")
	list, want := publishedByGo(t, 12)
	stream := func(e events.SQSEvent) any {
		var records []map[string]any
		for i, m := range e.Records {
			records = append(records, map[string]any{"eventID": fmt.Sprint("shard:", i), "eventSource": "aws:kinesis", "kinesis": map[string]any{"data": []byte(m.Body), "sequenceNumber": fmt.Sprint(i)}})
		}
		return map[string]any{"Records": records}
	}
	half := len(list) / 2
	s.run(nil, invocation{"queue", queueEvent(t, list[:half])}, invocation{"stream", stream(queueEvent(t, list[half:]))})
	require.Empty(t, s.bus.taken(t))
	requireView(t, db, want)
}

// TestGoListensToJavaScript: what a trigger in JavaScript publishes is what our listener makes its rows of, in any order and
// twice, also where it compresses what is large.
func TestGoListensToJavaScript(t *testing.T) {
	t.Parallel()
	s := newService(t)
	source := create(t, s.db, "source")
	want := map[string]thing{}
	for i := range 12 {
		x := thing{ID: fmt.Sprint("t", i), Name: strings.Repeat("ö", 1+3000*(i%3)), Labels: []string{"a"}}
		for x.Count = range 3 {
			require.NoError(t, things.Save(t.Context(), source, x))
		}
		x.Count = 2
		if want[x.ID] = x; i%4 == 3 {
			require.NoError(t, things.Delete(t.Context(), source, x.ID))
			delete(want, x.ID)
		}
	}
	records := stream(t, s.db, "source")
	for i := range records { // 1.0.0 takes the whole second for the time of the event: let each change have its own
		records[i] = changed(t, records[i], map[string]any{"dynamodb.ApproximateCreationDateTime": 1_700_000_000 + i})
	}
	s.run(nil, invocation{"trigger", map[string]any{"Records": records}})
	list := s.bus.taken(t)
	require.Len(t, list, len(records))
	compressed := false
	for _, e := range list {
		compressed = compressed || strings.Contains(string(e.Body["thing"]), "COMPRESSED")
	}
	require.True(t, compressed)
	list = append(list, list...)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	db := create(t, s.db, "view")
	l := listener(t, db, nil)
	response, err := l.HandleSQS(t.Context(), queueEvent(t, list))
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	requireView(t, db, want)
}

// TestOneRowOfBoth: while a service moves, listeners in JavaScript and in Go write the same rows, in turns. The newest event
// wins, whoever wrote it.
func TestOneRowOfBoth(t *testing.T) {
	t.Parallel()
	s := newService(t)
	db := create(t, s.db, "things")
	l := listener(t, db, nil)
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	event := func(n int) insideout.Event {
		e := insideout.Event{ID: fmt.Sprint("e", n), Type: "thing-updated", PartitionKey: "1", Timestamp: at.Add(time.Duration(n) * time.Second)}
		require.NoError(t, e.SetBody("thing", thing{ID: "1", Name: fmt.Sprint("n", n), Count: n}))
		return e
	}
	inGo := func(n int) {
		_, err := l.HandleSQS(t.Context(), queueEvent(t, []insideout.Event{event(n)}))
		require.NoError(t, err)
	}
	s.run(nil, invocation{"queue", queueEvent(t, []insideout.Event{event(5)})})
	inGo(4) // older: the row of the other one stays
	requireView(t, db, map[string]thing{"1": {ID: "1", Name: "n5", Count: 5}})
	inGo(6)
	requireView(t, db, map[string]thing{"1": {ID: "1", Name: "n6", Count: 6}})
	s.run(nil, invocation{"queue", queueEvent(t, []insideout.Event{event(7)})})
	requireView(t, db, map[string]thing{"1": {ID: "1", Name: "n7", Count: 7}})
	inGo(8)
	inGo(7)
	requireView(t, db, map[string]thing{"1": {ID: "1", Name: "n8", Count: 8}})
	require.EqualValues(t, 2, l.Stats().Applied)
	require.EqualValues(t, 2, l.Stats().Stale)

	// A late event changes nothing in JavaScript either, but 1.0.0 reports it as a fault: it looks for the error's code where the
	// SDK it needs has the name.
	s.run(nil, invocation{"queue", queueEvent(t, []insideout.Event{event(6)})})
	requireView(t, db, map[string]thing{"1": {ID: "1", Name: "n8", Count: 8}})
	for _, e := range s.bus.taken(t) {
		require.Equal(t, "ConditionalCheckFailedException", readFault(t, e).Err.Name)
	}

	row, err := s.db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: ptr("things"), Key: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "1"}, "sk": &types.AttributeValueMemberS{Value: "thing"},
	}})
	require.NoError(t, err)
	require.Contains(t, row.Item, "latched")
}

func ptr[T any](v T) *T { return &v }

// faultOf is what both libraries put into a fault.
type faultOf struct {
	Tags map[string]string `json:"tags"`
	Err  struct{ Name, Message, Stack string }
	UOW  struct {
		Record json.RawMessage
		Event  json.RawMessage
	}
}

func readFault(t testing.TB, e insideout.Event) faultOf {
	t.Helper()
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	var f faultOf
	require.NoError(t, json.Unmarshal(raw, &f))
	require.Equal(t, insideout.TypeFault, e.Type)
	return f
}
