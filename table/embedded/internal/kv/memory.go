package kv

import (
	"bytes"
	"iter"
	"sync"

	"github.com/tidwall/btree"
)

// memory is a B-tree behind a lock. A snapshot is a copy-on-write clone.
type memory struct {
	mu     sync.RWMutex
	tree   *btree.BTreeG[Pair]
	closed bool
}

// NewMemory returns an empty store in memory.
func NewMemory() Store {
	return &memory{tree: newTree()}
}

func newTree() *btree.BTreeG[Pair] {
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

func less(a, b Pair) bool { return bytes.Compare(a.Key, b.Key) < 0 }

// Get implements [Reader].
func (m *memory) Get(key []byte) ([]byte, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, false, ErrClosed
	}
	return get(m.tree, key)
}

func get(tree *btree.BTreeG[Pair], key []byte) ([]byte, bool, error) {
	p, ok := tree.Get(Pair{Key: key})
	return p.Value, ok, nil
}

// Iterate implements [Reader]. The lock is held while the loop runs.
func (m *memory) Iterate(lo, hi []byte, reverse bool) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		m.mu.RLock()
		defer m.mu.RUnlock()
		if m.closed {
			yield(Pair{}, ErrClosed)
			return
		}
		iterate(m.tree, lo, hi, reverse, yield)
	}
}

func iterate(tree *btree.BTreeG[Pair], lo, hi []byte, reverse bool, yield func(Pair, error) bool) {
	switch {
	case !reverse:
		tree.Ascend(Pair{Key: lo}, func(p Pair) bool {
			return (hi == nil || bytes.Compare(p.Key, hi) < 0) && yield(p, nil)
		})
	case hi == nil:
		tree.Reverse(func(p Pair) bool {
			return bytes.Compare(p.Key, lo) >= 0 && yield(p, nil)
		})
	default:
		tree.Descend(Pair{Key: hi}, func(p Pair) bool {
			if bytes.Equal(p.Key, hi) {
				return true
			}
			return bytes.Compare(p.Key, lo) >= 0 && yield(p, nil)
		})
	}
}

// Apply implements [Store]. There is never anything to wait for.
func (m *memory) Apply(b *Batch) (func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	for _, op := range b.ops {
		switch op.Kind {
		case OpSet:
			m.tree.Set(Pair{Key: op.Key, Value: op.Value})
		case OpDelete:
			m.tree.Delete(Pair{Key: op.Key})
		case OpDeleteRange:
			m.deleteRange(op.Key, op.Value)
		}
	}
	return nil, nil
}

func (m *memory) deleteRange(lo, hi []byte) {
	var doomed []Pair
	iterate(m.tree, lo, hi, false, func(p Pair, _ error) bool {
		doomed = append(doomed, p)
		return true
	})
	for _, p := range doomed {
		m.tree.Delete(p)
	}
}

// Snapshot implements [Store].
func (m *memory) Snapshot() (Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	return &memorySnapshot{tree: m.tree.Copy()}, nil
}

// Durable implements [Store].
func (m *memory) Durable() bool { return false }

// Sync implements [Store].
func (m *memory) Sync() error { return nil }

// Close implements [Store].
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.tree = newTree()
	return nil
}

type memorySnapshot struct {
	mu   sync.RWMutex
	tree *btree.BTreeG[Pair]
}

// Get implements [Reader].
func (s *memorySnapshot) Get(key []byte) ([]byte, bool, error) {
	tree := s.open()
	if tree == nil {
		return nil, false, ErrClosed
	}
	return get(tree, key)
}

// Iterate implements [Reader].
func (s *memorySnapshot) Iterate(lo, hi []byte, reverse bool) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		tree := s.open()
		if tree == nil {
			yield(Pair{}, ErrClosed)
			return
		}
		iterate(tree, lo, hi, reverse, yield)
	}
}

func (s *memorySnapshot) open() *btree.BTreeG[Pair] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tree
}

// Close implements [Snapshot].
func (s *memorySnapshot) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tree = nil
	return nil
}
