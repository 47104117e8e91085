package views

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout"
)

// maxEnvelopes bounds the envelopes around an event: EventBridge's within SNS's within a queue's message are two.
const maxEnvelopes = 4

var errEnvelopes = fmt.Errorf("views: the event lies in more than %d envelopes", maxEnvelopes)

// decodeEvent reads an event that came as JSON. The envelopes of EventBridge and SNS are opened, which is what a queue gets
// that is a target of a rule or subscribes to a topic without raw delivery. What the event does not say of its id is taken
// from where it came.
func (l *Listener) decodeEvent(d *delivery, raw, id string) {
	for range maxEnvelopes + 1 {
		*d = delivery{raw: raw, id: id}
		if d.readHeader(&l.routes) {
			return
		}
		*d = delivery{raw: raw, id: id}
		if err := d.event.UnmarshalJSON([]byte(raw)); err != nil {
			*d = delivery{id: id, wrong: err}
			return
		}
		inner, ok, err := openEnvelope(&d.event)
		switch {
		case err != nil:
			*d = delivery{id: id, wrong: err}
			return
		case ok:
			raw, id = inner, cmp.Or(d.event.ID, id)
			continue
		}
		if d.event.ID == "" && id != "" {
			d.event.ID, d.raw = id, ""
		}
		return
	}
	*d = delivery{id: id, wrong: errEnvelopes}
}

// openEnvelope returns what is in an envelope, and false where e is none.
func openEnvelope(e *insideout.Event) (inner string, ok bool, err error) {
	if e.Type != "" {
		return "", false, nil
	}
	if detail := e.Body["detail"]; detail != nil && e.Body["detail-type"] != nil {
		return string(detail), true, nil
	}
	message := e.Body["Message"]
	if message == nil || e.Body["TopicArn"] == nil || string(e.Body["Type"]) != `"Notification"` {
		return "", false, nil
	}
	var text string
	if err := json.Unmarshal(message, &text); err != nil {
		return "", false, errors.New("views: the member \"Message\" of the notification is no text")
	}
	if e.ID, err = insideout.Body[string](*e, "MessageId"); err != nil {
		return "", false, err
	}
	return text, true, nil
}
