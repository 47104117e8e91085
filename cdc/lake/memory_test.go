package lake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// memory is a store without a disk. It can refuse to write.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	refuse  func(name string) error
	puts    int
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func version(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func (m *memory) Folders(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]bool{}
	for name := range m.objects {
		if folder, _, ok := strings.Cut(name, "/"); ok {
			found[folder] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (m *memory) List(_ context.Context, prefix, after string) iter.Seq2[lake.Object, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []lake.Object
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(name, prefix) && name > after {
			found = append(found, lake.Object{Name: name, Bytes: int64(len(m.objects[name])), Version: version(m.objects[name])})
		}
	}
	return func(yield func(lake.Object, error) bool) {
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *memory) Open(_ context.Context, name string) (lake.Content, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return lake.Content{}, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	o := lake.Object{Name: name, Bytes: int64(len(data)), Version: version(data)}
	return lake.Content{Object: o, ReaderAt: bytes.NewReader(data), Closer: io.NopCloser(nil)}, nil
}

func (m *memory) Put(_ context.Context, name string, data []byte, before string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if m.refuse != nil {
		if err := m.refuse(name); err != nil {
			return "", err
		}
	}
	now := ""
	if there, ok := m.objects[name]; ok {
		now = version(there)
	}
	if now != before {
		return "", lake.ErrChanged
	}
	m.objects[name] = slices.Clone(data)
	return version(data), nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

func (m *memory) Claims(string) (lake.Store, string, error) { return m, "memory", nil }

func inMemory(t testing.TB, m *memory, opts *lake.Options) *lake.Lake {
	t.Helper()
	l, err := lake.New(m, opts)
	require.NoError(t, err)
	return l
}

func TestStoreThatRefuses(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := inMemory(t, m, nil)
	full := fmt.Errorf("the disk is full")
	m.refuse = func(string) error { return full }
	require.ErrorIs(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}), full)
	_, err := l.Keep(t.Context(), "local/claimchecks/1", nil)
	require.ErrorIs(t, err, full)
	m.refuse = nil
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}))

	m.refuse = func(string) error { return lake.ErrChanged }
	drop := func(*insideout.Event) (lake.Edit, error) { return lake.Drop, nil }
	m.puts = 0
	_, err = l.Rewrite(t.Context(), lake.Query{}, drop, nil)
	require.ErrorIs(t, err, lake.ErrChanged, "in the end it gives up")
	require.Equal(t, 10, m.puts)
	require.Equal(t, []string{"1"}, ids(t, l, lake.Query{Types: []string{"order-placed"}}), "an index that cannot be written is none")

	m.refuse = nil
	index := 0
	m.refuse = func(name string) error {
		if strings.HasSuffix(name, "_index.jsonl.gz") {
			index++
			return full
		}
		return nil
	}
	_, err = l.Rewrite(t.Context(), lake.Query{}, drop, nil)
	require.ErrorIs(t, err, full, "what the index says about what is gone must go: whoever erases is told")
	require.Equal(t, 1, index)
	require.Empty(t, ids(t, l, lake.Query{}))
}

// One who rewrites takes the index with him, also where the rewrite before him was killed between the object and the index.
func TestIndexAfterABrokenRewrite(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l := inMemory(t, m, nil)
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}))
	_, err := l.Index(t.Context(), lake.Query{})
	require.NoError(t, err)
	const index = "local/2026/11/21/12/_index.jsonl.gz"
	before := m.objects[index]
	drop := func(*insideout.Event) (lake.Edit, error) { return lake.Drop, nil }
	_, err = l.Rewrite(t.Context(), lake.Query{}, drop, nil)
	require.NoError(t, err)
	require.NotEqual(t, before, m.objects[index])
	m.objects[index] = before
	done, err := l.Rewrite(t.Context(), lake.Query{}, drop, nil)
	require.NoError(t, err)
	require.Zero(t, done.Changed)
	require.NotEqual(t, before, m.objects[index])
}
