package sqs_test

import (
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cmd/insideout/internal/sqs"
)

// TestPublisher needs a server of the API: moto, or another that AWS_ENDPOINT_URL may name.
func TestPublisher(t *testing.T) {
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: .ci/run starts moto and sets it")
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	client, name := service.NewFromConfig(cfg), "faults-"+uuid.NewString()
	queue, err := client.CreateQueue(t.Context(), &service.CreateQueueInput{QueueName: &name})
	require.NoError(t, err)
	p, err := sqs.Publisher(t.Context(), *queue.QueueUrl)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{{ID: "e1", Type: "x-happened", Timestamp: time.UnixMilli(1)}}))
	got, err := client.ReceiveMessage(t.Context(), &service.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	require.JSONEq(t, `{"id":"e1","type":"x-happened","timestamp":1}`, *got.Messages[0].Body)
}
