package laketest_test

import (
	"testing"

	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/laketest"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	laketest.Run(t, func(t *testing.T) laketest.Backend {
		dir := t.TempDir()
		return laketest.Backend{Store: lake.NewFolder(dir), Open: func(opts *lake.Options) (*lake.Lake, error) { return lake.Open(dir, opts) }}
	})
}
