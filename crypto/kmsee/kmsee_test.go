package kmsee_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto/kmsee"
)

// made is what testdata/make.cjs prints.
type made struct {
	Keys      map[string][]byte `json:"keys"`
	Envelopes []struct {
		Envelope json.RawMessage `json:"envelope"`
		Plain    json.RawMessage `json:"plain"`
	} `json:"envelopes"`
}

// keyService knows the data keys of made, and counts its calls.
type keyService struct {
	keys    map[string][]byte
	regions []string
	fail    map[string]error
}

func (k *keyService) unwrap(_ context.Context, region string, wrapped []byte) ([]byte, error) {
	k.regions = append(k.regions, region)
	if err := k.fail[region]; err != nil {
		return nil, err
	}
	key, ok := k.keys[base64.StdEncoding.EncodeToString(wrapped)]
	if !ok {
		return nil, errors.New("no such key")
	}
	return key, nil
}

func read(t *testing.T, raw []byte) made {
	t.Helper()
	var m made
	require.NoError(t, json.Unmarshal(raw, &m))
	require.NotEmpty(t, m.Envelopes)
	return m
}

func golden(t *testing.T) made {
	t.Helper()
	raw, err := os.ReadFile("testdata/envelopes.json")
	require.NoError(t, err)
	return read(t, raw)
}

func openAll(t *testing.T, m made) {
	t.Helper()
	service := &keyService{keys: m.Keys}
	r, err := kmsee.New(service.unwrap, nil)
	require.NoError(t, err)
	for i, e := range m.Envelopes {
		for range 2 {
			out, err := r.Open(t.Context(), e.Envelope)
			require.NoError(t, err, "envelope %d", i)
			require.JSONEq(t, string(e.Plain), string(out), "envelope %d", i)
		}
	}
	require.Len(t, service.regions, len(m.Envelopes), "a data key is asked for once")
}

func TestOpenReadsWhatThePackageWrote(t *testing.T) {
	t.Parallel()
	openAll(t, golden(t))
}

