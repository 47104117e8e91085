package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// benchmark measures the handler without a socket and without a backend.
func benchmark(b *testing.B, f *fake, op, body string) {
	h := wire.New(f, nil)
	r := request(op, "")
	reader := bytes.NewReader([]byte(body))
	r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
	w := &discard{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset([]byte(body))
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func item(i int) map[string]types.AttributeValue {
	it := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: fmt.Sprint("customer-", i)}}
	for j := range 10 {
		it[fmt.Sprint("field", j)] = &types.AttributeValueMemberS{Value: strings.Repeat("v", 90)}
	}
	return it
}

func BenchmarkPutItem1KB(b *testing.B) {
	var fields strings.Builder
	for j := range 10 {
		fmt.Fprintf(&fields, `,"field%d":{"S":"%s"}`, j, strings.Repeat("v", 90))
	}
	body := `{"TableName":"T","Item":{"pk":{"S":"customer-1"}` + fields.String() + `}}`
	f := &fake{put: func(*dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) { return &dynamodb.PutItemOutput{}, nil }}
	benchmark(b, f, "PutItem", body)
}

func BenchmarkQueryOf20(b *testing.B) {
	items := make([]map[string]types.AttributeValue, 20)
	for i := range items {
		items[i] = item(i)
	}
	f := &fake{query: func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
		return &dynamodb.QueryOutput{Items: items, Count: 20, ScannedCount: 20}, nil
	}}
	benchmark(b, f, "Query", `{"TableName":"T","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"a"}}}`)
}
