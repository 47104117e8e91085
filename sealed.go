package insideout

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// What becomes of sealed values. Test with errors.Is.
var (
	// ErrShredded marks a value whose key was destroyed: nothing opens it any more. It is an outcome, not a fault.
	ErrShredded = errors.New("insideout: the value's key has been destroyed")
	// ErrRestricted marks a value whose key may not be used at present (a restricted or disabled subject). It is an outcome.
	ErrRestricted = errors.New("insideout: the use of the value's key is restricted")
	// ErrSealed: the value is carried as ciphertext, and nobody with the key has opened it.
	ErrSealed = errors.New("insideout: the value is sealed; open it with OpenSealed, or give the reader a sealer")
	// ErrUnsealed: the value would leave as plain text.
	ErrUnsealed = errors.New("insideout: the value has not been sealed")
)

// Origin names the place that a value was sealed in, and stays with the ciphertext wherever it travels. All of it is
// authenticated with the value, so a ciphertext opens under the origin that it was made for and under no other. The
// namespace (tenant) belongs to the sealer.
type Origin struct {
	Subject string `json:"subject,omitempty"` // whose data it is, and whose key seals it; empty: nobody's, the namespace's own key
	Model   string `json:"model"`             // the name of the model, such as "customer"
	ID      string `json:"id"`                // the id of the row: a node's id; of an edge, "owner|id" with both parts escaped as in its key
	Field   string `json:"field"`             // the name of the attribute; of a nested one, the names joined by dots
	Class   string `json:"class"`             // the class of the seal tag, such as "contact"
}

// SealedField is one value on its way into or out of its ciphertext. It never prints its plain text.
type SealedField struct {
	Origin     Origin
	Plaintext  []byte // JSON of the Go value, so that other languages can read it
	Ciphertext []byte // algorithm, key id, nonce, ciphertext, tag: see docs/sealing-format.md
	// Err says after Open why there is no plain text: ErrShredded or ErrRestricted, or a fault.
	Err error
}

// Sealer seals: it fills in the Ciphertext of every field from its Plaintext and Origin, for a whole row or page in one
// call, or fails and seals none. It is met by crypto.Sealer.
type Sealer interface {
	Seal(ctx context.Context, fields []SealedField) error
}

// Opener opens: it fills in Plaintext, or Err, of every field. ErrShredded and ErrRestricted are outcomes of a field, after
// which Open still returns nil. Any other Err makes Open fail with all of them joined; the remaining fields are opened
// nevertheless. If keys cannot be had, Open fails and opens none. It is met by crypto.Sealer.
type Opener interface {
	Open(ctx context.Context, fields []SealedField) error
}

const (
	redacted = "[REDACTED]"
	// sealedOverhead is the algorithm, key id, nonce and tag of a ciphertext.
	sealedOverhead = 1 + 16 + 12 + 16
)

// KeyID is the key that the ciphertext names, in hexadecimal: 32 digits, or nothing if there is no ciphertext.
func (f SealedField) KeyID() string {
	if len(f.Ciphertext) < sealedOverhead {
		return ""
	}
	return hex.EncodeToString(f.Ciphertext[1:17])
}

// Format prints where the value was sealed, without the subject, whatever the verb.
func (f SealedField) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "%s(%s %q field %q)", redacted, f.Origin.Model, f.Origin.ID, f.Origin.Field)
}

// LogValue is what Format prints.
func (f SealedField) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(f)) }

// MarshalJSON is what Format prints.
func (f SealedField) MarshalJSON() ([]byte, error) { return marshal(fmt.Sprint(f)) }

// Sealed is a value of a model or an event that is sealed outside of this process. It holds a new value on its way to be
// sealed, or a ciphertext with its origin, opened or not.
//
// A ciphertext passes from row to event to view without being opened. The value leaves by [Sealed.Reveal] alone: fmt, slog
// and JSON print [REDACTED], or, in JSON, the base64 of the ciphertext. The zero Sealed holds nothing. A Sealed is
// immutable but for UnmarshalJSON and SetField, and copies are independent.
type Sealed[T any] struct {
	// A pointer to a pointer, because fmt prints its address where it may not call methods, in unexported fields: a single
	// one it would follow for a verb that does not fit, such as %s.
	s **sealed[T]
}

func sealedOf[T any](s *sealed[T]) **sealed[T] { return &s }

type sealed[T any] struct {
	value      T
	state      sealState
	origin     Origin
	ciphertext []byte
}

type sealState byte

const (
	stateFresh      sealState = iota + 1 // a value that has no ciphertext yet
	stateCarried                         // a ciphertext
	stateOpened                          // a ciphertext and its value
	stateShredded                        // a ciphertext that nothing opens
	stateRestricted                      // a ciphertext that may not be opened
	stateRedacted                        // read from JSON that was printed, not sealed
)

// Seal holds v, to be sealed when it is written.
func Seal[T any](v T) Sealed[T] { return Sealed[T]{sealedOf(&sealed[T]{value: v, state: stateFresh})} }

// Reveal is the one way out: the value, if it was put here by Seal or has been opened. Otherwise it is the zero T with
// ErrSealed, ErrShredded or ErrRestricted. Of a Sealed that holds nothing, it is the zero T and no error.
func (s Sealed[T]) Reveal() (T, error) {
	var zero T
	if s.s == nil {
		return zero, nil
	}
	switch (*s.s).state {
	case stateShredded:
		return zero, ErrShredded
	case stateRestricted:
		return zero, ErrRestricted
	case stateCarried, stateRedacted:
		return zero, ErrSealed
	default:
		return (*s.s).value, nil
	}
}

