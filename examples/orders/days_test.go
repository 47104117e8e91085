package main

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A flow that was at its end goes on after days in which the stream forgot all that it had: nothing of it was missing.
func TestSilentForDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		engine, err := openEngine(t.Context(), options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, engine.close()) }()
		var digests []string
		for _, input := range [][]byte{sample, sample, append([]byte(columns+"\n"), "9,1,LATE,1,1/9/11 8:00,1.5,90001,France\n"...)} {
			im := &importer{db: engine.orders, name: "in.csv", tally: newTally(), progress: newProgress(io.Discard)}
			summary, err := runServices(t.Context(), options{}, engine, im, bytes.NewReader(input), io.Discard)
			im.progress.close()
			require.NoError(t, err)
			digests = append(digests, summary.ViewDigest)
			time.Sleep(50 * time.Hour)
		}
		require.Equal(t, digests[0], digests[1])
		require.NotEqual(t, digests[1], digests[2], "the late order is in the view")
	})
}
