package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// TestNoQueryIsSentTwice reads large answers over HTTP: a connection that
// breaks would show as a retry of the client.
func TestNoQueryIsSentTwice(t *testing.T) {
	t.Parallel()
	const workers, each = 4, 1000
	db := open(t, nil)
	create(t, db, plain("plain"))
	for i := range 20 {
		put(t, db, "plain", kilobyte("x", string(rune('a'+i))))
	}
	var requests atomic.Int64
	handler := db.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				out, err := client.Query(t.Context(), &dynamodb.QueryInput{
					TableName: new("plain"), KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: item{":p": s("x")},
				})
				if err != nil || len(out.Items) != 20 {
					t.Errorf("Query: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, workers*each, requests.Load())
}

// post sends a body as a signed request of an operation.
func post(t testing.TB, h http.Handler, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerKnowsItsRegion(t *testing.T) {
	t.Parallel()
	h := open(t, &embedded.Options{Region: "eu-central-1"}).Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, "healthy: dynamodb.eu-central-1.amazonaws.com ", w.Body.String())
}

// TestTagsOverHTTP holds that the SDK's client takes the empty answers of
// tagging, which are no JSON.
func TestTagsOverHTTP(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, plain("plain"))
	server := httptest.NewServer(db.Handler())
	t.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	table, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new("plain")})
	require.NoError(t, err)
	arn := table.Table.TableArn
	_, err = client.TagResource(t.Context(), &dynamodb.TagResourceInput{
		ResourceArn: arn, Tags: []types.Tag{{Key: new("team"), Value: new("blue")}, {Key: new("cost"), Value: new("")}},
	})
	require.NoError(t, err)
	_, err = client.UntagResource(t.Context(), &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"cost"}})
	require.NoError(t, err)
	out, err := client.ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: arn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: new("team"), Value: new("blue")}}, out.Tags)
	w := post(t, db.Handler(), "DynamoDB_20120810.UntagResource", `{"ResourceArn":"`+*arn+`","TagKeys":["none"]}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Zero(t, w.Body.Len())
	limits, err := client.DescribeLimits(t.Context(), nil)
	require.NoError(t, err)
	require.Positive(t, *limits.TableMaxReadCapacityUnits)
}

func TestEndpointIsTheHostThatWasReached(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	server := httptest.NewServer(db.Handler())
	t.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	out, err := client.DescribeEndpoints(t.Context(), &dynamodb.DescribeEndpointsInput{})
	require.NoError(t, err)
	require.Equal(t, server.URL, "http://"+*out.Endpoints[0].Address)
}

// TestEmptyValuesAreRefused holds for every place where JSON can leave a value
// without a type, which the SDK's client never sends.
func TestEmptyValuesAreRefused(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, plain("plain"))
	h := db.Handler()
	for _, value := range []string{`{}`, `null`, `{"X":"y"}`, `{"S":null}`, `{"L":[{}]}`, `{"L":[null]}`, `{"M":{"k":{}}}`} {
		for target, body := range map[string]string{
			"PutItem":            `{"TableName":"plain","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"v":` + value + `}}`,
			"GetItem":            `{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":` + value + `}}`,
			"UpdateItem":         `{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"b"}},"UpdateExpression":"SET v=:v","ExpressionAttributeValues":{":v":` + value + `}}`,
			"BatchWriteItem":     `{"RequestItems":{"plain":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"S":"b"},"v":` + value + `}}}]}}`,
			"TransactWriteItems": `{"TransactItems":[{"Put":{"TableName":"plain","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"v":` + value + `}}}]}`,
		} {
			w := post(t, h, "DynamoDB_20120810."+target, body)
			require.Equal(t, http.StatusBadRequest, w.Code, "%s %s", target, body)
			require.Contains(t, w.Body.String(), "ValidationException", "%s %s", target, body)
		}
	}
	require.Zero(t, count(t, db, "plain"))
}

