package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the tests start the program itself, as a process that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("ORDERS_RUN_MAIN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "ORDERS_RUN_MAIN=1")
	cmd.Stderr = new(bytes.Buffer)
	return cmd
}

// input is the real file where it is there, and the sample repeated with other invoice numbers where it is not.
func input(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(realData); err == nil {
		return realData
	}
	return longer(t, 40)
}

// longer writes the sample n times, with a digit before each copy's invoice numbers, as docs/longer-input.md does.
func longer(t *testing.T, n int) string {
	t.Helper()
	header, lines, _ := bytes.Cut(sample, []byte("\n"))
	out := append(bytes.Clone(header), '\n')
	for i := range n {
		for line := range bytes.Lines(lines) {
			at := 0
			if line[0] == 'C' {
				at = 1
			}
			out = append(out, line[:at]...)
			out = append(out, []byte{'1' + byte(i/10), '0' + byte(i%10)}...)
			out = append(out, line[at:]...)
		}
	}
	path := filepath.Join(t.TempDir(), "longer.csv")
	require.NoError(t, os.WriteFile(path, out, 0o600))
	return path
}

// Killed at any moment and started again, the flow ends in the same view: nothing lost, nothing doubled.
func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	in := input(t)
	want := runJSON(t, "-in", in)
	for name, test := range map[string]struct {
		endure time.Duration
		flags  []string
	}{
		"early": {400 * time.Millisecond, nil},
		"late":  {1500 * time.Millisecond, nil},
		"chaos": {1000 * time.Millisecond, []string{"-chaos", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, lake := t.TempDir(), t.TempDir()
			args := append([]string{"-in", in, "-data", dir, "-lake", lake, "-json"}, test.flags...)
			for range 4 {
				killAfter(t, 50*time.Millisecond+rand.N(test.endure), args...)
			}
			got := runJSON(t, "-in", in, "-data", dir, "-lake", lake)
			require.Equal(t, want.dump, got.dump)
			require.Equal(t, want.summary.ViewDigest, got.summary.ViewDigest)
			require.Equal(t, want.summary.Invoices, got.summary.Invoices, "the file's counts are of the whole file")

			again := runJSON(t, "-in", in, "-data", dir, "-lake", lake)
			require.Equal(t, want.dump, again.dump)
			require.Zero(t, again.summary.EventsPublished, "what is stored and published is not repeated")
		})
	}
}

func killAfter(t *testing.T, d time.Duration, args ...string) {
	t.Helper()
	cmd := program(t.Context(), args...)
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-time.After(d):
		require.NoError(t, cmd.Process.Kill())
		<-done
	case err := <-done:
		require.NoError(t, err, "%s", cmd.Stderr)
	}
}

func TestInterruptEndsCleanly(t *testing.T) {
	t.Parallel()
	in, dir := longer(t, 90), t.TempDir()
	cmd := program(t.Context(), "-in", in, "-data", dir, "-json")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		entries, _ := os.ReadDir(dir)
		return len(entries) > 0
	}, 10*time.Second, time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait()
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), "%s", cmd.Stderr)
	require.Equal(t, "orders: interrupted; the same command goes on where it stopped\n", cmd.Stderr.(*bytes.Buffer).String())
}

func TestAFolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := program(t.Context(), "-in", "-", "-data", dir) // waits for its input, and holds the folder
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	_, err = stdin.Write([]byte(columns + "\n"))
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		entries, _ := os.ReadDir(dir)
		return len(entries) > 2 // the lock is taken before anything else is written
	}, 10*time.Second, 5*time.Millisecond)
	r := runProgram(t, "-data", dir)
	require.Equal(t, exitBadInput, r.code)
	require.Contains(t, r.stderr, dir)
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait(), "%s", cmd.Stderr)
}
