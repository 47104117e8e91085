package tabletest_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/tabletest"
)

// TestSameAsEndpoint compares the engine with the endpoint on random requests, the
// same every time. INSIDEOUT_COMPARE_TIME has it go on for that long, and
// INSIDEOUT_COMPARE_SEED begin elsewhere (0 is the clock).
func TestSameAsEndpoint(t *testing.T) {
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: it is the URL of a DynamoDB endpoint, such as DynamoDB Local's")
	}
	opts := &tabletest.CompareOptions{Seed: 1, Rounds: 50, Duration: time.Hour, Known: knownOfDynamoDBLocal}
	var err error
	if seed := os.Getenv("INSIDEOUT_COMPARE_SEED"); seed != "" {
		opts.Seed, err = strconv.ParseUint(seed, 10, 64)
		require.NoError(t, err)
	}
	if long := os.Getenv("INSIDEOUT_COMPARE_TIME"); long != "" {
		opts.Rounds = 0
		opts.Duration, err = time.ParseDuration(long)
		require.NoError(t, err)
	}
	db := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	tabletest.Compare(t, tabletest.Endpoint{DynamoDB: db, Streams: db}, tabletest.Clients(url), opts)
}

// TestSameOverHTTP compares the two faces of the engine.
func TestSameOverHTTP(t *testing.T) {
	t.Parallel()
	one, other := embedded.New(nil), embedded.New(nil)
	url := served(t, other)
	t.Cleanup(func() { require.NoError(t, one.Close()) })
	tabletest.Compare(t, tabletest.Endpoint{DynamoDB: one, Streams: one}, tabletest.Clients(url), &tabletest.CompareOptions{Duration: time.Second})
}