// TestConstraints holds for what the SDK's client never sends: members that are missing or null, and several faults at once.
func TestConstraints(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	create(t, db, plain("plain"))
	h := db.Handler()
	const null = "Value null at '%s' failed to satisfy constraint: Member must not be null"
	for _, tt := range []struct{ target, body, path string }{
		{"PutItem", `{"TableName":"plain"}`, "item"},
		{"BatchWriteItem", `{"RequestItems":{"plain":[{"PutRequest":{}}]}}`, "requestItems.plain.1.member.putRequest.item"},
		{"BatchWriteItem", `{"RequestItems":{"plain":[{"DeleteRequest":{"Key":null}}]}}`, "requestItems.plain.1.member.deleteRequest.key"},
		{"BatchGetItem", `{"RequestItems":{"plain":{}}}`, "requestItems.plain.member.keys"},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"plain"}}]}`, "transactItems.1.member.put.item"},
		{"TransactWriteItems", `{"TransactItems":[{"Delete":{"Key":{}}}]}`, "transactItems.1.member.delete.tableName"},
		{"TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"plain","Key":{}}}]}`, "transactItems.1.member.update.updateExpression"},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"plain"}}]}`, "transactItems.1.member.get.key"},
		{
			"UpdateTable", `{"TableName":"plain","GlobalSecondaryIndexUpdates":[{"Update":{"IndexName":"byG"}}]}`,
			"globalSecondaryIndexUpdates.1.member.update.provisionedThroughput",
		},
		{"Query", `{"TableName":"plain","KeyConditions":{"pk":{"AttributeValueList":[{"S":"a"}]}}}`, "keyConditions.pk.member.comparisonOperator"},
		{"Scan", `{"TableName":"plain","ScanFilter":{"n":{}}}`, "scanFilter.n.member.comparisonOperator"},
		{"TagResource", `{"ResourceArn":"x"}`, "tags"},
		{"UpdateTimeToLive", `{"TableName":"plain","TimeToLiveSpecification":{"AttributeName":"a"}}`, "timeToLiveSpecification.enabled"},
	} {
		w := post(t, h, "DynamoDB_20120810."+tt.target, tt.body)
		require.Equal(t, http.StatusBadRequest, w.Code, tt.path)
		require.Contains(t, w.Body.String(), "1 validation error detected: "+fmt.Sprintf(null, tt.path))
	}
	w := post(t, h, "DynamoDB_20120810.CreateTable", `{"AttributeDefinitions":[`+strings.Repeat(`{},`, 20)+`{}],"KeySchema":[]}`)
	require.Contains(t, w.Body.String(), "10 validation errors detected: ", "no more are told")
	w = post(t, h, "DynamoDBStreams_20120810.GetShardIterator", `{}`)
	for _, path := range []string{"streamArn", "shardId", "shardIteratorType"} {
		require.Contains(t, w.Body.String(), fmt.Sprintf(null, path))
	}
}

// FuzzHandler sends any body to every operation: the answer is 200 or 400,
// always JSON, and never an internal error.
func FuzzHandler(f *testing.F) {
	targets := map[string]string{
		"DynamoDB_20120810.CreateTable":             `{"TableName":"t%","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"GlobalSecondaryIndexes":[{"IndexName":"byB","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}]}`,
		"DynamoDB_20120810.UpdateTable":             `{"TableName":"plain","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"byB"}}]}`,
		"DynamoDB_20120810.DescribeTable":           `{"TableName":"plain"}`,
		"DynamoDB_20120810.ListTables":              `{"Limit":1,"ExclusiveStartTableName":"abc"}`,
		"DynamoDB_20120810.UpdateTimeToLive":        `{"TableName":"plain","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}}`,
		"DynamoDB_20120810.PutItem":                 `{"TableName":"plain","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"l":{"L":[{"N":"1e1"},{"M":{"x":{"BS":["AA=="]}}}]}},"ConditionExpression":"attribute_not_exists(pk) OR #n < :v","ExpressionAttributeNames":{"#n":"n"},"ExpressionAttributeValues":{":v":{"N":"1"}},"ReturnValues":"ALL_OLD"}`,
		"DynamoDB_20120810.UpdateItem":              `{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"b"}},"UpdateExpression":"SET l[0].x = if_not_exists(n, :v) + :v, y = list_append(:l, :l) REMOVE z ADD w :v DELETE q :s","ExpressionAttributeValues":{":v":{"N":"1"},":l":{"L":[]},":s":{"SS":["a"]}},"ReturnValues":"UPDATED_NEW"}`,
		"DynamoDB_20120810.Query":                   `{"TableName":"plain","KeyConditionExpression":"pk = :p AND begins_with(sk, :s)","FilterExpression":"size(l) > :n","ProjectionExpression":"l[0], m.x","ExpressionAttributeValues":{":p":{"S":"a"},":s":{"S":""},":n":{"N":"0"}},"Limit":1,"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"S":"a"}}}`,
		"DynamoDB_20120810.Scan":                    `{"TableName":"plain","Segment":0,"TotalSegments":2,"IndexName":"byGL","ScanFilter":{"n":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"},{"N":"2"}]}}}`,
		"DynamoDB_20120810.DescribeTimeToLive":      `{"TableName":"plain"}`,
		"DynamoDB_20120810.DeleteItem":              `{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"b"}},"Expected":{"l":{"Exists":false}},"ReturnItemCollectionMetrics":"SIZE","ReturnConsumedCapacity":"INDEXES"}`,
		"DynamoDB_20120810.BatchWriteItem":          `{"RequestItems":{"plain":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"S":"b"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"c"},"sk":{"S":"d"}}}}]}}`,
		"DynamoDB_20120810.BatchGetItem":            `{"RequestItems":{"plain":{"Keys":[{"pk":{"S":"a"},"sk":{"S":"b"}}],"AttributesToGet":["n"]}}}`,
		"DynamoDB_20120810.TransactWriteItems":      `{"ClientRequestToken":"x","TransactItems":[{"Update":{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"b"}},"UpdateExpression":"ADD n :v","ExpressionAttributeValues":{":v":{"N":"1"}}}}]}`,
		"DynamoDB_20120810.TransactGetItems":        `{"TransactItems":[{"Get":{"TableName":"plain","Key":{"pk":{"S":"a"},"sk":{"S":"b"}}}}]}`,
		"DynamoDBStreams_20120810.GetShardIterator": `{"StreamArn":"arn:aws:dynamodb:us-east-1:000000000000:table/plain/stream/2026-01-01T00:00:00.000","ShardId":"shardId-00000001700000000000-00000000","ShardIteratorType":"AT_SEQUENCE_NUMBER","SequenceNumber":"100000000000000000001"}`,
		"DynamoDBStreams_20120810.GetRecords":       `{"ShardIterator":"x","Limit":1}`,
		"DynamoDB_20120810.ListTagsOfResource":      `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/plain","NextToken":"x"}`,
		"DynamoDBStreams_20120810.ListStreams":      `{"TableName":"plain","Limit":1}`,
		"DynamoDBStreams_20120810.DescribeStream":   `{"StreamArn":"arn:aws:dynamodb:us-east-1:000000000000:table/plain/stream/2026-01-01T00:00:00.000","ExclusiveStartShardId":"y"}`,
	}
	for target, body := range targets {
		f.Add(target, body)
	}
	db := open(f, nil)
	create(f, db, indexed("plain"))
	h := db.Handler()
	f.Fuzz(func(t *testing.T, target, body string) {
		w := post(t, h, target, body)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, w.Code, w.Body)
		require.True(t, w.Body.Len() == 0 || json.Valid(w.Body.Bytes()), w.Body)
	})
}

