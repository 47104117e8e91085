package lake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	marker     = "LAKE"             // the file that locks the lake and lists files in the making
	markerHead = "insideout lake 1" // its first line, with the version of the layout
	maxOpen    = 16                 // files open for appending; one is enough unless the events of a batch are hours apart
)

// writer is the one that appends to the files of a folder.
type writer struct {
	folder    *Folder
	fileBytes int64
	torn      []Torn

	token   chan struct{} // whoever took it owns everything below
	closed  bool
	marker  *os.File
	listed  map[string]bool      // files that the marker lists
	open    map[string]*appender // by hour folder
	uses    int                  // counts appends, to find the file that was not used for longest
	suspect map[string]bool      // files whose last write failed, and whose end must be looked at before the next one
}

// appender is a file at whose end batches are written.
type appender struct {
	name string
	file *os.File
	size int64
	used int
}

// newWriter locks the folder and cuts off what a crash left.
func newWriter(folder *Folder, fileBytes int64) (*writer, error) {
	w := &writer{
		folder: folder, fileBytes: fileBytes, token: make(chan struct{}, 1),
		listed: map[string]bool{}, open: map[string]*appender{}, suspect: map[string]bool{},
	}
	if err := os.MkdirAll(folder.dir, folderMode); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	file, err := lock(filepath.Join(folder.dir, marker))
	if err != nil {
		return nil, fmt.Errorf("%w (folder %q)", err, folder.dir)
	}
	w.marker = file
	if err := w.mend(context.Background()); err != nil {
		return nil, errors.Join(err, unlock(file))
	}
	w.token <- struct{}{}
	return w, nil
}

// mend cuts off torn batches of the files that were being written, and starts a new list of them.
func (w *writer) mend(ctx context.Context) (err error) {
	release, err := w.folder.turn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	names, err := w.unfinished(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.cut(name); err != nil {
			return err
		}
	}
	return w.resetMarker()
}

