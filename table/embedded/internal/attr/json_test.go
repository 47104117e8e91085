package attr_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// The JSON of an item is what the standard library reads as that item.
func TestAppendJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		item := attr.Item{}
		for name, v := range items().Draw(t, "item") {
			item[name] = unicode(v)
		}
		text, err := attr.AppendJSON([]byte("before"), attr.AppendItem(nil, item))
		require.NoError(t, err)
		require.True(t, attr.EqualItems(item, fromJSON(t, text[len("before"):])), "%s", text)
	})
}

// unicode replaces the bytes of a value's texts that are none of UTF-8, and keeps different ones different.
func unicode(v attr.Value) attr.Value {
	clean := strings.NewReplacer("\xfe", "y", "\xff", "z").Replace
	switch v.Kind() {
	case attr.String:
		return attr.S(clean(v.Str()))
	case attr.List:
		list := []attr.Value{}
		for _, e := range v.List() {
			list = append(list, unicode(e))
		}
		return attr.L(list)
	case attr.Map:
		members := attr.Item{}
		for name, e := range v.Map() {
			members[name] = unicode(e)
		}
		return attr.M(members)
	case attr.StringSet:
		var members []string
		for _, m := range v.Members() {
			members = append(members, clean(m))
		}
		return attr.Set(attr.StringSet, members)
	default:
		return v
	}
}

// wireValue is an attribute value as the wire has it.
type wireValue struct {
	S, N, B    *string
	BOOL, NULL *bool
	L          []wireValue
	M          map[string]wireValue
	SS, NS, BS []string
}

// fromJSON reads what AppendJSON wrote with the standard library.
func fromJSON(t require.TestingT, text []byte) attr.Item {
	var members map[string]wireValue
	require.NoError(t, json.Unmarshal(text, &members), "%s", text)
	return wireItem(t, members)
}

func wireItem(t require.TestingT, members map[string]wireValue) attr.Item {
	item := attr.Item{}
	for name, v := range members {
		item[name] = v.value(t)
	}
	return item
}

func (v wireValue) value(t require.TestingT) attr.Value {
	switch {
	case v.S != nil:
		return attr.S(*v.S)
	case v.N != nil:
		return attr.N(number(t, *v.N))
	case v.B != nil:
		return attr.B(blob(t, *v.B))
	case v.BOOL != nil:
		return attr.BOOL(*v.BOOL)
	case v.NULL != nil:
		return attr.NULL()
	case v.L != nil:
		list := []attr.Value{}
		for _, e := range v.L {
			list = append(list, e.value(t))
		}
		return attr.L(list)
	case v.M != nil:
		return attr.M(wireItem(t, v.M))
	default:
		return v.set(t)
	}
}

func (v wireValue) set(t require.TestingT) (set attr.Value) {
	var err error
	switch {
	case v.SS != nil:
		set, err = attr.SS(v.SS)
	case v.NS != nil:
		var numbers []num.Number
		for _, text := range v.NS {
			numbers = append(numbers, number(t, text))
		}
		set, err = attr.NS(numbers)
	default:
		var blobs [][]byte
		for _, text := range v.BS {
			blobs = append(blobs, blob(t, text))
		}
		set, err = attr.BS(blobs)
	}
	require.NoError(t, err)
	return set
}

func number(t require.TestingT, text string) num.Number {
	n, err := num.Parse(text)
	require.NoError(t, err)
	require.Equal(t, n.String(), text)
	return n
}

func blob(t require.TestingT, text string) []byte {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	require.NoError(t, err)
	return b
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           `""`,
		"a\"b\\c\nd\re\tf\x00g\x1fh": `"a\"b\\c\nd\re\tf\u0000g\u001fh"`,
		"é\u2028😀\x7f":               "\"é\u2028😀\x7f\"",
		"a\xffb\xc3":                 "\"a\ufffdb\ufffd\"",
		strings.Repeat("x", 20) + "\"" + strings.Repeat("y", 20): `"` + strings.Repeat("x", 20) + `\"` + strings.Repeat("y", 20) + `"`,
	} {
		require.Equal(t, want, string(attr.AppendString(nil, text)))
		require.Equal(t, want, string(attr.AppendString(nil, []byte(text))))
	}
	rapid.Check(t, func(t *rapid.T) {
		// Bytes that need an escape stand at every place of a word of eight.
		text := string(rapid.SliceOfN(rapid.SampledFrom([]byte{'a', '~', ' ', '!', '#', '[', ']', '"', '\\', 0x1f, 0x7f, 0x80, 0xc3, 0xa9, 0xff}), 0, 40).Draw(t, "text"))
		var back string
		quoted := attr.AppendString(nil, text)
		require.NoError(t, json.Unmarshal(quoted, &back), "%s", quoted)
		require.Equal(t, strings.ToValidUTF8(text, ""), strings.ReplaceAll(back, "\ufffd", ""))
		require.Equal(t, utf8.RuneCountInString(text), utf8.RuneCountInString(back))
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	encoded := attr.AppendItem(nil, row())
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = attr.AppendJSON(dst[:0], encoded); err != nil {
			b.Fatal(err)
		}
	}
}
