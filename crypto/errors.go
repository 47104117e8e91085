package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout"
)

// What operations answer when they do not do what they were asked. Test with errors.Is; the marks of values that were shredded or
// restricted are insideout.ErrShredded and insideout.ErrRestricted.
var (
	// ErrAuthentication: the ciphertext was not made here: changed, moved, cut off, of another key, tenant or algorithm.
	ErrAuthentication = errors.New("the sealed value does not belong here, or was changed")
	// ErrUnknownKey: the subject, or the namespace, has no key of that id. Of a ciphertext it comes with ErrAuthentication. Where the key table is a
	// replica, the key may still be on its way.
	ErrUnknownKey = errors.New("there is no such key")
	// ErrKeyService: the master key or the key table cannot be reached or does not permit the call. The cause is wrapped.
	ErrKeyService = errors.New("the key service failed")
	// ErrNoTable: the key table does not exist. Create it with KeyTableSchema.
	ErrNoTable = errors.New("the key table does not exist")
	// ErrRecord: a record of the key table, or a wrapped key, is damaged or of a version that this program does not know.
	ErrRecord = errors.New("the key record is damaged, or of a later version")
	// ErrState: the subject's keys are in a state that does not lead there.
	ErrState = errors.New("no such change of state")
	// ErrInUse: the epoch still wraps keys. Run Rewrap first.
	ErrInUse = errors.New("the epoch is in use")
	// ErrInvalid: the call itself is wrong, and will be wrong every time.
	ErrInvalid = errors.New("invalid")
)

// Error is what the operations of this package fail with. Its text names the namespace and, where it is about a value, the
// model, row and field, but neither the subject nor any value.
type Error struct {
	Op        string           // "seal", "open", "shred", …
	Namespace string           //
	Origin    insideout.Origin // of the value, where it is about one, without the subject
	Err       error            // the cause: one of the sentinels is in its chain
}

func (e *Error) Error() string {
	text := fmt.Sprintf("crypto: %s in namespace %q", e.Op, e.Namespace)
	if e.Origin.Model != "" {
		text += fmt.Sprintf(": %s %q field %q class %q", e.Origin.Model, e.Origin.ID, e.Origin.Field, e.Origin.Class)
	}
	return text + ": " + e.Err.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func (s *Sealer) fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Op: op, Namespace: s.namespace, Err: err}
}

func (s *Sealer) fieldFault(op string, o insideout.Origin, err error) error {
	o.Subject = ""
	return &Error{Op: op, Namespace: s.namespace, Origin: o, Err: err}
}

// errAbsent: nothing of that name was ever made.
var errAbsent = fmt.Errorf("%w", ErrUnknownKey)

// kinds of faults, with what to do.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// mistake is invalid for calls that have no namespace yet, and so no Error.
func mistake(format string, args ...any) error {
	return fmt.Errorf("crypto: %w", invalid(format, args...))
}

// foreign is a ciphertext that cannot be of here.
func foreign(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAuthentication}, args...)...)
}

// service keeps the cause in the chain, so that its class (throttled, denied, …) can be told, and says which call it was.
func service(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrKeyService, what, err)
}
