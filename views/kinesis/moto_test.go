package kinesis_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/kinesis"
	"github.com/stretchr/testify/require"
)

// client talks to the server of the AWS APIs that INSIDEOUT_AWS_ENDPOINT names.
func client(t *testing.T) *sdk.Client {
	t.Helper()
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: give the URL of a server of the AWS APIs, such as moto")
	}
	return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
}

// TestOnServer: a stream that is split while it is read is applied whole and in order, and a second run goes on behind the
// first.
func TestOnServer(t *testing.T) {
	t.Parallel()
	c, name := client(t), fmt.Sprint("events-", time.Now().UnixNano())
	_, err := c.CreateStream(t.Context(), &sdk.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)})
	require.NoError(t, err)
	described, err := c.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: &name})
	require.NoError(t, err)
	put := func(from, to int) {
		for n := from; n < to; n++ {
			for k := range 5 {
				key := fmt.Sprint("k", k)
				_, err := c.PutRecord(t.Context(), &sdk.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: changed(key, n)})
				require.NoError(t, err)
			}
		}
	}
	db := newTable(t)
	var first, second seen
	opts := &kinesis.Options{Limit: 7, Discover: time.Second, Checkpoints: kinesis.CheckpointsIn(db)}
	put(0, 10)
	require.NoError(t, serveOn(t, c, *described.StreamDescriptionSummary.StreamARN, first.listener(t, db, nil), opts, func() bool { return first.count() == 50 }))
	shards, err := c.ListShards(t.Context(), &sdk.ListShardsInput{StreamName: &name})
	require.NoError(t, err)
	_, err = c.SplitShard(t.Context(), &sdk.SplitShardInput{StreamName: &name, ShardToSplit: shards.Shards[0].ShardId, NewStartingHashKey: aws.String("85070591730234615865843651857942052864")})
	require.NoError(t, err)
	put(10, 20)
	require.NoError(t, serveOn(t, c, *described.StreamDescriptionSummary.StreamARN, second.listener(t, db, nil), opts, func() bool { return second.count() >= 50 }))
	require.Equal(t, 50, second.count())
	for k := range 5 {
		key := fmt.Sprint("k", k)
		require.True(t, slices.IsSorted(append(first.values[key], second.values[key]...)))
		a, err := accounts.Get(t.Context(), db, key)
		require.NoError(t, err)
		require.Equal(t, 19, a.Value)
	}
}

func serveOn(t *testing.T, c kinesis.Client, stream string, l *views.Listener, opts *kinesis.Options, until func() bool) error {
	t.Helper()
	source, err := kinesis.New(c, stream, opts)
	require.NoError(t, err)
	return serve(t, source, l, until)
}
