package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
)

func TestIntercept(t *testing.T) {
	t.Parallel()
	var mode atomic.Value
	mode.Store("fine")
	lost := errors.New("the connection is lost")
	db := open(t, &embedded.Options{Intercept: func(_ context.Context, operation string, input any, next func() error) error {
		in, ok := input.(*dynamodb.PutItemInput)
		if operation != "PutItem" || !ok || *in.TableName != "rows" {
			return next()
		}
		switch mode.Load() {
		case "throttle":
			return &types.ProvisionedThroughputExceededException{Message: new("slow down")}
		case "lose the answer":
			return errors.Join(next(), lost)
		case "forget":
			return nil
		}
		return next()
	}})
	create(t, db, plain("rows"))
	write := func(m string) error {
		mode.Store(m)
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("rows"), Item: item{"pk": s(m), "sk": s("1")}})
		return err
	}
	require.NoError(t, write("fine"))
	var throttled *types.ProvisionedThroughputExceededException
	require.ErrorAs(t, write("throttle"), &throttled)
	require.ErrorIs(t, write("lose the answer"), lost)
	require.ErrorContains(t, write("forget"), "neither")
	require.Equal(t, 2, count(t, db, "rows"))
}

// TestReshard follows a stream from parents to children.
func TestReshard(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, db *embedded.DB) {
		create(t, db, rows("rows"))
		write := func(round int) {
			for i := range 40 {
				put(t, db, "rows", item{"pk": s(fmt.Sprint(i)), "sk": s("1"), "n": n(round)})
			}
		}
		write(1)
		require.NoError(t, db.Reshard(t.Context(), "rows", 2))
		write(2)
		require.NoError(t, db.Reshard(t.Context(), "rows", 1))
		write(3)
		d := firstStream(t, db)
		require.Len(t, d.Shards, 5)
		open := 0
		last, ends := map[string]string{}, map[string]string{}
		for _, sh := range d.Shards { // parents stand before their children
			for _, r := range drain(t, db, d.StreamArn, sh.ShardId) {
				pk := r.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value
				require.Less(t, last[pk], *r.Dynamodb.SequenceNumber)
				last[pk] = *r.Dynamodb.SequenceNumber
			}
			if end := sh.SequenceNumberRange.EndingSequenceNumber; end == nil {
				open++
			} else {
				ends[*sh.ShardId] = *end
			}
			if sh.ParentShardId != nil {
				require.Contains(t, ends, *sh.ParentShardId)
				require.Greater(t, *sh.SequenceNumberRange.StartingSequenceNumber, ends[*sh.ParentShardId])
			}
		}
		require.Equal(t, 2, open)
		require.Len(t, last, 40)
		require.Len(t, records(t, db, "rows"), 120)
		require.ErrorContains(t, db.Reshard(t.Context(), "rows", 0), "children")
		require.ErrorContains(t, db.Reshard(t.Context(), "none", 1), "not found")
	})
}

// drain reads a shard until it ends or has nothing more.
func drain(t *testing.T, db *embedded.DB, arn, shard *string) []streams.Record {
	t.Helper()
	it, err := db.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: arn, ShardId: shard, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	var all []streams.Record
	for next := it.ShardIterator; next != nil; {
		out, err := db.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: next, Limit: new(int32(7))})
		require.NoError(t, err)
		all = append(all, out.Records...)
		if next = out.NextShardIterator; len(out.Records) == 0 {
			break
		}
	}
	return all
}
