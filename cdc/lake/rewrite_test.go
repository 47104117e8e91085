package lake_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

const rewriterFolder = "INSIDEOUT_LAKE_REWRITER"

func dropThrees(e *insideout.Event) (lake.Edit, error) {
	if strings.HasSuffix(e.ID, "3") {
		return lake.Drop, nil
	}
	return lake.Keep, nil
}

// TestRewriterProcess is the process that TestKilledRewriter kills. By itself it does nothing.
func TestRewriterProcess(t *testing.T) {
	dir := os.Getenv(rewriterFolder)
	if dir == "" {
		return
	}
	l, err := lake.New(lake.NewFolder(dir), nil)
	require.NoError(t, err)
	fmt.Println("began")
	_, err = l.Rewrite(t.Context(), lake.Query{Done: func(lake.Object) { time.Sleep(time.Millisecond) }}, dropThrees, nil)
	require.NoError(t, err)
}

// A rewrite that is killed at any moment leaves every event that is to stay, once, and a lake that is written to; the next one goes on.
func TestKilledRewriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, &lake.Options{FileBytes: 1})
	var want []string
	for i := range 50 {
		id := fmt.Sprintf("%03d", i)
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{event(id, noon().Add(time.Duration(i)*time.Minute))}))
		if !strings.HasSuffix(id, "3") {
			want = append(want, id)
		}
	}
	kept := func() (all []string, threes int) {
		for _, id := range ids(t, l, lake.Query{}) {
			if strings.HasSuffix(id, "3") {
				threes++
				continue
			}
			all = append(all, id)
		}
		return all, threes
	}
	for round := range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRewriterProcess$")
		cmd.Env = append(os.Environ(), rewriterFolder+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		require.True(t, bufio.NewScanner(out).Scan())
		time.Sleep(time.Duration(round*17) * time.Millisecond)
		_ = cmd.Process.Kill() // it may be through
		_ = cmd.Wait()
		all, _ := kept()
		require.Equal(t, want, all)
	}
	_, err := l.Rewrite(t.Context(), lake.Query{}, dropThrees, nil)
	require.NoError(t, err)
	all, threes := kept()
	require.Equal(t, want, all)
	require.Zero(t, threes)
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("after", noon())}))
	require.Contains(t, ids(t, l, lake.Query{}), "after")
}

// A rewrite beside a writer in another process loses nothing that the writer was told is on disk, also when the writer is killed.
func TestRewriteBesideAWriterThatIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterProcess$")
	cmd.Env = append(os.Environ(), writerFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	l, err := lake.New(lake.NewFolder(dir), nil)
	require.NoError(t, err)
	acknowledged, ended := []string{strings.TrimPrefix(lines.Text(), "acknowledged ")}, make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			acknowledged = append(acknowledged, strings.TrimPrefix(lines.Text(), "acknowledged "))
		}
	}()
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
		_, err := l.Rewrite(t.Context(), lake.Query{}, dropThrees, nil)
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Process.Kill())
	<-ended
	require.Error(t, cmd.Wait())
	mended := open(t, dir, nil)
	_, err = mended.Rewrite(t.Context(), lake.Query{}, dropThrees, nil)
	require.NoError(t, err)
	counts := map[string]int{}
	for _, id := range ids(t, mended, lake.Query{}) {
		counts[id]++
	}
	for _, id := range acknowledged {
		want := 1
		if strings.HasSuffix(id, "3") {
			want = 0
		}
		require.Equal(t, want, counts[id], id)
	}
}

// Rewriting waits for its turn no longer than its context.
func TestTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, nil)
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("3", noon())}))
	held, err := lake.Lock(filepath.Join(dir, ".turn"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = l.Rewrite(ctx, lake.Query{}, dropThrees, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Publish(ctx, []insideout.Event{event("4", noon())}), context.DeadlineExceeded)
	require.NoError(t, lake.Unlock(held))
	_, err = l.Rewrite(t.Context(), lake.Query{}, dropThrees, nil)
	require.NoError(t, err)
	require.Empty(t, ids(t, l, lake.Query{}))
}

// A writer that is always faster makes the rewrite take its turn, in which the editor may still discard claim checks.
func TestRewriteOfABusyFile(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), nil)
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("3", noon())}))
	bucket, err := l.Keep(t.Context(), "local/claimchecks/3", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	busy := 2
	done, err := l.Rewrite(ctx, lake.Query{}, func(e *insideout.Event) (lake.Edit, error) {
		if e.ID != "3" {
			return lake.Keep, nil
		}
		if busy > 0 {
			require.NoError(t, l.Publish(ctx, []insideout.Event{event(fmt.Sprint("new", busy), noon())}))
			busy--
		}
		return lake.Drop, l.Discard(ctx, bucket, "local/claimchecks/3")
	}, nil)
	require.NoError(t, err)
	require.Equal(t, lake.Rewritten{Objects: 1, Changed: 1, Dropped: 1, LastDone: noonFile, BytesRead: done.BytesRead}, done)
	require.Equal(t, []string{"new2", "new1"}, ids(t, l, lake.Query{}))
}

// The memory that a reader takes depends on the parts of objects, not on the size of the lake. It is not parallel, to measure itself.
func TestReaderMemory(t *testing.T) {
	const size, copies = 3000, 20
	dir := t.TempDir()
	l := open(t, dir, nil)
	require.NoError(t, l.Publish(t.Context(), kilobytes(size)))
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(noonFile)))
	require.NoError(t, err)
	for i := range copies - 1 {
		name := filepath.Join(dir, "local", "2026", "11", "21", "12", fmt.Sprintf("%06d.jsonl.gz", i+2))
		require.NoError(t, os.WriteFile(name, data, 0o600))
	}
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak, n := live(), uint64(0), 0
	for _, err := range l.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		if n++; n%5000 == 0 {
			peak = max(peak, live())
		}
	}
	t.Logf("%d MiB live at most", (peak-before)>>20)
	require.Equal(t, size*copies, n)
	require.Less(t, peak, before+40<<20, "%d MiB for 60 MB of events, which take twice as much once they are decoded", (peak-before)>>20)
}
