package poll_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/insideout-go/insideout/views/internal/poll"
	"github.com/stretchr/testify/require"
)

func TestTransient(t *testing.T) {
	t.Parallel()
	status := func(code int) error {
		return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("x"),
		}}
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&smithy.GenericAPIError{Code: "ThrottlingException"}, true},
		{&smithy.GenericAPIError{Code: "ProvisionedThroughputExceededException"}, true},
		{fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "LimitExceededException"}), true},
		{status(http.StatusServiceUnavailable), true},
		{&smithyhttp.RequestSendError{Err: errors.New("connection refused")}, true},
		{&smithy.GenericAPIError{Code: "AccessDeniedException"}, false},
		{status(http.StatusBadRequest), false},
		{context.Canceled, false},
		{errors.New("anything"), false},
	} {
		require.Equal(t, c.want, poll.Transient(c.err), "%v", c.err)
	}
}

// TestBackoff: pauses grow up to ten seconds, start again when they are told to, and end with the context.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pause poll.Backoff
		wait := func() time.Duration {
			began := time.Now()
			require.NoError(t, pause.Wait(t.Context()))
			return time.Since(began)
		}
		for limit := 50 * time.Millisecond; limit < 20*time.Second; limit *= 2 {
			got := wait()
			require.LessOrEqual(t, got, min(limit, 10*time.Second))
			require.GreaterOrEqual(t, got, min(limit, 10*time.Second)/2)
		}
		pause.Reset()
		require.LessOrEqual(t, wait(), 50*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, pause.Wait(ctx), context.DeadlineExceeded)
	})
}
