package s3_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/laketest"
)

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

var buckets atomic.Int64

// server is a client of a real server, with a new bucket.
func server(t *testing.T, transport http.RoundTripper) (*sdk.Client, string) {
	t.Helper()
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: it is the URL of a server of the AWS APIs, such as moto's")
	}
	options := sdk.Options{
		BaseEndpoint: &endpoint, UsePathStyle: true, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
	name := fmt.Sprintf("lake-%d-%d", time.Now().UnixNano(), buckets.Add(1))
	_, err := sdk.New(options).CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
	if transport != nil {
		options.HTTPClient = &http.Client{Transport: transport}
		options.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = 20, 20*time.Millisecond
			o.RateLimiter = ratelimit.None // the quota is for a network that fails less often
		})
	}
	return sdk.New(options), name
}

func TestMoto(t *testing.T) {
	t.Parallel()
	server(t, nil)
	laketest.Run(t, func(t *testing.T) laketest.Backend {
		client, name := server(t, nil)
		return backend(t, client, name, "lake")
	})
}

// unreliable is a network that throttles, and loses answers.
type unreliable struct{ n, throttled, lost atomic.Int64 }

func (u *unreliable) RoundTrip(r *http.Request) (*http.Response, error) {
	n := u.n.Add(1)
	if n%5 == 2 {
		u.throttled.Add(1)
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
			Body: http.NoBody,
		}, nil
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && n%7 == 3 {
		u.lost.Add(1)
		return nil, fmt.Errorf("the answer was lost: %w", response.Body.Close())
	}
	return response, err
}

// The SDK's own client and retryer, on a network that fails.
func TestMotoUnreliable(t *testing.T) {
	t.Parallel()
	network := &unreliable{}
	client, name := server(t, network)
	laketest.Run(t, func(t *testing.T) laketest.Backend {
		return backend(t, client, name, strings.ReplaceAll(t.Name(), "/", "-"))
	})
	t.Cleanup(func() {
		require.Positive(t, network.throttled.Load())
		require.Positive(t, network.lost.Load())
	})
}

func TestMotoWithoutBucket(t *testing.T) {
	t.Parallel()
	client, name := server(t, nil)
	l, err := lake.New(backend(t, client, name+"-none", "").Store, nil)
	require.NoError(t, err)
	for _, err := range l.Events(t.Context(), lake.Query{}) {
		require.ErrorContains(t, err, name+"-none")
		require.ErrorContains(t, err, "NoSuchBucket")
	}
	require.ErrorContains(t, l.Publish(t.Context(), events(0, 1)), "NoSuchBucket")
}
