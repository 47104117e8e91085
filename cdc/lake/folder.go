package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is a [Store] in a folder of this machine. What writes to it takes turns, across processes, by a lock file in the folder; a
// file is replaced by renaming a new one to its name, which Windows refuses while somebody reads the file.
type Folder struct{ dir string }

const (
	turnFile     = ".turn"              // whoever holds its lock may write to the folder
	turnWait     = 2 * time.Millisecond // between two looks at the lock of another writer
	folderBucket = "folder"             // what claim checks call any folder
	fileMode     = os.FileMode(0o600)   // events are for their owner
	folderMode   = os.FileMode(0o700)
)

// NewFolder returns the store in dir, which need not be there to write to. [Open] is what most programs need.
func NewFolder(dir string) *Folder { return &Folder{dir} }

func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// Claims returns the folder itself, as the bucket "folder" whatever its name: it may be moved.
func (f *Folder) Claims(bucket string) (Store, string, error) {
	if bucket != "" && bucket != folderBucket {
		return nil, "", fmt.Errorf("lake: the bucket %q cannot be reached from a folder", bucket)
	}
	return f, folderBucket, nil
}

// Folders returns the folders below the store's own.
func (f *Folder) Folders(context.Context) ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// List walks through the folder prefix.
func (f *Folder) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		f.walk(ctx, strings.TrimSuffix(prefix, "/"), after, yield)
	}
}

// walk yields the files below a folder. It returns false when it is to end.
func (f *Folder) walk(ctx context.Context, folder, after string, yield func(Object, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Object{}, fmt.Errorf("lake: %w", err))
		return false
	}
	entries, err := os.ReadDir(f.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Object{}, fmt.Errorf("lake: %w", err))
		return false
	}
	// In the order of whole names "a-b/c" comes before "a/b".
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case entry.IsDir():
			if last := name + "/\xff"; last > after && !f.walk(ctx, name, after, yield) {
				return false
			}
		case name > after:
			object, err := f.describe(name, entry)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if !yield(object, err) || err != nil {
				return false
			}
		}
	}
	return true
}

func sortName(entry os.DirEntry) string {
	if entry.IsDir() {
		return entry.Name() + "/"
	}
	return entry.Name()
}

func (f *Folder) describe(name string, entry os.DirEntry) (Object, error) {
	if !entry.Type().IsRegular() {
		return Object{}, fmt.Errorf("lake: %q is no regular file", name)
	}
	info, err := entry.Info()
	if err != nil {
		return Object{}, fmt.Errorf("lake: %w", err)
	}
	return fileObject(name, info), nil
}

func fileObject(name string, info os.FileInfo) Object {
	return Object{
		Name: name, Bytes: info.Size(), Growing: appended(path.Base(name)),
		Version: fmt.Sprintf("%x-%x", info.Size(), info.ModTime().UnixNano()),
	}
}

// Open opens a file as it is now: what is appended later is not part of the content.
func (f *Folder) Open(_ context.Context, name string) (Content, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return Content{}, fmt.Errorf("lake: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return Content{}, fmt.Errorf("lake: %w", errors.Join(err, file.Close()))
	}
	return Content{Object: fileObject(name, info), ReaderAt: file, Closer: file}, nil
}

// Put writes a file under another name, and renames it.
func (f *Folder) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	release, err := f.turn(ctx)
	if err != nil {
		return "", err
	}
	version, err = f.put(name, data, version)
	return version, errors.Join(err, release())
}

// put is Put for whoever has the turn.
func (f *Folder) put(name string, data []byte, version string) (string, error) {
	now, before, err := f.version(name)
	if err != nil {
		return "", err
	}
	if now != version {
		return "", fmt.Errorf("%w (%q)", ErrChanged, name)
	}
	full := f.path(name)
	if err := os.MkdirAll(filepath.Dir(full), folderMode); err != nil {
		return "", fmt.Errorf("lake: %w", err)
	}
	draft := filepath.Join(filepath.Dir(full), "."+filepath.Base(full)+".tmp")
	if err := writeFile(draft, data); err != nil {
		return "", fmt.Errorf("lake: %w", errors.Join(err, os.Remove(draft)))
	}
	// The clock of files may stand still for milliseconds: a new version must be told from the one before it.
	if info, err := os.Stat(draft); err == nil && !info.ModTime().After(before) {
		later := before.Add(time.Millisecond)
		if err := os.Chtimes(draft, later, later); err != nil {
			return "", fmt.Errorf("lake: %w", errors.Join(err, os.Remove(draft)))
		}
	}
	if err := os.Rename(draft, full); err != nil {
		return "", fmt.Errorf("lake: %w", errors.Join(err, os.Remove(draft)))
	}
	if err := f.syncFolders(name, before.IsZero()); err != nil {
		return "", err
	}
	now, _, err = f.version(name)
	return now, err
}

func writeFile(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// version returns the version of a file and when it was changed, both empty if it is not there.
func (f *Folder) version(name string) (string, time.Time, error) {
	info, err := os.Stat(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("lake: %w", err)
	}
	return fileObject(name, info).Version, info.ModTime(), nil
}

// Delete removes a file. It takes no turn: whoever rewrites an object may remove what its events refer to meanwhile.
func (f *Folder) Delete(_ context.Context, name string) error {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return f.syncFolders(name, false)
}

// turn waits until nobody else writes to the folder, in this process or another one.
func (f *Folder) turn(ctx context.Context) (release func() error, err error) {
	if err := os.MkdirAll(f.dir, folderMode); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	for {
		file, err := lock(filepath.Join(f.dir, turnFile))
		if err == nil {
			return func() error { return unlock(file) }, nil
		}
		if !errors.Is(err, ErrLocked) {
			return nil, fmt.Errorf("lake: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lake: waiting for another writer: %w", ctx.Err())
		case <-time.After(turnWait):
		}
	}
}

// syncFolders makes a file's name durable, and if its folders may be new those of the folders above it.
func (f *Folder) syncFolders(name string, all bool) error {
	for name != "." {
		name = path.Dir(name)
		if err := syncFolder(f.path(name)); err != nil {
			return fmt.Errorf("lake: %w", err)
		}
		if !all {
			break
		}
	}
	return nil
}
