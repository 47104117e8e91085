package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/tabletest"
)

// program runs serve as a process of its own and returns its endpoint.
func program(tb testing.TB, args ...string) (url string, process *os.Process) {
	tb.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "INSIDEOUT_TEST_PROGRAM=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() {
		require.NoError(tb, cmd.Process.Signal(os.Interrupt))
		require.NoError(tb, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(tb, err)
	return endpointIn(tb, line), cmd.Process
}

// resident is the memory of a process in MB, by Linux's account of it: all of
// it ("VmRSS"), or what is its own ("RssAnon"), without the program's file.
func resident(tb testing.TB, p *os.Process, what string) float64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/status")
	if err != nil {
		tb.Skipf("no account of processes here: %v", err)
	}
	kb := regexp.MustCompile(what + `:\s*(\d+) kB`).FindSubmatch(status)
	require.NotNil(tb, kb)
	n, err := strconv.Atoi(string(kb[1]))
	require.NoError(tb, err)
	return float64(n) / 1024
}

// firstAnswer waits for the health check of a server.
func firstAnswer(tb testing.TB, url string) {
	tb.Helper()
	res, err := http.Get(url)
	require.NoError(tb, err)
	require.NoError(tb, res.Body.Close())
	require.Equal(tb, http.StatusOK, res.StatusCode)
}

// BenchmarkBeside measures the engine in process, the program, and the program with its data in a folder, beside DynamoDB Local:
//
//	INSIDEOUT_DYNAMODB_ENDPOINT=http://127.0.0.1:8001 go test -run '^$' -bench Beside -benchtime 5s ./cmd/insideout
func BenchmarkBeside(b *testing.B) {
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		b.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: it is the URL of a DynamoDB endpoint, such as DynamoDB Local's")
	}
	db := embedded.New(nil)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	memory, _ := program(b)
	folder, _ := program(b, "-dir", b.TempDir())
	tabletest.Benchmark(b,
		tabletest.Contender{Name: "local", Endpoint: tabletest.Clients(url)},
		tabletest.Contender{Name: "http", Endpoint: tabletest.Clients(memory)},
		tabletest.Contender{Name: "process", Endpoint: tabletest.Endpoint{DynamoDB: db, Streams: db}},
		tabletest.Contender{Name: "folder", Endpoint: tabletest.Clients(folder)},
	)
}

// BenchmarkStart measures the time from the start of the process to its first
// answer.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		url, _ := program(b)
		firstAnswer(b, url)
	}
}
