package laketest

import (
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/cdc/lake"
)

func conditions(t *testing.T, b Backend) {
	ctx, name := t.Context(), "r/a/object"
	_, err := b.Store.Put(ctx, name, []byte("x"), "never")
	require.ErrorIs(t, err, lake.ErrChanged, "it is not there")
	first, err := b.Store.Put(ctx, name, []byte("one"), "")
	require.NoError(t, err)
	_, err = b.Store.Put(ctx, name, []byte("two"), "")
	require.ErrorIs(t, err, lake.ErrChanged, "it is there")
	require.Equal(t, "one", string(b.get(t, name)))
	second, err := b.Store.Put(ctx, name, []byte("two"), first)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	_, err = b.Store.Put(ctx, name, []byte("three"), first)
	require.ErrorIs(t, err, lake.ErrChanged, "it was changed")
	require.Equal(t, "two", string(b.get(t, name)))
	c, err := b.Store.Open(ctx, name)
	require.NoError(t, err)
	require.Equal(t, second, c.Version)
	require.Equal(t, name, c.Name)
	require.NoError(t, c.Close())
	_, err = b.Store.Put(ctx, name, nil, second)
	require.NoError(t, err, "an object may be empty")
	require.Empty(t, b.get(t, name))
	require.NoError(t, b.Store.Delete(ctx, name))
	require.NoError(t, b.Store.Delete(ctx, name), "twice is no error")
	_, err = b.Store.Put(ctx, name, []byte("again"), second)
	require.ErrorIs(t, err, lake.ErrChanged, "it is gone")
}

func oneWriterWins(t *testing.T, b Backend) {
	version, err := b.Store.Put(t.Context(), "r/object", []byte("before"), "")
	require.NoError(t, err)
	for _, version := range []string{version, ""} {
		name := "r/object"
		if version == "" {
			name = "r/other"
		}
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_, err := b.Store.Put(t.Context(), name, fmt.Append(nil, i), version)
				if err == nil {
					won.Add(1)
					return
				}
				if !isChanged(err) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, won.Load())
		require.Len(t, b.get(t, name), 1)
	}
}

func snapshot(t *testing.T, b Backend) {
	version, err := b.Store.Put(t.Context(), "r/object", []byte("before"), "")
	require.NoError(t, err)
	c, err := b.Store.Open(t.Context(), "r/object")
	require.NoError(t, err)
	_, err = b.Store.Put(t.Context(), "r/object", []byte("after it"), version)
	require.NoError(t, err)
	data := make([]byte, c.Bytes)
	_, err = c.ReadAt(data, 0)
	require.NoError(t, err)
	require.Equal(t, "before", string(data))
	require.NoError(t, c.Close())
	require.Equal(t, "after it", string(b.get(t, "r/object")))
}

func lists(t *testing.T, b Backend) {
	const n = 1010 // one page of S3 is 1,000
	all := append(names(n, "r/x/%04d"), "r/x-y/a", "r/x", "s/other")
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < len(all); i += 4 {
				if all[i] == "r/x" {
					continue // a folder cannot have a file and a folder of one name
				}
				if _, err := b.Store.Put(t.Context(), all[i], []byte("x"), ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list := func(prefix, after string, most int) []string {
		var got []string
		for o, err := range b.Store.List(t.Context(), prefix, after) {
			require.NoError(t, err)
			require.EqualValues(t, 1, o.Bytes)
			require.NotEmpty(t, o.Version)
			if got = append(got, o.Name); len(got) == most {
				break
			}
		}
		return got
	}
	require.Equal(t, append([]string{"r/x-y/a"}, names(n, "r/x/%04d")...), list("r/", "", 0))
	require.Equal(t, names(n, "r/x/%04d"), list("r/x/", "", 0))
	require.Equal(t, []string{"r/x/1007", "r/x/1008", "r/x/1009"}, list("r/", "r/x/1006", 0))
	require.Equal(t, []string{"r/x/0010", "r/x/0011"}, list("r/", "r/x/0009x", 2))
	require.Empty(t, list("r/", "r/y", 0))
	require.Empty(t, list("none/", "", 0))
	folders, err := b.Store.Folders(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"r", "s"}, folders)
}

func missing(t *testing.T, b Backend) {
	b.put(t, "r/here", []byte("x"))
	_, err := b.Store.Open(t.Context(), "r/not")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "r/not")
}
