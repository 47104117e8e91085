package crypto_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

// A secret plain text and a secret subject go through every way in, and come out of none but Open: not in an error, not in a log, not with any
// verb, and not in the key table.
func TestNothingTells(t *testing.T) {
	t.Parallel()
	const subject = "subject@marker.example"
	k := newKit(t)
	keys := k.process(t, nil)
	s := sealerOf(t, keys, "shop")
	f := mustSeal(t, s, insideout.SealedField{
		Origin: insideout.Origin{Subject: subject, Model: "customer", ID: "1", Field: "email", Class: "contact"}, Plaintext: []byte(marker),
	})[0]
	plain := f
	plain.Plaintext = []byte(marker)
	var said []any
	try := func(err error) {
		require.Error(t, err)
		said = append(said, err)
	}
	ctx := t.Context()
	bad := plain
	bad.Origin.Class = ""
	try(s.Seal(ctx, []insideout.SealedField{plain, bad}))
	moved := plain
	moved.Origin.Field = "phone"
	fields := []insideout.SealedField{moved}
	try(s.Open(ctx, fields))
	_, err := s.BlindIndex(ctx, crypto.Index{}, marker)
	try(err)
	try(s.SetState(ctx, subject, "x"))
	try(s.SetState(ctx, subject+"?", crypto.Active))
	try(s.Readmit(ctx, subject))
	_, err = s.State(ctx, subject+"?")
	try(err)
	try(s.RetireEpoch(ctx, 1))
	_, err = s.Reseal(ctx, &shelf{rows: [][]insideout.SealedField{{moved}}}, "", nil)
	require.NoError(t, err, "its key is current, so it is not opened")
	require.NoError(t, s.RotateSubject(ctx, subject))
	_, err = s.Reseal(ctx, &shelf{rows: [][]insideout.SealedField{{moved}}}, "", nil)
	try(err)
	for _, err := range failures(t, k, s, f, plain) {
		try(err)
	}

	said = append(said, s, keys, plain, fields, &plain, k.master.KeyWrapper, copyTable(t, k))
	text := printed(t, said)
	require.Contains(t, text, "crypto: ")
	for _, secret := range []string{marker, subject} {
		raw := []byte(secret)
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString(raw)[:20], hex.EncodeToString(raw), strings.Trim(fmt.Sprint(raw), "[]"), strings.ToUpper(hex.EncodeToString(raw))} {
			require.NotContains(t, text, form)
		}
	}
}

// failures are the errors of a key table and a key service that are out of reach, and of a subject that is shredded.
func failures(t *testing.T, k *kit, s *crypto.Sealer, f, plain insideout.SealedField) (said []error) {
	t.Helper()
	ctx, subject := t.Context(), f.Origin.Subject
	k.client.fail.Store(&errOutage)
	s.Evict()
	said = append(said, s.Seal(ctx, []insideout.SealedField{plain}))
	said = append(said, s.Open(ctx, []insideout.SealedField{f}))
	_, err := s.ShredSubject(ctx, subject)
	said = append(said, err)
	_, err = s.SubjectRef(ctx, subject)
	said = append(said, err)
	k.client.fail.Store(nil)
	k.master.fail.Store(&errOutage)
	said = append(said, s.Seal(ctx, []insideout.SealedField{plain}))
	_, err = s.RotateEpoch(ctx)
	said = append(said, err)
	k.master.fail.Store(nil)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	said = append(said, s.RotateSubject(canceled, subject))
	_, err = s.ShredSubject(ctx, subject)
	require.NoError(t, err)
	said = append(said, s.Seal(ctx, []insideout.SealedField{plain}))
	return said
}

// printed is all that can be printed of things.
func printed(t *testing.T, things []any) string {
	t.Helper()
	var out bytes.Buffer
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", thing)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("said", "thing", thing)
		}
		raw, _ := json.Marshal(thing)
		out.Write(raw)
	}
	return out.String()
}
