package embedded

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/insideout-go/insideout/table/embedded/internal/engine"
)

// The methods below are the operations of DynamoDB and of DynamoDB Streams, with
// their limits and errors. The functions on the SDK's options are not called:
// there is no endpoint, signature or retry.

// CreateTable makes a table, which is active at once.
func (db *DB) CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	return call(ctx, db, "CreateTable", in, db.engine.CreateTable)
}

// DescribeTable describes a table. Unlike DynamoDB's, its counts are exact.
func (db *DB) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return call(ctx, db, "DescribeTable", in, db.engine.DescribeTable)
}

// UpdateTable changes a table: stream, billing, protection, one global index. The change is complete when it returns.
func (db *DB) UpdateTable(ctx context.Context, in *dynamodb.UpdateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error) {
	return call(ctx, db, "UpdateTable", in, db.engine.UpdateTable)
}

// DeleteTable deletes a table at once. Its stream stays readable for 24 hours.
func (db *DB) DeleteTable(ctx context.Context, in *dynamodb.DeleteTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteTableOutput, error) {
	return call(ctx, db, "DeleteTable", in, db.engine.DeleteTable)
}

// ListTables lists the names of the tables, 100 a page.
func (db *DB) ListTables(ctx context.Context, in *dynamodb.ListTablesInput, _ ...func(*dynamodb.Options)) (*dynamodb.ListTablesOutput, error) {
	return call(ctx, db, "ListTables", in, db.engine.ListTables)
}

// UpdateTimeToLive turns the removal of expired items on or off.
func (db *DB) UpdateTimeToLive(ctx context.Context, in *dynamodb.UpdateTimeToLiveInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error) {
	return call(ctx, db, "UpdateTimeToLive", in, db.engine.UpdateTimeToLive)
}

// DescribeTimeToLive describes the removal of expired items.
func (db *DB) DescribeTimeToLive(ctx context.Context, in *dynamodb.DescribeTimeToLiveInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return call(ctx, db, "DescribeTimeToLive", in, db.engine.DescribeTimeToLive)
}

// GetItem reads an item.
func (db *DB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return call(ctx, db, "GetItem", in, db.engine.GetItem)
}

// PutItem writes a whole item.
func (db *DB) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return call(ctx, db, "PutItem", in, db.engine.PutItem)
}

// UpdateItem changes an item, or creates it.
func (db *DB) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return call(ctx, db, "UpdateItem", in, db.engine.UpdateItem)
}

// DeleteItem deletes an item.
func (db *DB) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return call(ctx, db, "DeleteItem", in, db.engine.DeleteItem)
}

// Query reads a page of one partition of a table or index, as one consistent state.
func (db *DB) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return call(ctx, db, "Query", in, db.engine.Query)
}

// Scan reads a page of a table or index, or of one segment of it.
func (db *DB) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return call(ctx, db, "Scan", in, db.engine.Scan)
}

// BatchGetItem reads up to 100 items.
func (db *DB) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return call(ctx, db, "BatchGetItem", in, db.engine.BatchGetItem)
}

// BatchWriteItem puts and deletes up to 25 items, all at once.
func (db *DB) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return call(ctx, db, "BatchWriteItem", in, db.engine.BatchWriteItem)
}

// TransactGetItems reads up to 100 items of one state.
func (db *DB) TransactGetItems(ctx context.Context, in *dynamodb.TransactGetItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactGetItemsOutput, error) {
	return call(ctx, db, "TransactGetItems", in, db.engine.TransactGetItems)
}

// TransactWriteItems does up to 100 writes on distinct items, all or none.
func (db *DB) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return call(ctx, db, "TransactWriteItems", in, db.engine.TransactWriteItems)
}

// ListStreams lists streams, 100 a page; those of one table if it is named.
func (db *DB) ListStreams(ctx context.Context, in *dynamodbstreams.ListStreamsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error) {
	return call(ctx, db, "ListStreams", in, db.engine.ListStreams)
}

// DescribeStream describes a stream and its shards.
func (db *DB) DescribeStream(ctx context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	return call(ctx, db, "DescribeStream", in, db.engine.DescribeStream)
}

// GetShardIterator gives a position in a shard, valid for 15 minutes.
func (db *DB) GetShardIterator(ctx context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	return call(ctx, db, "GetShardIterator", in, db.engine.GetShardIterator)
}

// GetRecords reads up to 1,000 records or 1 MB from a position.
func (db *DB) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	return call(ctx, db, "GetRecords", in, db.engine.GetRecords)
}

// TagResource adds tags to a table, up to 50.
func (db *DB) TagResource(ctx context.Context, in *dynamodb.TagResourceInput, _ ...func(*dynamodb.Options)) (*dynamodb.TagResourceOutput, error) {
	return call(ctx, db, "TagResource", in, db.engine.TagResource)
}

// UntagResource removes tags from a table.
func (db *DB) UntagResource(ctx context.Context, in *dynamodb.UntagResourceInput, _ ...func(*dynamodb.Options)) (*dynamodb.UntagResourceOutput, error) {
	return call(ctx, db, "UntagResource", in, db.engine.UntagResource)
}

// ListTagsOfResource lists the tags of a table, ten a page.
func (db *DB) ListTagsOfResource(ctx context.Context, in *dynamodb.ListTagsOfResourceInput, _ ...func(*dynamodb.Options)) (*dynamodb.ListTagsOfResourceOutput, error) {
	return call(ctx, db, "ListTagsOfResource", in, db.engine.ListTagsOfResource)
}

// DescribeLimits tells DynamoDB's default limits; the engine has none of its own.
func (db *DB) DescribeLimits(ctx context.Context, in *dynamodb.DescribeLimitsInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeLimitsOutput, error) {
	return call(ctx, db, "DescribeLimits", in, db.engine.DescribeLimits)
}

// DescribeEndpoints tells the one endpoint, which a client may keep for a day:
// over HTTP the host that the client has reached, in process "localhost".
func (db *DB) DescribeEndpoints(ctx context.Context, in *dynamodb.DescribeEndpointsInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeEndpointsOutput, error) {
	return call(ctx, db, "DescribeEndpoints", in, db.engine.DescribeEndpoints)
}

// ListGlobalTables is not implemented.
func (db *DB) ListGlobalTables(context.Context, *dynamodb.ListGlobalTablesInput, ...func(*dynamodb.Options)) (*dynamodb.ListGlobalTablesOutput, error) {
	return nil, engine.Unsupported("ListGlobalTables")
}
