package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

// pipes is a listener whose connections are in memory, so that their time is
// the test's.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
		return net.ErrClosed
	default:
		close(p.closed)
		return nil
	}
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects a client.
func (p *pipes) dial() *client {
	here, there := net.Pipe()
	p.accepted <- there
	return &client{Conn: here, r: bufio.NewReader(here)}
}

type client struct {
	net.Conn
	r *bufio.Reader
}

// send writes a text, in the pieces in which it is given.
func (c *client) send(t testing.TB, pieces ...string) {
	t.Helper()
	for _, piece := range pieces {
		_, err := io.WriteString(c, piece)
		require.NoError(t, err)
	}
}

// answer reads the answer to a request of that method.
func (c *client) answer(t testing.TB, method string) (status int, body string, res *http.Response) {
	t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	require.NoError(t, err)
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(data), res
}

// ended asks for the end of the connection.
func (c *client) ended(t testing.TB) {
	t.Helper()
	rest, err := io.ReadAll(c.r)
	require.NoError(t, err)
	require.Empty(t, string(rest))
}

// served is a server on pipes.
type served struct {
	pipes
	cancel context.CancelFunc
	done   chan error
}

// end stops the server and returns its error.
func (s *served) end() error {
	s.cancel()
	return <-s.done
}

// servedPipes starts a server, in a bubble of synctest whose time is virtual.
func servedPipes(t *testing.T, f *fake) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{newPipes(), cancel, make(chan error, 1)}
	go func() { s.done <- wire.New(f, nil).Serve(ctx, &s.pipes) }()
	return s
}

const (
	line    = "POST / HTTP/1.1\r\n"
	headers = "Host: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n" +
		"X-Amz-Date: 20260101T000000Z\r\nAuthorization: " + signature + "\r\n"
	plain = line + headers
	put   = `{"TableName":"orders"}`
)

var length = fmt.Sprintf("Content-Length: %d\r\n", len(put))

// accepting answers each put with nothing.
func accepting() *fake {
	return &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
		return &dynamodb.PutItemOutput{}, nil
	}}
}

// spoken is a request and what it is answered.
type spoken struct {
	rule   string
	method string
	sends  []string
	status int
	body   string
	keeps  bool
}

