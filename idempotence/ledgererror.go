package idempotence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// What calls of a [Ledger] fail with, in a [*LedgerError]. Test with errors.Is.
var (
	// ErrInProgress: another caller holds the key. LedgerError.RetryAt says until when at most.
	ErrInProgress = errors.New("idempotence: in progress")
	// ErrPayloadMismatch: the key was used for another request.
	ErrPayloadMismatch = errors.New("idempotence: the key was used with another payload")
	// ErrFailed: an earlier caller's effect failed for good; the text is its error's.
	ErrFailed = errors.New("idempotence: failed before")
	// ErrLost: the effect outlived its lease, and another caller holds the key now. The effect may have happened twice.
	ErrLost = errors.New("idempotence: the lease was lost")
	// ErrNoLease: the context has no deadline, and Options.Lease is not set: nobody would know when a crashed caller's key is free.
	ErrNoLease = errors.New("idempotence: no lease: the context has no deadline and Options.Lease is not set")
	// ErrResult: a result does not encode as JSON, is too large, or what is stored is no T.
	ErrResult = errors.New("idempotence: the result cannot be stored")
	// ErrInvalid: the call itself is wrong, and will be wrong every time.
	ErrInvalid = errors.New("idempotence: invalid")

	errLeaseEnded = fmt.Errorf("idempotence: the lease has ended: %w", context.DeadlineExceeded)
)

// LedgerError is what calls of a ledger fail with, but for the errors of effects. Unwrap leads to one of the sentinels, or to the
// client's error.
type LedgerError struct {
	Op        string // "claim", "complete", "release" or "transact"
	Operation string // the ledger's
	Key       string
	RetryAt   time.Time // of ErrInProgress and ErrLost: when the key can be taken over at the latest
	Err       error
}

func (e *LedgerError) Error() string {
	text := strings.TrimPrefix(e.Err.Error(), "idempotence: ")
	if !e.RetryAt.IsZero() {
		text += ", until " + e.RetryAt.UTC().Format(time.RFC3339Nano) + " at the latest"
	}
	return fmt.Sprintf("idempotence: %s %s %q: %s", e.Op, e.Operation, e.Key, text)
}

// Unwrap is the cause.
func (e *LedgerError) Unwrap() error { return e.Err }

func (c *call[T]) fail(op string, err error) *LedgerError {
	return &LedgerError{Op: op, Operation: c.operation, Key: c.key, Err: err}
}

func (c *call[T]) busy(op string, retryAt time.Time, err error) *LedgerError {
	return &LedgerError{Op: op, Operation: c.operation, Key: c.key, RetryAt: retryAt, Err: err}
}

// finalError marks an error of an effect that would come again.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// Final marks an error of an effect as one that would come again, such as a declined card. The ledger stores its text, up to
// 4,096 bytes, and returns it to later callers; it must hold nothing that may not be stored. Nil stays nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

func isFinal(err error) bool {
	_, ok := errors.AsType[*finalError](err)
	return ok
}

const maxFailure = 4096

// shorten cuts a text to what is stored of a failure, at a border between characters.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxFailure {
		return text
	}
	end := maxFailure
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
