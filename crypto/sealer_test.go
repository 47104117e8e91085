package crypto_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, k *kit) {
		s := k.sealer(t, "shop")
		token := field("", "token", "") // of the service itself
		token.Origin.ID = "api"
		fields := mustSeal(t, s, field("17850", "email", `"`+marker+`"`), field("17850", "phone", `""`), field("13047", "email", `{}`), token)
		for i, f := range fields {
			require.Len(t, f.Ciphertext, 45+[]int{20, 2, 2, 0}[i])
			require.NotContains(t, string(f.Ciphertext), marker)
		}
		require.Equal(t, fields[0].KeyID(), fields[1].KeyID())
		require.NotEqual(t, fields[0].KeyID(), fields[2].KeyID())
		for _, reader := range []*crypto.Sealer{s, k.sealer(t, "shop")} {
			require.NoError(t, reader.Open(t.Context(), fields))
			require.Equal(t, `"`+marker+`"`, string(fields[0].Plaintext))
			require.Equal(t, `""`, string(fields[1].Plaintext))
			require.Equal(t, `{}`, string(fields[2].Plaintext))
			require.NotNil(t, fields[3].Plaintext)
		}
		require.NoError(t, s.Seal(t.Context(), nil))
		require.NoError(t, s.Open(t.Context(), nil))
	})
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	whole := field("1", "email", "1")
	for name, spoil := range map[string]func(*insideout.SealedField){
		"model": func(f *insideout.SealedField) { f.Origin.Model = "" }, "id": func(f *insideout.SealedField) { f.Origin.ID = "" },
		"field": func(f *insideout.SealedField) { f.Origin.Field = "" }, "class": func(f *insideout.SealedField) { f.Origin.Class = "" },
		"plain text": func(f *insideout.SealedField) { f.Plaintext = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := []insideout.SealedField{whole, whole}
			spoil(&fields[1])
			err := s.Seal(t.Context(), fields)
			require.ErrorIs(t, err, crypto.ErrInvalid)
			require.Nil(t, fields[0].Ciphertext, "all or none")
		})
	}
}

// Every single changed bit, and every length, is an authentication error: the head, the nonce, the text and the tag.
func TestEveryChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	whole := mustSeal(t, s, field("17850", "email", `"a@b.example"`))[0]
	var fields []insideout.SealedField
	add := func(ciphertext []byte) {
		f := whole
		f.Ciphertext = ciphertext
		fields = append(fields, f)
	}
	for at := range whole.Ciphertext {
		for x := 1; x < 256; x++ {
			changed := bytes.Clone(whole.Ciphertext)
			changed[at] ^= byte(x)
			add(changed)
		}
	}
	for n := range whole.Ciphertext {
		add(whole.Ciphertext[:n])
		add(whole.Ciphertext[len(whole.Ciphertext)-n:])
		add(append(bytes.Clone(whole.Ciphertext), whole.Ciphertext[:n+1]...))
	}
	add(nil)
	add(make([]byte, 61))
	add([]byte("U2FsdGVkX1+vupppZksvRf5pq5g5XjFRlipRkwB0K1Y96Qsv2Lm+31cmzaAILwyt"))
	require.Error(t, s.Open(t.Context(), fields))
	for i, f := range fields {
		require.ErrorIs(t, f.Err, crypto.ErrAuthentication, "case %d", i)
		require.Nil(t, f.Plaintext)
	}
	_, err := opened(t, s, whole)
	require.NoError(t, err)
}

// Every exchange of one part of the identity for another is refused, in every direction.
func TestEverySwapIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	keys := k.process(t, nil)
	var sealers []*crypto.Sealer
	var fields []insideout.SealedField
	var owner []int
	for n, namespace := range []string{"shop-eu", "shop-us"} {
		sealers = append(sealers, sealerOf(t, keys, namespace))
		for part := range 32 {
			pick := func(bit int, texts ...string) string { return texts[part>>bit&1] }
			f := insideout.SealedField{Plaintext: fmt.Append(nil, n, part), Origin: insideout.Origin{
				Subject: pick(0, "s", "sc"), Model: pick(1, "m", "cm"), ID: pick(2, "i", "ii"), Field: pick(3, "f", "ff"), Class: pick(4, "c", "cc"),
			}}
			fields, owner = append(fields, mustSeal(t, sealers[n], f)...), append(owner, n)
		}
	}
	for n, s := range sealers {
		for i, from := range fields {
			for j, to := range fields[:32] {
				moved := from
				moved.Origin = to.Origin
				plain, err := opened(t, s, moved)
				if owner[i] == n && i%32 == j {
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(n, j), plain)
				} else {
					require.ErrorIs(t, err, crypto.ErrAuthentication)
				}
			}
		}
	}
}

