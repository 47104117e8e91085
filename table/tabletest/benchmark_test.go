package tabletest_test

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/tabletest"
)

func BenchmarkEmbedded(b *testing.B) {
	tabletest.Benchmark(b, func(b *testing.B) tabletest.Endpoint {
		db := embedded.New(nil)
		b.Cleanup(func() { db.Close() })
		return tabletest.Endpoint{DynamoDB: db, Streams: db}
	})
}

func BenchmarkEmbeddedOverHTTP(b *testing.B) {
	tabletest.Benchmark(b, func(b *testing.B) tabletest.Endpoint {
		db := embedded.New(nil)
		server := httptest.NewServer(db.Handler())
		b.Cleanup(func() {
			server.Close()
			db.Close()
		})
		return tabletest.Clients(server.URL)
	})
}

// BenchmarkEndpoint measures DynamoDB Local, or whatever else is there, beside
// the two above.
func BenchmarkEndpoint(b *testing.B) {
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		b.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: it is the URL of a DynamoDB endpoint, such as DynamoDB Local's")
	}
	tabletest.Benchmark(b, func(*testing.B) tabletest.Endpoint { return tabletest.Clients(url) })
}
