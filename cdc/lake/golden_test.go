package lake_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenEvents() []insideout.Event {
	second := event("2", noon().Add(time.Minute))
	second.Type, second.PartitionKey = "order-credited", "p-1"
	return []insideout.Event{event("1", noon()), second, event("3", noon().Add(time.Second))}
}

// What is stored is read by every later version: the golden folder is one that the first version wrote.
func TestGolden(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := inMemory(t, m, &lake.Options{Region: "eu-west-1"})
	require.NoError(t, l.Publish(t.Context(), goldenEvents()))
	_, err := l.Index(t.Context(), lake.Query{})
	require.NoError(t, err)
	const hour = "eu-west-1/2026/11/21/12/"
	object, index := hour+"1795262400000-69298474da97ae83a4d72920e99a4c18.jsonl.gz", hour+"_index.jsonl.gz"
	dir := filepath.Join("testdata", "lake")
	if *update {
		for name, data := range m.objects {
			full := filepath.Join(dir, filepath.FromSlash(name))
			require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o750))
			require.NoError(t, os.WriteFile(full, data, 0o600))
		}
	}
	require.Len(t, m.objects, 2)
	for _, name := range []string{object, index} {
		want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		require.NoError(t, err)
		require.Contains(t, m.objects, name)
		if name == object { // the index has the version of the object, which has its compressed bytes
			require.Equal(t, unzip(t, want), unzip(t, m.objects[name]))
		}
	}
	old, err := lake.Open(dir, &lake.Options{ReadOnly: true})
	require.NoError(t, err)
	got, err := all(t, old, lake.Query{})
	require.NoError(t, err)
	require.Equal(t, goldenEvents(), got)

	for _, o := range []string{object, index} {
		m.objects[o], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(o)))
		require.NoError(t, err)
	}
	for q, want := range map[string]int{"p-1": 1, "p-3": 1, "p-2": 0} {
		n := 0
		for o, err := range l.Objects(t.Context(), lake.Query{PartitionKeys: []string{q}}) {
			require.NoError(t, err)
			require.Equal(t, &lake.Summary{Events: 3, From: noon(), To: noon().Add(time.Minute), Types: map[string]int{"order-placed": 2, "order-credited": 1}},
				&lake.Summary{Events: o.Summary.Events, From: o.Summary.From, To: o.Summary.To, Types: o.Summary.Types})
			n++
		}
		require.Equal(t, want, n, q)
	}
}

func unzip(t *testing.T, data []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}
