package insideout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNoMember is the cause when [Body] finds no member of the given name.
var ErrNoMember = errors.New("no such member")

var (
	errMissing  = errors.New("is missing")
	errNotJSON  = errors.New("is not valid JSON")
	errNoName   = errors.New("a body member needs a name")
	errReserved = errors.New("is a field of the event, not a member of its body")
	errRange    = errors.New("lies outside of ±8,640,000,000,000,000 milliseconds from 1970")
)

// MemberError tells which member of which event could not be read or written.
//
// Its text has no value of the event. Unwrap leads to the cause, whose own text may quote one.
type MemberError struct {
	EventID string // the event's id, empty if it is not known
	Member  string // the member's name, empty for the event as a whole
	Err     error  // the cause
}

// Error names the event, the member and the cause, without any value of the event.
func (e *MemberError) Error() string {
	text := "insideout: event"
	if e.EventID != "" {
		text += fmt.Sprintf(" %q", e.EventID)
	}
	if e.Member != "" {
		text += fmt.Sprintf(": member %q", e.Member)
	}
	return text + ": " + causeText(e.Err)
}

// Unwrap returns the cause.
func (e *MemberError) Unwrap() error { return e.Err }

// fault names the member. The fault of a member within it becomes one fault with the path to it.
func (e Event) fault(member string, err error) error {
	if inner, ok := errors.AsType[*MemberError](err); ok {
		if inner.Member != "" && !strings.HasPrefix(inner.Member, "[") {
			member += "."
		}
		member, err = member+inner.Member, inner.Err
	}
	return &MemberError{EventID: e.ID, Member: member, Err: err}
}

// kindError is a cause of ours, whose text names JSON kinds only.
type kindError struct{ want, got string }

func (e *kindError) Error() string { return "want " + e.want + ", got " + e.got }

// causeText describes err without the values that the texts of decoders quote.
func causeText(err error) string {
	if own := ownCause(err); own != nil {
		return own.Error()
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Sprintf("does not fit %v (at byte %d)", wrong.Type, wrong.Offset)
		}
		return fmt.Sprintf("field %q does not fit %v (at byte %d)", wrong.Field, wrong.Type, wrong.Offset)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("is not valid JSON (at byte %d)", wrong.Offset)
	}
	if wrong, ok := errors.AsType[*json.UnsupportedTypeError](err); ok {
		return fmt.Sprintf("type %v has no JSON form", wrong.Type)
	}
	return fmt.Sprintf("its type does not take it (%T)", err)
}

func ownCause(err error) error {
	for _, own := range []error{ErrNoMember, errMissing, errNotJSON, errNoName, errReserved, errRange} {
		if errors.Is(err, own) {
			return own
		}
	}
	if kind, ok := errors.AsType[*kindError](err); ok {
		return kind
	}
	if seal, ok := errors.AsType[*sealError](err); ok {
		return seal
	}
	return nil
}