func requests() []spoken {
	big := strings.Repeat(" ", 10_000) + put
	bigLength := fmt.Sprintf("Content-Length: %d\r\n", len(big))
	const chunked = "Transfer-Encoding: chunked\r\n"
	return []spoken{
		{"in one piece", "POST", []string{plain + length + "\r\n" + put}, 200, `{}`, true},
		{"the body in a second piece", "POST", []string{plain + length + "\r\n", put}, 200, `{}`, true},
		{"the head in pieces", "POST", []string{plain[:5], plain[5:60], plain[60:] + length, "\r\n" + put[:3], put[3:]}, 200, `{}`, true},
		{"a large body", "POST", []string{plain + bigLength + "\r\n", big[:7000], big[7000:]}, 200, `{}`, true},
		{"a large head", "POST", []string{plain + "X-Filler: " + strings.Repeat("x", 9000) + "\r\n" + length + "\r\n" + put}, 200, `{}`, true},
		{"chunks", "POST", []string{plain + chunked + "\r\n5\r\n" + put[:5] + "\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(put)-5, put[5:])}, 200, `{}`, true},
		{"names in lower case", "POST", []string{line + strings.ToLower(headers[:30]) + headers[30:] + strings.ToLower(length) + "\r\n" + put}, 200, `{}`, true},
		{"keep-alive", "POST", []string{plain + length + "Connection: Keep-Alive\r\n\r\n" + put}, 200, `{}`, true},
		{"close", "POST", []string{plain + length + "Connection: close\r\n\r\n" + put}, 200, `{}`, false},
		{"HTTP/1.0", "POST", []string{"POST / HTTP/1.0\r\n" + headers + length + "\r\n" + put}, 200, `{}`, false},
		{"health", "GET", []string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, 200, "healthy: dynamodb.us-east-1.amazonaws.com ", true},
		{"HEAD", "HEAD", []string{"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, 404, ``, true},
		{"another path", "POST", []string{"POST /x HTTP/1.1\r\n" + headers + "Content-Length: 0\r\n\r\n"}, 404, "<UnknownOperationException/>\n", true},
		{"a body that nobody reads", "POST", []string{"POST /x HTTP/1.1\r\n" + headers + length + "\r\n"}, 404, "<UnknownOperationException/>\n", false},
		{
			"a body that is too large", "POST",
			[]string{plain + "Content-Length: 99999999\r\n\r\n"},
			413,
			`{"__type":"com.amazon.coral.service#RequestEntityTooLargeException","message":"Request size exceeded the limit of 25165824 bytes"}`, false,
		},
		{"two lengths", "POST", []string{plain + length + "Content-Length: 1\r\n\r\n"}, 400, "400 Bad Request", false},
		{"no host", "POST", []string{line + headers[len("Host: localhost\r\n"):] + length + "\r\n" + put}, 400, "400 Bad Request", false},
		{"no HTTP", "POST", []string{"\x16\x03\x01\r\n\r\n"}, 400, "400 Bad Request", false},
		{"HTTP/2", "POST", []string{"PRI * HTTP/2.0\r\n\r\n"}, 505, "505 HTTP Version Not Supported", false},
		{"an expectation", "POST", []string{plain + length + "Expect: miracles\r\n\r\n"}, 417, "417 Expectation Failed", false},
	}
}

// Every form of a request gets the answer that net/http's server gives it.
func TestServeSpeaksHTTP(t *testing.T) {
	t.Parallel()
	for _, tt := range requests() {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := servedPipes(t, accepting())
				c := s.dial()
				c.send(t, tt.sends...)
				status, body, res := c.answer(t, tt.method)
				require.Equal(t, tt.status, status, body)
				require.Equal(t, tt.body, body)
				require.Equal(t, !tt.keeps, res.Close)
				if tt.keeps {
					c.send(t, plain+length+"Connection: close\r\n\r\n"+put)
					status, body, _ = c.answer(t, "POST")
					require.Equal(t, 200, status)
					require.Equal(t, `{}`, body)
				}
				c.ended(t)
				require.NoError(t, s.end())
			})
		})
	}
}

// An answer carries what every answer has to.
func TestServedAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		c.send(t, plain+length+"\r\n"+put)
		_, _, res := c.answer(t, "POST")
		require.Regexp(t, `^[0-9A-Z]{52}$`, res.Header.Get("X-Amzn-Requestid"))
		require.Equal(t, "2745614147", res.Header.Get("X-Amz-Crc32"))
		require.Equal(t, "application/x-amz-json-1.0", res.Header.Get("Content-Type"))
		require.Equal(t, time.Now().UTC().Format(http.TimeFormat), res.Header.Get("Date"))
		require.EqualValues(t, 2, res.ContentLength)
		c.Close()
		require.NoError(t, s.end())
	})
}

func TestServeAnswersRequestsThatFollowAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		go c.send(t, strings.Repeat(plain+length+"\r\n"+put, 20))
		for range 20 {
			status, body, _ := c.answer(t, "POST")
			require.Equal(t, 200, status)
			require.Equal(t, `{}`, body)
		}
		c.Close()
		require.NoError(t, s.end())
	})
}

func TestServeContinues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		c.send(t, plain+length+"Expect: 100-continue\r\n\r\n")
		status, _, _ := c.answer(t, "POST")
		require.Equal(t, 100, status)
		c.send(t, put)
		status, _, _ = c.answer(t, "POST")
		require.Equal(t, 200, status)
		c.Close()
		require.NoError(t, s.end())
	})
}

