package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// What operations answer when they do not do what they were asked. Test with errors.Is.
var (
	// ErrNotFound: there is no such row, or it is deleted or expired.
	ErrNotFound = errors.New("table: not found")
	// ErrExists: Create found the row, or another row has the value of a unique field (see Error.Field).
	ErrExists = errors.New("table: already exists")
	// ErrConflict: a condition (If) did not hold, or other writers kept winning.
	ErrConflict = errors.New("table: condition failed")
	// ErrCursor: the cursor was not made by this query with one of this DB's keys, or is damaged.
	ErrCursor = errors.New("table: invalid cursor")
	// ErrUnknownRow: a row is of a newer schema version than the program knows, or the partition of an aggregate has a row that no part of the aggregate claims.
	ErrUnknownRow = errors.New("table: row of an unknown model")
	// ErrInvalid: the call itself is wrong, and will be wrong every time.
	ErrInvalid = errors.New("table: invalid")
)

// Error is what every operation on a model fails with. Unwrap leads to one of the sentinels or to the client's error.
type Error struct {
	Op    string // "save", "get", …
	Model string // the model's name
	Key   RowKey // the row, where there is one
	Err   error
	// Current is the row as it stood when a condition failed, where the endpoint says so.
	Current Item
	// Field is the unique attribute ("email"; "tenant,email" for several) of which another row, Holder, has the value. The value itself is not told.
	Field  string
	Holder RowKey

	again bool
	at    string // the operation of a transaction
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table: %s %s", e.Op, e.Model)
	if e.Key != (RowKey{}) {
		fmt.Fprintf(&b, " %q %q", brief(e.Key.PK), brief(e.Key.SK))
	}
	b.WriteString(": " + e.at + strings.TrimPrefix(e.Err.Error(), "table: "))
	if e.Field != "" {
		fmt.Fprintf(&b, ": row %q %q has the same %q, which is unique", brief(e.Holder.PK), brief(e.Holder.SK), e.Field)
	}
	return b.String()
}

// brief cuts a key that is too long to be read.
func brief(key string) string {
	const enough = 80
	if len(key) <= enough {
		return key
	}
	return key[:enough] + "…"
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// invalid is an error that wraps ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// atIndex names the element of a list that a mistake is about.
func atIndex(i int, err error) error {
	return invalid("id %d: %s", i, strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "))
}

// UnprocessedError lists the operations of a Batch that did not get through before the context ended or a request failed.
// The others have been written.
type UnprocessedError struct {
	Ops []Op
	Err error
}

func (e *UnprocessedError) Error() string {
	return fmt.Sprintf("table: %d operations of the batch were not processed: %v", len(e.Ops), e.Err)
}

// Unwrap is the reason why Batch gave up.
func (e *UnprocessedError) Unwrap() error { return e.Err }

// Retryable says whether the same call may succeed later without a change: throttling, faults of the service, timeouts,
// broken connections, conflicts of transactions, and writers that were overtaken too often. It is false for nil, for a
// cancelled context, and for everything that would fail again.
func Retryable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if e, ok := errors.AsType[*Error](err); ok && e.again {
		return true
	}
	if e, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return retryableReasons(e.CancellationReasons)
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorFault() == smithy.FaultServer || slices.Contains(retryableCodes(), e.ErrorCode()) || slices.Contains(faultCodes(), e.ErrorCode())
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errStillUnprocessed)
}

// faultCodes: the request may have been carried out.
func faultCodes() []string {
	return []string{"InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException"}
}

// retryableCodes: the request was not carried out.
func retryableCodes() []string {
	return []string{
		"ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded", "ThrottlingException", "ThrottlingError",
		"Throttling", "RequestLimitExceeded", "TransactionConflictException", "TransactionConflict", "TransactionInProgressException", "ReplicatedWriteConflictException",
	}
}

// retryableReasons: a cancelled transaction may pass later if nothing but load and contention stopped it.
func retryableReasons(reasons []types.CancellationReason) bool {
	again := false
	for _, r := range reasons {
		code := ""
		if r.Code != nil {
			code = *r.Code
		}
		switch {
		case code == "" || code == "None":
		case slices.Contains(retryableCodes(), code):
			again = true
		default:
			return false
		}
	}
	return again
}

// fault is one mistake in a definition.
type fault struct {
	field string // the Go field, or empty for the definition as a whole
	cause string
	mend  string
}

// definitionError lists every mistake of a definition at once. It is ErrInvalid.
type definitionError struct {
	model  string // the model's name, and its Go type
	faults []fault
}

func (e *definitionError) Is(target error) bool { return target == ErrInvalid }

func (e *definitionError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table: the definition of %s has %d mistakes:", e.model, len(e.faults))
	if len(e.faults) == 1 {
		b.Reset()
		fmt.Fprintf(&b, "table: the definition of %s has a mistake:", e.model)
	}
	for _, f := range e.faults {
		b.WriteString("\n\t")
		if f.field != "" {
			b.WriteString(f.field + ": ")
		}
		b.WriteString(f.cause)
		if f.mend != "" {
			b.WriteString(" (" + f.mend + ")")
		}
	}
	return b.String()
}