// unfinished returns the files that the marker lists. A folder with files and without a marker was copied together
// from somewhere, so that every file may be torn.
func (w *writer) unfinished(ctx context.Context) ([]string, error) {
	lines := bufio.NewScanner(w.marker)
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		return w.everyFile(ctx)
	}
	if lines.Text() != markerHead {
		return nil, fmt.Errorf("lake: folder %q has a %s file of another version", w.folder.dir, marker)
	}
	var names []string
	for lines.Scan() {
		// A line without the end of a file's name was cut short itself; its file was not touched yet.
		if name := lines.Text(); appended(path.Base(name)) {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	return names, nil
}

func (w *writer) everyFile(ctx context.Context) ([]string, error) {
	regions, err := w.folder.Folders(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, region := range regions {
		for object, err := range w.folder.List(ctx, region+"/", "") {
			if err != nil {
				return nil, err
			}
			if _, ok := placeOf(object.Name); ok && object.Growing {
				names = append(names, object.Name)
			}
		}
	}
	return names, nil
}

// cut shortens a file to its whole batches. A file that does not exist was listed, but not begun.
func (w *writer) cut(name string) error {
	file, err := os.OpenFile(w.folder.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	whole := int64(0)
	for m, err := range members(Content{Object: fileObject(name, info), ReaderAt: file, Closer: file}) {
		if err != nil {
			return err
		}
		whole = m.end
	}
	if whole == info.Size() {
		return nil
	}
	if err := file.Truncate(whole); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	w.torn = append(w.torn, Torn{File: name, At: whole, Bytes: info.Size() - whole})
	return nil
}

func (w *writer) resetMarker() error {
	if err := w.marker.Truncate(0); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if _, err := w.marker.WriteAt([]byte(markerHead+"\n"), 0); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if _, err := w.marker.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := w.marker.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// close waits for the publisher at work.
func (w *writer) close() error {
	<-w.token
	defer func() { w.token <- struct{}{} }()
	w.closed = true
	var faults []error
	for _, a := range w.open {
		faults = append(faults, a.file.Close())
	}
	if len(w.suspect) == 0 {
		faults = append(faults, w.resetMarker())
	}
	return errors.Join(append(faults, unlock(w.marker))...)
}

// publish appends a group to the last files of its folder and syncs them.
func (w *writer) publish(ctx context.Context, g *group) (err error) {
	select {
	case <-ctx.Done():
		return fmt.Errorf("lake: %w", ctx.Err())
	case <-w.token:
	}
	defer func() { w.token <- struct{}{} }()
	if w.closed {
		return ErrClosed
	}
	release, err := w.folder.turn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	for rest := g.members; len(rest) > 0; {
		a, err := w.appender(g.folder, len(rest[0].data))
		if err != nil {
			return err
		}
		n, data := 1, rest[0].data
		for n < len(rest) && a.size+int64(len(data)+len(rest[n].data)) <= w.fileBytes {
			data = append(data, rest[n].data...)
			n++
		}
		if err := w.append(g.folder, a, data); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// append writes at the end of a file. After an error that end is looked at before anything else is written there.
func (w *writer) append(folder string, a *appender, data []byte) error {
	_, err := a.file.WriteAt(data, a.size)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		w.suspect[a.name] = true
		delete(w.open, folder)
		// What was written of the batch goes at once, if the disk lets it; else the next append or Open finds it.
		return fmt.Errorf("lake: %w", errors.Join(err, a.file.Truncate(a.size), a.file.Close()))
	}
	a.size += int64(len(data))
	return nil
}

// appender returns the file of a folder that is written to: the last one, or a new one if the data does not fit.
func (w *writer) appender(folder string, bytes int) (*appender, error) {
	w.uses++
	a := w.open[folder]
	if a != nil && (a.size == 0 || a.size+int64(bytes) <= w.fileBytes) && w.current(a) {
		a.used = w.uses
		return a, nil
	}
	if a != nil {
		delete(w.open, folder)
		if err := a.file.Close(); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	if err := w.evict(); err != nil {
		return nil, err
	}
	name, err := w.lastFile(folder, bytes)
	if err != nil {
		return nil, err
	}
	if a, err = w.openFile(name); err != nil {
		return nil, err
	}
	a.used = w.uses
	w.open[folder] = a
	return a, nil
}

// current reports whether the open file is still the one of its name: it may have been rewritten.
func (w *writer) current(a *appender) bool {
	named, err := os.Stat(w.folder.path(a.name))
	if err != nil {
		return false
	}
	open, err := a.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// evict closes the file that was not used for longest, where too many are open. All it was given is on disk.
func (w *writer) evict() error {
	if len(w.open) < maxOpen {
		return nil
	}
	var oldest string
	for folder, a := range w.open {
		if oldest == "" || a.used < w.open[oldest].used {
			oldest = folder
		}
	}
	a := w.open[oldest]
	delete(w.open, oldest)
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// lastFile returns the name of the file of a folder that the next batch goes to.
func (w *writer) lastFile(folder string, bytes int) (string, error) {
	entries, err := os.ReadDir(w.folder.path(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("lake: %w", err)
	}
	last := 0
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			last = max(last, fileNumber(entry.Name()))
		}
	}
	if last == 0 {
		return path.Join(folder, fileName(1)), nil
	}
	name := path.Join(folder, fileName(last))
	info, err := os.Stat(w.folder.path(name))
	if err != nil {
		return "", fmt.Errorf("lake: %w", err)
	}
	if info.Size() == 0 || info.Size()+int64(bytes) <= w.fileBytes {
		return name, nil
	}
	return path.Join(folder, fileName(last+1)), nil
}

func (w *writer) openFile(name string) (*appender, error) {
	if err := w.list(name); err != nil {
		return nil, err
	}
	if w.suspect[name] {
		if err := w.cut(name); err != nil {
			return nil, err
		}
		delete(w.suspect, name)
	}
	full := w.folder.path(name)
	if err := os.MkdirAll(filepath.Dir(full), folderMode); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	file, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil && size == 0 {
		err = w.folder.syncFolders(name, true)
	}
	if err != nil {
		return nil, fmt.Errorf("lake: %w", errors.Join(err, file.Close()))
	}
	return &appender{name: name, file: file, size: size}, nil
}

// list writes down that a file may be torn if the process ends now, before it is touched.
func (w *writer) list(name string) error {
	if w.listed[name] {
		return nil
	}
	// The line break before it ends what an earlier write may have left unfinished.
	if _, err := w.marker.WriteString("\n" + name + "\n"); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := w.marker.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	w.listed[name] = true
	return nil
}

func fileName(number int) string { return fmt.Sprintf("%06d%s", number, suffix) }

// fileNumber returns the number in a file's name, 0 if it is not the name of a file that the writer appends to.
func fileNumber(name string) int {
	text, ok := strings.CutSuffix(name, suffix)
	if !ok || len(text) < 6 || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return number
}
