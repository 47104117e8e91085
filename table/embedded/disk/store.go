package disk

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// The memory that a database may take, in bytes: twice the write buffer, the
// cache, and what the caller's own requests need. The cache holds the indexes and filters of
// some millions of rows, so that a read of any row takes one read of the disk.
// Without room for them a read takes ten, and every blind put, which looks for the old row, as many.
const (
	cacheSize    = 96 << 20
	writeBuffer  = 32 << 20
	maxOpenFiles = 1024
	bloomBits    = 10
	// firstFile is the size of the files of the first level; each level doubles it. Fewer files are to be looked into.
	firstFile = 8 << 20
)

// store is a kv.Store on Pebble.
type store struct {
	db      *pebble.DB
	lock    *pebble.Lock
	sync    bool
	closed  atomic.Bool
	failure atomic.Pointer[error] // after it nothing is answered any more
}

var _ kv.Store = (*store)(nil)

func openStore(path string, lock *pebble.Lock, opts *embedded.Options) (s *store, err error) {
	fresh, err := checkFormat(path)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := begin(path); err != nil {
			return nil, err
		}
	}
	s = &store{lock: lock, sync: !opts.NoSync}
	if err := s.open(vfs.Default, path, !fresh, opts.Logger); err != nil {
		return nil, fmt.Errorf("the database is damaged or cannot be read: %w", err)
	}
	if fresh {
		if err := s.begun(path, opts.Logger); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// begun marks a new folder as a database. Pebble writes the first log of a new database in its
// oldest format, which cannot tell damage from the end of what was written, and all
// others in the present one; so the first log gets nothing to keep.
func (s *store) begun(path string, l *slog.Logger) error {
	if err := s.db.Close(); err != nil {
		return err
	}
	if err := s.open(vfs.Default, path, true, l); err != nil {
		return err
	}
	if err := complete(path); err != nil {
		s.db.Close()
		return err
	}
	return nil
}

func (s *store) open(fs vfs.FS, path string, exists bool, l *slog.Logger) (err error) {
	defer s.recovered(&err)
	o := s.options(l)
	o.FS, o.Lock, o.ErrorIfNotExists = fs, s.lock, exists
	s.db, err = pebble.Open(path, o)
	return err
}

func (s *store) options(l *slog.Logger) *pebble.Options {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	o := &pebble.Options{
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		CacheSize:          cacheSize + 2*writeBuffer, // Pebble takes its write buffers off the cache
		MemTableSize:       writeBuffer,
		MaxOpenFiles:       maxOpenFiles,
		Logger:             logger{l},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { l.Error("disk: background work failed", "error", err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.fail(fmt.Errorf("the database is damaged: %s", info))
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	o.TargetFileSizes[0] = firstFile
	return o
}

// logger keeps Pebble silent but for errors.
type logger struct{ to *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("disk: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return. Where a caller waits for Pebble the panic becomes its
// error; in Pebble's own goroutines the process ends, since what it keeps on
// disk is no longer known.
func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic(fatal(fmt.Sprintf(format, args...)))
}

type fatal string

func (f fatal) Error() string { return string(f) }

// recovered turns Pebble's fatal failures into an error, now and for every call
// to come.
func (s *store) recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case fatal:
		s.fail(p)
		*err = p
	default:
		panic(p)
	}
}

func (s *store) fail(err error) {
	err = fmt.Errorf("disk: the database has failed, open it again: %w", err)
	s.failure.CompareAndSwap(nil, &err)
}

func (s *store) usable() error {
	if s.closed.Load() {
		return kv.ErrClosed
	}
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Get implements kv.Reader.
func (s *store) Get(key []byte) ([]byte, bool, error) {
	if err := s.usable(); err != nil {
		return nil, false, err
	}
	return get(s.db, key)
}

func get(r pebble.Reader, key []byte) ([]byte, bool, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	v = clone(v)
	return v, true, closer.Close()
}

// clone is never nil: a nil value would be no value to the engine.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// Iterate implements kv.Reader.
func (s *store) Iterate(lo, hi []byte, reverse bool) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		if err := s.usable(); err != nil {
			yield(kv.Pair{}, err)
			return
		}
		iterate(s.db, lo, hi, reverse, yield)
	}
}

func iterate(r pebble.Reader, lo, hi []byte, reverse bool, yield func(kv.Pair, error) bool) {
	if hi != nil && bytes.Compare(lo, hi) >= 0 {
		return // Pebble wants the bounds in order
	}
	if len(lo) == 0 {
		lo = nil // and no bound that is empty
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		yield(kv.Pair{}, err)
		return
	}
	start, next := it.First, it.Next
	if reverse {
		start, next = it.Last, it.Prev
	}
	for ok := start(); ok; ok = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			it.Close()
			yield(kv.Pair{}, err)
			return
		}
		if !yield(kv.Pair{Key: clone(it.Key()), Value: clone(v)}, nil) {
			it.Close()
			return
		}
	}
	if err := it.Close(); err != nil {
		yield(kv.Pair{}, err)
	}
}

