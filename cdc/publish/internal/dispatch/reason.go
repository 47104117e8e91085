package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout/cdc"
)

var (
	// NoAnswer is the reason for an entry that the answer says nothing about. It may be out, and is sent again.
	NoAnswer error = &refusal{code: "no answer", text: "the answer leaves the entry out"}

	errSlow = &refusal{code: "timeout", text: fmt.Sprintf("no answer within %v", callTimeout)}
)

// refusal is what a destination says about one entry.
type refusal struct {
	code, text string
	final      bool // the sender's fault: it will say so again
}

func (e *refusal) Error() string { return fmt.Sprintf("%s: %s", e.code, e.text) }

func (e *refusal) Unwrap() error {
	if e.final {
		return cdc.ErrRejected
	}
	return nil
}

// Refused is the reason for an entry that the destination answered with a code. Whether it is worth another attempt depends on the
// code; sender says that the service blames the sender.
func Refused(code, text *string, sender bool) error {
	e := &refusal{code: aws.ToString(code), text: aws.ToString(text)}
	if e.code == "" && e.text == "" {
		return NoAnswer
	}
	e.final = contentCode(e.code) || sender && !transientCode(e.code)
	return e
}

// Rejected makes err the reason for an event that the destination will never take. Of a service's error only the code and the text
// are left: ids of requests differ from delivery to delivery, and the reason goes into a fault event.
func Rejected(err error) error {
	if err == nil || errors.Is(err, cdc.ErrRejected) {
		return err
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return &refusal{code: api.ErrorCode(), text: api.ErrorMessage(), final: true}
	}
	return fmt.Errorf("%w: %w", cdc.ErrRejected, err)
}

// retryable reports whether another attempt may get an entry out.
func retryable(err error) bool {
	if errors.Is(err, cdc.ErrRejected) || errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[*refusal](err); ok { // codes that are not known get the benefit of the doubt
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true // of the client's own; if it is the caller's, the pause will say so
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && (api.ErrorFault() == smithy.FaultServer || transientCode(api.ErrorCode())) {
		return true
	}
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// transientCode knows the codes of entries that are worth another attempt, whoever is blamed.
func transientCode(code string) bool {
	for _, part := range []string{"Throttl", "Throughput", "LimitExceeded", "Internal", "Unavailable", "SlowDown", "TooManyRequests", "Timeout", "KMS"} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}

// content reports whether a request failed because of what is in it, so that a part of it may pass.
func content(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if ok && contentCode(api.ErrorCode()) {
		return true
	}
	status, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && status.HTTPStatusCode() == http.StatusRequestEntityTooLarge
}

func contentCode(code string) bool {
	for _, part := range []string{
		"Validation", "InvalidParameter", "InvalidArgument", "InvalidMessageContents", "InvalidAttributeValue", "MalformedDetail",
		"BatchRequestTooLong", "TooLarge", "TooLong", "SizeLimit", "Serialization",
	} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}
