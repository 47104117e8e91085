package wire_test

import (
	"bufio"
	"bytes"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

// heads are requests whose heads are right, unusual, and wrong.
var heads = []string{
	plain + length + "\r\n" + put,
	line + strings.ToLower(headers) + length + "\r\n" + put,
	line + "Host:a\r\nContent-Length:0\r\n\r\n",
	line + "Host: \r\nContent-Length: 0\r\n\r\n",
	line + "Host: a b\r\nContent-Length: 0\r\n\r\n",
	line + headers + "\r\n",
	plain + length + "Host: b\r\n\r\n" + put,
	plain + length + "X: \x01\r\n\r\n" + put,
	plain + length + " X: y\r\n\r\n" + put,
	plain + length + "X\xe9: y\r\n\r\n" + put,
	plain + length + "X : y\r\n\r\n" + put,
	plain + length + "X:\t y \t\r\n\r\n" + put,
	plain + length + "Date: x\r\nContent-Type: text/plain\r\n\r\n" + put,
	plain + length + "Connection: close, x\r\n\r\n" + put,
	plain + length + "Connection: keep-alive\r\n\r\n" + put,
	plain + "Content-Length: 1\r\n\r\n" + put,
	plain + "Content-Length: +22\r\n\r\n" + put,
	plain + "Content-Length: 022\r\n\r\n" + put,
	plain + "Content-Length: 9999999999\r\n\r\n" + put,
	plain + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\n\r\n\r\n",
}

// FuzzHead holds that the short way of reading a head accepts nothing that net/http does not, and reads the same.
func FuzzHead(f *testing.F) {
	for _, text := range heads {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		head, _, found := strings.Cut(text, "\r\n\r\n")
		if !found {
			return
		}
		head += "\r\n\r\n"
		got, ok := wire.ParseHead(head)
		if !ok {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		require.NoError(t, err)
		require.False(t, r.Close)
		require.Equal(t, wire.ReceivedHead(r), got)
	})
}

// tape is a connection whose client has sent all at once and waits for the end.
type tape struct {
	net.Conn
	in     io.Reader
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (c *tape) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *tape) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *tape) SetDeadline(time.Time) error { return nil }
func (c *tape) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// FuzzServe sends any bytes: every answer is whole, and the connection ends.
func FuzzServe(f *testing.F) {
	for i, text := range heads {
		f.Add(text + heads[(i+1)%len(heads)])
	}
	h := wire.New(echo(), nil)
	f.Fuzz(func(t *testing.T, text string) {
		l := newPipes()
		c := &tape{in: strings.NewReader(text), closed: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- h.Serve(t.Context(), &l) }()
		l.accepted <- c
		<-c.closed
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-done, net.ErrClosed)
		for out := bufio.NewReader(&c.out); ; {
			if _, err := out.Peek(1); err != nil {
				return
			}
			res, err := http.ReadResponse(out, &http.Request{Method: http.MethodPost})
			require.NoError(t, err)
			if res.StatusCode == http.StatusContinue {
				continue
			}
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			if sum := res.Header.Get("X-Amz-Crc32"); sum != "" && !strings.Contains(text, "HEAD") {
				require.Equal(t, strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10), sum)
			}
		}
	})
}
