package tabletest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/tabletest"
)

type (
	options       = func(*dynamodb.Options)
	streamOptions = func(*dynamodbstreams.Options)
)

// noTTL never tells that the time to live is on.
type noTTL struct{ *embedded.DB }

func (noTTL) DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...options) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return &dynamodb.DescribeTimeToLiveOutput{TimeToLiveDescription: &types.TimeToLiveDescription{
		TimeToLiveStatus: types.TimeToLiveStatusDisabled,
	}}, nil
}

// noOld forgets the item of a failed condition.
type noOld struct{ *embedded.DB }

func (db noOld) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...options) (*dynamodb.UpdateItemOutput, error) {
	other := *in
	other.ReturnValuesOnConditionCheckFailure = ""
	return db.DB.UpdateItem(ctx, &other, opts...)
}

// noLimit reads a stream without the caller's limit.
type noLimit struct{ *embedded.DB }

func (db noLimit) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, opts ...streamOptions) (*dynamodbstreams.GetRecordsOutput, error) {
	return db.DB.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: in.ShardIterator}, opts...)
}

// stale answers every second read with what it read before.
type stale struct {
	*embedded.DB
	last *sync.Map
}

func (db stale) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...options) (*dynamodb.GetItemOutput, error) {
	out, err := db.DB.GetItem(ctx, in, opts...)
	if pk, ok := in.Key["pk"].(*types.AttributeValueMemberS); err == nil && ok && strings.HasPrefix(pk.Value, "item") {
		name := *in.TableName + "|" + pk.Value
		if before, ok := db.last.LoadAndDelete(name); ok {
			return before.(*dynamodb.GetItemOutput), nil
		}
		db.last.Store(name, out)
	}
	return out, err
}

// TestFindsFaults runs the suite on endpoints that have one fault each. Exactly
// the cases about it have to fail, which Differs checks.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		breaks func(db *embedded.DB) tabletest.Endpoint
		cases  []string
	}{
		"time to live": {
			func(db *embedded.DB) tabletest.Endpoint { return tabletest.Endpoint{DynamoDB: noTTL{db}, Streams: db} },
			[]string{"ttl/turns_on"},
		},
		"old items": {
			func(db *embedded.DB) tabletest.Endpoint { return tabletest.Endpoint{DynamoDB: noOld{db}, Streams: db} },
			[]string{
				"conditions/a_failed_one_returns_the_item_on_request", "consistency/operations_on_one_item_are_linearizable",
			},
		},
		"reads of the past": {
			func(db *embedded.DB) tabletest.Endpoint {
				return tabletest.Endpoint{DynamoDB: stale{db, &sync.Map{}}, Streams: db}
			},
			[]string{"consistency/operations_on_one_item_are_linearizable"},
		},
		"limits of streams": {
			func(db *embedded.DB) tabletest.Endpoint {
				return tabletest.Endpoint{DynamoDB: db, Streams: noLimit{db}}
			},
			[]string{"streams/records/a_limit_is_kept", "streams/records/refuses_a_limit_over_1000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tabletest.Run(t, func(t *testing.T) tabletest.Endpoint {
				db := embedded.New(nil)
				t.Cleanup(func() { require.NoError(t, db.Close()) })
				endpoint := tt.breaks(db)
				endpoint.Patience, endpoint.Differs = 2*time.Second, map[string]string{}
				for _, c := range tt.cases {
					endpoint.Differs[c] = "broken for this test"
				}
				return endpoint
			})
		})
	}
}

// recorder keeps what a comparison reports.
type recorder struct {
	testing.TB
	report string
}

func (r *recorder) Errorf(format string, args ...any) { r.report += fmt.Sprintf(format, args...) }
func (r *recorder) Failed() bool                      { return r.report != "" }

// A comparison finds a fault, and reports the few requests that show it.
func TestCompareFindsFaults(t *testing.T) {
	t.Parallel()
	one, other := embedded.New(nil), embedded.New(nil)
	t.Cleanup(func() {
		require.NoError(t, one.Close())
		require.NoError(t, other.Close())
	})
	r := &recorder{TB: t}
	tabletest.Compare(r, tabletest.Endpoint{DynamoDB: one, Streams: one}, tabletest.Endpoint{DynamoDB: noOld{other}, Streams: other},
		&tabletest.CompareOptions{Seed: 1, Duration: time.Minute})
	require.Contains(t, r.report, "seed 1, round ")
	require.Contains(t, r.report, "ConditionalCheckFailedException")
	require.LessOrEqual(t, strings.Count(r.report, "\n"), 8, r.report)
}
