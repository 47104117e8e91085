package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

func TestProtocolFaults(t *testing.T) {
	t.Parallel()
	const (
		unknown  = `{"__type":"com.amazon.coral.service#UnknownOperationException"}`
		badJSON  = `{"__type":"com.amazon.coral.service#SerializationException"}`
		notFound = "<UnknownOperationException/>\n"
		missing  = `{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}`
	)
	tests := []struct {
		rule   string
		edit   func(r *http.Request)
		body   string
		status int
		want   string
	}{
		{"no target", func(r *http.Request) { r.Header.Del("X-Amz-Target") }, `{}`, 400, unknown},
		{"unknown operation", func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTable") }, `{}`, 400, unknown},
		{"no body, no content type, no target", func(r *http.Request) { r.Header = http.Header{} }, ``, 400, unknown},
		{"bad JSON comes before an unknown operation", func(r *http.Request) { r.Header.Del("X-Amz-Target") }, `{`, 400, badJSON},
		{"bad JSON", func(*http.Request) {}, `hi`, 400, badJSON},
		{"no JSON", func(*http.Request) {}, ``, 400, badJSON},
		{"text after the JSON", func(*http.Request) {}, `{} x`, 400, badJSON},
		{"wrong content type", func(r *http.Request) { r.Header.Set("Content-Type", "whatever") }, `{}`, 404, notFound},
		{"body without content type", func(r *http.Request) { r.Header.Del("Content-Type") }, `hi`, 404, notFound},
		{"PUT", func(r *http.Request) { r.Method = http.MethodPut }, `{}`, 404, notFound},
		{"DELETE", func(r *http.Request) { r.Method = http.MethodDelete }, `{}`, 404, notFound},
		{"another path", func(r *http.Request) { r.URL.Path = "/x" }, `{}`, 404, notFound},
		{"GET of another path", func(r *http.Request) { r.Method, r.URL.Path = http.MethodGet, "/x" }, ``, 404, notFound},
		{"no authorization", func(r *http.Request) { r.Header.Del("Authorization") }, `{}`, 400, missing},
		{"no AWS authorization", func(r *http.Request) { r.Header.Set("Authorization", "AWS4") }, `{}`, 400, missing},
		{"incomplete authorization", func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-")
			r.Header.Del("X-Amz-Date")
		}, `{}`, 400, `{"__type":"com.amazon.coral.service#IncompleteSignatureException","message":` +
			`"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. ` +
			`Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a ` +
			`'X-Amz-Date' or a 'Date' header. Authorization=AWS4-"}`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			r := request("PutItem", tt.body)
			tt.edit(r)
			w := serve(t, wire.New(&fake{}, nil), r)
			require.Equal(t, tt.want, w.Body.String())
			require.Equal(t, tt.status, w.Code)
		})
	}
}

func TestPresignedRequestNeedsNoHeader(t *testing.T) {
	t.Parallel()
	r := request("PutItem", `{}`)
	r.Header.Del("Authorization")
	r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { return &dynamodb.PutItemOutput{}, nil }}
	require.Equal(t, 200, serve(t, wire.New(f, nil), r).Code)
	r.Header.Set("Authorization", "AWS4-")
	require.Equal(t, 400, serve(t, wire.New(f, nil), r).Code)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := serve(t, wire.New(&fake{}, &wire.Options{Region: "eu-west-1"}), httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, 200, w.Code)
	require.Equal(t, "healthy: dynamodb.eu-west-1.amazonaws.com ", w.Body.String())
}

func TestContentTypeIsMirrored(t *testing.T) {
	t.Parallel()
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { return &dynamodb.PutItemOutput{}, nil }}
	for _, contentType := range []string{"application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json"} {
		r := request("PutItem", `{}`)
		r.Header.Set("Content-Type", contentType)
		w := serve(t, wire.New(f, nil), r)
		require.Equal(t, contentType, w.Header().Get("Content-Type"))
		require.Equal(t, `{}`, w.Body.String())
	}
}

type errorCase struct {
	rule   string
	err    error
	status int
	want   string
}

func errorCases() []errorCase {
	item := map[string]types.AttributeValue{"a": &types.AttributeValueMemberN{Value: "1"}}
	return []errorCase{
		{
			"validation stands in another namespace",
			&smithy.GenericAPIError{Code: "ValidationException", Message: "no \"x\""}, 400,
			`{"__type":"com.amazon.coral.validate#ValidationException","message":"no \"x\""}`,
		},
		{
			"a typed error",
			&types.ResourceNotFoundException{Message: new("Requested resource not found")}, 400,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}`,
		},
		{
			"the message is another member beside the item of a failed condition",
			&types.ConditionalCheckFailedException{Message: new("The conditional request failed"), Item: item}, 400,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"a":{"N":"1"}},"Message":"The conditional request failed"}`,
		},
		{
			"the reasons of a cancelled transaction",
			&types.TransactionCanceledException{
				Message: new("cancelled"),
				CancellationReasons: []types.CancellationReason{
					{Code: new("None")},
					{Code: new("ConditionalCheckFailed"), Message: new("The conditional request failed"), Item: item},
				},
			}, 400,
			`{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"None"},` +
				`{"Code":"ConditionalCheckFailed","Item":{"a":{"N":"1"}},"Message":"The conditional request failed"}],"Message":"cancelled"}`,
		},
		{
			"a server's fault",
			&types.InternalServerError{Message: new("oops")}, 500,
			`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"oops"}`,
		},
		{
			"an unknown error does not leak its text",
			errors.New("secret"), 500,
			`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Internal server error"}`,
		},
		{
			"a cancelled call",
			context.Canceled, 500,
			`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Internal server error"}`,
		},
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range errorCases() {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { return nil, tt.err }}
			status, body := call(t, f, "PutItem", `{}`)
			require.Equal(t, tt.want, body)
			require.Equal(t, tt.status, status)
		})
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { panic("oh no") }}
	h := wire.New(f, &wire.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := serve(t, h, request("PutItem", `{}`))
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "oh no")
	require.Contains(t, log.String(), "oh no")
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
		return nil, &types.ResourceNotFoundException{}
	}}
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	serve(t, wire.New(f, &wire.Options{Logger: logger}), request("PutItem", `{"Item":{"a":{"S":"private"}}}`))
	require.Contains(t, log.String(), "target=DynamoDB_20120810.PutItem status=400 error=ResourceNotFoundException")
	require.NotContains(t, log.String(), "private")
}

func TestLargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	h := wire.New(&fake{}, nil)
	announced := request("PutItem", "{}")
	announced.ContentLength = 1 << 40
	w := serve(t, h, announced)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	require.Equal(t, "close", w.Header().Get("Connection"))

	sent := request("PutItem", "")
	sent.Body, sent.ContentLength = io.NopCloser(endless{}), -1
	require.Equal(t, http.StatusRequestEntityTooLarge, serve(t, h, sent).Code)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestTruncatedBodyIsRefused(t *testing.T) {
	t.Parallel()
	r := request("PutItem", "")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(`{"A`), broken{})), 100
	require.Equal(t, 400, serve(t, wire.New(&fake{}, nil), r).Code)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
