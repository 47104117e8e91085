// Package local makes AWS SDK clients for a DynamoDB endpoint on this machine:
// one that `insideout serve` opened, DynamoDB Local, or any other that asks for
// no real credentials.
//
// Start from [Clients]; [Transport] is for programs that configure a client
// themselves.
//
// It guarantees that the clients need no configuration, send no real
// credentials, and read answers of any size from a fast server without the
// broken connections that the SDK's own transport gives there. DynamoDB in AWS
// needs none of this: use the SDK's config package for it.
package local

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// Region is the one that the clients sign for.
const Region = "us-east-1"

// connections bounds the idle connections that a client keeps for the next
// requests; net/http's default of two makes concurrent callers dial again and
// again.
const connections = 64

// Clients returns clients of both protocols for an endpoint such as
// "http://127.0.0.1:8000". They share one pool of connections, which honours
// no proxy settings.
func Clients(endpoint string) (*dynamodb.Client, *dynamodbstreams.Client) {
	dummy := credentials.NewStaticCredentialsProvider("local", "local", "")
	client := &http.Client{Transport: Transport(&http.Transport{
		MaxIdleConns: connections, MaxIdleConnsPerHost: connections,
	})}
	return dynamodb.New(dynamodb.Options{
			Region: Region, BaseEndpoint: &endpoint, Credentials: dummy, HTTPClient: client,
		}), dynamodbstreams.New(dynamodbstreams.Options{
			Region: Region, BaseEndpoint: &endpoint, Credentials: dummy, HTTPClient: client,
		})
}

// Transport wraps a transport, http.DefaultTransport if base is nil, so that it
// works round a fault in how the AWS SDK for Go v2 and net/http play together.
//
// The SDK closes the body of a request as soon as the answer's headers are there. From then on the body's
// WriteTo returns an error, which net/http takes for a failed write: it closes
// the connection while the answer is still being read. A server has to be
// faster than the network for that, and the answer larger than about 4 KB; the
// SDK then retries, after a backoff, a request that had succeeded. Without
// WriteTo, net/http uses Read, where the closed body is an ordinary end.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base: base}
}

type transport struct{ base http.RoundTripper }

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.base.RoundTrip(r)
	}
	sent := r.WithContext(r.Context())
	sent.Body = plain(r.Body)
	if again := r.GetBody; again != nil {
		sent.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return plain(body), nil
		}
	}
	return t.base.RoundTrip(sent)
}

// CloseIdleConnections closes those of the wrapped transport, for
// http.Client's method of the same name.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// plain hides every method of a body but Read and Close.
func plain(body io.ReadCloser) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{body, body}
}
