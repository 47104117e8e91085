package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
)

// pipes is a listener whose connections are in memory, so that their time is
// the test's.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A client that sends a request too slowly, or no further one, loses its connection, at every point.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
	for name, tt := range map[string]struct {
		sends  string
		status int // 0: the connection is closed without an answer
		after  time.Duration
	}{
		"nothing":       {"", 0, headerTime},
		"half a header": {head[:20], http.StatusBadRequest, headerTime},
		"half a body":   {head + "Content-Length: 100\r\n\r\n{", http.StatusBadRequest, requestTime},
		"one chunk":     {head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", http.StatusBadRequest, requestTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{make(chan net.Conn), make(chan struct{})}
				db := embedded.New(nil)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- handle(ctx, p, db, slog.New(slog.DiscardHandler)) }()
				client, server := net.Pipe()
				p.accepted <- server
				start := time.Now()
				_, err := fmt.Fprint(client, tt.sends)
				require.NoError(t, err)
				answer := bufio.NewReader(client)
				if tt.status != 0 {
					res, err := http.ReadResponse(answer, nil)
					require.NoError(t, err)
					require.Equal(t, tt.status, res.StatusCode)
					_, err = io.ReadAll(res.Body)
					require.NoError(t, err)
				}
				_, err = answer.ReadByte()
				require.ErrorIs(t, err, io.EOF)
				require.InDelta(t, tt.after.Seconds(), time.Since(start).Seconds(), 1)
				cancel()
				require.NoError(t, <-done)
				require.NoError(t, db.Close())
			})
		})
	}
}
