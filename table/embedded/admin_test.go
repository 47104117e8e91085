package embedded_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

func createIndex(db *embedded.DB, table, name, attribute string, kind types.ScalarAttributeType) (*dynamodb.UpdateTableOutput, error) {
	return db.UpdateTable(context.Background(), &dynamodb.UpdateTableInput{
		TableName:            &table,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &attribute, AttributeType: kind}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName:  &name,
			KeySchema:  []types.KeySchemaElement{{AttributeName: &attribute, KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}},
	})
}

func indexCount(t testing.TB, db *embedded.DB, table, index string) int {
	t.Helper()
	out, err := db.Scan(context.Background(), &dynamodb.ScanInput{TableName: &table, IndexName: &index})
	require.NoError(t, err)
	require.Nil(t, out.LastEvaluatedKey)
	return len(out.Items)
}

func describe(t testing.TB, db *embedded.DB, table string) *types.TableDescription {
	t.Helper()
	out, err := db.DescribeTable(context.Background(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	return out.Table
}

// TestCreateIndexUnderLoad creates and deletes an index while items are written.
func TestCreateIndexUnderLoad(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, db *embedded.DB) {
		create(t, db, plain("rows"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					it := item{"pk": s(fmt.Sprint(w, "-", i%50)), "sk": s("1"), "x": n(i)}
					if i%3 == 0 {
						it["x"] = s("a string is not in the index")
					}
					// Once the index is there, DynamoDB refuses what cannot be in it.
					_, err := db.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: new("rows"), Item: it})
					if err != nil && i%3 != 0 {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range 3 {
			out, err := createIndex(db, "rows", fmt.Sprint("index", i), "x", types.ScalarAttributeTypeN)
			require.NoError(t, err)
			require.Equal(t, types.IndexStatusCreating, out.TableDescription.GlobalSecondaryIndexes[i].IndexStatus)
			require.Equal(t, types.IndexStatusActive, describe(t, db, "rows").GlobalSecondaryIndexes[i].IndexStatus)
		}
		close(stop)
		wg.Wait()
		want := 0
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("rows")})
		require.NoError(t, err)
		for _, it := range out.Items {
			if _, ok := it["x"].(*types.AttributeValueMemberN); ok {
				want++
			}
		}
		for i := range 3 {
			require.Equal(t, want, indexCount(t, db, "rows", fmt.Sprint("index", i)))
		}
	})
}

func TestDeleteIndexAndTable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reopen := func(db *embedded.DB) *embedded.DB {
		if db != nil {
			require.NoError(t, db.Close())
		}
		db, err := disk.Open(dir, nil)
		require.NoError(t, err)
		return db
	}
	db := reopen(nil)
	create(t, db, plain("rows"))
	put(t, db, "rows", item{"pk": s("a"), "sk": s("1"), "x": s("v")})
	_, err := createIndex(db, "rows", "byX", "x", types.ScalarAttributeTypeS)
	require.NoError(t, err)
	require.NoError(t, setTTL(t, db, "rows", "ttl", true))
	db = reopen(db)
	require.Equal(t, 1, indexCount(t, db, "rows", "byX"))
	require.EqualValues(t, 1, *describe(t, db, "rows").ItemCount)
	require.EqualValues(t, 1, *describe(t, db, "rows").GlobalSecondaryIndexes[0].ItemCount)

	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: new("rows"),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{
			{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: new("byX")}},
		},
	})
	require.NoError(t, err)
	require.Len(t, describe(t, db, "rows").AttributeDefinitions, 2, "definitions that no key uses are pruned")
	db = reopen(db)
	_, err = db.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("rows"), IndexName: new("byX")})
	require.ErrorContains(t, err, "The table does not have the specified index: byX")

	_, err = db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: new("rows")})
	require.NoError(t, err)
	create(t, db, plain("rows"))
	require.Zero(t, count(t, db, "rows"))
	db = reopen(db)
	require.Zero(t, count(t, db, "rows"))
	require.NoError(t, db.Close())
}

// TestStreamLives turns a stream off and on, and reads both over a restart.
func TestStreamLives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	create(t, db, rows("rows"))
	first := *describe(t, db, "rows").LatestStreamArn
	put(t, db, "rows", item{"pk": s("a"), "sk": s("1")})
	require.NoError(t, disableStream(db))
	require.ErrorContains(t, disableStream(db), "no stream")
	put(t, db, "rows", item{"pk": s("a"), "sk": s("unseen")})
	enable := &dynamodb.UpdateTableInput{TableName: new("rows"), StreamSpecification: &types.StreamSpecification{
		StreamEnabled: new(true), StreamViewType: types.StreamViewTypeKeysOnly,
	}}
	_, err = db.UpdateTable(t.Context(), enable)
	require.NoError(t, err)
	_, err = db.UpdateTable(t.Context(), enable)
	require.ErrorContains(t, err, "already has an enabled stream")
	put(t, db, "rows", item{"pk": s("a"), "sk": s("2")})
	second := *describe(t, db, "rows").LatestStreamArn
	require.NotEqual(t, first, second)
	require.NoError(t, db.Close())

	db, err = disk.Open(dir, nil)
	require.NoError(t, err)
	put(t, db, "rows", item{"pk": s("a"), "sk": s("3")})
	var got []string
	for _, r := range records(t, db, "rows") {
		got = append(got, r.Dynamodb.Keys["sk"].(*streams.AttributeValueMemberS).Value+" "+string(r.Dynamodb.StreamViewType))
	}
	require.Equal(t, []string{"1 NEW_AND_OLD_IMAGES", "2 KEYS_ONLY", "3 KEYS_ONLY"}, got)
	d, err := db.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &first})
	require.NoError(t, err)
	require.NotNil(t, d.StreamDescription.Shards[0].SequenceNumberRange.EndingSequenceNumber)
	require.NoError(t, db.Close())
}

