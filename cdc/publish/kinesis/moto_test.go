package kinesis_test

import (
	"context"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/kinesis"
	"github.com/stretchr/testify/require"
)

// flaky is a client of a service that fails entries at random.
type flaky struct{ kinesis.Client }

func (f flaky) PutRecords(ctx context.Context, in *sdk.PutRecordsInput, opts ...func(*sdk.Options)) (*sdk.PutRecordsOutput, error) {
	pass, places := publishtest.Flaky(in.Records)
	out := &sdk.PutRecordsOutput{Records: make([]types.PutRecordsResultEntry, len(in.Records))}
	for i := range out.Records {
		out.Records[i].ErrorCode = new("ProvisionedThroughputExceededException")
	}
	if len(pass) > 0 {
		some, err := f.Client.PutRecords(ctx, &sdk.PutRecordsInput{StreamName: in.StreamName, StreamARN: in.StreamARN, Records: pass}, opts...)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			out.Records[place] = some.Records[i]
		}
	}
	return out, nil
}

func TestMoto(t *testing.T) {
	t.Parallel()
	cfg := publishtest.Endpoint(t)
	client := sdk.NewFromConfig(cfg)
	stream := publishtest.Name("s")
	_, err := client.CreateStream(t.Context(), &sdk.CreateStreamInput{StreamName: &stream, ShardCount: new(int32(3))})
	require.NoError(t, err)
	require.NoError(t, sdk.NewStreamExistsWaiter(client).Wait(t.Context(), &sdk.DescribeStreamInput{StreamName: &stream}, time.Minute))
	publishtest.Arrive(t, 1<<20, true, func(c cdc.ClaimChecks) cdc.Publisher {
		p, err := kinesis.New(flaky{client}, stream, &kinesis.Options{ClaimChecks: c, Attempts: 100})
		require.NoError(t, err)
		return p
	}, func(n int) [][]byte { return read(t, client, stream) })
}

// read reads the stream, shard by shard.
func read(t *testing.T, client *sdk.Client, stream string) (bodies [][]byte) {
	t.Helper()
	shards, err := client.ListShards(t.Context(), &sdk.ListShardsInput{StreamName: &stream})
	require.NoError(t, err)
	for _, shard := range shards.Shards {
		iterator, err := client.GetShardIterator(t.Context(), &sdk.GetShardIteratorInput{
			StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		require.NoError(t, err)
		for next := iterator.ShardIterator; next != nil; {
			out, err := client.GetRecords(t.Context(), &sdk.GetRecordsInput{ShardIterator: next})
			require.NoError(t, err)
			for _, r := range out.Records {
				bodies = append(bodies, r.Data)
			}
			if next = out.NextShardIterator; len(out.Records) == 0 {
				break
			}
		}
	}
	return bodies
}
