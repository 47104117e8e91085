package awskms_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/crypto/awskms"
	"github.com/insideout-go/insideout/crypto/cryptotest"
	"github.com/insideout-go/insideout/table/embedded"
)

// region is a client that counts its calls, fails and hangs on request.
type region struct {
	awskms.Client
	calls atomic.Int64
	fail  error
	hang  bool
	bound map[string]string
}

func (r *region) before(ctx context.Context) error {
	r.calls.Add(1)
	if r.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return r.fail
}

func (r *region) Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	r.bound = in.EncryptionContext
	if err := r.before(ctx); err != nil {
		return nil, err
	}
	return r.Client.Encrypt(ctx, in, o...)
}

func (r *region) Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	r.bound = in.EncryptionContext
	if err := r.before(ctx); err != nil {
		return nil, err
	}
	return r.Client.Decrypt(ctx, in, o...)
}

// live is KMS at the endpoint that the environment names.
func live(t *testing.T, name string) *kms.Client {
	t.Helper()
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: .ci/run starts moto and sets it")
	}
	return kms.New(kms.Options{Region: name, BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
}

func newKey(t *testing.T, client *kms.Client) string {
	t.Helper()
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	return *out.KeyMetadata.KeyId
}

func sealer(t *testing.T, wrapper crypto.KeyWrapper, db *embedded.DB) *crypto.Sealer {
	t.Helper()
	in := crypto.KeyTableSchema("keys")
	_, _ = db.CreateTable(t.Context(), in) // several processes share it
	keys, err := crypto.New(db, "keys", wrapper, nil)
	require.NoError(t, err)
	s, err := keys.Namespace("shop")
	require.NoError(t, err)
	return s
}

func fields(n int) []insideout.SealedField {
	var list []insideout.SealedField
	for i := range n {
		subject := fmt.Sprint(i)
		list = append(list, insideout.SealedField{
			Origin:    insideout.Origin{Subject: subject, Model: "customer", ID: subject, Field: "email", Class: "contact"},
			Plaintext: []byte(subject),
		})
	}
	return list
}

func TestCallsOfKMS(t *testing.T) {
	t.Parallel()
	client := live(t, "us-east-1")
	db, alias := embedded.New(nil), key(t, client)
	process := func() (*crypto.Sealer, *region) {
		r := &region{Client: client}
		w, err := awskms.New(r, alias, nil)
		require.NoError(t, err)
		return sealer(t, w, db), r
	}
	writer, r := process()
	sealed := fields(200)
	require.NoError(t, writer.Seal(t.Context(), sealed))
	require.EqualValues(t, 1, r.calls.Load())
	require.Equal(t, map[string]string{"insideout:namespace": "shop", "insideout:epoch": "1"}, r.bound, "nothing personal")
	reader, r := process()
	for range 3 {
		require.NoError(t, reader.Open(t.Context(), sealed))
	}
	require.Equal(t, "199", string(sealed[199].Plaintext))
	require.EqualValues(t, 1, r.calls.Load())
	_, err := reader.RotateEpoch(t.Context())
	require.NoError(t, err)
	p, err := reader.Rewrap(t.Context(), "", nil)
	require.NoError(t, err)
	require.Equal(t, 200, p.Rewrapped)
	require.LessOrEqual(t, r.calls.Load(), int64(6), "a call an epoch, not a subject")
	require.NoError(t, writer.Open(t.Context(), sealed))
}

// key is a new key, by alias.
func key(t *testing.T, client *kms.Client) string {
	t.Helper()
	id := newKey(t, client)
	alias := "alias/insideout-" + id
	_, err := client.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &id})
	require.NoError(t, err)
	return alias
}

func TestConforms(t *testing.T) {
	t.Parallel()
	client := live(t, "us-east-1")
	w, err := awskms.New(client, newKey(t, client), nil)
	require.NoError(t, err)
	other, err := awskms.New(client, newKey(t, client), nil)
	require.NoError(t, err)
	cryptotest.Wrapper(t, w, other)
	wrapped, err := w.Wrap(t.Context(), make([]byte, 32), nil)
	require.NoError(t, err)
	wrapped[len(wrapped)-1] ^= 1
	_, err = w.Unwrap(t.Context(), wrapped, nil)
	require.ErrorIs(t, err, crypto.ErrRecord)
}

func TestKeyThatIsNotThere(t *testing.T) {
	t.Parallel()
	w, err := awskms.New(live(t, "us-east-1"), "alias/none", nil)
	require.NoError(t, err)
	err = sealer(t, w, embedded.New(nil)).Seal(t.Context(), fields(1))
	require.ErrorIs(t, err, crypto.ErrKeyService)
	require.ErrorContains(t, err, `key "alias/none" does not exist`)
	_, ok := errors.AsType[*types.NotFoundException](err)
	require.True(t, ok)
}

// replicated is a new multi-Region key of two regions.
func replicated(t *testing.T) (id string, home, away *kms.Client) {
	t.Helper()
	home, away = live(t, "us-east-1"), live(t, "eu-west-1")
	out, err := home.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	require.NoError(t, err)
	id = *out.KeyMetadata.KeyId
	require.Regexp(t, "^mrk-", id)
	_, err = home.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: aws.String("eu-west-1")})
	require.NoError(t, err)
	probe, err := home.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")})
	require.NoError(t, err)
	if _, err = home.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &id, CiphertextBlob: probe.CiphertextBlob}); err != nil {
		t.Skip("this moto cuts off the ids of multi-Region keys in its ciphertexts: .ci/moto.sh mends that")
	}
	return id, home, away
}

