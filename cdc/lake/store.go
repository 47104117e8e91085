package lake

import (
	"context"
	"errors"
	"io"
	"iter"
)

// ErrChanged is returned by [Store.Put] when the object is not in the version that the caller has seen.
var ErrChanged = errors.New("lake: the object was changed meanwhile")

// Store is where the objects of a lake lie: a folder ([Folder]), or a bucket (package cdc/lake/s3). Names of objects have slashes
// and no leading one. Package laketest has the suite that every store must pass.
//
// A store that is written to without [Open] gets every batch as an object of its own.
type Store interface {
	// Folders returns the names of the folders at the top, in order.
	Folders(ctx context.Context) ([]string, error)
	// List yields the objects whose names begin with prefix, which ends with a slash, and come after another name, in the order of
	// names, byte by byte. It reads as it goes. A store may leave out names of which a part begins with a dot. An error is the
	// last element.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
	// Open gives the content of one version of an object, which stays the same while it is read, whatever is written meanwhile.
	// For an object that is not there the error wraps [fs.ErrNotExist].
	Open(ctx context.Context, name string) (Content, error)
	// Put writes an object whole: readers see what was there before, or all of data. It does so only if the object is in the
	// given version, or is not there where version is empty; otherwise the error wraps [ErrChanged], unless the object is exactly
	// data already, which a store may take for its own write whose answer was lost. It returns the new version.
	// When it returns nil, the object survives a crash. After another error the object may have been written.
	Put(ctx context.Context, name string, data []byte, version string) (string, error)
	// Delete removes an object. It is no error if it is not there.
	Delete(ctx context.Context, name string) error
	// Claims returns the store for the claim checks in a bucket, whose names are the whole keys, and the bucket's name. The empty
	// name stands for the bucket of this store. A store that cannot reach the bucket refuses it.
	Claims(bucket string) (claims Store, name string, err error)
}

// Object tells about one object of a lake.
type Object struct {
	Name    string // within the lake, with slashes
	Bytes   int64  // its size, compressed
	Version string // changes with the content; of use to the store only
	// Growing says that a writer may be at work at its end, or may have died there: a batch that is torn does not count. The
	// other way of damage is an error.
	Growing bool
	// Summary is what the index knows about this version of the object; nil if it knows nothing. A store does not set it.
	Summary *Summary
}

// Content is an object that was opened: reading past its size, as given, is not part of it.
type Content struct {
	Object
	io.ReaderAt
	io.Closer
}
