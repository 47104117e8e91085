package embedded_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/guregu/dynamo/v2/dynamodbiface"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
)

var _ dynamodbiface.DynamoDBAPI = (*embedded.DB)(nil)

type item = map[string]types.AttributeValue

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func n(v any) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(v)} }

// open returns a database in memory that ends with the test.
func open(t testing.TB, opts *embedded.Options) *embedded.DB {
	t.Helper()
	db := embedded.New(opts)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// rows describes a table with keys pk and sk, a stream, and an index by g.
func rows(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: new("sk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: new("g"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: new("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: new("sk"), KeyType: types.KeyTypeRange},
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  new("byG"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: new("g"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

func create(t testing.TB, db *embedded.DB, in *dynamodb.CreateTableInput) {
	t.Helper()
	_, err := db.CreateTable(context.Background(), in)
	require.NoError(t, err)
}

func put(t testing.TB, db *embedded.DB, table string, it item) {
	t.Helper()
	_, err := db.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &table, Item: it})
	require.NoError(t, err)
}

// records reads a table's stream from its beginning.
func records(t testing.TB, db *embedded.DB, table string) []streams.Record {
	t.Helper()
	ctx := context.Background()
	list, err := db.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	require.NoError(t, err)
	var all []streams.Record
	for _, st := range list.Streams {
		d, err := db.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: st.StreamArn})
		require.NoError(t, err)
		for _, sh := range d.StreamDescription.Shards {
			it, err := db.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
				StreamArn: st.StreamArn, ShardId: sh.ShardId, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
			})
			require.NoError(t, err)
			for next := it.ShardIterator; next != nil; {
				out, err := db.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: next})
				require.NoError(t, err)
				if len(out.Records) == 0 {
					break
				}
				all = append(all, out.Records...)
				next = out.NextShardIterator
			}
		}
	}
	return all
}

func TestMainJob(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := open(t, nil)
	create(t, db, rows("rows"))

	put(t, db, "rows", item{"pk": s("a"), "sk": s("1"), "n": n(1), "g": s("x")})
	put(t, db, "rows", item{"pk": s("a"), "sk": s("2"), "n": n(2), "g": s("x")})
	put(t, db, "rows", item{"pk": s("a"), "sk": s("2"), "n": n("2.0"), "g": s("x")}) // changes nothing
	up, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("1")},
		UpdateExpression: new("SET n = n + :one, #v = :v"), ConditionExpression: new("attribute_not_exists(#v) OR #v < :v"),
		ExpressionAttributeNames:  map[string]string{"#v": "_v"},
		ExpressionAttributeValues: item{":one": n(1), ":v": s("5")}, ReturnValues: types.ReturnValueUpdatedNew,
	})
	require.NoError(t, err)
	require.Equal(t, item{"n": n(2), "_v": s("5")}, up.Attributes)

	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: new("rows"), Item: item{"pk": s("a"), "sk": s("1")}, ConditionExpression: new("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var failed *types.ConditionalCheckFailedException
	require.ErrorAs(t, err, &failed)
	require.Equal(t, s("5"), failed.Item["_v"])

	got, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("1")}})
	require.NoError(t, err)
	require.Equal(t, item{"pk": s("a"), "sk": s("1"), "n": n(2), "_v": s("5"), "g": s("x")}, got.Item)

	q, err := db.Query(ctx, &dynamodb.QueryInput{
		TableName: new("rows"), IndexName: new("byG"), Limit: new(int32(1)),
		KeyConditionExpression: new("g = :g"), ExpressionAttributeValues: item{":g": s("x")},
	})
	require.NoError(t, err)
	require.Equal(t, item{"pk": s("a"), "sk": s("1"), "g": s("x")}, q.LastEvaluatedKey)
	q, err = db.Query(ctx, &dynamodb.QueryInput{
		TableName: new("rows"), IndexName: new("byG"), ExclusiveStartKey: q.LastEvaluatedKey,
		KeyConditions: map[string]types.Condition{"g": {
			ComparisonOperator: types.ComparisonOperatorEq, AttributeValueList: []types.AttributeValue{s("x")},
		}},
	})
	require.NoError(t, err)
	require.Len(t, q.Items, 1)
	require.Nil(t, q.LastEvaluatedKey)

	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("2")}})
	require.NoError(t, err)
	var names []string
	for _, r := range records(t, db, "rows") {
		names = append(names, string(r.EventName))
	}
	require.Equal(t, []string{"INSERT", "INSERT", "MODIFY", "REMOVE"}, names)
}
