package engine_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/engine"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

type item = map[string]types.AttributeValue

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

// flaky is a store in memory whose contents outlive Close, whose batches fail
// on demand, and whose disk is as slow as the test wants.
type flaky struct {
	kv.Store
	after atomic.Int64  // batches until Apply fails; negative: never
	disk  chan struct{} // nil: nothing to wait for; else every wait takes one token
}

var errDisk = errors.New("the disk is full")

func newFlaky() *flaky {
	f := &flaky{Store: kv.NewMemory()}
	f.after.Store(-1)
	return f
}

func (f *flaky) Apply(b *kv.Batch) (func() error, error) {
	if f.after.Load() == 0 {
		return nil, errDisk
	}
	f.after.Add(-1)
	if _, err := f.Store.Apply(b); err != nil || f.disk == nil {
		return nil, err
	}
	return func() error { <-f.disk; return nil }, nil
}

func (f *flaky) Durable() bool { return f.disk != nil }

func (f *flaky) Close() error { return nil }

func start(t *testing.T, f *flaky) *engine.Engine {
	t.Helper()
	e, err := engine.Open(f, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func create(t *testing.T, e *engine.Engine) {
	t.Helper()
	_, err := e.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: new("rows"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewImage},
	})
	require.NoError(t, err)
}

func put(t *testing.T, e *engine.Engine, pk string) error {
	t.Helper()
	_, err := e.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("rows"), Item: item{"pk": s(pk), "x": s(pk)}})
	return err
}

func get(t *testing.T, e *engine.Engine, pk string) item {
	t.Helper()
	out, err := e.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new("rows"), Key: item{"pk": s(pk)}})
	require.NoError(t, err)
	return out.Item
}

func sequences(t *testing.T, e *engine.Engine) []string {
	t.Helper()
	list, err := e.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	d, err := e.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	require.NoError(t, err)
	it, err := e.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: list.Streams[0].StreamArn, ShardId: d.StreamDescription.Shards[0].ShardId,
		ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	out, err := e.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
	require.NoError(t, err)
	var all []string
	for _, r := range out.Records {
		all = append(all, *r.Dynamodb.SequenceNumber)
	}
	return all
}

// TestFailedWrite shows that a batch which was not applied leaves no trace.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	e := start(t, f)
	create(t, e)
	require.NoError(t, put(t, e, "a"))
	f.after.Store(0)
	var failure *types.InternalServerError
	require.ErrorAs(t, put(t, e, "b"), &failure)
	require.ErrorContains(t, failure, errDisk.Error())
	f.after.Store(-1)
	require.Nil(t, get(t, e, "b"))
	require.NoError(t, put(t, e, "c"))
	require.Equal(t, []string{"100000000000000000001", "100000000000000000002"}, sequences(t, e))
	d, err := e.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new("rows")})
	require.NoError(t, err)
	require.EqualValues(t, 2, *d.Table.ItemCount)
}

// TestBackfillResumes breaks the back-fill of an index off at every batch, and
// opens the store again.
func TestBackfillResumes(t *testing.T) {
	t.Parallel()
	const rows = 2500 // three chunks
	for fail := range 6 {
		t.Run(fmt.Sprint("after ", fail), func(t *testing.T) {
			t.Parallel()
			f := newFlaky()
			e := start(t, f)
			create(t, e)
			for i := range rows {
				require.NoError(t, put(t, e, fmt.Sprint(i)))
			}
			f.after.Store(int64(fail))
			_, err := e.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
				TableName:            new("rows"),
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("x"), AttributeType: types.ScalarAttributeTypeS}},
				GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
					IndexName:  new("byX"),
					KeySchema:  []types.KeySchemaElement{{AttributeName: new("x"), KeyType: types.KeyTypeHash}},
					Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
				}}},
			})
			require.Equal(t, fail < 5, err != nil, "there are a description, three chunks and a description: %v", err)
			f.after.Store(-1)
			again := start(t, f)
			out, err := again.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("rows"), IndexName: new("byX")})
			if fail == 0 {
				require.ErrorContains(t, err, "does not have the specified index")
				return
			}
			require.NoError(t, err)
			require.Len(t, out.Items, rows)
		})
	}
}

