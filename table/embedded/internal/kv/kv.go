// Package kv is the ordered key-value port behind the embedded engine, and its
// implementation in memory.
//
// Start with [Store], which every storage meets, and [NewMemory]. Package
// kvtest holds the suite that each implementation must pass.
//
// A batch becomes visible atomically, in the order in which Apply was called,
// and is durable once the function that Apply returned has returned nil.
package kv

import (
	"errors"
	"iter"
)

// ErrClosed is returned by every call on a store or snapshot that was closed.
var ErrClosed = errors.New("kv: store is closed")

// Pair is one entry. Keys and values must never be modified, neither by those
// who put them in nor by those who read them; they stay valid for ever.
type Pair struct {
	Key, Value []byte
}

// Reader reads one consistent state.
type Reader interface {
	// Get returns the value of a key, and whether there is one.
	Get(key []byte) (value []byte, found bool, err error)
	// Iterate yields the pairs with lo <= key < hi in ascending order, or in
	// descending order if reverse is set. A nil hi means the end. All of them
	// belong to one state of the store. The body of the loop must not call
	// the store. An error comes last.
	Iterate(lo, hi []byte, reverse bool) iter.Seq2[Pair, error]
}

// Store is an ordered map of byte strings. Its methods may be called from any
// number of goroutines.
type Store interface {
	Reader
	// Apply makes a batch visible, all of it or nothing, before it returns.
	// The function that it returns blocks until the batch is durable; it is
	// nil if there is nothing to wait for, and must be called exactly once
	// otherwise. The batch must not be used again.
	Apply(b *Batch) (wait func() error, err error)
	// Snapshot returns a reader of the present state. It must be closed.
	Snapshot() (Snapshot, error)
	// Durable reports whether Apply returns functions to wait for.
	Durable() bool
	// Sync blocks until everything that was visible when it was called is
	// durable.
	Sync() error
	// Close releases the store. No other call may be under way.
	Close() error
}

// Snapshot is a Reader of a past state.
type Snapshot interface {
	Reader
	// Close releases what the snapshot holds.
	Close() error
}

// OpKind tells what an [Op] does.
type OpKind uint8

// The kinds of operations in a batch.
const (
	OpSet         OpKind = iota // Key gets Value
	OpDelete                    // Key goes
	OpDeleteRange               // all keys from Key (inclusive) to Value (exclusive) go
)

// Op is one operation of a batch.
type Op struct {
	Kind       OpKind
	Key, Value []byte
}

// Batch collects operations that are applied together, in order.
type Batch struct {
	ops []Op
}

// Set puts a value under a key. Both are kept and must not be modified.
func (b *Batch) Set(key, value []byte) {
	b.ops = append(b.ops, Op{OpSet, key, value})
}

// Delete removes a key; one that does not exist is no error.
func (b *Batch) Delete(key []byte) {
	b.ops = append(b.ops, Op{OpDelete, key, nil})
}

// DeleteRange removes all keys with lo <= key < hi.
func (b *Batch) DeleteRange(lo, hi []byte) {
	b.ops = append(b.ops, Op{OpDeleteRange, lo, hi})
}

// Len returns the number of operations.
func (b *Batch) Len() int { return len(b.ops) }

// Ops returns the operations in order. The slice belongs to the batch.
func (b *Batch) Ops() []Op { return b.ops }

// PrefixEnd returns the smallest key that is greater than every key with the
// given prefix, or nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
