package embedded_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/insideout-go/insideout/table/embedded"
)

type sink struct {
	h http.Header
	n int
}

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// BenchmarkHandler measures requests without a network.
func BenchmarkHandler(b *testing.B) {
	db := embedded.New(nil)
	defer db.Close()
	create(b, db, plain("plain"))
	for i := range 20 {
		put(b, db, "plain", kilobyte("a", fmt.Sprintf("%02d", i)))
	}
	handler := db.Handler()
	for target, body := range map[string]string{
		"Query":   `{"TableName":"plain","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"a"}}}`,
		"GetItem": `{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"01"}}}`,
	} {
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			out := &sink{h: http.Header{}}
			for b.Loop() {
				r, _ := http.NewRequest(http.MethodPost, "/", strings.NewReader(body))
				r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+target)
				r.Header.Set("Content-Type", "application/x-amz-json-1.0")
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
				r.Header.Set("X-Amz-Date", "20260101T000000Z")
				handler.ServeHTTP(out, r)
			}
			b.SetBytes(int64(out.n / b.N))
		})
	}
}
