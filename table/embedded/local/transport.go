package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxIdle bounds the connections to one server that wait for the next request, and idleTime how long they do.
	maxIdle  = 64
	idleTime = time.Minute

	bufferSize = 16 << 10
)

// Transport returns a transport for http endpoints on this machine. It sends a
// request and reads its answer in the goroutine of the caller, which spares the
// two switches of goroutines that net/http's transport has in each call: a third of what a
// call to a local server takes.
//
// It also works round a fault in how the AWS SDK for Go v2 and net/http's
// transport play together. The SDK closes the body of a request as soon as the
// answer's headers are there. From then on the body's WriteTo returns an error,
// which that transport takes for a failed write: it closes the connection while
// the answer is still being read. A server has to be faster than the network for
// that, and the answer larger than about 4 KB; the SDK then retries, after a
// backoff, a request that had succeeded. Here a request has been written before its answer is read.
//
// It keeps connections for the next requests, honours contexts, and knows
// neither TLS nor proxies.
func Transport() http.RoundTripper { return &transport{idle: map[string][]*connection{}} }

type transport struct {
	mu   sync.Mutex
	idle map[string][]*connection // by host and port, the last used at the end
}

// connection is one to a server. Only one request uses it at a time.
type connection struct {
	net.Conn
	pool  *transport
	host  string
	r     *bufio.Reader
	w     *bufio.Writer
	since time.Time // idle
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" {
		closeBody(r)
		return nil, fmt.Errorf("local: %q is not an http endpoint on this machine; use net/http's transport", r.URL.Redacted())
	}
	c, err := t.connect(r.Context(), r.URL.Host)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	stop := c.watch(r.Context())
	res, err := c.exchange(r)
	if err != nil {
		stop()
		c.Close()
		if ended := context.Cause(r.Context()); ended != nil {
			return nil, ended
		}
		return nil, err
	}
	res.Body = &answer{ReadCloser: res.Body, c: c, stop: stop, ctx: r.Context(), keep: !res.Close}
	return res, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nothing has been read from it
	}
}

// watch breaks reads and writes off when the context ends. The function that it returns ends that, and reports
// whether nothing was broken off.
func (c *connection) watch(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

// whole hides from Request.Write that it writes to a buffer, which it would flush between the head and a body of a type
// that it does not know, such as the SDK's: two packets, for which the server would wake up twice.
type whole struct{ *bufio.Writer }

// exchange sends a request and reads the head of its answer. A server may answer before it has read everything, and
// close: so an answer counts more than a failure to write.
func (c *connection) exchange(r *http.Request) (*http.Response, error) {
	failure := r.Write(whole{c.w})
	if failure == nil {
		failure = c.w.Flush()
	}
	for {
		res, err := http.ReadResponse(c.r, r)
		switch {
		case err != nil:
			return nil, errors.Join(failure, err)
		case res.StatusCode >= http.StatusContinue && res.StatusCode < http.StatusOK && res.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		res.Close = res.Close || failure != nil
		return res, nil
	}
}

// connect takes an idle connection that is still open, or makes one.
func (t *transport) connect(ctx context.Context, host string) (*connection, error) {
	for {
		c := t.take(host)
		if c == nil {
			break
		}
		if time.Since(c.since) < idleTime && c.r.Buffered() == 0 && alive(c.Conn) {
			return c, nil
		}
		c.Close()
	}
	var d net.Dialer
	dialed, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return &connection{
		Conn: dialed, pool: t, host: host, r: bufio.NewReaderSize(dialed, bufferSize), w: bufio.NewWriterSize(dialed, bufferSize),
	}, nil
}

func (t *transport) take(host string) *connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.idle[host]
	if len(all) == 0 {
		return nil
	}
	c := all[len(all)-1]
	t.idle[host] = all[:len(all)-1]
	return c
}

// put keeps a connection for the next request.
func (c *connection) put() {
	t := c.pool
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle[c.host]) >= maxIdle {
		c.Close()
		return
	}
	t.idle[c.host] = append(t.idle[c.host], c)
}

// CloseIdleConnections closes what no request uses, for http.Client's method of
// the same name.
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, all := range t.idle {
		for _, c := range all {
			c.Close()
		}
	}
	clear(t.idle)
}

// answer is the body of an answer. Its end gives the connection back.
type answer struct {
	io.ReadCloser
	c    *connection
	stop func() bool
	ctx  context.Context
	keep bool
	done bool
}

// Read implements [io.Reader].
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	a.end(errors.Is(err, io.EOF))
	if ended := context.Cause(a.ctx); ended != nil && !errors.Is(err, io.EOF) {
		err = ended
	}
	return n, err
}

// Close implements [io.Closer]. An answer that was not read to its end takes the connection with it.
func (a *answer) Close() error {
	a.end(false)
	return nil
}

func (a *answer) end(whole bool) {
	if a.done {
		return
	}
	a.done = true
	if a.stop() && whole && a.keep {
		a.c.put()
		return
	}
	a.c.Close()
}
