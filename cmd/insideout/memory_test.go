//go:build !race

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An idle server is small. The file of this test's program is larger than that of the real one, so it is left out, and the
// race detector has a memory of its own.
func TestIdleMemory(t *testing.T) {
	t.Parallel()
	url, process := program(t)
	firstAnswer(t, url)
	own := resident(t, process, "RssAnon")
	t.Logf("%.1f MB, of these %.1f MB its own", resident(t, process, "VmRSS"), own)
	require.Less(t, own, 15.0)
}
