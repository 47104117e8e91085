package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// readSize holds the requests that matter with their heads; the rest of larger ones is read in further pieces.
	readSize = 4 << 10
	// maxHead bounds the head of a request.
	maxHead = 1 << 20
	// slack is how far off the deadline of an idle connection may be, so that it is not set for each request.
	slack = 5 * time.Second
	// lingerTime is how long a client is listened to that has sent what nobody wants: if the connection was closed at
	// once, it might never read the answer.
	lingerTime = 500 * time.Millisecond
)

// What a connection does.
const (
	idle int32 = iota
	busy
	closed
)

// conn is a connection of a server.
type conn struct {
	net.Conn
	server *server
	state  atomic.Int32
	r      *bufio.Reader
	room   *io.LimitedReader // what r reads from
	out    []byte
	until  time.Time // the deadline
}

func newConn(s *server, nc net.Conn) *conn {
	room := &io.LimitedReader{R: nc, N: math.MaxInt64}
	return &conn{Conn: nc, server: s, room: room, r: bufio.NewReaderSize(room, readSize)}
}

// closeIdle closes a connection that waits for a request.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(idle, closed) {
		c.Close()
	}
}

// serve answers one request after the other.
func (c *conn) serve(ctx context.Context) {
	defer c.Close()
	for c.setDeadline(headTime); c.await(); c.setIdle() {
		if !c.exchange(ctx) {
			return
		}
		c.state.Store(idle)
		if c.server.isEnding() {
			return
		}
	}
}

func (c *conn) setDeadline(d time.Duration) {
	c.until = time.Now().Add(d)
	_ = c.SetDeadline(c.until) // fails on a closed connection, as reading will
}

func (c *conn) setIdle() {
	if left := time.Until(c.until) - idleTime; left < -slack || left > slack {
		c.setDeadline(idleTime)
	}
}

// await returns when a request begins; false means that none will.
func (c *conn) await() bool {
	_, err := c.r.Peek(1)
	return err == nil && c.state.CompareAndSwap(idle, busy)
}

// exchange answers the request that has begun, and reports whether another may follow.
func (c *conn) exchange(ctx context.Context) bool {
	q, keep, err := c.receive()
	if err != nil {
		c.refuse(err)
		return false
	}
	x := c.server.handler.spare.Get().(*exchange)
	defer c.server.handler.release(x)
	rep := c.server.handler.answer(ctx, &q, x)
	whole := q.body == nil || q.body.(*content).ended
	if rep.close = rep.close || !keep || !whole; !whole {
		c.setDeadline(lingerTime) // what there was may be over
	}
	c.out = rep.head(c.out[:0], x.buf)
	if q.method != http.MethodHead {
		c.out = append(c.out, x.buf...)
	}
	_, err = c.Write(c.out)
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
	if !whole {
		c.linger()
	}
	return err == nil && !rep.close
}

// receive reads the head of a request, and all of it if it has come already. keep is false if the client wants the
// connection closed after it.
func (c *conn) receive() (q request, keep bool, err error) {
	data, _ := c.r.Peek(c.r.Buffered())
	n := headEnd(data)
	if n == 0 {
		return c.receiveAny()
	}
	text := string(data)
	q, ok := parseHead(text[:n])
	if !ok {
		return c.receiveAny()
	}
	if end := int64(n) + q.length; end <= int64(len(text)) {
		q.text, n = text[n:end], int(end)
		if time.Until(c.until) < requestTime/2 {
			c.setDeadline(requestTime)
		}
	} else {
		q.body = &content{Reader: io.LimitReader(c.r, q.length)}
		c.setDeadline(requestTime)
	}
	_, err = c.r.Discard(n)
	return q, true, err
}

// receiveAny reads the head of any request.
func (c *conn) receiveAny() (q request, keep bool, err error) {
	c.setDeadline(headTime)
	c.room.N = maxHead
	r, err := http.ReadRequest(c.r)
	full := c.room.N <= 0
	c.room.N = math.MaxInt64
	switch netErr := net.Error(nil); {
	case full:
		return q, false, badRequest(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &netErr):
		return q, false, err
	case err == nil && r.ProtoMajor != 1:
		return q, false, badRequest(http.StatusHTTPVersionNotSupported)
	case err != nil, r.Host == "" && r.ProtoAtLeast(1, 1):
		return q, false, badRequest(http.StatusBadRequest)
	}
	c.setDeadline(requestTime)
	if expect := r.Header.Get("Expect"); strings.EqualFold(expect, "100-continue") {
		_, err = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	} else if expect != "" {
		return q, false, badRequest(http.StatusExpectationFailed)
	}
	q = received(r)
	q.body = &content{Reader: r.Body, ended: r.Body == http.NoBody}
	return q, !r.Close && r.ProtoAtLeast(1, 1), err
}

// content is the body of a request that has not been read yet.
type content struct {
	io.Reader
	ended bool
}

func (b *content) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// badRequest is the status of what is no HTTP that is spoken here.
type badRequest int

func (b badRequest) Error() string { return strconv.Itoa(int(b)) + " " + http.StatusText(int(b)) }

// refuse answers what is no request. Who has gone or is too slow gets no answer.
func (c *conn) refuse(err error) {
	if bad, ok := errors.AsType[badRequest](err); ok {
		text := bad.Error()
		c.setDeadline(lingerTime)
		fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", text, len(text), text)
		c.linger()
	}
}

// linger takes what the client still sends.
func (c *conn) linger() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		c.setDeadline(lingerTime)
		_, _ = io.Copy(io.Discard, c.Conn)
	}
}