// Texts that join to the same bytes are not the same origin: two ways to cut one text into the parts of an origin.
func TestOriginsDoNotRunTogether(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.StringMatching(`[ab|#\x00]{4,8}`).Draw(t, "text")
		cut := func(label string) insideout.Origin {
			at := rapid.SliceOfNDistinct(rapid.IntRange(1, len(whole)-1), 3, 3, rapid.ID).Draw(t, label)
			slices.Sort(at)
			return insideout.Origin{Subject: "s", Model: whole[:at[0]], ID: whole[at[0]:at[1]], Field: whole[at[1]:at[2]], Class: whole[at[2]:]}
		}
		from, to := cut("from"), cut("to")
		f := mustSeal(t, s, insideout.SealedField{Origin: from, Plaintext: []byte("1")})[0]
		f.Origin = to
		_, err := opened(t, s, f)
		if from == to {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, crypto.ErrAuthentication)
		}
	})
}

func TestOpenOpensTheRest(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	fields := mustSeal(t, s, field("1", "email", "1"), field("2", "email", "2"), field("3", "email", "3"))
	fields[1].Origin.Field = "phone"
	err := s.Open(t.Context(), fields)
	require.ErrorIs(t, err, crypto.ErrAuthentication)
	require.EqualError(t, err, `crypto: open in namespace "shop": customer "2" field "phone" class "contact": the sealed value does not belong here, or was changed: it does not open under its key`)
	require.Equal(t, "1", string(fields[0].Plaintext))
	require.Nil(t, fields[1].Plaintext)
	require.Equal(t, "3", string(fields[2].Plaintext))
}

func TestNoncesDiffer(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	fields := make([]insideout.SealedField, 1<<16)
	for i := range fields {
		fields[i] = field("1", "email", "1")
	}
	mustSeal(t, s, fields...)
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		seen[string(f.Ciphertext[17:29])] = true
	}
	require.Len(t, seen, len(fields))
}

func FuzzOpen(f *testing.F) {
	k := newKit(f)
	s := k.sealer(f, "shop")
	whole := mustSeal(f, s, field("17850", "email", `"a"`))[0]
	f.Add(whole.Ciphertext)
	f.Add(whole.Ciphertext[:44])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		one := whole
		one.Ciphertext = ciphertext
		plain, err := opened(t, s, one)
		if bytes.Equal(ciphertext, whole.Ciphertext) {
			require.NoError(t, err)
			require.Equal(t, `"a"`, plain)
			return
		}
		require.ErrorIs(t, err, crypto.ErrAuthentication)
	})
}

// The law of sealing: what comes out is what went in, for any texts, in batches of several subjects that all cores work on.
func TestSealingIsLossless(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s, reader := k.sealer(t, "shop"), k.sealer(t, "shop")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 9, 600}).Draw(t, "n")
		var fields, want []insideout.SealedField
		for i := range n {
			f := insideout.SealedField{Plaintext: []byte(rapid.String().Draw(t, "text")), Origin: insideout.Origin{
				Subject: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "subject"), Model: "m", ID: fmt.Sprint(i), Field: "f", Class: "c",
			}}
			fields, want = append(fields, f), append(want, f)
		}
		mustSeal(t, s, fields...)
		require.NoError(t, reader.Open(context.Background(), fields))
		require.True(t, slices.EqualFunc(want, fields, func(a, b insideout.SealedField) bool {
			return a.Origin == b.Origin && bytes.Equal(a.Plaintext, b.Plaintext)
		}))
	})
}
