package panics_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/internal/panics"
)

//go:noinline
func mapper(secret int, with any) (int, error) {
	if with != nil {
		panic(with)
	}
	return secret, nil
}

func TestCaught(t *testing.T) {
	t.Parallel()
	caught := func(with any) (int, error) {
		return panics.Caught("it panicked", func() (int, error) { return mapper(0xbeef, with) })
	}
	n, err := caught(nil)
	require.NoError(t, err)
	require.Equal(t, 0xbeef, n)

	for with, text := range map[any]string{
		"no name": "it panicked: no name", errors.New("closed"): "it panicked: closed",
		struct{ Name string }{"anna"}: "it panicked with a value of the type struct { Name string }",
	} {
		_, err := caught(with)
		p, ok := errors.AsType[*panics.Error](err)
		require.True(t, ok)
		require.EqualError(t, err, text)
		require.Regexp(t, `^\S+/panics_test\.mapper \(panics_test\.go:\d+\)\n\S+ \(panics_test\.go:\d+\)\n$`, p.Stack)
	}
}
