package views

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/jsonplan"
)

// readHeader reads what routes an event in one pass over its JSON and without its body, which many events never need: a mapper
// decodes the JSON on its own, and the events of no rule are dropped. The event of a type for which there is a rule is decoded for its
// mapper in the same pass. It is false for whatever is not an everyday event, which is
// then decoded in full: members missing, or written with escapes; tags that are no texts; a claim check; something compressed; text
// that is no JSON.
func (d *delivery) readHeader(routes *routes) bool {
	if strings.Contains(d.raw, compressedMark) && strings.Contains(d.raw, markInJSON) { // capitals are rarer than quotes
		return false
	}
	var ok bool
	kind := jsonplan.Guess(d.raw, "type")
	if rules := routes.to(kind); len(rules) > 0 && rules[0].decode != nil {
		ok = rules[0].decode(d) && d.event.Type == kind
	}
	if !ok {
		d.decoded, d.event, d.source, d.test = nil, insideout.Event{}, "", false
		ok = jsonplan.Members(d.raw, d.set)
	}
	d.lazy = ok && d.event.ID != "" && d.event.Type != "" && !d.event.Timestamp.IsZero()
	return d.lazy
}

func (d *delivery) set(name, value string) bool {
	switch name {
	case "id":
		return setText(&d.event.ID, value)
	case "type":
		return setText(&d.event.Type, value)
	case "partitionKey":
		return setText(&d.event.PartitionKey, value)
	case "timestamp":
		millis, err := strconv.ParseInt(value, 10, 64)
		d.event.Timestamp = time.UnixMilli(millis).UTC()
		return err == nil && millis > 0 && len(value) <= maxMillisDigits
	case memberTags:
		d.source, d.test = "", false
		return jsonplan.Members(value, d.setTag)
	case memberClaim:
		return false
	case memberEEM:
		d.event.Body = map[string]json.RawMessage{memberEEM: json.RawMessage(value)}
	}
	return true
}

const maxMillisDigits = 15 // all such numbers are within the range of a JavaScript Date

func setText(dst *string, value string) (ok bool) {
	*dst, ok = jsonplan.Text(value)
	return ok && *dst != ""
}

func (d *delivery) setTag(name, value string) bool {
	text, ok := jsonplan.Text(value)
	switch name {
	case insideout.TagSource:
		d.source = text
	case insideout.TagSkip:
		d.test = text != ""
	}
	return ok
}
