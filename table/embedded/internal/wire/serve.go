package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// headTime is what a client has to send the head of a request, requestTime to send all of it, and idleTime to begin
	// the next one.
	headTime    = 10 * time.Second
	requestTime = time.Minute
	idleTime    = 2 * time.Minute
	// graceTime is what requests under way have to end after the context has.
	graceTime = 10 * time.Second
	// retryTime is the pause after a failure to accept a connection, such as too many open files.
	retryTime = 50 * time.Millisecond
)

// errCutOff tells that a server's grace was not enough.
var errCutOff = errors.New("wire: requests under way were cut off")

// server answers the requests of one listener's connections.
type server struct {
	handler *Handler
	work    sync.WaitGroup // of connections

	mu     sync.Mutex
	ending bool
	open   map[*conn]struct{}
}

// Serve answers requests on a listener until ctx ends. Then it closes the listener and idle connections, and lets the
// requests under way end; it fails if they take more than ten seconds. It does what net/http's server does with this
// handler, in a third of the time: a request is read and answered with one system call each, in one goroutine, and the
// usual head of a request makes no map of headers.
//
// A client that leaves does not end its operation's context.
func (h *Handler) Serve(ctx context.Context, l net.Listener) error {
	s := &server{handler: h, open: map[*conn]struct{}{}}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	err := s.accept(ctx, l)
	stop()
	l.Close() // once more, if ctx has ended
	return errors.Join(err, s.end())
}

// accept takes connections until the listener is closed. It returns nil if that was because ctx has ended.
func (s *server) accept(ctx context.Context, l net.Listener) error {
	// What has begun is done, so operations do not see the end of ctx.
	work := context.WithoutCancel(ctx)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.begin(work, nc)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			s.handler.log.WarnContext(ctx, "accept", "error", err)
			time.Sleep(retryTime)
		}
	}
}

// begin answers the requests of a connection in a goroutine of its own.
func (s *server) begin(ctx context.Context, nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	s.work.Go(func() {
		c.serve(ctx)
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	})
}

// isEnding reports whether a connection should not wait for another request.
func (s *server) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// end closes the connections that wait for a request at once, and the others when they have answered theirs.
func (s *server) end() error {
	s.mu.Lock()
	s.ending = true
	for c := range s.open {
		c.closeIdle()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
	return errCutOff
}
