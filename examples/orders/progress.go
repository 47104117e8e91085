package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progress is one line on a terminal that says how far the flow is. It prints nothing to a file or a pipe.
type progress struct {
	lines, published atomic.Int64
	stop             chan struct{}
	stopped          sync.WaitGroup
}

func newProgress(to io.Writer) *progress {
	p := &progress{stop: make(chan struct{})}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.stopped.Go(func() { p.show(file) })
	}
	return p
}

func (p *progress) show(to io.Writer) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			fmt.Fprint(to, "\r\x1b[K")
			return
		case <-tick.C:
			fmt.Fprintf(to, "\r\x1b[K%s lines read, %s facts published", count(p.lines.Load()), count(p.published.Load()))
		}
	}
}

// close wipes the line.
func (p *progress) close() {
	close(p.stop)
	p.stopped.Wait()
}
