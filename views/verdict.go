package views

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/panics"
	"github.com/insideout-go/insideout/table"
)

// verdict is what becomes of an event that a rule cannot apply.
type verdict uint8

const (
	poison verdict = iota // a fault event, and the batch goes on
	retry                 // reported as failed, and delivered again
	skip                  // nothing
	unsure                // delivered again, and after some attempts a fault event
)

// verdictError is how a mapper tells its verdict.
type verdictError struct {
	verdict verdict
	err     error
}

func (e *verdictError) Error() string { return e.err.Error() }
func (e *verdictError) Unwrap() error { return e.err }

// Skip is the error of a mapper for an event that changes nothing in this view, with the reason.
func Skip(reason string) error {
	return &verdictError{skip, errors.New(reason)}
}

// Retry is the error of a mapper for an event that may be mapped later, for instance when a service that the mapper
// asks is down. The event is reported as failed and delivered again, and never becomes a fault.
func Retry(err error) error { return &verdictError{retry, cause(err)} }

// Poison is the error of a mapper for an event that it will never map, whatever err is. It becomes a fault event, and
// the batch goes on. Any error that is neither a verdict nor of the context nor one of an AWS service that may pass, such as
// [table.Retryable] ones, is poison without being wrapped.
func Poison(err error) error { return &verdictError{poison, cause(err)} }

func cause(err error) error {
	if err == nil {
		return errors.New("no reason was given")
	}
	return err
}

// judgeMapper tells what to do about a mapper's error.
func judgeMapper(err error) verdict {
	if v, ok := errors.AsType[*verdictError](err); ok {
		return v.verdict
	}
	if erased(err) {
		return skip
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || passes(err) {
		return retry
	}
	return poison
}

// judgeWrite tells what to do about the error of a write. What the table refuses because of the item is poison. Whatever is
// not known to be the event's fault, such as a missing permission, may pass: it is tried again for a while.
func judgeWrite(err error) verdict {
	if errors.Is(err, insideout.ErrShredded) { // the row is of somebody who was erased
		return skip
	}
	if passes(err) {
		return retry
	}
	if _, ok := errors.AsType[*panics.Error](err); ok || errors.Is(err, table.ErrInvalid) {
		return poison
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationException" {
		return poison
	}
	if errors.Is(err, context.Canceled) {
		return retry
	}
	return unsure
}

// passes reports whether the same request may succeed later, to the table or to another service: a claim check's, or a key's.
func passes(err error) bool {
	return table.Retryable(err) || awsretry.IsErrorRetryables{
		awsretry.RetryableHTTPStatusCode{Codes: awsretry.DefaultRetryableHTTPStatusCodes},
		awsretry.RetryableErrorCode{Codes: awsretry.DefaultThrottleErrorCodes},
	}.IsErrorRetryable(err) == aws.TrueTernary
}

// safely turns a panic of what the listener was given (a mapper, a fold, a port, or the table) into an error.
func safely[T any](f func() (T, error)) (T, error) { return panics.Caught("views: panic", f) }

// BatchError tells which events of a batch were not applied and must be delivered again, and why.
type BatchError struct {
	Errors map[int]error // by the event's index in the batch
}

// Error counts the events and gives the reason of the first one.
func (e *BatchError) Error() string {
	failed := e.Failed()
	if len(failed) == 0 {
		return "views: no event failed"
	}
	return fmt.Sprintf("views: %d events were not applied, the first (number %d): %s",
		len(failed), failed[0], strings.TrimPrefix(e.Errors[failed[0]].Error(), "views: "))
}

// Failed returns the indexes of the events that were not applied, in order.
func (e *BatchError) Failed() []int { return slices.Sorted(maps.Keys(e.Errors)) }

// Unwrap returns the reasons, in the order of the events.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, i := range e.Failed() {
		errs = append(errs, e.Errors[i])
	}
	return errs
}

// partial is an error that names the events that failed, as a [BatchError] and the errors of publishers do.
type partial interface {
	error
	Failed() []int
}

// failures returns the reason for each of the n events that err says failed: all, if it names none.
func failures(err error, n int) map[int]error {
	failed := map[int]error{}
	if err == nil {
		return failed
	}
	if named, ok := errors.AsType[partial](err); ok {
		for _, i := range named.Failed() {
			if i >= 0 && i < n {
				failed[i] = err
			}
		}
	}
	if own, ok := errors.AsType[*BatchError](err); ok {
		for i := range failed {
			failed[i] = own.Errors[i]
		}
	}
	if len(failed) > 0 {
		return failed
	}
	for i := range n {
		failed[i] = err
	}
	return failed
}
