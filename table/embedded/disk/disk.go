// Package disk opens an embedded database in a folder, on Pebble.
//
// Start with [Open]. What it returns is an *embedded.DB like the one in memory.
//
// It guarantees that an answered write is on the disk and survives the end of
// the process and of the machine, that transactions are never torn, that no two
// processes have one folder open, and that a folder of another format, a
// damaged one, or one with something else in it is refused and left as it is.
// Writers that wait for the disk at the same time share one fsync.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/insideout-go/insideout/table/embedded"
)

// ErrLocked is in the error of [Open] if the folder is open already, in this or
// another process.
var ErrLocked = errors.New("the folder is in use by another process or database")

// ErrFormat is in the error of [Open] if the folder was written by another
// version of the format, or is not a database.
var ErrFormat = errors.New("the folder is not a database of this version")

// format is what the version file holds. Another format has another number.
const format = "insideout embedded database, format 1\n"

const (
	versionFile  = "VERSION"
	creationFile = "VERSION.new" // renamed once the database has been created
	lockFile     = "LOCK"
)

// Open opens the database in a folder; it creates both if there are none. A
// nil opts has all defaults. Close the database to free the folder.
func Open(dir string, opts *embedded.Options) (*embedded.DB, error) {
	if opts == nil {
		opts = &embedded.Options{}
	}
	path, err := folder(dir)
	if err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(path, vfs.Default)
	if err != nil {
		if _, file := errors.AsType[*fs.PathError](err); file {
			return nil, fmt.Errorf("disk: folder %q cannot be written: %w", dir, err)
		}
		return nil, fmt.Errorf("disk: open %q: %w", dir, ErrLocked)
	}
	s, err := openStore(path, lock, opts)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("disk: open %q: %w", dir, err)
	}
	db, err := embedded.Open(s, opts)
	if err != nil {
		return nil, fmt.Errorf("disk: open %q: %w", dir, err)
	}
	return db, nil
}

// folder makes the folder if need be, and returns its one true path: the lock
// of a file goes by its name within a process.
func folder(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("disk: the folder has no name")
	}
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return "", fmt.Errorf("disk: %q is a file, not a folder", dir)
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("disk: folder %q cannot be made: %w", dir, err)
		}
	case err != nil:
		return "", fmt.Errorf("disk: folder %q cannot be read: %w", dir, err)
	}
	path, err := filepath.Abs(dir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("disk: folder %q cannot be read: %w", dir, err)
	}
	return path, nil
}

// checkFormat reports whether the folder is new, and refuses one that is not
// ours. The folder is locked.
func checkFormat(path string) (fresh bool, err error) {
	data, err := os.ReadFile(filepath.Join(path, versionFile))
	switch {
	case err == nil && string(data) == format:
		return false, nil
	case err == nil:
		line, _, _ := strings.Cut(string(data), "\n")
		return false, fmt.Errorf("%w: it says %.80q, want %q", ErrFormat, line, strings.TrimSpace(format))
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, err
	}
	var other string
	for _, e := range entries {
		switch e.Name() {
		case creationFile:
			return true, nil // nothing was ever answered from it
		case lockFile:
		default:
			other = e.Name()
		}
	}
	if other != "" {
		return false, fmt.Errorf("%w: it has no file %s, but %q", ErrFormat, versionFile, other)
	}
	return true, nil
}

// begin marks a folder as one whose database is being created.
func begin(path string) error {
	f, err := os.Create(filepath.Join(path, creationFile))
	if err != nil {
		return err
	}
	_, err = f.WriteString(format)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// complete marks a folder as a database.
func complete(path string) error {
	if err := os.Rename(filepath.Join(path, creationFile), filepath.Join(path, versionFile)); err != nil {
		return err
	}
	d, err := vfs.Default.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
