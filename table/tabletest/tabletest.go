// Package tabletest is the conformance suite that every DynamoDB endpoint of
// this project must pass: the embedded engine, in process and over HTTP, and
// any endpoint that speaks the protocol.
//
// Start from [Run], which takes an [Endpoint], and from [Clients], which makes
// one of a URL. [Compare] sends random requests to two endpoints and looks for
// differences; [Benchmark] measures one.
//
// It guarantees that each case is named by the rule it checks, uses tables of
// its own under unique names, and deletes them; so it can run against an
// endpoint that is in use. It needs nothing but the standard library and the
// AWS SDK.
package tabletest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/insideout-go/insideout/table/embedded/local"
)

type (
	options       = func(*dynamodb.Options)
	streamOptions = func(*dynamodbstreams.Options)
)

// DynamoDB is the part of *dynamodb.Client that the suite calls.
type DynamoDB interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...options) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...options) (*dynamodb.DescribeTableOutput, error)
	UpdateTable(context.Context, *dynamodb.UpdateTableInput, ...options) (*dynamodb.UpdateTableOutput, error)
	DeleteTable(context.Context, *dynamodb.DeleteTableInput, ...options) (*dynamodb.DeleteTableOutput, error)
	ListTables(context.Context, *dynamodb.ListTablesInput, ...options) (*dynamodb.ListTablesOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...options) (*dynamodb.UpdateTimeToLiveOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...options) (*dynamodb.DescribeTimeToLiveOutput, error)
	TagResource(context.Context, *dynamodb.TagResourceInput, ...options) (*dynamodb.TagResourceOutput, error)
	UntagResource(context.Context, *dynamodb.UntagResourceInput, ...options) (*dynamodb.UntagResourceOutput, error)
	ListTagsOfResource(context.Context, *dynamodb.ListTagsOfResourceInput, ...options) (*dynamodb.ListTagsOfResourceOutput, error)
	DescribeLimits(context.Context, *dynamodb.DescribeLimitsInput, ...options) (*dynamodb.DescribeLimitsOutput, error)
	DescribeEndpoints(context.Context, *dynamodb.DescribeEndpointsInput, ...options) (*dynamodb.DescribeEndpointsOutput, error)

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
}

// Streams is the part of *dynamodbstreams.Client that the suite calls.
type Streams interface {
	ListStreams(context.Context, *dynamodbstreams.ListStreamsInput, ...streamOptions) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...streamOptions) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...streamOptions) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...streamOptions) (*dynamodbstreams.GetRecordsOutput, error)
}

// Endpoint is what the suite runs against.
type Endpoint struct {
	DynamoDB DynamoDB
	Streams  Streams
	// Patience is how long the suite waits for what DynamoDB does in its own
	// time: tables and indexes that become active, records that appear in a
	// stream. Default: one minute.
	Patience time.Duration
	// Differs lists the cases in which the endpoint is known to differ from
	// DynamoDB, and the reason. Such a case has to fail: one that passes is
	// reported as no longer different. It waits for a fifteenth of Patience.
	Differs map[string]string
}

// Clients returns an endpoint at a URL such as "http://127.0.0.1:8000", with
// clients that send dummy credentials.
func Clients(url string) Endpoint {
	db, streams := local.Clients(url)
	return Endpoint{DynamoDB: db, Streams: streams}
}

// Cases returns the names of all cases, in order.
func Cases() []string {
	var names []string
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

// Run runs the suite as parallel subtests of t. open is called once.
func Run(t *testing.T, open func(t *testing.T) Endpoint) {
	t.Helper()
	endpoint := open(t)
	if endpoint.Patience == 0 {
		endpoint.Patience = time.Minute
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			runRule(t, endpoint, r)
		})
	}
}

// rule is one case.
type rule struct {
	name  string
	check func(c *check)
}

func rules() []rule {
	var all []rule
	for _, group := range [][]rule{
		tableRules(), tableUpdateRules(), indexTableRules(), itemRules(), keyRules(), numberRules(), conditionRules(), conditionFaultRules(),
		updateRules(), updateFaultRules(), returnValueRules(), queryRules(), pageRules(), scanRules(), projectionRules(), indexRules(), multiKeyRules(),
		batchRules(), transactionRules(), streamRules(), shardRules(), errorRules(), ttlRules(), tagRules(), linearRules(), sizeRules(), capacityRules(), legacyRules(), legacyFaultRules(),
	} {
		all = append(all, group...)
	}
	return all
}

func runRule(t *testing.T, endpoint Endpoint, r rule) {
	t.Helper()
	why, differs := endpoint.Differs[r.name]
	if differs { // what is known not to come is not waited for: an endpoint may do one such thing at a time
		endpoint.Patience /= 15
	}
	failures := attempt(t, endpoint, r)
	switch {
	case differs && failures == nil:
		t.Errorf("passes, but is listed as different (%s)", why)
	case differs:
		t.Logf("known to differ: %s\n%s", why, strings.Join(failures, "\n"))
	case failures != nil:
		t.Error(strings.Join(failures, "\n"))
	}
}

// attempt runs a case in a goroutine of its own, since the first failure ends it.
func attempt(t *testing.T, endpoint Endpoint, r rule) []string {
	t.Helper()
	c := &check{Endpoint: endpoint, ctx: t.Context(), tb: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.deleteTables()
		r.check(c)
	}()
	<-done
	return c.failures
}
