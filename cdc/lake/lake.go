package lake

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

var (
	// ErrLocked is returned by Open when another process, or another Lake of this one, writes to the folder.
	ErrLocked = errors.New("lake: the folder is in use by another writer")
	// ErrClosed is returned by every call on a lake that was closed.
	ErrClosed = errors.New("lake: closed")
	// ErrReadOnly is returned by Publish on a lake that was opened for reading only.
	ErrReadOnly = errors.New("lake: opened for reading only")
	// ErrDamaged is wrapped when a file holds something that is neither whole batches nor the torn end that a crash leaves.
	ErrDamaged = errors.New("lake: damaged file")
)

const (
	marker        = "LAKE"             // the file that locks the lake and lists files in the making
	markerHead    = "insideout lake 1" // its first line, with the version of the layout
	defaultRegion = "local"
	defaultFile   = 64 << 20
	maxOpen       = 16 // files open for appending; one is enough unless the events of a batch are hours apart
)

// Options adjust a lake. Nil and zero values are the defaults.
type Options struct {
	// Region is the first folder for new events: letters, digits and "-". Default: "local".
	Region string
	// FileBytes is the size, compressed, from which on a new file of the same hour is begun. Default: 64 MiB.
	FileBytes int64
	// ReadOnly opens without locking and without mending: for reading while another process writes.
	ReadOnly bool
	// Logger is told about torn batches. Default: none.
	Logger *slog.Logger
}

// Torn tells what Open cut off: the part of a batch whose Publish had not returned when the process or the machine stopped.
type Torn struct {
	File  string // within the lake's folder, with slashes
	At    int64  // the size of what was whole, in bytes
	Bytes int64  // what was cut off
}

// Lake is a folder of events with one writer. Its methods may be called from several goroutines.
type Lake struct {
	dir       string
	region    string
	fileBytes int64
	readOnly  bool
	torn      []Torn
	packers   sync.Pool // of *gzip.Writer

	turn    chan struct{} // holds one token: whoever took it owns everything below
	closed  bool
	marker  *os.File
	listed  map[string]bool      // files that the marker lists
	open    map[string]*appender // by hour folder
	uses    int                  // counts appends, to find the file that was not used for longest
	suspect map[string]bool      // files whose last write failed, and whose end must be looked at before the next one
}

// Open opens the lake in the folder dir for writing and reading, and creates what is missing. It cuts off what a crash left
// of unfinished batches; see [Lake.Torn].
//
// It returns an error that wraps [ErrLocked] if the lake has a writer already, and one that wraps [ErrDamaged] if a file that
// was being written is damaged in another way than a crash does it.
func Open(dir string, opts *Options) (*Lake, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	l := &Lake{
		dir: dir, region: o.Region, fileBytes: o.FileBytes, readOnly: o.ReadOnly,
		turn: make(chan struct{}, 1), listed: map[string]bool{}, open: map[string]*appender{}, suspect: map[string]bool{},
	}
	l.packers.New = func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a constant that exists
		return w
	}
	if l.region == "" {
		l.region = defaultRegion
	}
	if l.fileBytes <= 0 {
		l.fileBytes = defaultFile
	}
	if err := l.start(); err != nil {
		return nil, err
	}
	for _, t := range l.torn {
		if o.Logger != nil {
			o.Logger.Warn("lake: cut off an unfinished batch", "file", t.File, "at", t.At, "bytes", t.Bytes)
		}
	}
	l.turn <- struct{}{}
	return l, nil
}

func (l *Lake) start() error {
	if strings.Trim(l.region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return fmt.Errorf("lake: region %q is not made of letters, digits and \"-\"", l.region)
	}
	if l.readOnly {
		info, err := os.Stat(l.dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%q is not a folder", l.dir)
		}
		if err != nil {
			return fmt.Errorf("lake: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	file, err := lock(filepath.Join(l.dir, marker))
	if err != nil {
		return fmt.Errorf("%w (folder %q)", err, l.dir)
	}
	l.marker = file
	if err := l.mend(); err != nil {
		return errors.Join(err, unlock(file))
	}
	return nil
}

// mend cuts off torn batches of the files that were being written, and starts a new list of them.
func (l *Lake) mend() error {
	names, err := l.unfinished()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.cut(name); err != nil {
			return err
		}
	}
	return l.resetMarker()
}

// unfinished returns the files that the marker lists. A folder with files and without a marker was copied together
// from somewhere, so that every file may be torn.
func (l *Lake) unfinished() ([]string, error) {
	lines := bufio.NewScanner(l.marker)
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		return l.everyFile()
	}
	if lines.Text() != markerHead {
		return nil, fmt.Errorf("lake: folder %q has a %s file of another version", l.dir, marker)
	}
	var names []string
	for lines.Scan() {
		// A line without the end of a file's name was cut short itself; its file was not touched yet.
		if name := lines.Text(); fileNumber(path.Base(name)) > 0 {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	return names, nil
}

func (l *Lake) everyFile() ([]string, error) {
	hours, err := l.hours(Query{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, hour := range hours {
		files, err := l.files(hour.folder)
		if err != nil {
			return nil, err
		}
		names = append(names, files...)
	}
	return names, nil
}

// cut shortens a file to its whole batches. A file that does not exist was listed, but not begun.
func (l *Lake) cut(name string) error {
	path := filepath.Join(l.dir, filepath.FromSlash(name))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	defer file.Close()
	whole, size, err := wholeBytes(file, name)
	if err != nil || whole == size {
		return err
	}
	if err := file.Truncate(whole); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	l.torn = append(l.torn, Torn{File: name, At: whole, Bytes: size - whole})
	return nil
}

func (l *Lake) resetMarker() error {
	if err := l.marker.Truncate(0); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if _, err := l.marker.WriteAt([]byte(markerHead+"\n"), 0); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if _, err := l.marker.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := l.marker.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// Torn returns what Open cut off.
func (l *Lake) Torn() []Torn { return append([]Torn(nil), l.torn...) }

// Close waits for calls of Publish in progress and gives the folder free. Further calls return [ErrClosed].
func (l *Lake) Close() error {
	<-l.turn
	defer l.leave()
	if l.closed {
		return ErrClosed
	}
	l.closed = true
	var faults []error
	for _, a := range l.open {
		faults = append(faults, a.file.Close())
	}
	if l.marker != nil {
		if len(l.suspect) == 0 {
			faults = append(faults, l.resetMarker())
		}
		faults = append(faults, unlock(l.marker))
	}
	return errors.Join(faults...)
}

// enter takes the turn, unless the lake is closed or ctx ends first.
func (l *Lake) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("lake: %w", ctx.Err())
	case <-l.turn:
	}
	if l.closed {
		l.leave()
		return ErrClosed
	}
	return nil
}

func (l *Lake) leave() { l.turn <- struct{}{} }
