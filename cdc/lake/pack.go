package lake

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insideout-go/insideout"
)

// memberBytes is the size, before compression, of what is compressed, checked and decoded as a whole.
const memberBytes = 1 << 20

// group is what one call of Publish brings to one folder.
type group struct {
	folder  string
	members []*packed
}

// packed is a gzip member of JSON lines.
type packed struct {
	lines [][]byte
	plain int
	first time.Time // of its first event
	data  []byte
	sum   [sha256.Size]byte // of its lines
}

// pack encodes and compresses the events by hour, on all processors. It needs no turn, so that publishers do it side by side.
func (l *Lake) pack(events []insideout.Event) ([]*group, error) {
	lines, faults := make([][]byte, len(events)), make([]error, len(events))
	parallel(len(events), 64, func(i int) {
		if lines[i], faults[i] = encode(events[i]); faults[i] != nil {
			faults[i] = fmt.Errorf("lake: event number %d: %w", i, faults[i])
		}
	})
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	groups, members := l.group(events, lines)
	faults = make([]error, len(members))
	parallel(len(members), 1, func(i int) { faults[i] = l.compress(members[i], l.writer == nil) })
	return groups, errors.Join(faults...)
}

func (l *Lake) group(events []insideout.Event, lines [][]byte) (groups []*group, members []*packed) {
	byFolder := map[string]*group{}
	for i, line := range lines {
		folder := path.Join(l.opts.Region, hourPath(events[i].Timestamp))
		g := byFolder[folder]
		if g == nil {
			g = &group{folder: folder}
			byFolder[folder], groups = g, append(groups, g)
		}
		if last := len(g.members) - 1; last < 0 || g.members[last].plain+len(line) > memberBytes {
			m := &packed{first: events[i].Timestamp}
			g.members, members = append(g.members, m), append(members, m)
		}
		m := g.members[len(g.members)-1]
		m.lines, m.plain = append(m.lines, line), m.plain+len(line)
	}
	return groups, members
}

func (l *Lake) compress(m *packed, sum bool) error {
	data, err := l.gzip(m.lines...)
	if err != nil {
		return err
	}
	if sum {
		hash := sha256.New()
		for _, line := range m.lines {
			hash.Write(line)
		}
		hash.Sum(m.sum[:0])
	}
	m.data, m.lines = data, nil
	return nil
}

// gzip compresses parts into one member.
func (l *Lake) gzip(parts ...[]byte) ([]byte, error) {
	packer := l.packers.Get().(*gzip.Writer)
	defer func() {
		packer.Reset(io.Discard) // the pool must not hold the data
		l.packers.Put(packer)
	}()
	var data bytes.Buffer
	packer.Reset(&data)
	for _, part := range parts {
		if _, err := packer.Write(part); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	if err := packer.Close(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	return data.Bytes(), nil
}

func encode(e insideout.Event) ([]byte, error) {
	// The body is checked when it is written.
	if err := (insideout.Event{ID: e.ID, Type: e.Type, Timestamp: e.Timestamp}).Validate(); err != nil {
		return nil, err
	}
	if year := e.Timestamp.UTC().Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("event %q happened in the year %d, outside of 0000 to 9999", e.ID, year)
	}
	if line := encodePlain(&e); line != nil {
		return line, nil
	}
	line, err := e.MarshalJSON()
	return append(line, '\n'), err
}

// put writes the members of a group as objects. One that is there under its name has the same content, or had it before events
// were erased from it: either way it is not written again.
func (l *Lake) put(ctx context.Context, g *group) error {
	for rest := g.members; len(rest) > 0; {
		n, plain := 1, rest[0].plain
		for n < len(rest) && int64(plain+rest[n].plain) <= l.opts.FileBytes {
			plain += rest[n].plain
			n++
		}
		hash, data := sha256.New(), []byte(nil)
		for _, m := range rest[:n] {
			hash.Write(m.sum[:])
			data = append(data, m.data...)
		}
		_, err := l.store.Put(ctx, objectName(g.folder, rest[0].first, hash.Sum(nil)), data, "")
		if err != nil && !errors.Is(err, ErrChanged) {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// parallel calls f for 0 to n-1, in steps, on as many goroutines as there are processors.
func parallel(n, step int, f func(i int)) {
	var next atomic.Int64
	work := func() {
		for {
			from := int(next.Add(int64(step))) - step
			if from >= n {
				return
			}
			for i := from; i < min(from+step, n); i++ {
				f(i)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+step-1)/step) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
