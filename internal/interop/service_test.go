package interop_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// service is a service in JavaScript: testdata/service.js, with a table in an engine of its own and a bus that the test reads.
type service struct {
	t         testing.TB
	js        string // the folder with node_modules
	db        *embedded.DB
	bus       *bus
	variables []string
}

// invocation is one call of a handler of the service: queue, stream or trigger.
type invocation struct {
	Handler string `json:"handler"`
	Event   any    `json:"event"`
}

func newService(t testing.TB, variables ...string) *service {
	t.Helper()
	js := os.Getenv("INSIDEOUT_JS")
	if js == "" {
		t.Skip("INSIDEOUT_JS is not set: give the folder that has aws-lambda-stream in its node_modules, as .ci/js.sh makes it")
	}
	s := &service{t: t, js: js, db: embedded.New(nil), bus: &bus{}, variables: variables}
	server, busServer := httptest.NewServer(s.db.Handler()), httptest.NewServer(s.bus)
	t.Cleanup(func() {
		server.Close()
		busServer.Close()
		require.NoError(t, s.db.Close())
	})
	s.variables = append([]string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + server.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE=" + busServer.URL,
	}, s.variables...)
	return s
}

// run makes the calls one after the other, in one process, each of which must succeed. It returns the processor time of each,
// in microseconds.
func (s *service) run(variables []string, calls ...invocation) (micros []int64) {
	s.t.Helper()
	in, err := json.Marshal(calls)
	require.NoError(s.t, err)
	script, err := filepath.Abs("testdata/service.js")
	require.NoError(s.t, err)
	cmd := exec.CommandContext(s.t.Context(), "node", script)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(s.js, "node_modules"), "NODE_NO_WARNINGS=1",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "ENTITY_TABLE_NAME=things", "BUS_NAME=bus",
		"ACCOUNT_NAME=dev", "STAGE=test", "PROJECT=things-js", "AWS_LAMBDA_FUNCTION_NAME=things-function", "TIMEOUT=10000")
	cmd.Env = append(append(cmd.Env, s.variables...), variables...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	require.NoError(s.t, cmd.Run(), "%s", stderr.String())
	var results []struct {
		Error  string
		Micros int64
	}
	require.NoError(s.t, json.Unmarshal(out.Bytes(), &results), "%s", out.String())
	require.Len(s.t, results, len(calls))
	for i, result := range results {
		require.Empty(s.t, result.Error, "call %d: %s", i, stderr.String())
		micros = append(micros, result.Micros)
	}
	return micros
}

// bus takes PutEvents, and keeps the events.
type bus struct {
	mu      sync.Mutex
	details []string
}

func (b *bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Entries []struct{ Detail, DetailType string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
		http.Error(w, "no PutEvents", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]any{"FailedEntryCount": 0}
	var entries []map[string]string
	for _, e := range in.Entries {
		b.details = append(b.details, e.Detail)
		entries = append(entries, map[string]string{"EventId": "1"})
	}
	out["Entries"] = entries
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}

// taken returns the events that came since the last call.
func (b *bus) taken(t testing.TB) []insideout.Event {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	events := make([]insideout.Event, len(b.details))
	for i, detail := range b.details {
		require.NoError(t, json.Unmarshal([]byte(detail), &events[i]))
	}
	b.details = nil
	return events
}