// What the handler writes is what the methods answer, though it makes no values of the items; also where an interceptor
// calls twice.
func TestReadsOverHTTPAreThoseInProcess(t *testing.T) {
	t.Parallel()
	db := open(t, &embedded.Options{Intercept: func(_ context.Context, operation string, _ any, next func() error) error {
		if operation == "CreateTable" {
			return next()
		}
		return errors.Join(next(), next())
	}})
	create(t, db, plain("plain"))
	for i := range 3 {
		it := kilobyte("a", string(rune('a'+i)))
		it["odd"] = s("\"\\\n\x00é😀")
		put(t, db, "plain", it)
	}
	server := httptest.NewServer(db.Handler())
	t.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	for _, sk := range []string{"a", "none"} {
		for _, project := range []*string{nil, new("odd, n"), new("nothing")} {
			same(t, db.GetItem, client.GetItem, &dynamodb.GetItemInput{
				TableName: new("plain"), Key: item{"pk": s("a"), "sk": s(sk)}, ProjectionExpression: project, ReturnConsumedCapacity: "TOTAL",
			})
		}
	}
	for _, in := range []*dynamodb.QueryInput{
		{},
		{ProjectionExpression: new("odd")},
		{Limit: new(int32(1))},
		{Select: types.SelectCount},
		{FilterExpression: new("n > :p")},
		{ScanIndexForward: new(false), FilterExpression: new("n < odd OR odd <> :p"), Limit: new(int32(2))},
	} {
		in.TableName, in.KeyConditionExpression, in.ExpressionAttributeValues = new("plain"), new("pk = :p"), item{":p": s("a")}
		same(t, db.Query, client.Query, in)
	}
	same(t, db.Scan, client.Scan, &dynamodb.ScanInput{TableName: new("plain")})
}

// same asks two for the same and compares their answers, but for the SDK's metadata.
func same[In, Out any](t *testing.T, a, b func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In) {
	t.Helper()
	want, err := a(t.Context(), in)
	require.NoError(t, err)
	got, err := b(t.Context(), in)
	require.NoError(t, err)
	reflect.ValueOf(got).Elem().FieldByName("ResultMetadata").SetZero()
	require.Equal(t, want, got)
}
