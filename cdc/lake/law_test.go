package lake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

const noonFile = "local/2026/11/21/12/000001.jsonl.gz"

// written is a lake's only file, with the ids that each batch brought and where it ends.
type written struct {
	data []byte
	ids  [][]string
	ends []int
}

// whole returns the ids of the batches that lie wholly before a byte, and where the last of them ends.
func (w written) whole(cut int) (all []string, end int) {
	for i, e := range w.ends {
		if e <= cut {
			all, end = append(all, w.ids[i]...), e
		}
	}
	return all, end
}

func writeBatches(t require.TestingT, dir string, sizes []int) written {
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	var w written
	n := 0
	for _, size := range sizes {
		var batch []insideout.Event
		var names []string
		for range size {
			n++
			e := event(fmt.Sprintf("%d-%x", n, n*n*7919), noon())
			batch, names = append(batch, e), append(names, e.ID)
		}
		require.NoError(t, l.Publish(background(), batch))
		w.data, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(noonFile)))
		require.NoError(t, err)
		w.ids, w.ends = append(w.ids, names), append(w.ends, len(w.data))
	}
	require.NoError(t, l.Close())
	return w
}

// crashed makes a lake as a crash leaves it: the marker lists the file, and the file ends early.
func crashed(t require.TestingT, dir string, data []byte) {
	full := filepath.Join(dir, filepath.FromSlash(noonFile))
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o700))
	require.NoError(t, os.WriteFile(full, data, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "LAKE"), []byte("insideout lake 1\n\nlocal/20\n\n"+noonFile+"\n"), 0o600))
}

func readIDs(t require.TestingT, l *lake.Lake) []string {
	var all []string
	for e, err := range l.Events(background(), lake.Query{}) {
		require.NoError(t, err)
		all = append(all, e.ID)
	}
	return all
}

// Law: a file that ends at any byte yields exactly the batches that are whole before it, to a reader as it is, and to the next
// writer, which cuts the rest off, reports it, and goes on behind it.
func TestLawTruncation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "lake")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		w := writeBatches(t, filepath.Join(dir, "a"), rapid.SliceOfN(rapid.IntRange(1, 5), 1, 5).Draw(t, "batches"))
		cut := rapid.IntRange(0, len(w.data)).Draw(t, "cut")
		want, end := w.whole(cut)

		torn := filepath.Join(dir, "b")
		crashed(t, torn, w.data[:cut])
		reader, err := lake.Open(torn, &lake.Options{ReadOnly: true})
		require.NoError(t, err)
		require.Equal(t, want, readIDs(t, reader))
		require.NoError(t, reader.Close())

		l, err := lake.Open(torn, nil)
		require.NoError(t, err)
		var reported []lake.Torn
		if cut > end {
			reported = []lake.Torn{{File: noonFile, At: int64(end), Bytes: int64(cut - end)}}
		}
		require.Equal(t, reported, l.Torn())
		require.NoError(t, l.Publish(background(), []insideout.Event{event("after", noon())}))
		require.Equal(t, append(want, "after"), readIDs(t, l))
		require.NoError(t, l.Close())

		l, err = lake.Open(torn, nil)
		require.NoError(t, err)
		require.Empty(t, l.Torn(), "nothing is left to cut")
		require.NoError(t, l.Close())
	})
}

// Law: one changed byte is never read as another event. It is found, unless it changes nothing that counts or it is in the
// last batch, where it may look like a torn end; batches before it are read.
func TestLawDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := writeBatches(t, filepath.Join(dir, "a"), []int{2, 1, 3})
	wantAll, _ := w.whole(len(w.data))
	for at := range w.data {
		damaged := slices.Clone(w.data)
		damaged[at] ^= 1 << (at % 8)
		folder := filepath.Join(dir, "b", fmt.Sprint(at))
		crashed(t, folder, damaged)
		reader, err := lake.Open(folder, &lake.Options{ReadOnly: true})
		require.NoError(t, err)
		var got []string
		var damage error
		for e, err := range reader.Events(t.Context(), lake.Query{}) {
			if err != nil {
				damage = err
				continue
			}
			got = append(got, e.ID)
		}
		require.NoError(t, reader.Close())
		before, _ := w.whole(at)
		if damage != nil {
			require.True(t, isDamaged(damage), "%v", damage)
			require.ErrorContains(t, damage, noonFile)
		} else if at < w.ends[1] {
			require.Equal(t, wantAll, got, "byte %d was changed and nobody noticed", at)
		}
		require.GreaterOrEqual(t, len(got), len(before))
		require.True(t, slices.Equal(wantAll[:len(got)], got), "byte %d: %q", at, got)

		if damage != nil {
			_, err = lake.Open(folder, nil)
			require.ErrorIs(t, err, lake.ErrDamaged, "no whole batch is cut off")
			left, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(noonFile)))
			require.NoError(t, err)
			require.Equal(t, damaged, left)
		}
	}
}

// Law: concurrent publishers lose nothing and tear nothing, and readers beside them see whole batches only.
func TestConcurrentPublish(t *testing.T) {
	t.Parallel()
	const publishers, batches, size = 6, 12, 3
	dir := t.TempDir()
	l := open(t, dir, &lake.Options{FileBytes: 4000})
	reader := open(t, dir, &lake.Options{ReadOnly: true})
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for b := range batches {
				var batch []insideout.Event
				for i := range size {
					batch = append(batch, event(fmt.Sprintf("%d/%02d/%d", p, b, i), noon()))
				}
				if err := l.Publish(t.Context(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			n := 0
			for _, err := range reader.Events(t.Context(), lake.Query{}) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n%size != 0 {
				t.Errorf("saw %d events, which are not whole batches", n)
			}
		}
	})
	wg.Wait()
	got := ids(t, l, lake.Query{})
	require.Len(t, got, publishers*batches*size)
	for p := range publishers {
		var own []string
		for _, id := range got {
			if id[0] == byte('0'+p) {
				own = append(own, id)
			}
		}
		require.True(t, slices.IsSorted(own), "the order of publisher %d", p)
		require.Len(t, slices.Compact(own), batches*size)
	}
}
