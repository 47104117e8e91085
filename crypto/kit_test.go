package crypto_test

import (
	"context"
	"crypto/fips140"
	"crypto/sha256"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table/embedded"
)

const marker = "marker@example.com"

// tableClient is what tests need of an engine.
type tableClient interface {
	crypto.Client
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
}

// counting counts the calls of the key table, and fails them on request.
type counting struct {
	tableClient
	reads, writes, scans atomic.Int64
	fail                 atomic.Pointer[error]
	gate                 chan struct{} // nil, or: reads wait for it
	lossy                bool          // batches answer the half
}

func (c *counting) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.reads.Add(1)
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := c.fail.Load(); err != nil {
		return nil, *err
	}
	return c.tableClient.GetItem(ctx, in, o...)
}

func (c *counting) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	c.reads.Add(1)
	if err := c.fail.Load(); err != nil {
		return nil, *err
	}
	out, err := c.tableClient.BatchGetItem(ctx, in, o...)
	if c.lossy && err == nil {
		for name, rows := range out.Responses {
			out.Responses[name] = rows[:len(rows)/2]
		}
	}
	return out, err
}

func (c *counting) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	c.writes.Add(1)
	if err := c.fail.Load(); err != nil {
		return nil, *err
	}
	return c.tableClient.PutItem(ctx, in, o...)
}

func (c *counting) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	c.scans.Add(1)
	in.Limit = aws.Int32(7) // so that there are several pages
	return c.tableClient.Scan(ctx, in, o...)
}

// master counts the calls of a master key, and fails them on request.
type master struct {
	crypto.KeyWrapper
	calls atomic.Int64
	fail  atomic.Pointer[error]
	bound atomic.Pointer[map[string]string]
	slow  bool // answers take a while
}

func (m *master) Wrap(ctx context.Context, key []byte, binding map[string]string) ([]byte, error) {
	m.calls.Add(1)
	m.bound.Store(&binding)
	if err := m.fail.Load(); err != nil {
		return nil, *err
	}
	return m.KeyWrapper.Wrap(ctx, key, binding)
}

func (m *master) Unwrap(ctx context.Context, wrapped []byte, binding map[string]string) ([]byte, error) {
	m.calls.Add(1)
	if m.slow {
		time.Sleep(10 * time.Millisecond)
	}
	if err := m.fail.Load(); err != nil {
		return nil, *err
	}
	return m.KeyWrapper.Unwrap(ctx, wrapped, binding)
}

// kit is a key table with a master key. Processes that share it have caches of their own.
type kit struct {
	client *counting
	master *master
	table  string
}

func localKey(t testing.TB, seed string) *crypto.LocalKey {
	t.Helper()
	sum := sha256.Sum256([]byte(seed))
	key, err := crypto.NewLocalKey(sum[:])
	require.NoError(t, err)
	return key
}

func newKit(t testing.TB) *kit {
	t.Helper()
	return kitOn(t, embedded.New(nil))
}

func kitOn(t testing.TB, client tableClient) *kit {
	t.Helper()
	k := &kit{client: &counting{tableClient: client}, master: &master{KeyWrapper: localKey(t, "a")}, table: "keys-" + uuid.NewString()}
	in := crypto.KeyTableSchema(k.table)
	in.DeletionProtectionEnabled = nil
	_, err := client.CreateTable(context.Background(), in)
	require.NoError(t, err)
	return k
}

// engines runs a test on the embedded engine, and on the endpoint that the environment names.
func engines(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newKit(t))
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		endpoint := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
		if endpoint == "" {
			t.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: .ci/run starts DynamoDB Local and sets it")
		}
		test(t, kitOn(t, dynamodb.New(dynamodb.Options{
			Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		})))
	})
}

// process is another process on the same table and master key.
func (k *kit) process(t testing.TB, o *crypto.Options) *crypto.Keys {
	t.Helper()
	keys, err := crypto.New(k.client, k.table, k.master, o)
	require.NoError(t, err)
	return keys
}

func (k *kit) sealer(t testing.TB, namespace string) *crypto.Sealer {
	t.Helper()
	return sealerOf(t, k.process(t, nil), namespace)
}

func sealerOf(t testing.TB, keys *crypto.Keys, namespace string) *crypto.Sealer {
	t.Helper()
	s, err := keys.Namespace(namespace)
	require.NoError(t, err)
	return s
}

func field(subject, name, plain string) insideout.SealedField {
	return insideout.SealedField{
		Origin:    insideout.Origin{Subject: subject, Model: "customer", ID: subject, Field: name, Class: "contact"},
		Plaintext: []byte(plain),
	}
}

func mustSeal(t require.TestingT, s insideout.Sealer, fields ...insideout.SealedField) []insideout.SealedField {
	require.NoError(t, s.Seal(context.Background(), fields))
	for i := range fields {
		fields[i].Plaintext = nil
	}
	return fields
}

// opened is the plain text of one field, or why there is none: Open's error and the mark of the field must agree.
func opened(t require.TestingT, s insideout.Opener, f insideout.SealedField) (string, error) {
	fields := []insideout.SealedField{f}
	fields[0].Plaintext, fields[0].Err = nil, nil
	err := s.Open(context.Background(), fields)
	if err == nil {
		err = fields[0].Err
	} else if fields[0].Err != nil {
		require.ErrorIs(t, err, fields[0].Err)
	}
	if err != nil {
		require.Nil(t, fields[0].Plaintext)
	}
	return string(fields[0].Plaintext), err
}

var errOutage = errors.New("the service does not answer")

// bubble runs a test in virtual time. The FIPS module takes entropy from the clock, which stands still there.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("virtual time and the FIPS 140 module do not go together")
	}
	synctest.Test(t, test)
}
