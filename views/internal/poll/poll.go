// Package poll has what the sources of package views share: which errors of a service pass, and how long to wait until they do.
package poll

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/insideout-go/insideout/internal/backoff"
)

// Transient reports whether the same call may succeed later: the service was throttled, failed, or could not be reached.
func Transient(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// Pause is how long pollers wait: doubled each time, up to ten seconds.
func Pause() backoff.Backoff {
	return backoff.Backoff{First: 50 * time.Millisecond, Most: 10 * time.Second}
}