// What one region has wrapped, another one unwraps with the replica of the key: while the first one is broken, and for processes that live there. Each
// region is asked once.
func TestRegions(t *testing.T) {
	t.Parallel()
	id, home, away := replicated(t)
	outage := &smithy.GenericAPIError{Code: "KMSInternalException", Fault: smithy.FaultServer}
	db := embedded.New(nil)
	process := func(first, second *region) *crypto.Sealer {
		w, err := awskms.New(first, id, &awskms.Options{Others: []awskms.Client{second}})
		require.NoError(t, err)
		return sealer(t, w, db)
	}
	calls := func(regions ...*region) (n []int64) {
		for _, r := range regions {
			n = append(n, r.calls.Load())
		}
		return n
	}
	sealed := fields(3)
	east, west := &region{Client: home}, &region{Client: away}
	require.NoError(t, process(east, west).Seal(t.Context(), sealed))
	require.Equal(t, []int64{1, 0}, calls(east, west))
	for name, tc := range map[string]struct {
		first, second *region
		calls         []int64
	}{
		"a process of the other region": {&region{Client: away}, &region{Client: home}, []int64{1, 0}},
		"the home region is broken":     {&region{Client: home, fail: outage}, &region{Client: away}, []int64{1, 1}},
	} {
		require.NoError(t, process(tc.first, tc.second).Open(t.Context(), sealed), name)
		require.Equal(t, "2", string(sealed[2].Plaintext), name)
		require.Equal(t, tc.calls, calls(tc.first, tc.second), name)
	}
	broken := &region{Client: home, fail: outage}
	s := process(broken, west)
	_, err := s.RotateEpoch(t.Context())
	require.NoError(t, err, "the other region wraps, too")
	require.NoError(t, process(east, west).Open(t.Context(), sealed))
	require.EqualValues(t, 1+2, east.calls.Load(), "one for each epoch")

	alone, err := awskms.New(live(t, "ap-south-1"), id, nil)
	require.NoError(t, err)
	err = sealer(t, alone, db).Open(t.Context(), sealed)
	require.ErrorIs(t, err, crypto.ErrKeyService, "a region without a replica")
	require.ErrorContains(t, err, "does not exist in this account and region")
}

// echo is a key service without encryption.
type echo struct{}

func (echo) Encrypt(_ context.Context, in *kms.EncryptInput, _ ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	return &kms.EncryptOutput{CiphertextBlob: in.Plaintext}, nil
}

func (echo) Decrypt(_ context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	return &kms.DecryptOutput{Plaintext: in.CiphertextBlob}, nil
}

func TestWhichErrorsGoElsewhere(t *testing.T) {
	t.Parallel()
	for code, tc := range map[string]struct {
		err   error
		away  bool
		text  string
		means error
	}{
		"throttled": {&smithy.GenericAPIError{Code: "ThrottlingException"}, true, "asked too often", nil},
		"timeout":   {&types.DependencyTimeoutException{}, true, "", nil},
		"network":   {errors.New("connection refused"), true, "connection refused", nil},
		"denied":    {&smithy.GenericAPIError{Code: "AccessDeniedException"}, false, "may not be used: it takes kms:Encrypt", nil},
		"disabled":  {&types.DisabledException{}, false, "is disabled: enable it to go on", nil},
		"state":     {&types.KMSInvalidStateException{}, false, "cancel that to keep the data", nil},
		"usage":     {&types.InvalidKeyUsageException{}, false, "not a symmetric key", nil},
		"foreign":   {&types.InvalidCiphertextException{}, false, "has not wrapped it", crypto.ErrRecord},
		"incorrect": {&types.IncorrectKeyException{}, false, "another key", crypto.ErrRecord},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			away := &region{Client: echo{}}
			alone, err := awskms.New(&region{fail: tc.err}, "mrk-1", nil)
			require.NoError(t, err)
			_, err = alone.Unwrap(t.Context(), []byte("k"), nil)
			require.ErrorIs(t, err, tc.err)
			require.ErrorContains(t, err, tc.text)
			if tc.means != nil {
				require.ErrorIs(t, err, tc.means)
			}
			err = sealer(t, alone, embedded.New(nil)).Seal(t.Context(), fields(1))
			require.ErrorIs(t, err, crypto.ErrKeyService)
			require.ErrorIs(t, err, tc.err, "its class can be told")
			require.ErrorContains(t, err, tc.text)
			both, err := awskms.New(&region{fail: tc.err}, "mrk-1", &awskms.Options{Others: []awskms.Client{away}})
			require.NoError(t, err)
			_, err = both.Unwrap(t.Context(), []byte("k"), nil)
			require.Equal(t, tc.away, err == nil)
			require.Equal(t, tc.away, away.calls.Load() == 1)
		})
	}
}

func TestARegionThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, err := awskms.New(&region{hang: true}, "mrk-1", &awskms.Options{Others: []awskms.Client{echo{}}})
		require.NoError(t, err)
		start := time.Now()
		_, err = w.Wrap(t.Context(), []byte("k"), nil)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = w.Wrap(ctx, []byte("k"), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, "the caller's time is over, and no other region is asked")
	})
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := awskms.New(nil, "", &awskms.Options{Timeout: -1, Others: []awskms.Client{nil}})
	for _, text := range []string{"a client of KMS", "the key's id", "the timeout", "another region"} {
		require.ErrorContains(t, err, text)
	}
	require.ErrorIs(t, err, crypto.ErrInvalid)
	_, err = awskms.New(echo{}, "arn:aws:kms:us-east-1:1:key/mrk-1", &awskms.Options{Others: []awskms.Client{echo{}}})
	require.ErrorContains(t, err, "name the key by its multi-Region id")
	w, err := awskms.New(echo{}, "alias/a", nil)
	require.NoError(t, err)
	require.Equal(t, `awskms.Wrapper("alias/a", 1 regions)`, fmt.Sprintf("%+v", w))
}
