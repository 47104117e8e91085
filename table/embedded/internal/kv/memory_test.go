package kv_test

import (
	"testing"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
	"github.com/insideout-go/insideout/table/embedded/internal/kv/kvtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(*testing.T) kv.Store { return kv.NewMemory() })
}
