package jsonplan_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/internal/jsonplan"
)

type base struct {
	ID   string `json:"id"`
	Kind string
}

type line struct {
	Product string    `json:"product"`
	Units   int8      `json:"units,omitempty"`
	Price   float32   `json:"price"`
	Of      *order    `json:"of"`
	At      time.Time `json:"at"`
}

// order has every kind of member that a plan treats in its own way.
type order struct {
	base
	Paid     bool            `json:"paid"`
	Number   uint16          `json:"number"`
	Big      int64           `json:"big"`
	Amount   float64         `json:"amount"`
	Note     *string         `json:"note"`
	Lines    []line          `json:"lines"`
	Labels   []string        `json:"labels"`
	ByName   map[string]line `json:"byName"`
	Raw      json.RawMessage `json:"raw"`
	Any      any             `json:"any"`
	Bytes    []byte          `json:"bytes"`
	Exact    json.Number     `json:"exact"`
	Whole    *big.Int        `json:"whole"`
	Pair     [2]int          `json:"pair"`
	Hidden   string          `json:"-"`
	OrderRef string          `json:"order-ref"`
	Inner    struct {
		Units uint32 `json:"units"`
	} `json:"inner"`
}

// These are left to encoding/json, whole or in part.
type (
	quoting struct {
		N int `json:"n,string"`
	}
	twins struct {
		A string `json:"id"`
		B string `json:"ID"`
	}
	hiding struct {
		base
		ID int `json:"id"`
	}
	odd struct {
		Name string `json:"größe"`
	}
	pointing struct{ *base }
)

// same holds what a plan makes of a text against what encoding/json does, and returns whether the plan decided.
func same[T any](t require.TestingT, text string) bool {
	var want, got T
	err := json.Unmarshal([]byte(text), &want)
	ok := jsonplan.For[T]().Decode(text, &got)
	if ok {
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	if p := jsonplan.For[T](); p.IsStruct() {
		var again T
		members, parts := func(v *[]string) func(name, value string) bool {
			return func(name, value string) bool { *v = append(*v, name, value); return true }
		}, [2][]string{}
		require.Equal(t, ok, p.DecodeAnd(text, &again, members(&parts[0])), text)
		if ok && len(parts[0]) > 0 { // null has none
			require.Equal(t, want, again, text)
			require.True(t, jsonplan.Members(text, members(&parts[1])), text)
			require.Equal(t, parts[1], parts[0], text)
		}
	}
	return ok
}

func all(t require.TestingT, text string) {
	same[order](t, text)
	same[line](t, text)
	same[quoting](t, text)
	same[twins](t, text)
	same[hiding](t, text)
	same[odd](t, text)
	same[pointing](t, text)
	same[map[string]any](t, text)
	same[map[string]*order](t, text)
	same[[]order](t, text)
	same[any](t, text)
	same[json.RawMessage](t, text)
	same[string](t, text)
	same[struct{}](t, text)
}

const full = ` { "id" : "o1", "Kind":"é\u00e9\n\"", "paid":true, "number":65535, "big":-9007199254740993, "amount":1.5e-3, "note":"n",
	"lines":[{"product":"a","units":-128,"price":0.1,"of":{"id":"o0","lines":null},"at":"2024-02-29T12:00:00.5Z"}, {}, null],
	"labels":[], "byName":{"x":{"units":1},"\u0079":{"units":2},"x":{"price":3}}, "raw": [1, {"a" : null}] , "any":{"a":[1,"b"]},
	"bytes":"AQI=","exact":1e400,"whole":123456789012345678901234567890,"pair":[1,2,3],"order-ref":"r","inner":{"units":0},
	"Hidden":"h","-":"h","private":"p","unknown":{"deep":[[[{"x":-0.0}]],"\ud83d\ude00 \\",false]} } `

var texts = []string{
	full, `{}`, `null`, ` null `, `""`, `"a"`, `{"id":null,"paid":null,"number":null,"amount":null,"note":null,"labels":null,"byName":null,"raw":null,"any":null}`,
	`{"ID":"x"}`, `{"id":"a","id":"b"}`, `{"id":"a","iD":"b"}`, `{"KIND":"a"}`, `{"lines":[{"Units":1}]}`, `{"note":"a","note":null}`,
	`{"number":65536}`, `{"number":-1}`, `{"number":1.0}`, `{"number":01}`, `{"number":"1"}`, `{"units":128}`, `{"big":1e3}`, `{"amount":.5}`, `{"amount":5.}`,
	`{"amount":1e}`, `{"amount":-}`, `{"amount":+1}`, `{"amount":1e400}`, `{"paid":tru}`, `{"paid":1}`, `{"paid":truefalse}`, `{"id":"a}`, `{"id":"a\"}`, `{"id":"a\\"}`,
	"{\"id\":\"\x01\"}", "{\"id\":\"\xff\"}", "{\"\xff\":1}", "{\"x\":\"\x1f\"}", "{\"id\":\"a\x7f\"}", `{"id":"\u12"}`, `{"x":"\q"}`, `{"x":"\ud800"}`, `{"id":"\ud800"}`,
	`{"id":"12345678\n"}`, "{\"id\":\"1234567\n\"}", "{\"id\":\"12345678\x00\"}", `{"id":"1234567\\"}`, `{"id":"1234567é"}`,
	`{`, `}`, `{]`, `[}`, `{"id"}`, `{"id":}`, `{"id":"a",}`, `{,}`, `{"id":"a"}}`, `{"id":"a"} x`, `{"x":[1,]}`, `{"x":[,1]}`, `{"x":nul}`, `{"x":nullx}`, `{'id':'a'}`, `{"x":1 2}`, ``, ` `,
	"\u00a0{}", "{\"id\"\x00:\"a\"}", `{"raw":  [1 , 2]  }`, `{"n":"1"}`, `{"n":1}`, `{"größe":"x"}`, `{"GRÖSSE":"x"}`, `{"ſ":1}`, `{"pair":[1]}`, `{"bytes":"!"}`, `{"whole":1.5}`,
	`[{"id":"a"},{"paid":true}]`, `{"a":{"id":"x","lines":[{"of":{"id":"y"}}]},"a":null}`,
	strings.Repeat(`{"lines":[{"of":`, 40) + `null` + strings.Repeat(`}]}`, 40), strings.Repeat("[", 600) + strings.Repeat("]", 600),
}

// TestAsEncodingJSON: what a plan decodes is what encoding/json does.
func TestAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range texts {
		all(t, text)
	}
}

