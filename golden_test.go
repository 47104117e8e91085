package insideout_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads events as the JavaScript library writes them. Each golden file lists what the fields say, and then
// the event as it is written back.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/events/*.json")
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var e insideout.Event
			require.NoError(t, json.Unmarshal(data, &e))
			written, err := e.MarshalJSON()
			require.NoError(t, err)
			require.JSONEq(t, string(data), string(written))
			checkGolden(t, strings.TrimSuffix(file, ".json")+".golden", describe(e)+"----\n"+string(written)+"\n")
		})
	}
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}

func describe(e insideout.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ID %s\nType %s\nTimestamp %s\nPartitionKey %s\nSkipped %v\n",
		e.ID, e.Type, e.Timestamp.Format(time.RFC3339Nano), e.PartitionKey, e.Skipped())
	for _, name := range slices.Sorted(maps.Keys(e.Tags)) {
		fmt.Fprintf(&b, "Tag %s=%s\n", name, e.Tags[name])
	}
	for _, ref := range e.Triggers {
		fmt.Fprintf(&b, "Trigger %s %s %s\n", ref.ID, ref.Type, ref.Timestamp.Format(time.RFC3339Nano))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Body)) {
		fmt.Fprintf(&b, "Body %s %s\n", name, e.Body[name])
	}
	return b.String()
}
