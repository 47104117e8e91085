package views

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views/internal/jsonplan"
)

// header is what routes an event.
type header struct {
	event  insideout.Event // its id, type, time and partition key, and what tells of sealed values
	source string          // the tag
	test   bool            // marked to be skipped
}

// headerOf reads the header of an event in one pass over its JSON and without its body, which many events never need: a mapper
// decodes the JSON on its own, and the events of no rule are dropped. ok is false for whatever is not an everyday event, which is
// then decoded in full: members missing, or written with escapes; tags that are no texts; a claim check; something compressed; text
// that is no JSON.
func headerOf(raw string) (h header, ok bool) {
	if strings.Contains(raw, compressedMark) && strings.Contains(raw, markInJSON) { // capitals are rarer than quotes
		return h, false
	}
	ok = jsonplan.Members(raw, h.set)
	return h, ok && h.event.ID != "" && h.event.Type != "" && !h.event.Timestamp.IsZero()
}

func (h *header) set(name, value string) bool {
	switch name {
	case "id":
		return setText(&h.event.ID, value)
	case "type":
		return setText(&h.event.Type, value)
	case "partitionKey":
		return setText(&h.event.PartitionKey, value)
	case "timestamp":
		millis, err := strconv.ParseInt(value, 10, 64)
		h.event.Timestamp = time.UnixMilli(millis).UTC()
		return err == nil && millis > 0 && len(value) <= maxMillisDigits
	case memberTags:
		h.source, h.test = "", false
		return jsonplan.Members(value, h.setTag)
	case memberClaim:
		return false
	case memberEEM:
		h.event.Body = map[string]json.RawMessage{memberEEM: json.RawMessage(value)}
	}
	return true
}

const maxMillisDigits = 15 // all such numbers are within the range of a JavaScript Date

func setText(dst *string, value string) (ok bool) {
	*dst, ok = jsonplan.Text(value)
	return ok && *dst != ""
}

func (h *header) setTag(name, value string) bool {
	text, ok := jsonplan.Text(value)
	switch name {
	case insideout.TagSource:
		h.source = text
	case insideout.TagSkip:
		h.test = text != ""
	}
	return ok
}
