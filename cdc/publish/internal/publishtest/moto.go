package publishtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// Endpoint is the configuration for a server of the services' APIs: INSIDEOUT_AWS_ENDPOINT. Without one the test is skipped.
func Endpoint(t *testing.T) aws.Config {
	t.Helper()
	url := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if url == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: .ci/run starts moto and sets it")
	}
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("test", "test", "")),
	}
}

// Name is a name for a resource that no other run has.
func Name(kind string) string {
	return fmt.Sprintf("%s-%d-%d", kind, os.Getpid(), time.Now().UnixNano())
}

// Queue is a queue at the endpoint, by which a test sees what arrives. It speaks the protocol of SQS itself, since only the package
// named after a service may import its SDK.
type Queue struct {
	URL, ARN string
	endpoint string
}

// NewQueue makes a queue, a FIFO one if the name ends with ".fifo".
func NewQueue(t *testing.T, cfg aws.Config, name string) *Queue {
	t.Helper()
	q := &Queue{endpoint: *cfg.BaseEndpoint}
	attributes := map[string]string{}
	if strings.HasSuffix(name, ".fifo") {
		attributes["FifoQueue"] = "true"
	}
	var made struct{ QueueUrl string }
	q.call(t, "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes}, &made)
	q.URL = made.QueueUrl
	var got struct{ Attributes map[string]string }
	q.call(t, "GetQueueAttributes", map[string]any{"QueueUrl": q.URL, "AttributeNames": []string{"QueueArn"}}, &got)
	q.ARN = got.Attributes["QueueArn"]
	return q
}

// Receive takes n messages from the queue, and checks that there are no more.
func (q *Queue) Receive(t *testing.T, n int) [][]byte {
	t.Helper()
	var bodies [][]byte
	for idle := 0; len(bodies) <= n && idle < 3; {
		var got struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		q.call(t, "ReceiveMessage", map[string]any{"QueueUrl": q.URL, "MaxNumberOfMessages": 10}, &got)
		for _, m := range got.Messages {
			bodies = append(bodies, []byte(m.Body))
			q.call(t, "DeleteMessage", map[string]any{"QueueUrl": q.URL, "ReceiptHandle": m.ReceiptHandle}, nil)
		}
		if len(got.Messages) == 0 {
			idle++
			time.Sleep(20 * time.Millisecond)
		}
	}
	require.Len(t, bodies, n, "what arrived")
	return bodies
}

func (q *Queue) call(t *testing.T, operation string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, q.endpoint, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=none")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", operation, answer)
	if out != nil {
		require.NoError(t, json.Unmarshal(answer, out))
	}
}

// Flaky withholds some entries of each request, which the publisher is told have failed: the first time each one is seen, at random.
func Flaky[E any](entries []E) (pass []E, places []int) {
	for i, e := range entries {
		if rand.IntN(3) > 0 {
			pass, places = append(pass, e), append(places, i)
		}
	}
	return pass, places
}

// Arrive publishes events of several keys, small, large and too large ones, and checks that each arrives whole and once, and in the
// order of its key where that is promised. receive gets the bodies that have arrived.
func Arrive(t *testing.T, limit int, ordered bool, make func(cdc.ClaimChecks) cdc.Publisher, receive func(n int) [][]byte) {
	t.Helper()
	vault := &Vault{}
	var list []insideout.Event
	for i := range 57 {
		list = append(list, event(fmt.Sprintf("e%03d", i), fmt.Sprint("k", i%7), 200))
	}
	list[10].Body["thing"] = json.RawMessage(`{"name":"Größe <&> \u2028 😀"}`)
	require.NoError(t, list[11].SetBody("thing", strings.Repeat("all the same ", 2000)))
	list[12] = event("e012", list[12].PartitionKey, limit)
	list[13] = event("e013", list[13].PartitionKey, limit/3)
	list[14] = event("e014", list[14].PartitionKey, limit/3)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, make(vault).Publish(ctx, list))
	var taken []string
	got := map[string]insideout.Event{}
	for _, body := range receive(len(list)) {
		e := eventOf(Message{Body: body})
		taken, got[e.ID] = append(taken, e.ID), e
	}
	require.Len(t, got, len(list), "each arrives once")
	for _, want := range list {
		have := got[want.ID]
		switch want.ID {
		case "e011":
			text, err := insideout.Body[string](have, "thing")
			require.NoError(t, err)
			require.JSONEq(t, string(want.Body["thing"]), inflate(t, text))
			have.Body = want.Body
		case "e012":
			check, err := insideout.Body[struct{ Bucket, Key string }](have, "s3")
			require.NoError(t, err)
			require.NoError(t, have.UnmarshalJSON(vault.kept[check.Key]))
		}
		wanted, err := want.MarshalJSON()
		require.NoError(t, err)
		had, err := have.MarshalJSON()
		require.NoError(t, err)
		require.JSONEq(t, string(wanted), string(had))
	}
	if ordered {
		requireOrder(t, list, taken)
	}
}
