package poll_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

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
