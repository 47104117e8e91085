package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

type (
	options       = func(*dynamodb.Options)
	streamOptions = func(*dynamodbstreams.Options)
)

// API is what a backend has to implement. The signatures are those of
// *dynamodb.Client and *dynamodbstreams.Client. A backend that also meets
// [Tagger] or [Limiter] has these operations served as well; see also [Texter].
type API interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...options) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...options) (*dynamodb.DescribeTableOutput, error)
	UpdateTable(context.Context, *dynamodb.UpdateTableInput, ...options) (*dynamodb.UpdateTableOutput, error)
	DeleteTable(context.Context, *dynamodb.DeleteTableInput, ...options) (*dynamodb.DeleteTableOutput, error)
	ListTables(context.Context, *dynamodb.ListTablesInput, ...options) (*dynamodb.ListTablesOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...options) (*dynamodb.UpdateTimeToLiveOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...options) (*dynamodb.DescribeTimeToLiveOutput, error)

	GetItem(context.Context, *dynamodb.GetItemInput, ...options) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...options) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...options) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...options) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...options) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...options) (*dynamodb.ScanOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...options) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...options) (*dynamodb.BatchWriteItemOutput, error)
	TransactGetItems(context.Context, *dynamodb.TransactGetItemsInput, ...options) (*dynamodb.TransactGetItemsOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...options) (*dynamodb.TransactWriteItemsOutput, error)

	ListStreams(context.Context, *dynamodbstreams.ListStreamsInput, ...streamOptions) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...streamOptions) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...streamOptions) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...streamOptions) (*dynamodbstreams.GetRecordsOutput, error)
}

// Tagger is the optional part of a backend for the tags of a table.
type Tagger interface {
	TagResource(context.Context, *dynamodb.TagResourceInput, ...options) (*dynamodb.TagResourceOutput, error)
	UntagResource(context.Context, *dynamodb.UntagResourceInput, ...options) (*dynamodb.UntagResourceOutput, error)
	ListTagsOfResource(context.Context, *dynamodb.ListTagsOfResourceInput, ...options) (*dynamodb.ListTagsOfResourceOutput, error)
}

// Limiter is the optional part of a backend for the account's limits and
// endpoints.
type Limiter interface {
	DescribeLimits(context.Context, *dynamodb.DescribeLimitsInput, ...options) (*dynamodb.DescribeLimitsOutput, error)
	DescribeEndpoints(context.Context, *dynamodb.DescribeEndpointsInput, ...options) (*dynamodb.DescribeEndpointsOutput, error)
}

// Texter is the optional part of a backend for reads that append their items to text as JSON, instead of leaving them in the
// output: GetItem an object or nothing, the others an array, or nothing if only counts are asked for. That spares making the
// SDK's values, which is most of their work.
type Texter interface {
	GetItemJSON(ctx context.Context, in *dynamodb.GetItemInput, text *[]byte) (*dynamodb.GetItemOutput, error)
	QueryJSON(ctx context.Context, in *dynamodb.QueryInput, text *[]byte) (*dynamodb.QueryOutput, error)
	ScanJSON(ctx context.Context, in *dynamodb.ScanInput, text *[]byte) (*dynamodb.ScanOutput, error)
}
