package publishtest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inflate reads a compressed member as a listener does.
func inflate(t *testing.T, text string) string {
	t.Helper()
	encoded, ok := strings.CutPrefix(text, "COMPRESSED")
	require.True(t, ok, "it is compressed")
	packed, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	r, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(plain)
}
