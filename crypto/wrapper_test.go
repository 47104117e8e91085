package crypto_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/crypto/cryptotest"
)

func TestLocalKey(t *testing.T) {
	t.Parallel()
	a, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	old, err := crypto.NewLocalKey(a)
	require.NoError(t, err)
	replaced, err := crypto.NewLocalKey(b, a)
	require.NoError(t, err)
	other, err := crypto.NewLocalKey(b)
	require.NoError(t, err)
	secret, binding := bytes.Repeat([]byte{7}, 32), map[string]string{"x": "1", "y": "2"}
	wrapped, err := old.Wrap(t.Context(), secret, binding)
	require.NoError(t, err)
	for _, key := range []*crypto.LocalKey{old, replaced} {
		got, err := key.Unwrap(t.Context(), wrapped, map[string]string{"y": "2", "x": "1"})
		require.NoError(t, err)
		require.Equal(t, secret, got)
	}
	_, err = other.Unwrap(t.Context(), wrapped, binding)
	require.ErrorIs(t, err, crypto.ErrUnknownKey)
	for _, bound := range []map[string]string{nil, {"x": "1"}, {"x": "12", "y": ""}, {"x": "2", "y": "1"}} {
		_, err = old.Unwrap(t.Context(), wrapped, bound)
		require.ErrorIs(t, err, crypto.ErrRecord)
	}
	for at := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[at] ^= 1
		_, err = old.Unwrap(t.Context(), changed, binding)
		require.Error(t, err)
		_, err = old.Unwrap(t.Context(), wrapped[:at], binding)
		require.Error(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = old.Wrap(ctx, secret, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = old.Unwrap(ctx, wrapped, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "crypto.LocalKey(2)", fmt.Sprintf("%+v", replaced))
	require.NotContains(t, fmt.Sprintf("%#v %s %x %d", old, old, old, old), "1, 1")
}

func TestLocalKeyConforms(t *testing.T) {
	t.Parallel()
	cryptotest.Wrapper(t, localKey(t, "a"), localKey(t, "b"))
}

func TestReadLocalKey(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{0xfa}, 32)
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		err  string
	}{
		"base64":      {"# master\n\n" + base64.StdEncoding.EncodeToString(key) + "\n", 0o600, ""},
		"URL base64":  {base64.RawURLEncoding.EncodeToString(key), 0o400, ""},
		"hexadecimal": {hex.EncodeToString(key) + "\n" + hex.EncodeToString(key), 0o600, ""},
		"open":        {hex.EncodeToString(key), 0o640, "is open to others (mode 0640)"},
		"short":       {"# x\n" + hex.EncodeToString(key[1:]), 0o600, "line 2 of the master key: want 32 bytes"},
		"empty":       {"\n", 0o600, "a local master key is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "master.key")
			require.NoError(t, os.WriteFile(path, []byte(tc.text), tc.mode))
			_, err := crypto.ReadLocalKey(path)
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), "fafa")
		})
	}
	_, err := crypto.ReadLocalKey(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = crypto.NewLocalKey([]byte("short"))
	require.ErrorIs(t, err, crypto.ErrInvalid)
}
