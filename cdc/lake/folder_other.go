//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package lake

import (
	"errors"
	"fmt"
	"os"
)

// lock refuses: without a lock two writers would tear each other's batches.
func lock(path string) (*os.File, error) {
	return nil, fmt.Errorf("lake: locking %q: %w", path, errors.ErrUnsupported)
}

func unlock(file *os.File) error { return file.Close() }

func syncFolder(string) error { return errors.ErrUnsupported }