// TestReadersWaitForTheDisk shows that nothing is answered that a power loss
// could take back.
func TestReadersWaitForTheDisk(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	e := start(t, f)
	create(t, e)
	f.disk = make(chan struct{})
	written := make(chan error, 1)
	go func() { written <- put(t, e, "a") }()
	f.await(t, "i", 1)
	read := make(chan item, 1)
	go func() { read <- get(t, e, "a") }()
	stream := make(chan []string, 1)
	go func() { stream <- sequences(t, e) }()
	select {
	case <-read:
		t.Fatal("an item was answered before it was durable")
	case <-stream:
		t.Fatal("a record was answered before it was durable")
	case <-written:
		t.Fatal("a write was answered before it was durable")
	case <-time.After(30 * time.Millisecond):
	}
	close(f.disk)
	require.NoError(t, <-written)
	require.NotNil(t, <-read)
	require.Len(t, <-stream, 1)
}

func TestDamagedDescriptions(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"damaged": "{", "version 2": `{"version":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlaky()
			var b kv.Batch
			b.Set([]byte("mtrows"), []byte(data))
			_, err := f.Apply(&b)
			require.NoError(t, err)
			_, err = engine.Open(f, nil)
			require.ErrorContains(t, err, name)
		})
	}
}

// TestTokenInProgress repeats a transaction while the first call waits for the
// disk.
func TestTokenInProgress(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	e := start(t, f)
	create(t, e)
	f.disk = make(chan struct{})
	transact := func() error {
		_, err := e.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: new("token"),
			TransactItems: []types.TransactWriteItem{{Update: &types.Update{
				TableName: new("rows"), Key: item{"pk": s("a")}, UpdateExpression: new("ADD n :one"),
				ExpressionAttributeValues: item{":one": &types.AttributeValueMemberN{Value: "1"}},
			}}},
		})
		return err
	}
	first := make(chan error, 1)
	go func() { first <- transact() }()
	f.await(t, "x", 1)
	var running *types.TransactionInProgressException
	require.ErrorAs(t, transact(), &running)
	close(f.disk)
	require.NoError(t, <-first)
	require.NoError(t, transact())
	require.Equal(t, &types.AttributeValueMemberN{Value: "1"}, get(t, e, "a")["n"])
}

// await waits until the store has a number of keys in a space.
func (f *flaky) await(t *testing.T, space string, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); f.keys(t, space) != want; {
		require.True(t, time.Now().Before(deadline), "the write does not appear")
		time.Sleep(time.Millisecond)
	}
}

func (f *flaky) keys(t *testing.T, space string) int {
	t.Helper()
	n := 0
	for _, err := range f.Iterate([]byte(space), kv.PrefixEnd([]byte(space)), false) {
		require.NoError(t, err)
		n++
	}
	return n
}

// TestDroppedTable shows that nothing of a table stays in the store, but its
// stream.
func TestDroppedTable(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	e := start(t, f)
	create(t, e)
	_, err := e.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName:            new("rows"),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("x"), AttributeType: types.ScalarAttributeTypeS}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName:  new("byX"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: new("x"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}},
	})
	require.NoError(t, err)
	_, err = e.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               new("rows"),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: new("ttl"), Enabled: new(true)},
	})
	require.NoError(t, err)
	_, err = e.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: new("rows"), Item: item{"pk": s("a"), "x": s("b"), "ttl": &types.AttributeValueMemberN{Value: "1"}},
	})
	require.NoError(t, err)
	for space, want := range map[string]int{"i": 1, "g": 1, "t": 1, "s": 1, "mt": 1} {
		require.Equal(t, want, f.keys(t, space), space)
	}
	_, err = e.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: new("rows")})
	require.NoError(t, err)
	for space, want := range map[string]int{"i": 0, "g": 0, "t": 0, "s": 1, "mt": 0} {
		require.Equal(t, want, f.keys(t, space), space)
	}
}
