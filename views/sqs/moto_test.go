package sqs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/sqs"
	"github.com/stretchr/testify/require"
)

// client talks to the server of the AWS APIs that INSIDEOUT_AWS_ENDPOINT names.
func client(t *testing.T) *sdk.Client {
	t.Helper()
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: give the URL of a server of the AWS APIs, such as moto")
	}
	return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
}

func create(t *testing.T, c *sdk.Client, suffix string, attributes map[string]string) (url string) {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: aws.String(fmt.Sprint("q", time.Now().UnixNano(), suffix)), Attributes: attributes})
	require.NoError(t, err)
	return *out.QueueUrl
}

// drained reports whether the queue has nothing left, hidden or not. It asks twice: moto counts one kind after the other, and a message
// that comes out of hiding between the two is in neither.
func drained(t *testing.T, c *sdk.Client, url string) func() bool {
	return func() bool {
		for range 2 {
			out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
			require.NoError(t, err)
			if out.Attributes["ApproximateNumberOfMessages"] != "0" || out.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
				return false
			}
		}
		return true
	}
}

// TestOnServer: a standard queue. What fails comes again; what cannot be applied goes the faults' way, which is a queue here
// too, and carries the message.
func TestOnServer(t *testing.T) {
	t.Parallel()
	c, db := client(t), newTable(t)
	url, faultsURL := create(t, c, "", nil), create(t, c, "-faults", nil)
	for n := range 23 {
		body := changed(fmt.Sprint("k", n), n)
		if n == 5 {
			body = "{oops"
		}
		_, err := c.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{
			"n": {DataType: aws.String("Number"), StringValue: aws.String(fmt.Sprint(n))},
		}})
		require.NoError(t, err)
	}
	failed := false
	var mu sync.Mutex
	seen := seen{verdict: func(key string, _ int) error {
		mu.Lock()
		defer mu.Unlock()
		if key == "k3" && !failed {
			failed = true
			return views.Retry(errors.New("not now"))
		}
		return nil
	}}
	faultQueue := publish{c, faultsURL}
	l := seen.listener(t, db, &views.Options{Faults: faultQueue})
	require.NoError(t, serveOn(t, c, url, l, &sqs.Options{Wait: time.Second}, drained(t, c, url)))
	require.True(t, failed)
	for n := range 23 {
		if n != 5 {
			a, err := accounts.Get(t.Context(), db, fmt.Sprint("k", n))
			require.NoError(t, err)
			require.Equal(t, n, a.Value)
		}
	}
	out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: &faultsURL})
	require.NoError(t, err)
	require.Len(t, out.Messages, 1)
	require.Contains(t, *out.Messages[0].Body, `"type":"fault"`)
	require.Contains(t, *out.Messages[0].Body, `"body":"{oops"`)
	require.Contains(t, *out.Messages[0].Body, `"messageAttributes":{"n":{"stringValue":"5"`)
}

// publish is a queue for events.
type publish struct {
	client *sdk.Client
	url    string
}

// TestFIFOOnServer: the messages of a group come in order until one fails, and then all from that one on come again. In which
// order moto does not mind, which forgets that the others of the group are hidden too; the queue in memory does.
func TestFIFOOnServer(t *testing.T) {
	t.Parallel()
	c, db := client(t), newTable(t)
	url := create(t, c, ".fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	for n := range 8 {
		for g := range 2 {
			key := fmt.Sprint("g", g)
			_, err := c.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(changed(key, n)), MessageGroupId: &key})
			require.NoError(t, err)
		}
	}
	var mu sync.Mutex
	failed := map[string]bool{}
	seen := seen{verdict: func(key string, value int) error {
		mu.Lock()
		defer mu.Unlock()
		if value == 3 && !failed[key] {
			failed[key] = true
			return views.Retry(errors.New("not now"))
		}
		return nil
	}}
	require.NoError(t, serveOn(t, c, url, seen.listener(t, db, nil), &sqs.Options{Wait: time.Second, Receivers: 1}, drained(t, c, url)))
	for g := range 2 {
		key := fmt.Sprint("g", g)
		a, err := accounts.Get(t.Context(), db, key)
		require.NoError(t, err)
		require.Equal(t, 7, a.Value)
		require.Equal(t, []int{0, 1, 2, 3}, seen.values[key][:4])
		again := seen.values[key][4:]
		require.Contains(t, again, 3)
		require.Contains(t, again, 4, "what is behind a failure comes again with it")
	}
}

func (p publish) Publish(ctx context.Context, events []insideout.Event) error {
	for _, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := p.client.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &p.url, MessageBody: aws.String(string(raw))}); err != nil {
			return err
		}
	}
	return nil
}
