package awsesdk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	providers "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/crypto/awsesdk"
	"github.com/insideout-go/insideout/crypto/cryptotest"
	"github.com/insideout-go/insideout/table/embedded"
)

func rawAES(t testing.TB, name string, key byte) mpl.IKeyring {
	t.Helper()
	keyring, err := awsesdk.Keyring(context.Background(), func(ctx context.Context, c *providers.Client) (mpl.IKeyring, error) {
		return c.CreateRawAesKeyring(ctx, mpl.CreateRawAesKeyringInput{
			KeyNamespace: "insideout", KeyName: name, WrappingKey: bytes.Repeat([]byte{key}, 32), WrappingAlg: mpl.AesWrappingAlgAlgAes256GcmIv12Tag16,
		})
	})
	require.NoError(t, err)
	return keyring
}

func codec(t testing.TB, keyring mpl.IKeyring) *awsesdk.Codec {
	t.Helper()
	c, err := awsesdk.NewCodec(keyring, nil)
	require.NoError(t, err)
	return c
}

func TestCodec(t *testing.T) {
	t.Parallel()
	c := codec(t, rawAES(t, "a", 1))
	bound := map[string]string{"tenant": "shop", "größe": "ü"}
	message, err := c.Encrypt(t.Context(), []byte("secret"), bound)
	require.NoError(t, err)
	require.Equal(t, []byte{2, 4, 0x78}, message[:3], "version 2, algorithm suite 0x0478")
	require.NotContains(t, string(message), "secret")
	plain, err := c.Decrypt(t.Context(), message, bound)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	for _, other := range []map[string]string{nil, {"tenant": "shop"}, {"tenant": "shop", "größe": "x"}, {"tenant": "shop", "größe": "ü", "more": ""}} {
		_, err = c.Decrypt(t.Context(), message, other)
		require.ErrorIs(t, err, awsesdk.ErrContext)
	}
	for at := range message {
		changed := bytes.Clone(message)
		changed[at] ^= 1
		_, err = c.Decrypt(t.Context(), changed, bound)
		require.Error(t, err, "byte %d", at)
	}
	_, err = codec(t, rawAES(t, "a", 2)).Decrypt(t.Context(), message, bound)
	require.ErrorIs(t, err, awsesdk.ErrSDK)
	require.NotContains(t, err.Error(), "%!s")
	_, err = c.Encrypt(t.Context(), nil, map[string]string{"aws-crypto-public-key": "x"})
	require.ErrorIs(t, err, crypto.ErrInvalid)
	_, err = c.Decrypt(t.Context(), []byte("foreign"), nil)
	require.ErrorIs(t, err, awsesdk.ErrSDK)
}

func sealer(t testing.TB, db *embedded.DB, w crypto.KeyWrapper) *crypto.Sealer {
	t.Helper()
	_, _ = db.CreateTable(context.Background(), crypto.KeyTableSchema("keys")) // processes share it
	keys, err := crypto.New(db, "keys", w, nil)
	require.NoError(t, err)
	s, err := keys.Namespace("shop")
	require.NoError(t, err)
	return s
}

func TestWrapper(t *testing.T) {
	t.Parallel()
	db := embedded.New(nil)
	process := func() *crypto.Sealer {
		w, err := awsesdk.NewWrapper(rawAES(t, "a", 1))
		require.NoError(t, err)
		return sealer(t, db, w)
	}
	fields := []insideout.SealedField{{
		Origin: insideout.Origin{Subject: "1", Model: "customer", ID: "1", Field: "email", Class: "contact"}, Plaintext: []byte(`"a"`),
	}}
	require.NoError(t, process().Seal(t.Context(), fields))
	fields[0].Plaintext = nil
	require.NoError(t, process().Open(t.Context(), fields))
	require.Equal(t, `"a"`, string(fields[0].Plaintext))

	w, err := awsesdk.NewWrapper(rawAES(t, "a", 1))
	require.NoError(t, err)
	wrapped, err := w.Wrap(t.Context(), make([]byte, 32), map[string]string{"x": "1"})
	require.NoError(t, err)
	_, err = w.Unwrap(t.Context(), wrapped, map[string]string{"x": "2"})
	require.ErrorIs(t, err, crypto.ErrRecord)
}

func TestConforms(t *testing.T) {
	t.Parallel()
	w, err := awsesdk.NewWrapper(rawAES(t, "a", 1))
	require.NoError(t, err)
	other, err := awsesdk.NewWrapper(rawAES(t, "a", 2))
	require.NoError(t, err)
	cryptotest.Wrapper(t, w, other)
}

