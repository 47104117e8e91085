package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/emf"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestLines holds the format to golden lines.
func TestLines(t *testing.T) {
	t.Parallel()
	many := make([]time.Duration, 150)
	for i := range many {
		many[i] = time.Duration(i) * 1500 * time.Microsecond
	}
	for name, c := range map[string]struct {
		opts  *emf.Options
		batch views.Batch
	}{
		"queue": {
			&emf.Options{Namespace: "shop", Dimensions: map[string]string{"source": "customers", "functionname": "listener"}},
			views.Batch{
				Stats: views.Stats{In: 10, Applied: 3, Stale: 1, Duplicate: 1, Coalesced: 2, Skipped: 1, Faults: 1, Failed: 1, Throttled: 4, Writes: 5},
				From:  "sqs", Age: 90 * time.Second, Took: 12345 * time.Microsecond,
				Latencies: []time.Duration{4 * time.Millisecond, 1234567 * time.Nanosecond},
			},
		},
		"rollup in process": {nil, views.Batch{Stats: views.Stats{In: 1, Applied: 1, Writes: 2, Reads: 2, RolledUp: 1}, Latencies: []time.Duration{time.Millisecond}}},
		"of the erased":     {nil, views.Batch{Stats: views.Stats{In: 1, Withheld: 1}}},
		"nothing":           {nil, views.Batch{Stats: views.Stats{In: 1, Skipped: 1}, From: "kinesis"}},
		"many writes":       {nil, views.Batch{Stats: views.Stats{In: 150, Applied: 150, Writes: 150}, From: "dynamodb", Latencies: many}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				l, err := emf.New(&out, c.opts)
				require.NoError(t, err)
				l.OnBatch(c.batch)
				golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".json")
				if *update {
					require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), out.String())
				checkFormat(t, out.Bytes())
			})
		})
	}
}

// checkFormat holds lines to what CloudWatch wants of them.
func checkFormat(t *testing.T, out []byte) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var meta struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		members := map[string]any{}
		require.NoError(t, json.Unmarshal(line, &meta))
		require.NoError(t, json.Unmarshal(line, &members))
		require.Positive(t, meta.AWS.Timestamp)
		require.Len(t, meta.AWS.CloudWatchMetrics, 1)
		for _, name := range meta.AWS.CloudWatchMetrics[0].Dimensions[0] {
			require.IsType(t, "", members[name])
		}
		for _, m := range meta.AWS.CloudWatchMetrics[0].Metrics {
			require.Contains(t, []string{"Count", "Milliseconds"}, m.Unit)
			if list, ok := members[m.Name].([]any); ok {
				require.LessOrEqual(t, len(list), 100)
				continue
			}
			require.IsType(t, 0.0, members[m.Name], m.Name)
		}
	}
}

type lines struct{ writes [][]byte }

func (l *lines) Write(p []byte) (int, error) {
	l.writes = append(l.writes, bytes.Clone(p))
	return 0, errors.New("no space")
}

// TestConcurrent: lines do not run into each other, and an error of the writer ends nothing.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	var out lines
	l, err := emf.New(&out, nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { l.OnBatch(views.Batch{Stats: views.Stats{In: 1}}) })
	}
	wg.Wait()
	require.Len(t, out.writes, 20)
	for _, line := range out.writes {
		checkFormat(t, line)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	many := map[string]string{"": "x", "a": "", "_aws": "x", "in": "x", "withheld": "x", "write.latency": "x"}
	for i := range 30 {
		many[fmt.Sprint("d", i)] = "x"
	}
	_, err := emf.New(nil, &emf.Options{Dimensions: many})
	for _, text := range []string{"no writer", "36 dimensions", `""`, `"a"`, `"_aws"`, `"in"`, `"withheld"`, `"write.latency"`} {
		require.ErrorContains(t, err, text)
	}
}