// The package itself, where it is installed: random data keys, most of which are no UTF-8.
func TestOpenReadsWhatThePackageWrites(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("INSIDEOUT_JS")
	if modules == "" {
		t.Skip("INSIDEOUT_JS is not set: a folder whose node_modules has aws-kms-ee")
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/make.cjs", "200")
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	openAll(t, read(t, raw))
}

func TestOpenEvent(t *testing.T) {
	t.Parallel()
	m := golden(t)
	r, err := kmsee.New((&keyService{keys: m.Keys}).unwrap, nil)
	require.NoError(t, err)
	var e insideout.Event
	require.NoError(t, json.Unmarshal(m.Envelopes[0].Envelope, &e.Body))
	e.ID = "7"
	out, err := r.OpenEvent(t.Context(), e)
	require.NoError(t, err)
	require.NotContains(t, out.Body, "eem")
	require.JSONEq(t, `"ada@example.com"`, string(out.Body["email"]))
	require.Contains(t, e.Body, "eem", "the event that was given is not changed")
	e.Body["email"] = json.RawMessage(`"x"`)
	_, err = r.OpenEvent(t.Context(), e)
	require.EqualError(t, err, `event "7": kmsee: the value does not open under its data key: "/email": it is not in OpenSSL's salted form`)
}

func TestRegions(t *testing.T) {
	t.Parallel()
	m := golden(t)
	service := &keyService{keys: m.Keys, fail: map[string]error{"us-west-2": errors.New("out of reach")}}
	r, err := kmsee.New(service.unwrap, &kmsee.Options{Region: "us-west-2"})
	require.NoError(t, err)
	_, err = r.Open(t.Context(), m.Envelopes[1].Envelope)
	require.NoError(t, err)
	require.Equal(t, []string{"us-west-2", "us-east-1"}, service.regions)
	service.fail["us-east-1"] = service.fail["us-west-2"]
	r, err = kmsee.New(service.unwrap, nil)
	require.NoError(t, err)
	_, err = r.Open(t.Context(), m.Envelopes[1].Envelope)
	require.ErrorIs(t, err, kmsee.ErrDataKey)
	require.ErrorIs(t, err, service.fail["us-east-1"])
	require.ErrorContains(t, err, `region "us-east-1": out of reach`)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	m := golden(t)
	var whole map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(m.Envelopes[0].Envelope, &whole))
	var box string
	require.NoError(t, json.Unmarshal(whole["email"], &box))
	bytes, err := base64.StdEncoding.DecodeString(box)
	require.NoError(t, err)
	bytes[len(bytes)-1] ^= 1
	r, err := kmsee.New((&keyService{keys: m.Keys}).unwrap, nil)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		member, value string
		is            error
		text          string
	}{
		"number":    {"email", `3`, kmsee.ErrValue, `"/email" is not a string`},
		"damaged":   {"email", `"` + base64.StdEncoding.EncodeToString(bytes) + `"`, kmsee.ErrValue, `"/email": it`},
		"cut":       {"email", `"U2FsdGVkX18="`, kmsee.ErrValue, "salted form"},
		"nested":    {"list", `[{},{"email":"x"}]`, kmsee.ErrValue, `"/list/1/email"`},
		"no keys":   {"eem", `{"dataKeys":{},"fields":[]}`, kmsee.ErrEnvelope, "dataKeys and fields"},
		"no fields": {"eem", `{"dataKeys":3}`, kmsee.ErrEnvelope, "dataKeys and fields"},
		"base64":    {"eem", `{"dataKeys":{"r":"?"},"fields":["email"]}`, kmsee.ErrDataKey, "is not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := map[string]json.RawMessage{"eem": whole["eem"], "email": whole["email"]}
			object[tc.member] = json.RawMessage(tc.value)
			raw, err := json.Marshal(object)
			require.NoError(t, err)
			_, err = r.Open(t.Context(), raw)
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.text)
			require.NotContains(t, err.Error(), "ada")
		})
	}
	_, err = r.Open(t.Context(), []byte("[]"))
	require.ErrorIs(t, err, kmsee.ErrEnvelope)
	for _, same := range []string{`{"a":1}`, `{"eem":{"version":1,"sealed":{}},"a":1}`} {
		out, err := r.Open(t.Context(), []byte(same))
		require.NoError(t, err)
		require.Equal(t, same, string(out))
	}
	_, err = kmsee.New(nil, nil)
	require.Error(t, err)
}

func TestBase64IsReadOnlyOnRequest(t *testing.T) {
	t.Parallel()
	service := &keyService{keys: map[string][]byte{"AAAA": {1}}}
	const object = `{"email":"ImFkYSI=","eem":{"dataKeys":{"r":"AAAA"},"fields":["email"]}}`
	strict, err := kmsee.New(service.unwrap, nil)
	require.NoError(t, err)
	_, err = strict.Open(t.Context(), []byte(object))
	require.ErrorIs(t, err, kmsee.ErrValue)
	loose, err := kmsee.New(service.unwrap, &kmsee.Options{Base64: true})
	require.NoError(t, err)
	out, err := loose.Open(t.Context(), []byte(object))
	require.NoError(t, err)
	require.Equal(t, `{"email":"ada"}`, string(out))
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"email":"U2FsdGVkX1+vupppZksvRf5pq5g5XjFRlipRkwB0K1Y96Qsv2Lm+31cmzaAILwyt","eem":{"dataKeys":{"r":"AAAA"},"fields":["email"]}}`))
	f.Add([]byte(`{"a":[{"email":null}],"eem":{"dataKeys":{"r":"AAAA"},"fields":["email"]}}`))
	service := func(context.Context, string, []byte) ([]byte, error) { return []byte{0xff, 0xe2, 0x82, 'a'}, nil }
	f.Fuzz(func(t *testing.T, object []byte) {
		r, err := kmsee.New(service, nil)
		require.NoError(t, err)
		out, err := r.Open(t.Context(), object)
		if err == nil {
			require.True(t, json.Valid(out))
		}
	})
}
