package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/stretchr/testify/require"
)

// TestEndpoint: followers that end and start again share the stream of a table at a real endpoint, by leases in that table.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: .ci/run starts DynamoDB Local and sets it")
	}
	secret := credentials.NewStaticCredentialsProvider("test", "test", "")
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: secret})
	streams := dynamodbstreams.New(dynamodbstreams.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: secret})
	name := fmt.Sprintf("things-%d-%d", os.Getpid(), time.Now().UnixNano())
	in, err := table.Schema(things, parts).CreateTableInput(name)
	require.NoError(t, err)
	_, err = client.CreateTable(t.Context(), in)
	require.NoError(t, err)
	db, err := table.Open(client, name, nil)
	require.NoError(t, err)

	out := &sink{}
	trigger := newTrigger(t, out, thingEvent)
	written := make(chan struct{})
	go writeThings(t, db, written)
	var followers sync.WaitGroup
	for n := range 2 {
		followers.Go(func() {
			for life := 200 * time.Millisecond; ; life += 300 * time.Millisecond {
				ctx, cancel := context.WithTimeout(t.Context(), life)
				err := cdc.Tail(ctx, streams, name, trigger, &cdc.TailOptions{
					Checkpoints: cdc.CheckpointsIn(db), Lease: time.Second, Worker: fmt.Sprint("f", n), Interval: 10 * time.Millisecond, Limit: 50,
				})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if isClosed(written) && life > 2*time.Second {
					return
				}
			}
		})
	}
	followers.Wait()
	requireComplete(t, out.all())
}