// TestShards writes to four shards and reads each in order.
func TestShards(t *testing.T) {
	t.Parallel()
	db := open(t, &embedded.Options{Shards: 4})
	create(t, db, rows("rows"))
	for i := range 200 {
		put(t, db, "rows", item{"pk": s(fmt.Sprint(i % 40)), "sk": s("1"), "n": n(i)})
	}
	d := firstStream(t, db)
	require.Len(t, d.Shards, 4)
	shardOf := map[string]string{}
	total := 0
	for _, sh := range d.Shards {
		it, err := db.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: d.StreamArn, ShardId: sh.ShardId, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
		})
		require.NoError(t, err)
		out, err := db.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
		require.NoError(t, err)
		require.NotEmpty(t, out.Records)
		last := ""
		for _, r := range out.Records {
			require.Less(t, last, *r.Dynamodb.SequenceNumber)
			last = *r.Dynamodb.SequenceNumber
			pk := r.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value
			require.Contains(t, []string{"", *sh.ShardId}, shardOf[pk], "a partition is in one shard")
			shardOf[pk] = *sh.ShardId
		}
		total += len(out.Records)
	}
	require.Equal(t, 200, total)
}

// TestLatest starts at the end of a stream while others write: what is written
// after the iterator was given is seen, and nothing from before.
func TestLatest(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, db *embedded.DB) {
		create(t, db, rows("rows"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					_, err := db.PutItem(context.Background(), &dynamodb.PutItemInput{
						TableName: new("rows"), Item: item{"pk": s(fmt.Sprint("noise", w)), "sk": s("1"), "n": n(i)},
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range 20 {
			r := &reader{db: db}
			require.NoError(t, r.start(t, streams.ShardIteratorTypeLatest, nil))
			put(t, db, "rows", item{"pk": s("marked"), "sk": s("1"), "n": n(i)})
			var found []string
			for len(found) == 0 {
				for _, rec := range r.read(t, 1000) {
					if rec.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value == "marked" {
						found = append(found, rec.Dynamodb.NewImage["n"].(*streams.AttributeValueMemberN).Value)
					}
				}
			}
			require.Equal(t, []string{fmt.Sprint(i)}, found)
		}
		close(stop)
		wg.Wait()
	})
}

// TestPageSize fills a partition with more than 1 MB.
func TestPageSize(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, plain("rows"))
	const size, items = 100_000, 25
	for i := range items {
		put(t, db, "rows", item{"pk": s("a"), "sk": s(fmt.Sprintf("%02d", i)), "v": &types.AttributeValueMemberB{Value: make([]byte, size)}})
	}
	in := &dynamodb.QueryInput{
		TableName: new("rows"), KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: item{":p": s("a")},
		ProjectionExpression: new("sk"), FilterExpression: new("attribute_exists(v)"),
	}
	var pages []int32
	for {
		out, err := db.Query(t.Context(), in)
		require.NoError(t, err)
		pages = append(pages, out.ScannedCount)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	require.Equal(t, []int32{11, 11, 3}, pages, "a page ends with the item that reaches 1 MB, before the projection")
}

func TestContextAndClose(t *testing.T) {
	t.Parallel()
	db := embedded.New(nil)
	create(t, db, plain("rows"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: new("rows"), Item: item{"pk": s("a"), "sk": s("1")}})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, count(t, db, "rows"))

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("rows"), Item: item{"pk": s("a"), "sk": s("1")}})
				if err != nil {
					assert.ErrorIs(t, err, embedded.ErrClosed)
					return
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() { assert.NoError(t, db.Close()) })
	}
	wg.Wait()
	_, err = db.ListStreams(t.Context(), nil)
	require.ErrorIs(t, err, embedded.ErrClosed)
}

func TestUnknownOperations(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	_, err := db.ListGlobalTables(t.Context(), nil)
	require.ErrorContains(t, err, "UnknownOperationException")
	_, err = db.CreateTable(t.Context(), nil)
	require.ErrorContains(t, err, "ValidationException")
}

func TestItemCollections(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, indexed("rows"))
	var requests []types.WriteRequest
	for _, pk := range []string{"a", "a", "b"} {
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{
			Item: item{"pk": s(pk), "sk": s(fmt.Sprint(len(requests)))},
		}})
	}
	out, err := db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
		RequestItems:                map[string][]types.WriteRequest{"rows": requests},
		ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize,
	})
	require.NoError(t, err)
	metrics := func(pk string) types.ItemCollectionMetrics {
		return types.ItemCollectionMetrics{ItemCollectionKey: item{"pk": s(pk)}, SizeEstimateRangeGB: []float64{0, 1}}
	}
	require.Equal(t, map[string][]types.ItemCollectionMetrics{"rows": {metrics("a"), metrics("b")}}, out.ItemCollectionMetrics)
	one, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: new("rows"), Key: item{"pk": s("none"), "sk": s("1")},
		ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize,
	})
	require.NoError(t, err)
	require.Equal(t, new(metrics("none")), one.ItemCollectionMetrics)
}
