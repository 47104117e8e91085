package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"testing"
	"testing/synctest"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/laketest"
	"github.com/insideout-go/insideout/cdc/lake/s3"
)

func backend(t *testing.T, client s3.Client, name, prefix string) laketest.Backend {
	t.Helper()
	store, err := s3.New(client, name, &s3.Options{Prefix: prefix})
	require.NoError(t, err)
	return laketest.Backend{Store: store, Open: func(opts *lake.Options) (*lake.Lake, error) { return lake.New(store, opts) }}
}

func TestStore(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "a/b", "a/"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			laketest.Run(t, func(t *testing.T) laketest.Backend { return backend(t, newBucket(), "lake", prefix) })
		})
	}
}

func open(t *testing.T, client s3.Client) *lake.Lake {
	t.Helper()
	l, err := backend(t, client, "lake", "p").Open(nil)
	require.NoError(t, err)
	return l
}

func events(from, n int) []insideout.Event {
	var all []insideout.Event
	for i := range n {
		e := insideout.Event{ID: fmt.Sprintf("%03d", from+i), Type: "a", Timestamp: noon(), PartitionKey: fmt.Sprint("p", (from+i)%5)}
		all = append(all, e)
	}
	return all
}

// Whatever fails on the way, every batch is there once, a rewrite takes out what it should and nothing else, and readers see all of it.
func TestFaults(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			client := newFaulty(seed)
			l := open(t, client)
			var want []string
			for batch := range 10 {
				all := events(batch*10, 10)
				eventually(t, func() error { return l.Publish(t.Context(), all) })
				for _, e := range all {
					if e.PartitionKey != "p3" {
						want = append(want, e.ID)
					}
				}
			}
			drop := func(e *insideout.Event) (lake.Edit, error) {
				if e.PartitionKey == "p3" {
					return lake.Drop, nil
				}
				return lake.Keep, nil
			}
			eventually(t, func() error {
				_, err := l.Rewrite(t.Context(), lake.Query{PartitionKeys: []string{"p3"}}, drop, nil)
				return err
			})
			var got []string
			eventually(t, func() error {
				got = nil
				for e, err := range l.Events(t.Context(), lake.Query{}) {
					if err != nil {
						return err
					}
					got = append(got, e.ID)
				}
				return nil
			})
			require.ElementsMatch(t, want, got)
			for fault, n := range client.counts {
				counts[fault] += n
			}
		})
	}
	for _, fault := range []string{"broken body", "short body", "conflict", "lost answer"} {
		require.Positive(t, counts[fault], fault)
	}
}

// eventually tries until it works, as a caller does that was told of an error.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for range 20 {
		if err := f(); err == nil {
			return
		}
	}
	require.NoError(t, f())
}

// answering is a client that gives one answer.
type answering struct {
	*bucket
	err error
	n   int // writes
}

func (a *answering) PutObject(context.Context, *sdk.PutObjectInput, ...func(*sdk.Options)) (*sdk.PutObjectOutput, error) {
	a.n++
	return nil, a.err
}

func (a *answering) GetObject(context.Context, *sdk.GetObjectInput, ...func(*sdk.Options)) (*sdk.GetObjectOutput, error) {
	return nil, a.err
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err           error
		put, get      error // what it is told as
		changed, once bool
	}{
		"412":       {err: failure(http.StatusPreconditionFailed, "PreconditionFailed"), put: lake.ErrChanged, once: true},
		"409":       {err: failure(http.StatusConflict, "ConditionalRequestConflict")},
		"404":       {err: failure(http.StatusNotFound, "NoSuchKey"), put: lake.ErrChanged, get: fs.ErrNotExist, once: true},
		"no bucket": {err: failure(http.StatusNotFound, "NoSuchBucket"), once: true},
		"denied":    {err: failure(http.StatusForbidden, "AccessDenied"), once: true},
		"throttled": {err: failure(http.StatusServiceUnavailable, "SlowDown"), once: true},
		"network":   {err: errors.New("connection refused"), once: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := &answering{bucket: newBucket(), err: tc.err}
				store := backend(t, client, "lake", "p").Store
				_, err := store.Put(t.Context(), "r/object", nil, "version")
				require.ErrorIs(t, err, tc.err)
				require.ErrorContains(t, err, `"p/r/object" of the bucket "lake"`)
				require.Equal(t, tc.once, client.n == 1, "%d calls", client.n)
				for _, is := range []error{lake.ErrChanged, fs.ErrNotExist} {
					require.Equal(t, is == tc.put, errors.Is(err, is))
				}
				_, err = store.Open(t.Context(), "r/object")
				require.ErrorIs(t, err, tc.err)
				for _, is := range []error{lake.ErrChanged, fs.ErrNotExist} {
					require.Equal(t, is == tc.get, errors.Is(err, is))
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := s3.New(nil, "", &s3.Options{Prefix: "/a"})
	require.EqualError(t, err, "s3: no client\ns3: no bucket\ns3: the prefix \"/a\" has an empty part")
	for _, url := range []string{"", "s3://", "s3:///x", "/tmp/lake"} {
		_, err := s3.Open(t.Context(), url, "http://127.0.0.1:1")
		require.EqualError(t, err, fmt.Sprintf("s3: %q is not of the form s3://BUCKET/PREFIX", url))
	}
	store, err := s3.Open(t.Context(), "s3://lake/a/b/", "http://127.0.0.1:1")
	require.NoError(t, err)
	require.NotNil(t, store)
}

// Claim checks have whole keys, in any bucket: those of the JavaScript services lie in theirs.
func TestClaimsLieBesideThePrefix(t *testing.T) {
	t.Parallel()
	client := newBucket()
	l := open(t, client)
	const key = "us-east-1/claimchecks/2026/11/21/12/1"
	bucket, err := l.Keep(t.Context(), key, []byte("{}"))
	require.NoError(t, err)
	require.Equal(t, "lake", bucket)
	require.Contains(t, client.objects, "lake/"+key)
	client.objects["other/"+key] = []byte(`{"id":"1"}`)
	data, err := l.Redeem(t.Context(), "other", key)
	require.NoError(t, err)
	require.Equal(t, `{"id":"1"}`, string(data))
}
