package local_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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

func TestTransportHidesWriterTo(t *testing.T) {
	t.Parallel()
	var seen []io.Reader
	transport := local.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		again, err := r.GetBody()
		require.NoError(t, err)
		seen = append(seen, r.Body, again)
		return &http.Response{StatusCode: http.StatusNoContent}, nil
	}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1", strings.NewReader("text"))
	require.NoError(t, err)
	require.Implements(t, (*io.WriterTo)(nil), r.Body)
	_, err = transport.RoundTrip(r)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	for _, body := range seen {
		require.NotImplements(t, (*io.WriterTo)(nil), body)
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
	}
}

func TestTransportPassesRequestsWithoutBody(t *testing.T) {
	t.Parallel()
	url, count := server(t, "ok")
	client := &http.Client{Transport: local.Transport(nil)}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.EqualValues(t, 1, count.Load())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
