// Package kvtest is the suite that every kv.Store must pass.
//
// Start with [Run].
package kvtest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// Run tests the stores that open returns: empty ones, each closed by the suite.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s kv.Store)
	}{
		{"a batch is applied in its order", batchOrder},
		{"ranges include lo and exclude hi, in both directions", ranges},
		{"a range deletion includes lo and excludes hi", deleteRange},
		{"a snapshot does not change", snapshots},
		{"readers see batches whole", atomicity},
		{"any sequence of batches leaves what a map would hold", model},
		{"empty values are values", emptyValue},
		{"a closed store says so", closed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			tt.test(t, s)
		})
	}
}

func apply(t require.TestingT, s kv.Store, b *kv.Batch) {
	wait, err := s.Apply(b)
	require.NoError(t, err)
	if wait != nil {
		require.NoError(t, wait())
	}
}

func set(t require.TestingT, s kv.Store, pairs ...string) {
	var b kv.Batch
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	apply(t, s, &b)
}

func value(t require.TestingT, r kv.Reader, key string) string {
	v, found, err := r.Get([]byte(key))
	require.NoError(t, err)
	if !found {
		return "-"
	}
	return string(v)
}

func keys(t require.TestingT, r kv.Reader, lo, hi []byte, reverse bool) []string {
	all := []string{}
	for p, err := range r.Iterate(lo, hi, reverse) {
		require.NoError(t, err)
		all = append(all, string(p.Key))
	}
	return all
}

func batchOrder(t *testing.T, s kv.Store) {
	var b kv.Batch
	b.Set([]byte("a"), []byte("1"))
	b.Delete([]byte("a"))
	b.Set([]byte("a"), []byte("2"))
	b.Set([]byte("b"), []byte("3"))
	b.Delete([]byte("b"))
	b.Delete([]byte("never"))
	require.Equal(t, 6, b.Len())
	apply(t, s, &b)
	require.Equal(t, "2", value(t, s, "a"))
	require.Equal(t, "-", value(t, s, "b"))
	require.NoError(t, s.Sync())
}

func ranges(t *testing.T, s kv.Store) {
	set(t, s, "a", "", "b", "", "ba", "", "c", "", "\xff", "")
	for _, tt := range []struct {
		lo, hi string
		want   []string
	}{
		{"a", "c", []string{"a", "b", "ba"}},
		{"aa", "bz", []string{"b", "ba"}},
		{"b", "", []string{"b", "ba", "c", "\xff"}},
		{"", "b", []string{"a"}},
		{"", "", []string{"a", "b", "ba", "c", "\xff"}},
		{"d", "e", []string{}},
		{"c", "a", []string{}},
	} {
		var hi []byte
		if tt.hi != "" {
			hi = []byte(tt.hi)
		}
		require.Equal(t, tt.want, keys(t, s, []byte(tt.lo), hi, false), "%q to %q", tt.lo, tt.hi)
		slices.Reverse(tt.want)
		require.Equal(t, tt.want, keys(t, s, []byte(tt.lo), hi, true), "%q to %q, reverse", tt.lo, tt.hi)
	}
	for p := range s.Iterate([]byte("b"), nil, false) {
		require.Equal(t, "b", string(p.Key))
		break
	}
	require.Equal(t, []byte("b"), kv.PrefixEnd([]byte("a\xff")))
	require.Nil(t, kv.PrefixEnd([]byte("\xff\xff")))
}

func deleteRange(t *testing.T, s kv.Store) {
	set(t, s, "a", "", "b", "", "c", "", "d", "")
	var b kv.Batch
	b.DeleteRange([]byte("b"), []byte("d"))
	b.Set([]byte("c"), []byte("again"))
	b.DeleteRange([]byte("z"), []byte("a"))
	apply(t, s, &b)
	require.Equal(t, []string{"a", "c", "d"}, keys(t, s, nil, nil, false))
	require.Equal(t, "again", value(t, s, "c"))
}