// stuck is a keyring whose key service does not answer, or panics.
type stuck struct {
	release chan struct{}
	panics  bool
}

func (s *stuck) OnEncrypt(mpl.OnEncryptInput) (*mpl.OnEncryptOutput, error) {
	if s.panics {
		panic("wrong configuration")
	}
	<-s.release
	return nil, errors.New("too late")
}

func (s *stuck) OnDecrypt(mpl.OnDecryptInput) (*mpl.OnDecryptOutput, error) {
	return nil, errors.New("no")
}

func TestContextsAreHonoured(t *testing.T) {
	t.Parallel()
	s := &stuck{release: make(chan struct{})}
	c := codec(t, s)
	for range 2 { // the second one waits for its turn
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		_, err := c.Encrypt(ctx, []byte("x"), nil)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 20*time.Second)
	}
	close(s.release)
	_, err := c.Encrypt(t.Context(), []byte("x"), nil)
	require.ErrorIs(t, err, awsesdk.ErrSDK)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Decrypt(canceled, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestPanicsBecomeErrors(t *testing.T) {
	t.Parallel()
	_, err := codec(t, &stuck{panics: true}).Encrypt(t.Context(), []byte("x"), nil)
	require.ErrorIs(t, err, awsesdk.ErrSDK)
	_, err = awsesdk.Keyring(t.Context(), func(context.Context, *providers.Client) (mpl.IKeyring, error) { panic("wrong") })
	require.ErrorIs(t, err, awsesdk.ErrSDK)
	_, err = awsesdk.NewCodec(nil, &awsesdk.Options{MaxEncryptedDataKeys: -1})
	require.ErrorIs(t, err, crypto.ErrInvalid)
	_, err = awsesdk.NewWrapper(nil)
	require.ErrorIs(t, err, crypto.ErrInvalid)
}

// Another official implementation reads what is written here, and writes what is read here.
func TestInterop(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("INSIDEOUT_JS")
	if modules == "" {
		t.Skip("INSIDEOUT_JS is not set: a folder whose node_modules has @aws-crypto/client-node")
	}
	c := codec(t, rawAES(t, "a", 1))
	bound := map[string]string{"tenant": "shop", "größe": "ü"}
	message, err := c.Encrypt(t.Context(), []byte("from Go: ü"), bound)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", "testdata/interop.cjs", base64.StdEncoding.EncodeToString(message))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "from Go: ü", lines[0])
	for _, line := range lines[1:] { // with and without a signature
		theirs, err := base64.StdEncoding.DecodeString(line)
		require.NoError(t, err)
		plain, err := c.Decrypt(t.Context(), theirs, bound)
		require.NoError(t, err)
		require.Equal(t, "from Node: ü", string(plain))
	}
}

// BenchmarkAgainstSealer seals and opens 64 bytes by turns with the SDK and with a Sealer, so that a busy machine slows both down alike.
func BenchmarkAgainstSealer(b *testing.B) {
	ctx := context.Background()
	c, plain := codec(b, rawAES(b, "a", 1)), make([]byte, 64)
	message, err := c.Encrypt(ctx, plain, nil)
	require.NoError(b, err)
	w, err := awsesdk.NewWrapper(rawAES(b, "a", 1))
	require.NoError(b, err)
	s := sealer(b, embedded.New(nil), w)
	fields := []insideout.SealedField{{
		Origin: insideout.Origin{Subject: "1", Model: "customer", ID: "1", Field: "email", Class: "contact"}, Plaintext: plain,
	}}
	require.NoError(b, s.Seal(ctx, fields))
	best := [4]float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)} // ns
	for b.Loop() {
		for i, run := range []struct {
			n int
			f func()
		}{
			{5, func() { _, _ = c.Encrypt(ctx, plain, nil) }},
			{5, func() { _, _ = c.Decrypt(ctx, message, nil) }},
			{500, func() { _ = s.Seal(ctx, fields) }},
			{500, func() { _ = s.Open(ctx, fields) }},
		} {
			start := time.Now()
			for range run.n {
				run.f()
			}
			best[i] = min(best[i], float64(time.Since(start).Nanoseconds())/float64(run.n))
		}
	}
	b.ReportMetric(best[0]/best[2], "times-seal")
	b.ReportMetric(best[1]/best[3], "times-open")
	b.ReportMetric(best[0], "sdk-encrypt-ns")
	b.ReportMetric(best[1], "sdk-decrypt-ns")
}
