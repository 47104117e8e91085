package disk

import (
	"testing"

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
