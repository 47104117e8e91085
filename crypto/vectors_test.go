package crypto_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

// writeVectors makes new vectors: a tenant of two epochs, and subjects in every state.
func writeVectors(t *testing.T) {
	t.Helper()
	k := newKit(t)
	v := vectors{Namespace: "shop-eu", Master: bytes.Repeat([]byte{0x5e}, 32)}
	var err error
	k.master.KeyWrapper, err = crypto.NewLocalKey(v.Master)
	require.NoError(t, err)
	s := k.sealer(t, v.Namespace)
	seal := func(subject, id, field, plain, outcome string) {
		o := insideout.Origin{Subject: subject, Model: "customer", ID: id, Field: field, Class: "contact"}
		f := mustSeal(t, s, insideout.SealedField{Origin: o, Plaintext: []byte(plain)})[0]
		if outcome != "opened" {
			plain = ""
		}
		v.Sealed = append(v.Sealed, vectorField{o, f.Ciphertext, plain, outcome})
	}
	seal("17850", "17850", "email", `"17850@example.com"`, "opened")
	seal("17850", "17850", "address", `{"city":"Köln","no":7,"tags":["a",null]}`, "opened")
	seal("17850", "order|536365", "note", `""`, "opened")
	seal("", "api", "token", "", "opened")
	seal("Zoë|#/~", "ü", "größe", "1e-7", "opened")
	seal("13047", "13047", "email", `"13047@example.com"`, "shredded")
	seal("12583", "12583", "email", `"12583@example.com"`, "restricted")
	require.NoError(t, s.RotateSubject(t.Context(), "17850"))
	_, err = s.RotateEpoch(t.Context())
	require.NoError(t, err)
	seal("17850", "17850", "phone", `"+44 20 7946 0000"`, "opened")
	seal("18074", "18074", "email", `"18074@example.com"`, "opened")
	_, err = s.ShredSubject(t.Context(), "13047")
	require.NoError(t, err)
	require.NoError(t, s.SetState(t.Context(), "12583", crypto.Restricted))
	spoil := func(from int, change func(*vectorField)) {
		f := v.Sealed[from]
		f.Ciphertext, f.Plaintext, f.Outcome = bytes.Clone(f.Ciphertext), "", "refused"
		change(&f)
		v.Sealed = append(v.Sealed, f)
	}
	spoil(0, func(f *vectorField) { f.Origin.Field = "phone" })
	spoil(0, func(f *vectorField) { f.Ciphertext[0] = 2 })
	spoil(0, func(f *vectorField) { f.Origin.Subject = "18074" })
	addHashes(t, s, &v)
	for _, it := range copyTable(t, k) {
		v.Rows = append(v.Rows, vectorRowOf(it))
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(goldenFile, append(raw, '\n'), 0o600))
}

func addHashes(t *testing.T, s *crypto.Sealer, v *vectors) {
	t.Helper()
	for _, ix := range []vectorIndex{
		{"customer.email", 0, 0, "17850@example.com", ""},
		{"customer.email", 1, 0, "17850@example.com", ""},
		{"customer.name", 0, 0, "Zoë", ""},
		{"customer.zip", 0, 9, "50667", ""},
	} {
		hash, err := s.BlindIndex(t.Context(), crypto.Index{Name: ix.Name, Version: ix.Version, Bits: ix.Bits, Population: 10_000 * min(ix.Bits, 1)}, ix.Value)
		require.NoError(t, err)
		ix.Hash = hash
		v.Indexes = append(v.Indexes, ix)
	}
	for _, subject := range []string{"17850", "Zoë|#/~"} {
		ref, err := s.SubjectRef(t.Context(), subject)
		require.NoError(t, err)
		v.Subjects = append(v.Subjects, vectorRef{subject, ref})
	}
}

func vectorRowOf(it map[string]types.AttributeValue) vectorRow {
	b := func(av types.AttributeValue) []byte {
		raw, _ := av.(*types.AttributeValueMemberB)
		if raw == nil {
			return nil
		}
		return raw.Value
	}
	s := func(av types.AttributeValue) string {
		switch v := av.(type) {
		case *types.AttributeValueMemberS:
			return v.Value
		case *types.AttributeValueMemberN:
			return v.Value
		default:
			return ""
		}
	}
	row := vectorRow{PK: s(it["pk"]), State: s(it["state"]), Root: b(it["root"]), Epoch: json.Number(s(it["epoch"]))}
	if m, ok := it["epochs"].(*types.AttributeValueMemberM); ok {
		row.Epochs = map[string][]byte{}
		for epoch, wrapped := range m.Value {
			row.Epochs[epoch] = b(wrapped)
		}
	}
	if l, ok := it["keys"].(*types.AttributeValueMemberL); ok {
		for _, el := range l.Value {
			if m, ok := el.(*types.AttributeValueMemberM); ok {
				row.Keys = append(row.Keys, vectorKey{b(m.Value["id"]), json.Number(s(m.Value["epoch"])), b(m.Value["wrapped"])})
			}
		}
	}
	if set, ok := it["dead"].(*types.AttributeValueMemberBS); ok {
		row.Dead = set.Value
	}
	return row
}
