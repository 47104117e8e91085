package sqs_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout/views/sqs"
	"github.com/stretchr/testify/require"
)

// post makes a request to another service of the same server, for which this package needs no SDK.
func post(t *testing.T, service string, header http.Header, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, os.Getenv("INSIDEOUT_AWS_ENDPOINT"), strings.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", raw)
	return raw
}

// sns calls an action of SNS and returns the first text of its answer with that name.
func sns(t *testing.T, result string, values ...string) string {
	t.Helper()
	form := url.Values{"Version": {"2010-03-31"}}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	raw := post(t, "sns", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		token, err := d.Token()
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == result {
			var text string
			require.NoError(t, d.DecodeElement(&text, &start))
			return text
		}
	}
}

func eventBridge(t *testing.T, action string, in any) {
	t.Helper()
	raw, err := json.Marshal(in)
	require.NoError(t, err)
	out := post(t, "events", http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSEvents." + action}}, string(raw))
	require.NotContains(t, string(out), "ErrorCode")
}

// TestWrapped: a queue that subscribes to a topic, raw and not, and one that is the target of a rule, and one of both: whatever
// the envelopes, the event is the same.
func TestWrapped(t *testing.T) {
	t.Parallel()
	c, db := client(t), newTable(t)
	queue := create(t, c, "", nil)
	arn := queueARN(t, c, queue)
	name := fmt.Sprint("t", time.Now().UnixNano())

	topic := sns(t, "TopicArn", "Action", "CreateTopic", "Name", name)
	sns(t, "SubscriptionArn", "Action", "Subscribe", "TopicArn", topic, "Protocol", "sqs", "Endpoint", arn)
	sns(t, "MessageId", "Action", "Publish", "TopicArn", topic, "Message", changed("topic", 1))

	rawTopic := sns(t, "TopicArn", "Action", "CreateTopic", "Name", name+"-raw")
	sns(t, "SubscriptionArn", "Action", "Subscribe", "TopicArn", rawTopic, "Protocol", "sqs", "Endpoint", arn,
		"Attributes.entry.1.key", "RawMessageDelivery", "Attributes.entry.1.value", "true")
	sns(t, "MessageId", "Action", "Publish", "TopicArn", rawTopic, "Message", changed("raw", 2))

	eventBridge(t, "CreateEventBus", map[string]string{"Name": name})
	eventBridge(t, "PutRule", map[string]string{"Name": name, "EventBusName": name, "EventPattern": `{"source":["custom"]}`})
	eventBridge(t, "PutTargets", map[string]any{"Rule": name, "EventBusName": name, "Targets": []map[string]string{{"Id": "q", "Arn": arn}}})
	eventBridge(t, "PutEvents", map[string]any{"Entries": []map[string]string{{
		"EventBusName": name, "Source": "custom", "DetailType": "account-changed", "Detail": changed("rule", 3),
	}}})

	var seen seen
	require.NoError(t, serveOn(t, c, queue, seen.listener(t, db, nil), &sqs.Options{Wait: time.Second}, func() bool {
		return drained(t, c, queue)() && seen.count() == 3
	}))
	require.Equal(t, map[string][]int{"topic": {1}, "raw": {2}, "rule": {3}}, seen.values)
}

func queueARN(t *testing.T, c *sdk.Client, url string) string {
	t.Helper()
	out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
	require.NoError(t, err)
	return out.Attributes["QueueArn"]
}
