package kinesis_test

import (
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cmd/insideout/internal/kinesis"
)

// TestPublisher needs a server of the API: moto, or another that AWS_ENDPOINT_URL may name.
func TestPublisher(t *testing.T) {
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: .ci/run starts moto and sets it")
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	client, name := service.NewFromConfig(cfg), "replay-"+uuid.NewString()
	_, err = client.CreateStream(t.Context(), &service.CreateStreamInput{StreamName: &name, ShardCount: new(int32(1))})
	require.NoError(t, err)
	p, err := kinesis.Publisher(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{{ID: "e1", Type: "x-happened", Timestamp: time.UnixMilli(1), PartitionKey: "p"}}))
	shards, err := client.ListShards(t.Context(), &service.ListShardsInput{StreamName: &name})
	require.NoError(t, err)
	at, err := client.GetShardIterator(t.Context(), &service.GetShardIteratorInput{
		StreamName: &name, ShardId: shards.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	got, err := client.GetRecords(t.Context(), &service.GetRecordsInput{ShardIterator: at.ShardIterator})
	require.NoError(t, err)
	require.Len(t, got.Records, 1)
	require.JSONEq(t, `{"id":"e1","type":"x-happened","timestamp":1,"partitionKey":"p"}`, string(got.Records[0].Data))
}
