package tabletest_test

import (
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/tabletest"
)

// patience is short: the embedded engine does everything at once.
const patience = 5 * time.Second

// localPatience is longer: DynamoDB Local makes indexes one after the other, and one of them never (see dynamoDBLocal).
const localPatience = 30 * time.Second

func TestEmbedded(t *testing.T) {
	t.Parallel()
	tabletest.Run(t, func(t *testing.T) tabletest.Endpoint {
		db := embedded.New(nil)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return tabletest.Endpoint{DynamoDB: db, Streams: db, Patience: patience}
	})
}

func TestEmbeddedOverHTTP(t *testing.T) {
	t.Parallel()
	tabletest.Run(t, func(t *testing.T) tabletest.Endpoint {
		endpoint := tabletest.Clients(served(t, embedded.New(nil)))
		endpoint.Patience = patience
		return endpoint
	})
}

// served opens a server for a database, and closes both in the end.
func served(t *testing.T, db *embedded.DB) (url string) {
	t.Helper()
	server := httptest.NewServer(db.Handler())
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, db.Close())
	})
	return server.URL
}

// TestEndpoint runs the suite against DynamoDB Local, or whatever else is
// there.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: it is the URL of a DynamoDB endpoint, such as DynamoDB Local's")
	}
	tabletest.Run(t, func(t *testing.T) tabletest.Endpoint {
		endpoint := tabletest.Clients(url)
		if isDynamoDBLocal(t, url) {
			endpoint.Differs, endpoint.Patience = dynamoDBLocal(), localPatience
		}
		return endpoint
	})
}

func TestCasesHaveUniqueNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range tabletest.Cases() {
		require.False(t, seen[name], name)
		seen[name] = true
	}
	require.Greater(t, len(seen), 300)
	for name := range dynamoDBLocal() {
		require.True(t, seen[name], "no case %s", name)
	}
}