// A head without end is refused before it takes much memory.
func TestServeRefusesAnEndlessHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		go func() { _, _ = io.Copy(c, io.MultiReader(strings.NewReader(line+"X: "), endless{})) }()
		status, _, _ := c.answer(t, "POST")
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status)
		c.Close()
		require.NoError(t, s.end())
	})
}

// A client that sends a request too slowly, or no further one, loses its connection, at every point.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sends  string
		status int // 0: no answer
		after  time.Duration
	}{
		"nothing":       {"", 0, 10 * time.Second},
		"half a line":   {line[:9], 400, 10 * time.Second},
		"half a head":   {plain[:60], 0, 10 * time.Second},
		"half a body":   {plain + "Content-Length: 100\r\n\r\n{", 400, time.Minute},
		"one chunk":     {plain + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 400, time.Minute},
		"no next one":   {plain + length + "\r\n" + put, 200, 2 * time.Minute},
		"half the next": {plain + length + "\r\n" + put + line, 200, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := servedPipes(t, accepting())
				c := s.dial()
				start := time.Now()
				c.send(t, tt.sends)
				if tt.status != 0 {
					status, _, _ := c.answer(t, "POST")
					require.Equal(t, tt.status, status)
				}
				c.ended(t)
				require.InDelta(t, tt.after.Seconds(), time.Since(start).Seconds(), 1)
				require.NoError(t, s.end())
			})
		})
	}
}

// A busy connection keeps its time: the deadline moves with the requests.
func TestAConnectionLivesAsLongAsItIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		for range 10 {
			time.Sleep(9 * time.Second)
			c.send(t, plain+length+"\r\n"+put)
			c.answer(t, "POST")
			time.Sleep(110 * time.Second)
			c.send(t, plain, length+"\r\n", put)
			c.answer(t, "POST")
		}
		c.Close()
		require.NoError(t, s.end())
	})
}

// A client that does not read its answer loses its connection.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servedPipes(t, accepting())
		c := s.dial()
		c.send(t, plain+length+"\r\n"+put)
		time.Sleep(2 * time.Minute)
		c.ended(t)
		require.NoError(t, s.end())
	})
}

// stalled answers when it is let go.
func stalled() (f *fake, began, free chan struct{}) {
	began, free = make(chan struct{}), make(chan struct{})
	return &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
		close(began)
		<-free
		return &dynamodb.PutItemOutput{}, nil
	}}, began, free
}

func TestServeEndsWithTheRequestsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began, free := stalled()
		s := servedPipes(t, f)
		waiting, working := s.dial(), s.dial()
		working.send(t, plain+length+"\r\n"+put)
		<-began
		s.cancel()
		waiting.ended(t)
		time.Sleep(9 * time.Second)
		require.Empty(t, s.done)
		close(free)
		status, _, _ := working.answer(t, "POST")
		require.Equal(t, 200, status)
		working.ended(t)
		require.NoError(t, s.end())
	})
}

func TestServeCutsOffInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began, free := stalled()
		s := servedPipes(t, f)
		c := s.dial()
		c.send(t, plain+length+"\r\n"+put)
		<-began
		start := time.Now()
		require.ErrorContains(t, s.end(), "cut off")
		require.Equal(t, 10*time.Second, time.Since(start))
		c.ended(t)
		close(free)
	})
}

// failing is a listener that does not accept at first.
type failing struct {
	pipes
	failures int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.pipes.Accept()
}

func TestServeOutlivesFailuresToAccept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &failing{newPipes(), 3}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- wire.New(accepting(), nil).Serve(ctx, l) }()
		c := l.dial()
		c.send(t, plain+length+"\r\n"+put)
		c.answer(t, "POST")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestServeOnAClosedListener(t *testing.T) {
	t.Parallel()
	gone := newPipes()
	require.NoError(t, gone.Close())
	require.ErrorIs(t, wire.New(accepting(), nil).Serve(t.Context(), &gone), net.ErrClosed)
}
