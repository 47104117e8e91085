package insideout

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/insideout-go/insideout/internal/jsonplan"
)

// Names of the members that are fields of Event.
const (
	memberID           = "id"
	memberType         = "type"
	memberTimestamp    = "timestamp"
	memberPartitionKey = "partitionKey"
	memberTags         = "tags"
	memberTriggers     = "triggers"
)

// maxMillis is the range of a JavaScript Date on either side of 1970.
const maxMillis = 8_640_000_000_000_000

func isField(name string) bool {
	switch name {
	case memberID, memberType, memberTimestamp, memberPartitionKey, memberTags, memberTriggers:
		return true
	}
	return false
}

// UnmarshalJSON replaces e by the event in data, which must be a JSON object.
//
// Members may be missing or null. A timestamp may have a fraction or an exponent; Timestamp gets the whole milliseconds.
// A member of the wrong kind is a [*MemberError] that names it, and e is then unchanged. Of a member that occurs twice the
// last one counts. Names are matched exactly, so "ID" is a member of the body.
func (e *Event) UnmarshalJSON(data []byte) error {
	members, err := object(data)
	if err != nil {
		return Event{}.fault("", err)
	}
	read := Event{Body: members}
	// The id comes first, so that errors about the other members can name the event.
	for _, field := range []struct {
		name string
		read func(json.RawMessage) (rest json.RawMessage, err error)
	}{
		{memberID, readText(&read.ID)},
		{memberType, readText(&read.Type)},
		{memberPartitionKey, readText(&read.PartitionKey)},
		{memberTimestamp, readTime(&read.Timestamp)},
		{memberTags, readTags(&read.Tags)},
		{memberTriggers, readTriggers(&read.Triggers)},
	} {
		raw, ok := members[field.name]
		if !ok {
			continue
		}
		rest, err := field.read(raw)
		if err != nil {
			return read.fault(field.name, err)
		}
		if rest == nil {
			delete(members, field.name)
		} else {
			members[field.name] = rest
		}
	}
	if len(members) == 0 {
		read.Body = nil
	}
	*e = read
	return nil
}

// object splits a JSON object into its members. It refuses everything else, null included.
func object(data []byte) (map[string]json.RawMessage, error) {
	if got := kind(data); got != "an object" {
		if !json.Valid(data) {
			return nil, errNotJSON
		}
		return nil, &kindError{want: "an object", got: got}
	}
	members := map[string]json.RawMessage{}
	if jsonplan.Members(string(data), func(name, value string) bool { members[name] = json.RawMessage(value); return true }) {
		return members, nil
	}
	members = nil // what Members does not take, it may have begun
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	return members, nil
}

// kind names the kind of a JSON value by its first byte.
func kind(data []byte) string {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 {
		return "nothing"
	}
	switch data[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// The readers below set a field from a member. They return what the field cannot say, nil if it says everything.

func readText(dst *string) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		switch got := kind(raw); got {
		case "null":
			return raw, nil
		case "a string":
			var err error
			if *dst, err = unquote(raw); err != nil {
				return nil, err
			}
		default:
			return nil, &kindError{want: "a string", got: got}
		}
		if *dst == "" {
			return raw, nil
		}
		return nil, nil
	}
}

// unquote is what a string says.
func unquote(raw json.RawMessage) (text string, err error) {
	text, ok := jsonplan.Text(string(raw))
	if !ok {
		err = json.Unmarshal(raw, &text)
	}
	return text, err
}

func readTime(dst *time.Time) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		switch got := kind(raw); got {
		case "null":
			return raw, nil
		case "a number":
		default:
			return nil, &kindError{want: "a number of milliseconds", got: got}
		}
		millis, whole, err := parseMillis(string(bytes.TrimSpace(raw)))
		if err != nil {
			return nil, err
		}
		*dst = time.UnixMilli(millis).UTC()
		if !whole {
			return raw, nil
		}
		return nil, nil
	}
}

func parseMillis(text string) (millis int64, whole bool, err error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= -maxMillis && n <= maxMillis {
		return n, true, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > maxMillis {
		return 0, false, errRange
	}
	floor := math.Floor(f)
	return int64(floor), floor == f, nil
}

func readTags(dst *Tags) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		if kind(raw) == "null" {
			return raw, nil
		}
		others, err := object(raw)
		if err != nil {
			return nil, err
		}
		tags := make(Tags, len(others))
		for name, value := range others {
			if kind(value) != "a string" {
				continue
			}
			if tags[name], err = unquote(value); err != nil {
				return nil, err
			}
			delete(others, name)
		}
		*dst = tags
		if len(others) == 0 {
			return nil, nil
		}
		return appendObject(nil, others)
	}
}

// looseTags returns the tags that are not strings.
func looseTags(raw json.RawMessage) (map[string]json.RawMessage, error) {
	if raw == nil || kind(raw) == "null" {
		return nil, nil
	}
	return object(raw)
}

func readTriggers(dst *[]Ref) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		switch got := kind(raw); got {
		case "null":
			return raw, nil
		case "an array":
		default:
			return nil, &kindError{want: "an array", got: got}
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		refs, complete := make([]Ref, len(list)), true
		for i, item := range list {
			whole, err := readRef(&refs[i], item)
			if err != nil {
				return nil, Event{}.fault("["+strconv.Itoa(i)+"]", err)
			}
			complete = complete && whole
		}
		*dst = refs
		if !complete {
			return raw, nil
		}
		return nil, nil
	}
}

// readRef reports whether dst says everything that raw does.
func readRef(dst *Ref, raw json.RawMessage) (whole bool, err error) {
	var e Event
	if err := e.UnmarshalJSON(raw); err != nil {
		return false, err
	}
	*dst = e.Ref()
	return len(e.Body) == 0 && e.PartitionKey == "" && e.Tags == nil && e.Triggers == nil, nil
}
