package idempotence

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/insideout-go/insideout"
)

// ErrVersion is wrapped by the errors about times and ids that cannot make a version, and texts that are none.
var ErrVersion = errors.New("idempotence: no version")

const (
	millisDigits = 13
	maxMillis    = 9_999_999_999_999 // 13 digits: the year 2286
	separator    = '#'
)

// Version orders the changes of one lane of a row. Its text is the milliseconds since 1970 in 13 digits, "#", and the id
// of the event that brought the change: "1700000000123#4bb1b7a3".
//
// Compare versions with <, == and [max]: Go and DynamoDB compare them alike, byte by byte. The zero value comes before all
// others and stands for "never written".
type Version string

// NewVersion returns the version of the change that an event brought at t. What t has below the millisecond is cut off.
//
// It refuses, with an error that wraps [ErrVersion], a time before 1970 or after 9,999,999,999,999 milliseconds (the
// year 2286), and an event id that is empty or not UTF-8.
func NewVersion(t time.Time, eventID string) (Version, error) {
	millis := t.UnixMilli()
	switch {
	case t.Before(time.UnixMilli(0)):
		return "", fmt.Errorf("%w: time %s of event %q is before 1970", ErrVersion, t.UTC().Format(time.RFC3339), eventID)
	case t.After(time.UnixMilli(maxMillis + 1)), millis > maxMillis:
		return "", fmt.Errorf("%w: time of event %q is after the year 2286", ErrVersion, eventID)
	case eventID == "":
		return "", fmt.Errorf("%w: the event id is empty", ErrVersion)
	case !utf8.ValidString(eventID):
		return "", fmt.Errorf("%w: event id %q is not UTF-8", ErrVersion, eventID)
	}
	text := make([]byte, 0, 64) // on the stack, for the usual ids
	for width := int64(1e12); width > millis && width > 1; width /= 10 {
		text = append(text, '0')
	}
	text = append(strconv.AppendInt(text, millis, 10), separator)
	return Version(append(text, eventID...)), nil
}

// VersionOf returns the version of the change that e brought, by its timestamp and id; see [NewVersion].
func VersionOf(e insideout.Event) (Version, error) {
	return NewVersion(e.Timestamp, e.ID)
}

// Time returns when the change happened, in UTC with milliseconds. It is the zero time if v is not valid.
func (v Version) Time() time.Time {
	millis, _, err := v.split()
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// EventID returns the id of the event that brought the change. It is empty if v is not valid.
func (v Version) EventID() string {
	_, id, err := v.split()
	if err != nil {
		return ""
	}
	return id
}

// Valid returns nil if v is a text that [NewVersion] makes, and otherwise an error that wraps [ErrVersion].
func (v Version) Valid() error {
	_, _, err := v.split()
	return err
}

func (v Version) split() (millis int64, eventID string, err error) {
	if len(v) < millisDigits+2 || v[millisDigits] != separator || !utf8.ValidString(string(v)) {
		return 0, "", fmt.Errorf("%w: %q is not 13 digits, \"#\" and an event id", ErrVersion, string(v))
	}
	for _, digit := range []byte(v[:millisDigits]) {
		if digit < '0' || digit > '9' {
			return 0, "", fmt.Errorf("%w: %q does not start with 13 digits", ErrVersion, string(v))
		}
		millis = 10*millis + int64(digit-'0')
	}
	return millis, string(v[millisDigits+1:]), nil
}
