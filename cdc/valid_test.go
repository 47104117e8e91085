package cdc_test

import (
	"encoding/json"
	"testing"

	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// TestPlainJSON: what encoders write is known, and nothing else is taken for JSON.
func TestPlainJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{}`: true, `[]`: true, `""`: true, `0`: true, `-1.50`: true, `true`: true, `null`: true,
		`{"a":[1,{"b":"x\"\\y"},null],"c":false}`: true, `"Größe"`: true, `[[[[[]]]]]`: true,
		``: false, ` `: false, `{`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false, `[1,]`: false, `[1 2]`: false, `01`: false, `-`: false,
		`1.`: false, `.5`: false, `"a`: false, "\"\x01\"": false, `"\`: false, `"\q"`: false, `tru`: false, `nullx`: false, `{1:2}`: false, `{}{}`: false,
		"[1}": false, `{"a":1]`: false,
	} {
		require.Equal(t, want, cdc.PlainJSON([]byte(text)), text)
		require.Equal(t, want, json.Valid([]byte(text)), text)
	}
}

// FuzzPlainJSON: whatever it takes, the standard library takes.
func FuzzPlainJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,{"b":"x\"\\y"},null],"c":false}`, `[-0.1,"\/\b\f\n\r\t"]`, `{"a":{"b":{}}}`, `"\u0041"`, `1e5`, ` 1`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if cdc.PlainJSON(data) {
			require.True(t, json.Valid(data), "%q", data)
		}
	})
}
