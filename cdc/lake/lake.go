package lake

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/insideout-go/insideout"
)

var (
	// ErrLocked is returned by Open when another process, or another Lake of this one, writes to the folder.
	ErrLocked = errors.New("lake: the folder is in use by another writer")
	// ErrClosed is returned by every call on a lake that was closed.
	ErrClosed = errors.New("lake: closed")
	// ErrReadOnly is returned by what writes, on a lake that was opened for reading only.
	ErrReadOnly = errors.New("lake: opened for reading only")
	// ErrDamaged is wrapped when an object holds something that is neither whole events nor the torn end that a crash leaves.
	ErrDamaged = errors.New("lake: damaged object")
)

const (
	defaultRegion = "local"
	defaultFile   = 64 << 20
)

// Options adjust a lake. Nil and zero values are the defaults.
type Options struct {
	// Region is the first folder for new events: letters, digits and "-". Default: "local".
	Region string
	// FileBytes bounds the objects that the lake writes, and so the memory that reading and rewriting one takes: their size
	// compressed in a folder, and not compressed elsewhere. A single event may be larger. Default: 64 MiB.
	FileBytes int64
	// ReadOnly opens without locking and without mending, for reading while another process writes. Nothing is written, the
	// index included.
	ReadOnly bool
	// Logger is told about torn batches, and an index that could not be written. Default: none.
	Logger *slog.Logger
}

// Torn tells what Open cut off: the part of a batch whose Publish had not returned when the process or the machine stopped.
type Torn struct {
	File  string // within the lake's folder, with slashes
	At    int64  // the size of what was whole, in bytes
	Bytes int64  // what was cut off
}

// Lake is a store of events. Its methods may be called from several goroutines.
type Lake struct {
	store   Store
	opts    Options
	writer  *writer   // of a folder; nil elsewhere, and for reading only
	packers sync.Pool // of *gzip.Writer
	closed  atomic.Bool
}

// Open opens the lake in the folder dir for writing and reading, and creates what is missing. It cuts off what a crash left
// of unfinished batches; see [Lake.Torn].
//
// It returns an error that wraps [ErrLocked] if the lake has a writer already, and one that wraps [ErrDamaged] if a file that
// was being written is damaged in another way than a crash does it.
func Open(dir string, opts *Options) (*Lake, error) {
	folder := NewFolder(dir)
	l, err := New(folder, opts)
	if err != nil {
		return nil, err
	}
	if l.opts.ReadOnly {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%q is not a folder", dir)
		}
		if err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		return l, nil
	}
	if l.writer, err = newWriter(folder, l.opts.FileBytes); err != nil {
		return nil, err
	}
	for _, t := range l.writer.torn {
		l.warn("lake: cut off an unfinished batch", "file", t.File, "at", t.At, "bytes", t.Bytes)
	}
	return l, nil
}

// New returns the lake in a store. Each call of Publish writes an object of its own for each hour, so publish batches; any
// number of processes may do so. It does no I/O.
func New(store Store, opts *Options) (*Lake, error) {
	l := &Lake{store: store}
	if opts != nil {
		l.opts = *opts
	}
	l.packers.New = func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a constant that exists
		return w
	}
	if l.opts.Region == "" {
		l.opts.Region = defaultRegion
	}
	if l.opts.FileBytes <= 0 {
		l.opts.FileBytes = defaultFile
	}
	var faults []error
	if store == nil {
		faults = append(faults, errors.New("lake: the store is nil"))
	}
	if !validRegion(l.opts.Region) {
		faults = append(faults, fmt.Errorf("lake: region %q is not made of letters, digits and \"-\"", l.opts.Region))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return l, nil
}

// Torn returns what Open cut off.
func (l *Lake) Torn() []Torn {
	if l.writer == nil {
		return nil
	}
	return append([]Torn(nil), l.writer.torn...)
}

// Close waits for calls of Publish in progress and gives the folder free. Further calls return [ErrClosed].
func (l *Lake) Close() error {
	if l.closed.Swap(true) {
		return ErrClosed
	}
	if l.writer == nil {
		return nil
	}
	return l.writer.close()
}

// check refuses a call on a closed lake, or with a context that has ended.
func (l *Lake) check(ctx context.Context) error {
	if l.closed.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

func (l *Lake) checkWrite(ctx context.Context) error {
	if l.opts.ReadOnly {
		return ErrReadOnly
	}
	return l.check(ctx)
}

func (l *Lake) warn(text string, args ...any) {
	if l.opts.Logger != nil {
		l.opts.Logger.Warn(text, args...)
	}
}

// Publish keeps the events, in their order, in the folders of their hours, and returns when they are on disk.
//
// It refuses all of them if one has no id, type or timestamp, does not encode, or happened outside of the years 0000 to 9999. After
// another error some of them may be in the lake: publish all again. Readers see about a MiB of events whole or not at all.
//
// Outside of folders, a call with the same events writes the same objects, so that one whose answer was lost leaves nothing twice.
func (l *Lake) Publish(ctx context.Context, events []insideout.Event) error {
	if err := l.checkWrite(ctx); err != nil {
		return err
	}
	groups, err := l.pack(events)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if l.writer != nil {
			err = l.writer.publish(ctx, g)
		} else {
			err = l.put(ctx, g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
