package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/tabletest"
)

// The program answers as DynamoDB does, as its engine does in process.
func TestServeIsDynamoDB(t *testing.T) {
	t.Parallel()
	tabletest.Run(t, func(t *testing.T) tabletest.Endpoint {
		url, _, _ := start(t)
		endpoint := tabletest.Clients(url)
		endpoint.Patience = 5 * time.Second
		return endpoint
	})
}

// A client that sends more than a request may have can read the answer, though the connection is closed on it.
func TestOversizedBodiesAreAnswered(t *testing.T) {
	t.Parallel()
	url, _, _ := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	const size = 32 << 20
	go func() {
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n", size)
		_, _ = io.CopyN(conn, spaces{}, size)
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	require.Contains(t, string(body), "exceeded the limit")
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
