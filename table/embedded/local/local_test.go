package local_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/local"
)

// server answers every request with the same body at once, and counts them.
func server(t *testing.T, body string) (url string, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL, count
}

// TestNoRequestIsSentTwice is the SDK's fault that Transport works round: a
// server that answers at once, with more than 4 KB. Any broken connection
// would show as a retry.
func TestNoRequestIsSentTwice(t *testing.T) {
	t.Parallel()
	const workers, each = 2, 2000
	items := strings.Repeat(`{"pk":{"S":"`+strings.Repeat("x", 1000)+`"}},`, 20)
	url, count := server(t, `{"Count":20,"Items":[`+strings.TrimSuffix(items, ",")+`]}`)
	client, _ := local.Clients(url)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				out, err := client.Query(t.Context(), &dynamodb.QueryInput{TableName: new("T")})
				if err != nil || len(out.Items) != 20 {
					t.Errorf("Query: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, workers*each, count.Load())
}

func TestClientsNeedNoConfiguration(t *testing.T) {
	t.Parallel()
	url, count := server(t, `{"TableNames":["a"],"Streams":[]}`)
	db, streams := local.Clients(url)
	tables, err := db.ListTables(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, tables.TableNames)
	_, err = streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	require.EqualValues(t, 2, count.Load())
}

func TestTransportPassesRequestsWithoutBody(t *testing.T) {
	t.Parallel()
	url, count := server(t, "ok")
	client := &http.Client{Transport: local.Transport()}
	defer client.CloseIdleConnections()
	for range 3 {
		text, err := get(t.Context(), client, url)
		require.NoError(t, err)
		require.Equal(t, "ok", text)
	}
	require.EqualValues(t, 3, count.Load())
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// connections counts those that a server has accepted.
func connections(t *testing.T, handler http.Handler) (s *httptest.Server, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	s = httptest.NewUnstartedServer(handler)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			count.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, count
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	s, count := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	client := &http.Client{Transport: local.Transport()}
	for range 5 {
		text, err := get(t.Context(), client, s.URL)
		require.NoError(t, err)
		require.Len(t, text, 100_000)
	}
	require.EqualValues(t, 1, count.Load())

	res, err := client.Get(s.URL) // what is not read to its end is not used again
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	_, err = get(t.Context(), client, s.URL)
	require.NoError(t, err)
	require.EqualValues(t, 2, count.Load())

	_, err = get(t.Context(), client, s.URL+"/close")
	require.NoError(t, err)
	_, err = get(t.Context(), client, s.URL)
	require.NoError(t, err)
	require.EqualValues(t, 3, count.Load())

	client.CloseIdleConnections()
	_, err = get(t.Context(), client, s.URL)
	require.NoError(t, err)
	require.EqualValues(t, 4, count.Load())
}

// A server that starts again has closed every idle connection: nothing fails.
func TestClosedConnectionsAreNotUsed(t *testing.T) {
	t.Parallel()
	s, count := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	client := &http.Client{Transport: local.Transport()}
	for i := range 50 {
		_, err := get(t.Context(), client, s.URL)
		require.NoError(t, err)
		require.EqualValues(t, i+1, count.Load())
		s.CloseClientConnections()
	}
}

func TestContextsEndRequests(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	}))
	defer close(release)
	client := &http.Client{Transport: local.Transport()}
	for _, path := range []string{"/", "/body"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := get(ctx, client, s.URL+path)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		_, err = get(ctx, client, s.URL+path)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

// A server that refuses a large request before it has read it is heard.
func TestAnswersBeforeTheEndOfTheRequest(t *testing.T) {
	t.Parallel()
	s, _ := connections(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	client := &http.Client{Transport: local.Transport()}
	res, err := client.Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("x", 200_000)))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}

func TestTransportRefuses(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: local.Transport()}
	_, err := get(t.Context(), client, "https://user:secret@127.0.0.1:1")
	require.ErrorContains(t, err, "is not an http endpoint")
	require.NotContains(t, err.Error(), "secret")
	_, err = get(t.Context(), client, "http://127.0.0.1:1")
	require.ErrorContains(t, err, "refused")
}

func TestManyCallersShareTheTransport(t *testing.T) {
	t.Parallel()
	s, count := connections(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	client := &http.Client{Transport: local.Transport()}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				path := fmt.Sprint("/", i, "/", j)
				text, err := get(t.Context(), client, s.URL+path)
				if err != nil || text != path {
					t.Errorf("%s: %q %v", path, text, err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, count.Load(), int64(16))
}

// A request leaves in one piece, though its body is of a type that net/http knows nothing about: a server that is woken
// by the head alone has to read twice.
func TestHeadAndBodyLeaveTogether(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	first := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		data := make([]byte, 4096)
		n, _ := conn.Read(data)
		first <- string(data[:n])
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}()
	r, err := http.NewRequest(http.MethodPost, "http://"+listener.Addr().String(), struct{ io.Reader }{strings.NewReader("the body")})
	require.NoError(t, err)
	r.ContentLength = int64(len("the body"))
	res, err := local.Transport().RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Regexp(t, `(?s)^POST / HTTP/1\.1\r\n.*\r\n\r\nthe body$`, <-first)
}
