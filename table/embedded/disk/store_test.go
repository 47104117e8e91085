package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
	"github.com/insideout-go/insideout/table/embedded/internal/kv/kvtest"
)

// The store has no exported face, hence this one internal test.

func TestStore(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*embedded.Options{"sync": {}, "no sync": {NoSync: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kvtest.Run(t, func(t *testing.T) kv.Store {
				dir := t.TempDir()
				lock, err := pebble.LockDirectory(dir, vfs.Default)
				require.NoError(t, err)
				s, err := openStore(dir, lock, opts)
				require.NoError(t, err)
				return s
			})
		})
	}
}

// TestPowerLoss takes a copy of the file system as a power loss would leave it,
// with nothing of what was not synced, while writers write. Every write that
// was answered before the copy is in it.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	const writers = 8
	fs := vfs.NewCrashableMem()
	s := &store{sync: true}
	require.NoError(t, s.open(fs, "db", false, nil))
	var answered [writers]atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var b kv.Batch
				b.Set([]byte{byte(w), 0}, binary.BigEndian.AppendUint64(nil, n))
				b.Set([]byte{byte(w), 1}, binary.BigEndian.AppendUint64(nil, n))
				wait, err := s.Apply(&b)
				if err == nil {
					err = wait()
				}
				if err != nil {
					t.Error(err)
					return
				}
				answered[w].Store(int64(n))
			}
		})
	}
	for range 10 {
		time.Sleep(10 * time.Millisecond)
		var want [writers]int64
		for w := range writers {
			want[w] = answered[w].Load()
		}
		after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		checkCrash(t, after, want[:])
	}
	close(stop)
	wg.Wait()
	require.NoError(t, s.Close())
}

func checkCrash(t *testing.T, fs vfs.FS, want []int64) {
	t.Helper()
	s := &store{sync: true}
	require.NoError(t, s.open(fs, "db", true, nil))
	for w, least := range want {
		var got [2]uint64
		for i := range got {
			if v, found, err := s.Get([]byte{byte(w), byte(i)}); found {
				require.NoError(t, err)
				got[i] = binary.BigEndian.Uint64(v)
			}
		}
		require.GreaterOrEqual(t, got[0], uint64(least), "an answered write is gone")
		require.Equal(t, got[0], got[1], "a batch is torn")
	}
	require.NoError(t, s.Close())
}

// TestCorruption damages each table file in turn. Reading it is an error, never
// a wrong answer, and nothing is answered after that.
func TestCorruption(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := &store{sync: true}
	require.NoError(t, s.open(fs, "db", false, nil))
	const keys = 2000
	for i := range keys {
		var b kv.Batch
		b.Set(fmt.Appendf(nil, "%04d", i), bytes.Repeat(fmt.Appendf(nil, "%04d", i), 20))
		wait, err := s.Apply(&b)
		require.NoError(t, err)
		require.NoError(t, wait())
	}
	require.NoError(t, s.db.Flush())
	require.NoError(t, s.Close())
	damage(t, fs)

	s = &store{sync: true}
	require.NoError(t, s.open(fs, "db", true, nil))
	failed := false
	for i := range keys {
		v, found, err := s.Get(fmt.Appendf(nil, "%04d", i))
		if err != nil {
			failed = true
			continue
		}
		require.True(t, found)
		require.Equal(t, bytes.Repeat(fmt.Appendf(nil, "%04d", i), 20), v)
		require.False(t, failed, "a database that has failed went on answering")
	}
	require.True(t, failed)
	_ = s.Close() // may or may not meet the damage
}

// damage flips a byte in the middle of every table file.
func damage(t *testing.T, fs vfs.FS) {
	t.Helper()
	names, err := fs.List("db")
	require.NoError(t, err)
	tables := 0
	for _, name := range names {
		if filepath.Ext(name) != ".sst" {
			continue
		}
		tables++
		f, err := fs.OpenReadWrite(fs.PathJoin("db", name), vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		one := make([]byte, 1)
		_, err = f.ReadAt(one, info.Size()/2)
		require.NoError(t, err)
		one[0] ^= 0xff
		_, err = f.WriteAt(one, info.Size()/2)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	require.NotZero(t, tables)
}
