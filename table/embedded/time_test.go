package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

func setTTL(t testing.TB, db *embedded.DB, table, name string, on bool) error {
	t.Helper()
	_, err := db.UpdateTimeToLive(context.Background(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &name, Enabled: &on},
	})
	return err
}

func count(t testing.TB, db *embedded.DB, table string) int {
	t.Helper()
	out, err := db.Scan(context.Background(), &dynamodb.ScanInput{TableName: &table, Select: types.SelectCount})
	require.NoError(t, err)
	require.Nil(t, out.Items)
	return int(out.Count)
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, &embedded.Options{TTLInterval: time.Second})
		create(t, db, rows("rows"))
		start := time.Now().Unix()
		add := func(sk string, ttl types.AttributeValue) {
			put(t, db, "rows", item{"pk": s("a"), "sk": s(sk), "ttl": ttl})
		}
		add("before", n(start+10))
		require.NoError(t, setTTL(t, db, "rows", "ttl", true))
		add("after", n(start+10))
		add("fraction", n(fmt.Sprintf("%d.9", start+10)))
		add("later", n(start+100))
		add("moved", n(start+10))
		add("moved", n(start+100))
		add("text", s(fmt.Sprint(start+10)))
		add("ancient", n(start-6*365*24*3600))
		add("millisecond mistake", n((start+10)*1000))

		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, 8, count(t, db, "rows"), "an item lives for the whole of its last second")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 5, count(t, db, "rows"))

		var expired []string
		for _, r := range records(t, db, "rows") {
			if r.EventName == streams.OperationTypeRemove {
				require.Equal(t, &streams.Identity{Type: new("Service"), PrincipalId: new("dynamodb.amazonaws.com")}, r.UserIdentity)
				require.NotNil(t, r.Dynamodb.OldImage)
				expired = append(expired, r.Dynamodb.Keys["sk"].(*streams.AttributeValueMemberS).Value)
			} else {
				require.Nil(t, r.UserIdentity)
			}
		}
		require.ElementsMatch(t, []string{"before", "after", "fraction"}, expired)

		require.NoError(t, setTTL(t, db, "rows", "ttl", false))
		time.Sleep(200 * time.Second)
		synctest.Wait()
		require.Equal(t, 5, count(t, db, "rows"))
		require.NoError(t, db.Close())
	})
}

// TestTTLOfIndexedRows: what expires leaves every index, also one whose key is the time itself.
func TestTTLOfIndexedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, &embedded.Options{TTLInterval: time.Second})
		create(t, db, indexed("rows"))
		require.NoError(t, setTTL(t, db, "rows", "l", true))
		soon := n(time.Now().Unix() + 1)
		put(t, db, "rows", item{"pk": s("a"), "sk": s("stays"), "g": s("g"), "l": n(time.Now().Unix() + 1000)})
		put(t, db, "rows", item{"pk": s("a"), "sk": s("goes"), "g": s("g"), "l": soon})
		put(t, db, "rows", item{"pk": s("b"), "sk": s("goes"), "g": s("g"), "l": soon})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, index := range []string{"byG", "byGL", "byL"} {
			out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("rows"), IndexName: &index})
			require.NoError(t, err)
			require.Len(t, out.Items, 1, index)
			require.Equal(t, s("stays"), out.Items[0]["sk"], index)
		}
		require.Equal(t, 1, count(t, db, "rows"))
		require.NoError(t, db.Close())
	})
}

func TestTTLSettings(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, rows("rows"))
	describe := func() *types.TimeToLiveDescription {
		out, err := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: new("rows")})
		require.NoError(t, err)
		return out.TimeToLiveDescription
	}
	require.Equal(t, &types.TimeToLiveDescription{TimeToLiveStatus: types.TimeToLiveStatusDisabled}, describe())
	require.ErrorContains(t, setTTL(t, db, "rows", "ttl", false), "TimeToLive is already disabled")
	require.NoError(t, setTTL(t, db, "rows", "ttl", true))
	require.Equal(t, "ttl", *describe().AttributeName)
	require.ErrorContains(t, setTTL(t, db, "rows", "ttl", true), "TimeToLive is already enabled")
	require.ErrorContains(t, setTTL(t, db, "rows", "other", true), "TimeToLive is active on a different AttributeName")
	require.ErrorContains(t, setTTL(t, db, "rows", "other", false), "TimeToLive is active on a different AttributeName")
	require.ErrorContains(t, setTTL(t, db, "none", "ttl", true), "Requested resource not found")
}