// RevealOr is the value, or other where there is none to be had: for projections and listings that must not stop.
func (s Sealed[T]) RevealOr(other T) T {
	v, err := s.Reveal()
	if err != nil || s.s == nil {
		return other
	}
	return v
}

// IsZero reports whether s holds nothing, for omitempty and omitzero.
func (s Sealed[T]) IsZero() bool { return s.s == nil }

// Format prints [REDACTED], whatever the verb.
func (s Sealed[T]) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is [REDACTED].
func (s Sealed[T]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText always fails: an encoder that knows text only would lose the origin.
func (s Sealed[T]) MarshalText() ([]byte, error) {
	return nil, sealFault(nil, "a Sealed has no text; it is written by table, by Event.SetBody or as JSON")
}

// MarshalJSON is the base64 of the ciphertext, which [Event.SetBody] completes with its origin; null if s holds nothing; and
// "[REDACTED]" for a value without a ciphertext, so that a model can be logged. SetBody refuses the latter.
func (s Sealed[T]) MarshalJSON() ([]byte, error) {
	switch {
	case s.s == nil:
		return []byte("null"), nil
	case (*s.s).ciphertext == nil:
		return []byte(`"` + redacted + `"`), nil
	}
	ciphertext := (*s.s).ciphertext
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(ciphertext))+2)
	text = append(text, '"')
	text = base64.StdEncoding.AppendEncode(text, ciphertext)
	return append(text, '"'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. The ciphertext has no origin until [Body] or [Event.BindSealed] finds it in the
// event's eem.
func (s *Sealed[T]) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		s.s = nil
		return nil
	}
	if string(raw) == `"`+redacted+`"` {
		s.s = sealedOf(&sealed[T]{state: stateRedacted})
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errNotSealed
	}
	ciphertext, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(ciphertext) < sealedOverhead {
		return errNotSealed
	}
	s.s = sealedOf(&sealed[T]{state: stateCarried, ciphertext: ciphertext})
	return nil
}

// sealError is a cause of ours: it names places and types, and no value.
type sealError struct {
	text string
	err  error // a sentinel, or nil
}

func (e *sealError) Error() string { return e.text }
func (e *sealError) Unwrap() error { return e.err }

func sealFault(err error, format string, args ...any) error {
	return &sealError{fmt.Sprintf(format, args...), err}
}

var errNotSealed = &sealError{text: "want the base64 of a sealed value, which this is not"}

// Carrier is what hooks see of a *Sealed, whatever its type.
type Carrier interface {
	// Field is what the Sealed holds: the Plaintext of a value that has no ciphertext yet, or else Ciphertext and Origin, and
	// Err once it was found to be shredded or restricted. It reports false if it holds nothing, and fails if the value has
	// no JSON form or was redacted. The plain text of an opened value is not given.
	Field() (SealedField, bool, error)
	// SetField takes the result of a Seal, of an Open, or of reading a row: Ciphertext and Origin; the value if Plaintext is
	// set; the outcome if Err is ErrShredded or ErrRestricted. It keeps the value that it has if only the ciphertext is news.
	SetField(SealedField) error
}

// Field implements [Carrier].
func (s *Sealed[T]) Field() (SealedField, bool, error) {
	if s.s == nil {
		return SealedField{}, false, nil
	}
	held := *s.s
	f := SealedField{Origin: held.origin, Ciphertext: held.ciphertext}
	switch held.state {
	case stateFresh:
		raw, err := marshal(held.value)
		if err != nil { // the cause may quote the value
			return SealedField{}, true, sealFault(nil, "a %T has no JSON form", held.value)
		}
		f.Plaintext = raw
	case stateShredded:
		f.Err = ErrShredded
	case stateRestricted:
		f.Err = ErrRestricted
	case stateRedacted:
		return SealedField{}, true, sealFault(ErrUnsealed, "the value was read from text in which it is redacted")
	case stateCarried, stateOpened:
	}
	return f, true, nil
}

// SetField implements [Carrier].
func (s *Sealed[T]) SetField(f SealedField) error {
	next := &sealed[T]{state: stateCarried, origin: f.Origin, ciphertext: f.Ciphertext}
	switch {
	case len(f.Ciphertext) < sealedOverhead:
		return errNotSealed
	case errors.Is(f.Err, ErrShredded):
		next.state = stateShredded
	case errors.Is(f.Err, ErrRestricted):
		next.state = stateRestricted
	case f.Err != nil:
	case f.Plaintext != nil:
		if err := json.Unmarshal(f.Plaintext, &next.value); err != nil { // the cause may quote the value
			return sealFault(nil, "the sealed value of %s %q, field %q, is not a %T", f.Origin.Model, f.Origin.ID, f.Origin.Field, next.value)
		}
		next.state = stateOpened
	case s.knows(f.Ciphertext):
		next.value, next.state = (*s.s).value, stateOpened
	}
	s.s = sealedOf(next)
	return nil
}

// knows reports whether the ciphertext is that of the value which s holds.
func (s *Sealed[T]) knows(ciphertext []byte) bool {
	if s.s == nil {
		return false
	}
	held := *s.s
	return held.state == stateFresh || held.state == stateOpened && bytes.Equal(held.ciphertext, ciphertext)
}
