package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

// fake answers from its functions; anything else panics, as a nil method does.
type fake struct {
	wire.API
	put      func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error)
	get      func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error)
	query    func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error)
	batch    func(*dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error)
	transact func(*dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error)
	create   func(*dynamodb.CreateTableInput) (*dynamodb.CreateTableOutput, error)
}

type options = func(*dynamodb.Options)

func (f *fake) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...options) (*dynamodb.PutItemOutput, error) {
	return f.put(in)
}

func (f *fake) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...options) (*dynamodb.GetItemOutput, error) {
	return f.get(in)
}

func (f *fake) Query(_ context.Context, in *dynamodb.QueryInput, _ ...options) (*dynamodb.QueryOutput, error) {
	return f.query(in)
}

func (f *fake) BatchWriteItem(_ context.Context, in *dynamodb.BatchWriteItemInput, _ ...options) (*dynamodb.BatchWriteItemOutput, error) {
	return f.batch(in)
}

func (f *fake) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...options) (*dynamodb.TransactWriteItemsOutput, error) {
	return f.transact(in)
}

func (f *fake) CreateTable(_ context.Context, in *dynamodb.CreateTableInput, _ ...options) (*dynamodb.CreateTableOutput, error) {
	return f.create(in)
}

const signature = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"

// request is a signed request with the usual headers.
func request(op, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	r.Header.Set("Authorization", signature)
	return r
}

// serve answers a request and checks what every answer has to carry.
func serve(t testing.TB, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body := w.Body.Bytes()
	require.Regexp(t, `^[0-9A-Z]{52}$`, w.Header().Get("X-Amzn-Requestid"))
	require.Equal(t, strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10), w.Header().Get("X-Amz-Crc32"))
	require.Equal(t, strconv.Itoa(len(body)), w.Header().Get("Content-Length"))
	return w
}

// call runs an operation and returns the status and the body.
func call(t testing.TB, f *fake, op, body string) (int, string) {
	t.Helper()
	w := serve(t, wire.New(f, nil), request(op, body))
	if w.Body.Len() > 0 {
		require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
	}
	return w.Code, string(bytes.TrimSpace(w.Body.Bytes()))
}
