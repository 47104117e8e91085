package lake_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

const writerFolder = "INSIDEOUT_LAKE_WRITER"

// TestWriterProcess is the process that TestKilledWriter kills. By itself it does nothing.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv(writerFolder)
	if dir == "" {
		return
	}
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d/%06d", os.Getpid(), i)
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{event(id, noon())}))
		fmt.Println("acknowledged " + id)
	}
}

// A writer that is killed at any moment loses nothing that it was told is on disk, and leaves the folder free.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acknowledged []string
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterProcess$")
		cmd.Env = append(os.Environ(), writerFolder+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var id string
			_, err := fmt.Sscanf(lines.Text(), "acknowledged %s", &id)
			require.NoError(t, err, lines.Text())
			acknowledged = append(acknowledged, id)
			if n == 20+round*7 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "it was killed")
	}
	l := open(t, dir, nil)
	require.Subset(t, ids(t, l, lake.Query{}), acknowledged)
}

// The marker of a running writer lists what it writes to: whoever opens the folder after a crash knows where to look.
func TestMarkerListsFilesInTheMaking(t *testing.T) {
	t.Parallel()
	dir, after := t.TempDir(), t.TempDir()
	l := open(t, dir, nil)
	for i := range 3 {
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{event(fmt.Sprint(i), noon())}))
	}
	marker, err := os.ReadFile(filepath.Join(dir, "LAKE"))
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(noonFile)))
	require.NoError(t, err)

	crashed(t, after, data[:len(data)-1])
	require.NoError(t, os.WriteFile(filepath.Join(after, "LAKE"), marker, 0o600))
	mended := open(t, after, nil)
	require.Len(t, mended.Torn(), 1)
	require.Equal(t, []string{"0", "1"}, ids(t, mended, lake.Query{}))

	require.NoError(t, l.Close())
	marker, err = os.ReadFile(filepath.Join(dir, "LAKE"))
	require.NoError(t, err)
	require.Equal(t, "insideout lake 1\n", string(marker), "a closed lake lists nothing")
}
