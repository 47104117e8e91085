package table_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// endpoint is what tests run on.
type endpoint interface {
	table.Client
	table.Admin
}

const endpointVariable = "INSIDEOUT_DYNAMODB_ENDPOINT"

// everywhere runs a test on the embedded engine, and on a DynamoDB endpoint where one is named.
func everywhere(t *testing.T, test func(t *testing.T, e endpoint)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		e := embedded.New(nil)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		test(t, e)
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv(endpointVariable)
		if url == "" {
			t.Skipf("set %s to the URL of a DynamoDB endpoint to run this test on it", endpointVariable)
		}
		test(t, dynamodb.New(dynamodb.Options{
			BaseEndpoint: &url, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		}))
	})
}

// create makes a table of its own for a test, which ends with it.
func create(t *testing.T, e endpoint, models ...table.Definition) *table.DB {
	t.Helper()
	name := fmt.Sprintf("table-test-%s", uuid.NewString())
	require.NoError(t, table.Create(t.Context(), e, name, table.Schema(models...)))
	db, err := table.Open(e, name, &table.Options{Region: "eu-west-1", CursorKeys: [][]byte{make([]byte, 32)}})
	require.NoError(t, err)
	return db
}

// day is a time for tests: whole seconds, UTC.
func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
