// Package laketest is the suite that every [lake.Store] must pass, and every lake on it.
//
// Call [Run] from a test of the store, with a function that makes an empty [Backend].
package laketest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// Backend is an empty lake to test.
type Backend struct {
	// Store is where its objects lie.
	Store lake.Store
	// Open opens the lake in the store. The suite closes it before it opens it again for writing.
	Open func(opts *lake.Options) (*lake.Lake, error)
}

// Run runs the suite. Each test makes a backend of its own; tests run in parallel.
func Run(t *testing.T, backend func(t *testing.T) Backend) {
	t.Helper()
	for _, test := range []struct {
		rule string
		run  func(t *testing.T, b Backend)
	}{
		{"objects are written whole and on their condition", conditions},
		{"one of many conditional writes wins", oneWriterWins},
		{"content stays as it was opened", snapshot},
		{"lists are in order, beyond one page, and begin where they should", lists},
		{"what is not there is told", missing},
		{"events are read as they were published", published},
		{"the same batch is there once outside of folders", twice},
		{"queries find what they ask for", queries},
		{"reading goes on after an object", resumes},
		{"objects are bounded", bounded},
		{"the index lets objects be skipped, and comes back", indexed},
		{"Firehose's objects are read", firehose},
		{"damage is named and never skipped in silence", damaged},
		{"a rewrite changes what it should and nothing else", rewrites},
		{"a rewrite goes on where it has ended", rewriteResumes},
		{"a rewrite refuses what it must not do", rewriteRefuses},
		{"envelopes are rewritten from within", rewriteEnvelope},
		{"readers and writers may be at work during a rewrite", rewriteConcurrent},
		{"claim checks are kept and redeemed", claims},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			test.run(t, backend(t))
		})
	}
}

// At is when the events of the suite happen, unless a test says otherwise.
func at() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

const hour = "local/2026/11/21/12/"

func event(id string, after time.Duration) insideout.Event {
	return insideout.Event{
		ID: id, Type: "order-placed", Timestamp: at().Add(after), PartitionKey: "p-" + id, Tags: insideout.Tags{"source": "orders"},
		Body: map[string]json.RawMessage{"order": json.RawMessage(`{"total":12345678901234567890.50,"note":"a\nb <é>","of":"` + id + `"}`)},
	}
}

func (b Backend) open(t *testing.T, opts *lake.Options) *lake.Lake {
	t.Helper()
	l, err := b.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			require.ErrorIs(t, err, lake.ErrClosed)
		}
	})
	return l
}

func publish(t *testing.T, l *lake.Lake, events ...insideout.Event) {
	t.Helper()
	require.NoError(t, l.Publish(t.Context(), events))
}

func ids(t *testing.T, l *lake.Lake, q lake.Query) []string {
	t.Helper()
	var all []string
	for e, err := range l.Events(t.Context(), q) {
		require.NoError(t, err)
		all = append(all, e.ID)
	}
	return all
}

func objects(t *testing.T, l *lake.Lake, q lake.Query) []lake.Object {
	t.Helper()
	var all []lake.Object
	for o, err := range l.Objects(t.Context(), q) {
		require.NoError(t, err)
		all = append(all, o)
	}
	return all
}

func (b Backend) put(t *testing.T, name string, data []byte) {
	t.Helper()
	_, err := b.Store.Put(t.Context(), name, data, "")
	require.NoError(t, err)
}

func (b Backend) get(t *testing.T, name string) []byte {
	t.Helper()
	c, err := b.Store.Open(t.Context(), name)
	require.NoError(t, err)
	data, err := io.ReadAll(io.NewSectionReader(c, 0, c.Bytes))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.EqualValues(t, len(data), c.Bytes)
	return data
}

// text returns an object's text, decompressed.
func (b Backend) text(t *testing.T, name string) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b.get(t, name)))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func zip(t *testing.T, parts ...string) []byte {
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

func names(n int, form string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(form, i)
	}
	return all
}
