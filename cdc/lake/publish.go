package lake

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/insideout-go/insideout"
)

// maxBatch is the size, before compression, of what is read and checked as a whole.
const maxBatch = 256 << 20

// appender is a file at whose end batches are written.
type appender struct {
	name string // within the lake's folder, with slashes
	file *os.File
	size int64
	used int
}

// batch is what one Publish writes to one file: a gzip member of JSON lines.
type batch struct {
	folder string
	data   bytes.Buffer
	packer *gzip.Writer
	plain  int
}

// Publish appends the events, in their order, to the files of their hours, and returns when they are on disk.
//
// It refuses all of them if one has no id, type or timestamp, does not encode, or happened outside of the years 0000 to 9999,
// and a batch of more than 256 MiB. After another error some of them may be in the lake: publish all again. Readers see each
// hour's part of the batch whole or not at all.
func (l *Lake) Publish(ctx context.Context, events []insideout.Event) error {
	if l.readOnly {
		return ErrReadOnly
	}
	batches, err := l.pack(events)
	if err != nil {
		return err
	}
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	for _, b := range batches {
		if err := l.append(b); err != nil {
			return err
		}
	}
	return nil
}

// pack encodes and compresses the events by hour. It needs no turn, so that publishers do it side by side.
func (l *Lake) pack(events []insideout.Event) ([]*batch, error) {
	var batches []*batch
	var faults []error
	defer func() {
		for _, b := range batches {
			b.packer.Reset(io.Discard) // the pool must not hold the batch
			l.packers.Put(b.packer)
		}
	}()
	byHour := map[string]*batch{}
	for i, e := range events {
		line, err := encode(e)
		if err != nil {
			faults = append(faults, fmt.Errorf("lake: event number %d: %w", i, err))
			continue
		}
		folder := path.Join(l.region, hourOf(e.Timestamp).path())
		b := byHour[folder]
		if b == nil {
			b = &batch{folder: folder, packer: l.packers.Get().(*gzip.Writer)}
			b.packer.Reset(&b.data)
			byHour[folder], batches = b, append(batches, b)
		}
		b.plain += len(line)
		if b.plain > maxBatch {
			return nil, fmt.Errorf("lake: a batch has more than %d bytes", maxBatch)
		}
		if _, err := b.packer.Write(line); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	for _, b := range batches {
		if err := b.packer.Close(); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	return batches, errors.Join(faults...)
}

func encode(e insideout.Event) ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if year := e.Timestamp.UTC().Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("event %q happened in the year %d, outside of 0000 to 9999", e.ID, year)
	}
	line, err := e.MarshalJSON()
	return append(line, '\n'), err
}

// append writes one batch to the last file of its folder and syncs it. After an error the file's end is looked at
// before anything else is written there.
func (l *Lake) append(b *batch) error {
	a, err := l.appender(b.folder)
	if err != nil {
		return err
	}
	if _, err = a.file.WriteAt(b.data.Bytes(), a.size); err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		l.suspect[a.name] = true
		delete(l.open, b.folder)
		// What was written of the batch goes at once, if the disk lets it; else the next append or Open finds it.
		return fmt.Errorf("lake: %w", errors.Join(err, a.file.Truncate(a.size), a.file.Close()))
	}
	a.size += int64(b.data.Len())
	return nil
}

// appender returns the file of a folder that is written to: the last one, or a new one if that is full.
func (l *Lake) appender(folder string) (*appender, error) {
	l.uses++
	a := l.open[folder]
	if a != nil && a.size < l.fileBytes {
		a.used = l.uses
		return a, nil
	}
	if a != nil {
		delete(l.open, folder)
		if err := a.file.Close(); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	if err := l.evict(); err != nil {
		return nil, err
	}
	name, err := l.lastFile(folder)
	if err != nil {
		return nil, err
	}
	a, err = l.openFile(name)
	if err != nil {
		return nil, err
	}
	a.used = l.uses
	l.open[folder] = a
	return a, nil
}

// evict closes the file that was not used for longest, where too many are open. All it was given is on disk.
func (l *Lake) evict() error {
	if len(l.open) < maxOpen {
		return nil
	}
	var oldest string
	for folder, a := range l.open {
		if oldest == "" || a.used < l.open[oldest].used {
			oldest = folder
		}
	}
	a := l.open[oldest]
	delete(l.open, oldest)
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// lastFile returns the name of the file of a folder that the next batch goes to.
func (l *Lake) lastFile(folder string) (string, error) {
	names, err := l.files(folder)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return path.Join(folder, fileName(1)), nil
	}
	last := names[len(names)-1]
	info, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(last)))
	if err != nil {
		return "", fmt.Errorf("lake: %w", err)
	}
	if info.Size() < l.fileBytes {
		return last, nil
	}
	return path.Join(folder, fileName(fileNumber(path.Base(last))+1)), nil
}

func (l *Lake) openFile(name string) (*appender, error) {
	if err := l.list(name); err != nil {
		return nil, err
	}
	if l.suspect[name] {
		if err := l.cut(name); err != nil {
			return nil, err
		}
		delete(l.suspect, name)
	}
	full := filepath.Join(l.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	file, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil && size == 0 {
		err = l.syncFolders(name)
	}
	if err != nil {
		return nil, fmt.Errorf("lake: %w", errors.Join(err, file.Close()))
	}
	return &appender{name: name, file: file, size: size}, nil
}

// list writes down that a file may be torn if the process ends now, before it is touched.
func (l *Lake) list(name string) error {
	if l.listed[name] {
		return nil
	}
	// The line break before it ends what an earlier write may have left unfinished.
	if _, err := l.marker.WriteString("\n" + name + "\n"); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	if err := l.marker.Sync(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	l.listed[name] = true
	return nil
}

// syncFolders makes the names of a new file and of the folders above it durable.
func (l *Lake) syncFolders(name string) error {
	for name != "." {
		name = path.Dir(name)
		if err := syncFolder(filepath.Join(l.dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

func fileName(number int) string { return fmt.Sprintf("%06d%s", number, fileSuffix) }

// files returns the files of a folder in the order in which they were written.
func (l *Lake) files(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.FromSlash(folder)))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if fileNumber(entry.Name()) > 0 && entry.Type().IsRegular() {
			names = append(names, path.Join(folder, entry.Name()))
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(fileNumber(path.Base(a)), fileNumber(path.Base(b)))
	})
	return names, nil
}
