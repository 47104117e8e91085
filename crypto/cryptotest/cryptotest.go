// Package cryptotest has the suite that every keeper of master keys must pass: see [Wrapper].
package cryptotest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/crypto"
)

// Wrapper holds a crypto.KeyWrapper to what package crypto relies on. Each of two keepers has a master key of its own. It makes
// about fifty calls.
func Wrapper(t *testing.T, wrapper, other crypto.KeyWrapper) {
	t.Helper()
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	binding := map[string]string{"insideout:namespace": "shop", "insideout:epoch": "1"}
	wrapped, err := wrapper.Wrap(t.Context(), bytes.Clone(key), maps.Clone(binding))
	require.NoError(t, err)

	t.Run("what is wrapped is unwrapped, and does not show", func(t *testing.T) {
		got, err := wrapper.Unwrap(t.Context(), wrapped, binding)
		require.NoError(t, err)
		require.Equal(t, key, got)
		require.NotContains(t, string(wrapped), string(key[:8]))
		clear(got)
		again, err := wrapper.Unwrap(t.Context(), wrapped, binding)
		require.NoError(t, err, "the caller may clear the key that it got")
		require.Equal(t, key, again)
	})
	t.Run("nothing else is unwrapped", func(t *testing.T) { nothingElse(t, wrapper, other, key, wrapped) })
	t.Run("contexts are honoured", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := wrapper.Wrap(ctx, key, binding)
		require.ErrorIs(t, err, context.Canceled)
		_, err = wrapper.Unwrap(ctx, wrapped, binding)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("it is safe for concurrent use", func(t *testing.T) {
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				got, err := wrapper.Unwrap(t.Context(), wrapped, binding)
				if err == nil && !bytes.Equal(got, key) {
					err = errors.New("another key")
				}
				errs[i] = err
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
	})
}

// nothingElse is the list of what must be refused, without a word about the key.
func nothingElse(t *testing.T, wrapper, other crypto.KeyWrapper, key, wrapped []byte) {
	t.Helper()
	binding := map[string]string{"insideout:namespace": "shop", "insideout:epoch": "1"}
	refused := func(t *testing.T, w crypto.KeyWrapper, wrapped []byte, binding map[string]string) {
		t.Helper()
		got, err := w.Unwrap(t.Context(), wrapped, binding)
		require.Error(t, err)
		require.Nil(t, got)
		text := fmt.Sprintf("%v %+v %#v", err, err, w)
		require.NotContains(t, text, string(key))
		require.NotContains(t, text, hex.EncodeToString(key))
	}
	t.Run("the binding is authenticated", func(t *testing.T) {
		for _, wrong := range []map[string]string{
			nil,
			{},
			{"insideout:namespace": "shop"},
			{"insideout:namespace": "shop", "insideout:epoch": "2"},
			{"insideout:namespace": "shop", "insideout:epoch": "1", "more": "x"},
			{"insideout:namespace": "1", "insideout:epoch": "shop"},
		} {
			refused(t, wrapper, wrapped, wrong)
		}
	})
	t.Run("what was changed is refused", func(t *testing.T) {
		step := max(len(wrapped)/20, 1)
		for at := 0; at < len(wrapped); at += step {
			changed := bytes.Clone(wrapped)
			changed[at] ^= 1
			refused(t, wrapper, changed, binding)
		}
		for _, cut := range [][]byte{nil, {}, wrapped[:1], wrapped[:len(wrapped)-1]} {
			refused(t, wrapper, cut, binding)
		}
	})
	t.Run("another master key does not unwrap", func(t *testing.T) {
		refused(t, other, wrapped, binding)
	})
}
