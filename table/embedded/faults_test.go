package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// faulty puts items until n calls have been made, and tells how each went.
func faulty(t *testing.T, n int, faults ...embedded.Fault) (outcomes []error, items int) {
	t.Helper()
	db := open(t, &embedded.Options{Intercept: embedded.Faults(faults...)})
	create(t, db, plain("rows"))
	for i := range n {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: new("rows"), Item: item{"pk": s(fmt.Sprint(i)), "sk": s("1")},
		})
		outcomes = append(outcomes, err)
	}
	return outcomes, count(t, db, "rows")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var throttled *types.ProvisionedThroughputExceededException
	for name, tt := range map[string]struct {
		faults []embedded.Fault
		check  func(t *testing.T, outcomes []error)
		items  int
	}{
		"throttles": {
			[]embedded.Fault{{Operation: "PutItem"}},
			func(t *testing.T, o []error) {
				require.ErrorAs(t, o[0], &throttled)
				require.NoError(t, errors.Join(o[1:]...))
			}, 4,
		},
		"fails the third and fourth call": {
			[]embedded.Fault{{Operation: "PutItem", After: 2, Calls: 2, Err: broken}},
			func(t *testing.T, o []error) { require.Equal(t, []error{nil, nil, broken, broken, nil}, o) }, 3,
		},
		"loses the answer after the write": {
			[]embedded.Fault{{Operation: "PutItem", Done: true, Calls: -1}},
			func(t *testing.T, o []error) {
				for _, err := range o {
					require.ErrorIs(t, err, embedded.ErrAnswerLost)
				}
			}, 5,
		},
		"meets only what matches": {
			[]embedded.Fault{{Err: broken, Match: func(input any) bool {
				in, ok := input.(*dynamodb.PutItemInput)
				return ok && in.Item["pk"].(*types.AttributeValueMemberS).Value == "4"
			}}},
			func(t *testing.T, o []error) { require.Equal(t, []error{nil, nil, nil, nil, broken}, o) }, 4,
		},
		"first of several": {
			[]embedded.Fault{{Operation: "PutItem", Err: broken}, {Operation: "PutItem", Calls: 2, Done: true}},
			func(t *testing.T, o []error) {
				require.Equal(t, []error{broken, embedded.ErrAnswerLost, nil, nil, nil}, o)
			}, 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcomes, items := faulty(t, 5, tt.faults...)
			tt.check(t, outcomes)
			require.Equal(t, tt.items, items)
		})
	}
}

func TestFaultsDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := embedded.New(&embedded.Options{Intercept: embedded.Faults(embedded.Fault{Operation: "ListTables", Calls: 2, Delay: time.Minute, Slow: true})})
		defer db.Close()
		start := time.Now()
		_, err := db.ListTables(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = db.ListTables(ctx, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}

// TestUnprocessed has batches of two tables come back in part. What was left
// was not done, and the rest was.
func TestUnprocessed(t *testing.T) {
	t.Parallel()
	left := 3
	db := open(t, &embedded.Options{Intercept: func(_ context.Context, operation string, _ any, next func() error) error {
		if left == 0 || operation == "CreateTable" || operation == "Scan" {
			return next()
		}
		return embedded.Unprocessed(left)
	}})
	create(t, db, plain("one"))
	create(t, db, plain("two"))
	keys := func(n int) []map[string]types.AttributeValue {
		var all []map[string]types.AttributeValue
		for i := range n {
			all = append(all, item{"pk": s(fmt.Sprint(i)), "sk": s("1")})
		}
		return all
	}
	var writes []types.WriteRequest
	for _, k := range keys(2) {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: k}})
	}
	batch := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"one": writes, "two": writes}}
	out, err := db.BatchWriteItem(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, map[string][]types.WriteRequest{"one": writes[1:], "two": writes}, out.UnprocessedItems)
	require.Equal(t, 1, count(t, db, "one"))
	require.Zero(t, count(t, db, "two"))

	left = 4
	var throttled *types.ProvisionedThroughputExceededException
	_, err = db.BatchWriteItem(t.Context(), batch)
	require.ErrorAs(t, err, &throttled)
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("one"), Item: keys(1)[0]})
	require.ErrorAs(t, err, &throttled)
	writes[1].PutRequest.Item = item{"pk": s("no sort key")}
	left = 3
	_, err = db.BatchWriteItem(t.Context(), batch)
	require.ErrorContains(t, err, "Missing the key sk in the item", "all of a batch is checked")
	writes[1].PutRequest.Item = keys(2)[1]

	left = 0
	out, err = db.BatchWriteItem(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, out.UnprocessedItems)
	left = 3
	ask := types.KeysAndAttributes{Keys: keys(2), ProjectionExpression: new("pk")}
	got, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{"one": ask, "two": ask},
	})
	require.NoError(t, err)
	require.Equal(t, map[string][]map[string]types.AttributeValue{"one": {{"pk": s("0")}}, "two": {}}, got.Responses)
	rest := ask
	rest.Keys = ask.Keys[1:]
	require.Equal(t, map[string]types.KeysAndAttributes{"one": rest, "two": ask}, got.UnprocessedKeys)
}

func TestUnprocessedFault(t *testing.T) {
	t.Parallel()
	db := open(t, &embedded.Options{Intercept: embedded.Faults(
		embedded.Fault{Operation: "BatchWriteItem", Unprocessed: 1, Calls: 2})})
	create(t, db, plain("rows"))
	todo := map[string][]types.WriteRequest{}
	for i := range 3 {
		todo["rows"] = append(todo["rows"], types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"pk": s(fmt.Sprint(i)), "sk": s("1")}}})
	}
	for want := range 3 { // 2 of 3, none of the 1 left, then that
		out, err := db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: todo})
		if want == 1 {
			var throttled *types.ProvisionedThroughputExceededException
			require.ErrorAs(t, err, &throttled)
			continue
		}
		require.NoError(t, err)
		todo = out.UnprocessedItems
		require.Len(t, todo["rows"], []int{1, 0, 0}[want])
	}
	require.Equal(t, 3, count(t, db, "rows"))
}
