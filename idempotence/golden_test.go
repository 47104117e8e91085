package idempotence_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
)

// The vectors pin what is stored in rows and sent in events. The ids were computed with another language's UUID library.
func TestGoldenIDs(t *testing.T) {
	t.Parallel()
	vectors := load[struct {
		Parts []string `json:"parts"`
		ID    string   `json:"id"`
	}](t, "testdata/ids.json")
	for _, v := range vectors {
		require.Equal(t, v.ID, idempotence.ID(v.Parts[0], v.Parts[1:]...), "%q", v.Parts)
	}
}

func TestGoldenVersions(t *testing.T) {
	t.Parallel()
	vectors := load[struct {
		Millis  int64               `json:"millis"`
		Event   string              `json:"event"`
		Version idempotence.Version `json:"version"`
	}](t, "testdata/versions.json")
	var all []idempotence.Version
	for _, v := range vectors {
		got, err := idempotence.NewVersion(time.UnixMilli(v.Millis), v.Event)
		require.NoError(t, err)
		require.Equal(t, v.Version, got)
		require.NoError(t, got.Valid())
		require.Equal(t, time.UnixMilli(v.Millis).UTC(), got.Time())
		require.Equal(t, v.Event, got.EventID())
		all = append(all, got)
	}
	require.True(t, slices.IsSorted(all), "the vectors are listed in order")
}

func load[T any](t *testing.T, file string) []T {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var vectors []T
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}
