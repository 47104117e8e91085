package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/local"
)

// TestMain lets the test binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("INSIDEOUT_TEST_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// output is a buffer that a test may read while the program writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs serve until the test, or stop, ends it; stop returns the exit code.
func start(t *testing.T, args ...string) (url string, stderr *output, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	stderr = &output{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "-addr", "127.0.0.1:0"}, args...), writer, stderr)
		writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	require.NoError(t, err, stderr)
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	stop = sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { stop() })
	return endpointIn(t, line), stderr, stop
}

func endpointIn(t testing.TB, line string) string {
	t.Helper()
	url := regexp.MustCompile(`http://127\.0\.0\.1:[1-9]\d*`).FindString(line)
	require.NotEmpty(t, url, line)
	return url
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "notes.txt"), []byte("x"), 0o600))
	tests := []struct {
		rule string
		args []string
		want string
	}{
		{"an unknown command", []string{"sreve"}, `no command "sreve"`},
		{"an unknown flag", []string{"serve", "-port", "1"}, "-port"},
		{"an argument", []string{"serve", "folder"}, `unexpected argument "folder"`},
		{"no address", []string{"serve", "-addr", "8000"}, `-addr "8000" is no address`},
		{"a port that is none", []string{"serve", "-addr", "127.0.0.1:99999"}, `-addr "127.0.0.1:99999" is no address`},
		{"all interfaces", []string{"serve", "-addr", ":0"}, "-unsafe-bind"},
		{"all interfaces by name", []string{"serve", "-addr", "0.0.0.0:0"}, "-unsafe-bind"},
		{"a port in use", []string{"serve", "-addr", taken.Addr().String()}, "in use by another program"},
		{"a file as folder", []string{"serve", "-addr", "127.0.0.1:0", "-dir", file}, file},
		{"a folder of something else", []string{"serve", "-addr", "127.0.0.1:0", "-dir", foreign}, foreign},
		{"nosync in memory", []string{"serve", "-nosync"}, "-nosync needs -dir"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var stdout, stderr bytes.Buffer
			require.Equal(t, exitUsage, run(ctx, tt.args, &stdout, &stderr))
			require.Empty(t, stdout.String())
			require.Contains(t, stderr.String(), tt.want)
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"-h"}, {"serve", "-h"}, {"serve", "--help"}} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitOK, run(t.Context(), args, &stdout, &stderr))
		require.Contains(t, stdout.String(), "Usage:")
		require.Empty(t, stderr.String())
	}
	var stderr bytes.Buffer
	require.Equal(t, exitUsage, run(t.Context(), nil, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "Usage:")
}

// createAndPut writes one item into a new table.
func createAndPut(t *testing.T, db *dynamodb.Client) {
	t.Helper()
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: new("orders"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS}},
	})
	require.NoError(t, err)
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: new("orders"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "private"}},
	})
	require.NoError(t, err)
}

func count(t *testing.T, db *dynamodb.Client) int32 {
	t.Helper()
	out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("orders")})
	require.NoError(t, err)
	return out.Count
}

func TestServesInMemory(t *testing.T) {
	t.Parallel()
	url, stderr, stop := start(t)
	db, _ := local.Clients(url)
	createAndPut(t, db)
	require.EqualValues(t, 1, count(t, db))
	require.Equal(t, exitOK, stop())
	require.Empty(t, stderr.String())
}

func TestKeepsDataInAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "if", "need", "be")
	url, _, stop := start(t, "-dir", dir)
	db, _ := local.Clients(url)
	createAndPut(t, db)

	var stderr bytes.Buffer
	require.Equal(t, exitUsage, run(t.Context(), []string{"serve", "-addr", "127.0.0.1:0", "-dir", dir}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "in use by another process")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())

	require.Equal(t, exitOK, stop())
	url, _, _ = start(t, "-dir", dir)
	db, _ = local.Clients(url)
	require.EqualValues(t, 1, count(t, db))
}

func TestLogsRequestsOnRequest(t *testing.T) {
	t.Parallel()
	url, stderr, stop := start(t, "-log")
	db, _ := local.Clients(url)
	createAndPut(t, db)
	require.Equal(t, exitOK, stop())
	require.Contains(t, stderr.String(), "target=DynamoDB_20120810.PutItem status=200")
	require.NotContains(t, stderr.String(), "private")
}

func TestAnnouncesHowToConnect(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	announce(&text, "http://127.0.0.1:1234", settings{dir: "data"})
	for _, want := range []string{
		"http://127.0.0.1:1234, data in data\n", "export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1234\n",
		"export AWS_ENDPOINT_URL_DYNAMODB_STREAMS=http://127.0.0.1:1234\n", `local.Clients("http://127.0.0.1:1234")`,
	} {
		require.Contains(t, text.String(), want)
	}
}

func TestOtherAddressesNeedAFlag(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"0.0.0.0", "::", "192.0.2.1", "2001:db8::1"} {
		require.ErrorContains(t, reachable(settings{addr: ip}, net.ParseIP(ip)), "nobody is authenticated")
		require.NoError(t, reachable(settings{addr: ip, unsafeBind: true}, net.ParseIP(ip)))
	}
	for _, ip := range []string{"127.0.0.1", "127.1.2.3", "::1"} {
		require.NoError(t, reachable(settings{}, net.ParseIP(ip)))
	}
}

func TestEndpointIsOneForThisMachine(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"0.0.0.0": "http://127.0.0.1:80", "::": "http://127.0.0.1:80", "::1": "http://[::1]:80", "192.0.2.1": "http://192.0.2.1:80",
	} {
		require.Equal(t, want, endpoint(&net.TCPAddr{IP: net.ParseIP(ip), Port: 80}))
	}
}

func TestSignalsEndTheProgramCleanly(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "-addr", "127.0.0.1:0", "-dir", t.TempDir())
		cmd.Env = append(os.Environ(), "INSIDEOUT_TEST_PROGRAM=1")
		var stderr bytes.Buffer
		cmd.Stderr, cmd.WaitDelay = &stderr, 20*time.Second
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewReader(stdout)
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		db, _ := local.Clients(endpointIn(t, line))
		createAndPut(t, db)
		require.NoError(t, cmd.Process.Signal(signal))
		_, err = io.Copy(io.Discard, lines)
		require.NoError(t, err)
		require.NoError(t, cmd.Wait(), stderr.String())
		require.Empty(t, stderr.String())
	}
}
