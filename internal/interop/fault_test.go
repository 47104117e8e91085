package interop_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// command runs insideout faults on the faults and returns its lines.
func command(t *testing.T, faults []insideout.Event, args ...string) []string {
	t.Helper()
	var lines bytes.Buffer
	for _, f := range faults {
		raw, err := f.MarshalJSON()
		require.NoError(t, err)
		lines.Write(append(raw, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "../../cmd/insideout", "faults"}, args...)...)
	cmd.Stdin, cmd.Env = &lines, append(os.Environ(), "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func poisoned(t *testing.T) []insideout.Event {
	t.Helper()
	list, _ := publishedByGo(t, 2)
	list = list[:2]
	require.NoError(t, list[1].SetBody("thing", thing{ID: "p", Name: "poison", Count: 1}))
	return list
}

// TestFaultsOfJavaScript: our command reads the faults of a listener in JavaScript, and sends their events to our listener, or
// their records back to the function that failed.
func TestFaultsOfJavaScript(t *testing.T) {
	t.Parallel()
	s := newService(t)
	db := create(t, s.db, "things")
	s.run([]string{"POISON=poison"}, invocation{"queue", queueEvent(t, poisoned(t))})
	faults := s.bus.taken(t)
	require.Len(t, faults, 1)
	f := readFault(t, faults[0])
	require.Equal(t, "things-function", f.Tags["functionname"])
	require.Equal(t, "m1", f.Tags["pipeline"])
	require.Equal(t, "this name is poison", f.Err.Message)
	list := command(t, faults, "list", "-in", "-", "-function", "things-function", "-pipeline", "m1", "-type", "thing-updated")
	require.Contains(t, strings.Join(list, "\n"), "this name is poison")

	view := create(t, s.db, "view")
	l := listener(t, view, nil)
	var again insideout.Event
	require.NoError(t, json.Unmarshal([]byte(command(t, faults, "resubmit", "-in", "-", "-to", "stdout")[0]), &again))
	_, err := l.HandleSQS(t.Context(), queueEvent(t, []insideout.Event{again}))
	require.NoError(t, err)
	requireView(t, view, map[string]thing{"p": {ID: "p", Name: "poison", Count: 1}})

	records := command(t, faults, "resubmit", "-in", "-", "-to", "stdout", "-as", "records")
	require.Len(t, records, 1)
	s.run(nil, invocation{"queue", json.RawMessage(records[0])})
	require.Empty(t, s.bus.taken(t))
	p, err := things.Get(t.Context(), db, "p")
	require.NoError(t, err)
	require.Equal(t, thing{ID: "p", Name: "poison", Count: 1}, p)
}

// TestFaultsOfGo: the record in a fault of ours is what Lambda delivers, so that the JavaScript library's own tool, which sends
// {Records: [record]} to the function, makes sense of it.
func TestFaultsOfGo(t *testing.T) {
	t.Parallel()
	s := newService(t)
	db := create(t, s.db, "things")
	batch := queueEvent(t, poisoned(t))
	kinesis := events.KinesisEvent{}
	for _, m := range batch.Records {
		kinesis.Records = append(kinesis.Records, events.KinesisEventRecord{EventID: "shard:" + m.MessageId, EventSource: "aws:kinesis", Kinesis: events.KinesisRecord{SequenceNumber: m.MessageId, Data: []byte(m.Body)}})
	}
	view := create(t, s.db, "view")
	var faults published
	l := listener(t, view, &views.Options{Name: "things-go", Source: "things", Faults: &faults})
	_, err := l.HandleSQS(t.Context(), batch)
	require.NoError(t, err)
	_, err = l.HandleKinesis(t.Context(), kinesis)
	require.NoError(t, err)
	require.Len(t, faults.events, 2)
	require.Equal(t, faults.events[0].ID, faults.events[1].ID) // it is the same event, for the same rule
	var calls []invocation
	for i, handler := range []string{"queue", "stream"} {
		f := readFault(t, faults.events[i])
		require.Equal(t, "things-go", f.Tags["functionname"])
		require.Equal(t, "upsert-thing", f.Tags["pipeline"])
		require.NotEmpty(t, f.UOW.Event)
		calls = append(calls, invocation{handler, map[string]any{"Records": []json.RawMessage{f.UOW.Record}}})
	}
	s.run(nil, calls[0])
	requireView(t, db, map[string]thing{"p": {ID: "p", Name: "poison", Count: 1}})
	s = newService(t)
	db = create(t, s.db, "things")
	s.run(nil, calls[1])
	requireView(t, db, map[string]thing{"p": {ID: "p", Name: "poison", Count: 1}})

	// What is no event at all comes back as it came.
	batch.Records[0].Body = "{oops"
	faults.events = nil
	_, err = l.HandleSQS(t.Context(), events.SQSEvent{Records: batch.Records[:1]})
	require.NoError(t, err)
	require.Len(t, faults.events, 1)
	require.Contains(t, string(readFault(t, faults.events[0]).UOW.Record), `"body":"{oops"`)
}

// TestVersion tells which version of the library the tests ran with.
func TestVersion(t *testing.T) {
	t.Parallel()
	s := newService(t)
	raw, err := os.ReadFile(filepath.Join(s.js, "node_modules", "aws-lambda-stream", "package.json"))
	require.NoError(t, err)
	var p struct{ Version string }
	require.NoError(t, json.Unmarshal(raw, &p))
	require.Regexp(t, `^1\.`, p.Version)
	t.Log("aws-lambda-stream", p.Version)
}
