package lake

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/insideout-go/insideout"
)

// envelope is what EventBridge puts around an event.
type envelope struct {
	ID     string          `json:"id"`
	Kind   string          `json:"detail-type"`
	Time   time.Time       `json:"time"`
	Detail json.RawMessage `json:"detail"`
}

// unwrap returns the event in an envelope. What the event itself does not say, the envelope does: its id, as listeners take it;
// and type and time, for events that no service of ours made.
func unwrap(text []byte) (insideout.Event, error) {
	var outer envelope
	var e insideout.Event
	if err := json.Unmarshal(text, &outer); err != nil {
		return e, &insideout.MemberError{Err: err} // which does not quote values
	}
	if err := e.UnmarshalJSON(outer.Detail); err != nil {
		return e, err
	}
	if e.ID == "" {
		e.ID = outer.ID
	}
	if e.Type == "" {
		e.Type = outer.Kind
	}
	if e.Timestamp.IsZero() && !outer.Time.IsZero() {
		e.Timestamp = outer.Time.UTC()
	}
	return e, nil
}

// rewrap puts another event into the place of the one in a text. An envelope around it stays as it is.
func rewrap(text, event []byte) []byte {
	var d decoder
	h := d.header(text)
	if !h.envelope {
		return event
	}
	// The value is a part of the text, whose place its capacity tells: the same bytes may stand elsewhere too.
	at := cap(text) - cap(h.detail)
	return slices.Concat(text[:at], event, text[at+len(h.detail):])
}
