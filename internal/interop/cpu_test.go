package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/cpu"
	"github.com/insideout-go/insideout/table"
	"github.com/stretchr/testify/require"
)

// Of the comparison: a warm-up, and then the batches that are measured. Each event is 1 KB.
const (
	warmups   = 5
	batches   = 20
	batchSize = 100
)

// BenchmarkProcessorTime compares what a listener in JavaScript and one in Go take of the processor for the same events, with the
// same requests to the same DynamoDB endpoint, INSIDEOUT_DYNAMODB_ENDPOINT: an upsert under the inverse lock for each row. Both
// are warm; the start of their processes does not count. The events of a batch are about a row each, or four about the same, of
// which the library then keeps the last one too (its rule says compact).
func BenchmarkProcessorTime(b *testing.B) {
	endpoint := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		b.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set")
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		// One for each worker of a listener: the SDK's 10 would have the others dial again and again.
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 16 }),
	})
	for _, share := range []int{1, 4} {
		b.Run(fmt.Sprintf("%d events a row", share), func(b *testing.B) {
			s := newService(b, "AWS_ENDPOINT_URL_DYNAMODB="+endpoint, fmt.Sprint("COMPACT=", share > 1))
			var js, golang float64
			for b.Loop() {
				js += inJavaScript(b, s, client, share)
				golang += inGo(b, client, share)
			}
			n := float64(b.N)
			b.ReportMetric(js/n, "js-µs/event")
			b.ReportMetric(golang/n, "go-µs/event")
			b.ReportMetric(js/golang, "js/go")
		})
	}
}

// load is the batches for a listener.
func load(b *testing.B, share int) []events.SQSEvent {
	b.Helper()
	at := time.Now().Add(-time.Hour)
	list := make([]events.SQSEvent, warmups+batches)
	for i := range list {
		var batch []insideout.Event
		for n := range batchSize {
			e := insideout.Event{
				ID: fmt.Sprint("e", i, ".", n), Type: "thing-updated", PartitionKey: fmt.Sprint(i, ".", n/share),
				Timestamp: at.Add(time.Duration(i*batchSize+n) * time.Millisecond), Tags: insideout.Tags{"source": "other", "region": "us-east-1"},
			}
			require.NoError(b, e.SetBody("thing", thing{ID: e.PartitionKey, Name: strings.Repeat("x", 800), Count: n}))
			batch = append(batch, e)
		}
		list[i] = queueEvent(b, batch)
	}
	return list
}

// newTable makes a table on the endpoint, with a name of its own.
func newTable(b *testing.B, client *dynamodb.Client) (string, *table.DB) {
	b.Helper()
	name := fmt.Sprint("things-", time.Now().UnixNano())
	in, err := table.Schema(things).CreateTableInput(name)
	require.NoError(b, err)
	in.StreamSpecification = nil
	_, err = client.CreateTable(b.Context(), in)
	require.NoError(b, err)
	b.Cleanup(func() {
		_, _ = client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
	})
	db, err := table.Open(client, name, nil)
	require.NoError(b, err)
	return name, db
}

// inJavaScript returns the microseconds of the processor that an event takes.
func inJavaScript(b *testing.B, s *service, client *dynamodb.Client, share int) float64 {
	b.Helper()
	name, db := newTable(b, client)
	var calls []invocation
	for _, batch := range load(b, share) {
		raw, err := json.Marshal(batch)
		require.NoError(b, err)
		calls = append(calls, invocation{"queue", json.RawMessage(raw)})
	}
	var total int64
	for _, micros := range s.run([]string{"ENTITY_TABLE_NAME=" + name}, calls...)[warmups:] {
		total += micros
	}
	require.Empty(b, s.bus.taken(b))
	requireRows(b, db, share)
	return float64(total) / (batches * batchSize)
}

func inGo(b *testing.B, client *dynamodb.Client, share int) float64 {
	b.Helper()
	_, db := newTable(b, client)
	l := listener(b, db, nil)
	var before time.Duration
	for i, batch := range load(b, share) {
		if i == warmups {
			before = cpu.Used()
		}
		response, err := l.HandleSQS(b.Context(), batch)
		require.NoError(b, err)
		require.Empty(b, response.BatchItemFailures)
	}
	total := cpu.Used() - before
	require.EqualValues(b, (warmups+batches)*batchSize/share, l.Stats().Applied)
	return float64(total.Microseconds()) / (batches * batchSize)
}

// requireRows checks that the rows are there.
func requireRows(b *testing.B, db *table.DB, share int) {
	b.Helper()
	n := 0
	for _, err := range things.List().All(b.Context(), db) {
		require.NoError(b, err)
		n++
	}
	require.Equal(b, (warmups+batches)*batchSize/share, n)
}