// Apply implements kv.Store.
func (s *store) Apply(b *kv.Batch) (wait func() error, err error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	defer s.recovered(&err)
	pb, err := s.batch(b)
	if err != nil {
		return nil, err
	}
	if !s.sync {
		err := s.db.Apply(pb, pebble.NoSync)
		return nil, errors.Join(err, pb.Close())
	}
	if err := s.db.ApplyNoSyncWait(pb, pebble.Sync); err != nil {
		return nil, err
	}
	return func() error {
		if err := pb.SyncWait(); err != nil {
			s.fail(err)
			return err
		}
		return pb.Close()
	}, nil
}

func (s *store) batch(b *kv.Batch) (*pebble.Batch, error) {
	size := 32
	for _, op := range b.Ops() {
		size += len(op.Key) + len(op.Value) + 16
	}
	pb := s.db.NewBatchWithSize(size)
	for _, op := range b.Ops() {
		var err error
		switch op.Kind {
		case kv.OpSet:
			err = pb.Set(op.Key, op.Value, nil)
		case kv.OpDelete:
			err = pb.Delete(op.Key, nil)
		case kv.OpDeleteRange:
			if bytes.Compare(op.Key, op.Value) < 0 {
				err = pb.DeleteRange(op.Key, op.Value, nil)
			}
		}
		if err != nil {
			return nil, errors.Join(err, pb.Close())
		}
	}
	return pb, nil
}

// Snapshot implements kv.Store.
func (s *store) Snapshot() (kv.Snapshot, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	return &snapshot{store: s, snap: s.db.NewSnapshot()}, nil
}

// Durable implements kv.Store.
func (s *store) Durable() bool { return s.sync }

// Sync implements kv.Store.
func (s *store) Sync() (err error) {
	if err := s.usable(); err != nil {
		return err
	}
	defer s.recovered(&err)
	return s.db.LogData(nil, pebble.Sync)
}

// Close implements kv.Store.
func (s *store) Close() (err error) {
	if s.closed.Swap(true) {
		return nil
	}
	defer s.recovered(&err)
	if s.failure.Load() == nil {
		err = s.db.Flush() // files have checksums all over, the log only where more follows
	}
	err = errors.Join(err, s.db.Close())
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

type snapshot struct {
	store  *store
	snap   *pebble.Snapshot
	closed atomic.Bool
}

func (n *snapshot) usable() error {
	if n.closed.Load() {
		return kv.ErrClosed
	}
	return n.store.usable()
}

// Get implements kv.Reader.
func (n *snapshot) Get(key []byte) ([]byte, bool, error) {
	if err := n.usable(); err != nil {
		return nil, false, err
	}
	return get(n.snap, key)
}

// Iterate implements kv.Reader.
func (n *snapshot) Iterate(lo, hi []byte, reverse bool) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		if err := n.usable(); err != nil {
			yield(kv.Pair{}, err)
			return
		}
		iterate(n.snap, lo, hi, reverse, yield)
	}
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() error {
	if n.closed.Swap(true) {
		return nil
	}
	return n.snap.Close()
}
