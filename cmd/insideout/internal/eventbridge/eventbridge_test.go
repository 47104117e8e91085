package eventbridge_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cmd/insideout/internal/eventbridge"
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
	p, err := eventbridge.Publisher(t.Context(), "default")
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{{ID: "e1", Type: "x-happened", Timestamp: time.UnixMilli(1)}}))
}