// reader follows one shard.
type reader struct {
	db   *embedded.DB
	arn  *string
	next *string
}

func firstStream(t testing.TB, db *embedded.DB) *streams.StreamDescription {
	t.Helper()
	list, err := db.ListStreams(context.Background(), &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	require.NotEmpty(t, list.Streams)
	d, err := db.DescribeStream(context.Background(), &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	require.NoError(t, err)
	return d.StreamDescription
}

func (r *reader) start(t testing.TB, kind streams.ShardIteratorType, seq *string) error {
	t.Helper()
	d := firstStream(t, r.db)
	r.arn = d.StreamArn
	out, err := r.db.GetShardIterator(context.Background(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: d.StreamArn, ShardId: d.Shards[0].ShardId, ShardIteratorType: kind, SequenceNumber: seq,
	})
	if err == nil {
		r.next = out.ShardIterator
	}
	return err
}

func (r *reader) read(t testing.TB, limit int32) []streams.Record {
	t.Helper()
	out, err := r.db.GetRecords(context.Background(), &dynamodbstreams.GetRecordsInput{ShardIterator: r.next, Limit: &limit})
	require.NoError(t, err)
	require.NotNil(t, out.Records)
	r.next = out.NextShardIterator
	return out.Records
}

func TestStreamRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, &embedded.Options{ShardAge: -1})
		create(t, db, rows("rows"))
		put(t, db, "rows", item{"pk": s("a"), "sk": s("1")})
		time.Sleep(time.Hour)
		put(t, db, "rows", item{"pk": s("a"), "sk": s("2")})
		r := &reader{db: db}
		require.NoError(t, r.start(t, streams.ShardIteratorTypeTrimHorizon, nil))
		first := r.read(t, 1)[0]
		require.Equal(t, 0, first.Dynamodb.ApproximateCreationDateTime.Nanosecond())

		time.Sleep(16 * time.Minute)
		_, err := db.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: r.next})
		var expired *streams.ExpiredIteratorException
		require.ErrorAs(t, err, &expired)

		time.Sleep(23 * time.Hour)
		var gone *streams.TrimmedDataAccessException
		require.ErrorAs(t, r.start(t, streams.ShardIteratorTypeAtSequenceNumber, first.Dynamodb.SequenceNumber), &gone)
		require.NoError(t, r.start(t, streams.ShardIteratorTypeAfterSequenceNumber, first.Dynamodb.SequenceNumber))
		require.Len(t, r.read(t, 10), 1)
		require.NoError(t, r.start(t, streams.ShardIteratorTypeTrimHorizon, nil))
		require.Len(t, r.read(t, 10), 1)

		require.NoError(t, disableStream(db))
		require.Empty(t, r.read(t, 10))
		require.Nil(t, r.next, "a closed shard ends")
		require.Equal(t, streams.StreamStatusDisabled, firstStream(t, db).StreamStatus)
		time.Sleep(25 * time.Hour)
		list, err := db.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
		require.NoError(t, err)
		require.Empty(t, list.Streams)
		require.NoError(t, db.Close())
	})
}

func disableStream(db *embedded.DB) error {
	_, err := db.UpdateTable(context.Background(), &dynamodb.UpdateTableInput{
		TableName: new("rows"), StreamSpecification: &types.StreamSpecification{StreamEnabled: new(false)},
	})
	return err
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, nil)
		create(t, db, rows("rows"))
		add := func(token string, by int) error {
			_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				ClientRequestToken: &token,
				TransactItems: []types.TransactWriteItem{{Update: &types.Update{
					TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("1")},
					UpdateExpression: new("ADD n :by"), ExpressionAttributeValues: item{":by": n(by)},
				}}},
			})
			return err
		}
		value := func() string {
			out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("1")}})
			require.NoError(t, err)
			return out.Item["n"].(*types.AttributeValueMemberN).Value
		}
		require.NoError(t, add("one", 1))
		require.NoError(t, add("one", 1))
		require.Equal(t, "1", value())
		var mismatch *types.IdempotentParameterMismatchException
		require.ErrorAs(t, add("one", 2), &mismatch)
		time.Sleep(10*time.Minute - time.Second)
		require.NoError(t, add("one", 1))
		require.Equal(t, "1", value())
		time.Sleep(2 * time.Second)
		require.NoError(t, add("one", 1))
		require.Equal(t, "2", value())

		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				err := add("two", 1)
				if _, running := errors.AsType[*types.TransactionInProgressException](err); err != nil && !running {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, "3", value())
		require.NoError(t, db.Close())
	})
}