// TestGuess: it finds the first member of the name in everyday texts, and steps over any text.
func TestGuess(t *testing.T) {
	t.Parallel()
	require.Equal(t, "order-placed", jsonplan.Guess(everyday, "type"))
	require.Equal(t, "c42", jsonplan.Guess(everyday, "partitionKey"))
	require.Equal(t, "r", jsonplan.Guess(full, "order-ref"))
	require.Equal(t, "b", jsonplan.Guess(`{"a":{"x":[{}],"type":"a"},"b":"type","c":"\",", "type" : "b","type":"c"}`, "type"))
	for _, text := range append(texts, everyday, `{"type`, `{"type":`, `{"type":"`, `{"type":"a`, `{"type":}`, `{"type":[,]}`) {
		for end := range text {
			require.NotContains(t, jsonplan.Guess(text[:end], "type"), `"`)
		}
	}
}

// TestDecides: everyday texts are not left to encoding/json.
func TestDecides(t *testing.T) {
	t.Parallel()
	require.True(t, same[order](t, full))
	require.True(t, same[order](t, `null`))
	require.True(t, same[order](t, `{"unknown":"ü","lines":[{"of":{"of":1}}]}`))
	require.True(t, same[map[string]any](t, strings.Replace(full, "1e400", "1e40", 1)))
	require.True(t, same[twins](t, `{"id":"a","ID":"b"}`))
	require.False(t, same[twins](t, `{"Id":"a"}`), "which of the two it is, encoding/json knows")
	require.False(t, same[order](t, `{"PAID":true}`))
	require.False(t, same[order](t, `{"paid":true,"paid":false}`))
}

// TestLaw: the same for texts that are almost those of orders.
func TestLaw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := []byte(rapid.SampledFrom(texts).Draw(rt, "text"))
		for range rapid.IntRange(0, 3).Draw(rt, "changes") {
			if len(text) == 0 {
				break
			}
			at := rapid.IntRange(0, len(text)-1).Draw(rt, "at")
			switch rapid.IntRange(0, 2).Draw(rt, "how") {
			case 0:
				text[at] = rapid.SampledFrom([]byte("{}[]\",:\\0e.-n \x00\x1f\x80tI")).Draw(rt, "byte")
			case 1:
				text = append(text[:at], text[at+1:]...)
			default:
				text = append(text[:at:at], append([]byte{rapid.SampledFrom([]byte("{}[]\",:\\1n")).Draw(rt, "more")}, text[at:]...)...)
			}
		}
		all(rt, string(text))
	})
}

// FuzzDecode is the law for any text.
func FuzzDecode(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { all(t, text) })
}

// TestStringsDoNotKeepTheText: what a mapper keeps of an event must not keep all of it.
func TestStringsDoNotKeepTheText(t *testing.T) {
	t.Parallel()
	text := `{"id":"o1","Kind":"` + strings.Repeat("x", 1000) + `"}`
	within := func(s string) bool {
		at, from := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(text)))
		return at >= from && at < from+uintptr(len(text))
	}
	var o order
	require.True(t, jsonplan.For[order]().Decode(text, &o))
	require.Equal(t, "o1", o.ID)
	require.False(t, within(o.ID))
	require.True(t, within(o.Kind), "which is nearly all of it, and needs no copy")
}

const everyday = `{"id":"7f4d3c1a-1111-4222-8333-944444444444","type":"order-placed","timestamp":1700000000123,"partitionKey":"c42",` +
	`"tags":{"account":"123456789012","region":"eu-west-1","stage":"prd","source":"orders","functionname":"orders-trigger","pipeline":"p1"},` +
	`"order":{"id":"o4711","Kind":"online","paid":true,"number":17,"big":1700000000123,"amount":129.5,"note":"leave it with the neighbours, please",` +
	`"lines":[{"product":"85123A","units":6,"price":2.55},{"product":"71053","units":8,"price":3.39},{"product":"84406B","units":2,"price":2.75}],` +
	`"labels":["new","gift"],"street":"1 Long Lane","city":"Utrecht","country":"Netherlands","comment":"one member that nobody here reads"}}`

func BenchmarkDecode(b *testing.B) {
	type event struct {
		Order order `json:"order"`
	}
	p := jsonplan.For[event]()
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e event
			if !p.Decode(everyday, &e) {
				b.Fatal("left to encoding/json")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e event
			_ = json.Unmarshal([]byte(everyday), &e)
		}
	})
}