func snapshots(t *testing.T, s kv.Store) {
	set(t, s, "a", "1", "b", "1")
	snap, err := s.Snapshot()
	require.NoError(t, err)
	set(t, s, "a", "2", "c", "2")
	var b kv.Batch
	b.Delete([]byte("b"))
	apply(t, s, &b)
	require.Equal(t, "1", value(t, snap, "a"))
	require.Equal(t, []string{"a", "b"}, keys(t, snap, nil, nil, false))
	require.Equal(t, []string{"b", "a"}, keys(t, snap, nil, nil, true))
	require.Equal(t, []string{"a", "c"}, keys(t, s, nil, nil, false))
	require.NoError(t, snap.Close())
	_, _, err = snap.Get([]byte("a"))
	require.ErrorIs(t, err, kv.ErrClosed)
	for _, err := range snap.Iterate(nil, nil, false) {
		require.ErrorIs(t, err, kv.ErrClosed)
	}
	require.NoError(t, snap.Close())
}

// atomicity moves one unit between keys while readers add them up.
func atomicity(t *testing.T, s kv.Store) {
	const accounts, total = 8, 1000
	state := make([]uint32, accounts)
	state[0] = total
	write := func() {
		var b kv.Batch
		for i, n := range state {
			b.Set([]byte{byte(i)}, binary.BigEndian.AppendUint32(nil, n))
		}
		apply(t, s, &b)
	}
	write()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var sum uint32
				for p, err := range s.Iterate(nil, nil, false) {
					if err != nil {
						t.Error(err)
						return
					}
					sum += binary.BigEndian.Uint32(p.Value)
				}
				if sum != total {
					t.Errorf("a reader saw a sum of %d, want %d", sum, total)
					return
				}
			}
		})
	}
	for i := range 300 {
		from, to := i%accounts, (i*3+1)%accounts
		if state[from] > 0 {
			state[from]--
			state[to]++
		}
		write()
	}
	close(stop)
	wg.Wait()
}

func model(t *testing.T, s kv.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		var clear kv.Batch
		clear.DeleteRange([]byte{0}, []byte{0xff})
		apply(rt, s, &clear)
		want := map[string]string{}
		key := rapid.StringMatching(`[a-c]{1,3}`)
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			var b kv.Batch
			for range rapid.IntRange(1, 6).Draw(rt, "ops") {
				k := key.Draw(rt, "key")
				switch rapid.IntRange(0, 3).Draw(rt, "op") {
				case 0:
					b.Delete([]byte(k))
					delete(want, k)
				case 1:
					hi := key.Draw(rt, "hi")
					b.DeleteRange([]byte(k), []byte(hi))
					for have := range want {
						if have >= k && have < hi {
							delete(want, have)
						}
					}
				default:
					v := key.Draw(rt, "value")
					b.Set([]byte(k), []byte(v))
					want[k] = v
				}
			}
			apply(rt, s, &b)
			compare(rt, s, want)
		}
	})
}

func compare(t require.TestingT, s kv.Store, want map[string]string) {
	got := map[string]string{}
	var before []byte
	for p, err := range s.Iterate([]byte{0}, nil, false) {
		require.NoError(t, err)
		require.Negative(t, bytes.Compare(before, p.Key))
		before = p.Key
		got[string(p.Key)] = string(p.Value)
	}
	require.Equal(t, want, got)
}

func emptyValue(t *testing.T, s kv.Store) {
	var b kv.Batch
	b.Set([]byte("nil"), nil)
	apply(t, s, &b)
	_, found, err := s.Get([]byte("nil"))
	require.NoError(t, err)
	require.True(t, found)
}

func closed(t *testing.T, s kv.Store) {
	require.NoError(t, s.Close())
	_, _, err := s.Get([]byte("a"))
	require.ErrorIs(t, err, kv.ErrClosed)
	_, err = s.Apply(&kv.Batch{})
	require.ErrorIs(t, err, kv.ErrClosed)
	_, err = s.Snapshot()
	require.ErrorIs(t, err, kv.ErrClosed)
	for _, err := range s.Iterate(nil, nil, false) {
		require.ErrorIs(t, err, kv.ErrClosed)
	}
}
