package lake

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/insideout-go/insideout"
)

// span is a member of a JSON object: its name and its value, within the text.
type span struct{ name, value []byte }

// decoder decodes events. It takes everyday events apart in one pass, and leaves all others to [insideout.Event]: both ways give
// the same. It is for one goroutine.
type decoder struct {
	spans []span
	tags  []span
	texts map[string]string // texts that come again and again: types, tags
}

// header is what the decoder and the filters look at first.
type header struct {
	everyday                       bool
	id, kind, key, timestamp, tags []byte // JSON, nil where absent
	detail                         []byte // of an envelope of EventBridge
	envelope                       bool
}

// decode returns the event in a valid JSON object, if the query wants it, and its header in any case.
func (d *decoder) decode(text []byte, q *filter) (e insideout.Event, wanted bool, err error) {
	h := d.header(text)
	if h.envelope {
		if e, err = unwrap(text); err != nil {
			return e, false, err
		}
		return e, q.wants(&e), nil
	}
	if !h.everyday {
		if err = e.UnmarshalJSON(text); err != nil {
			return e, false, err
		}
		return e, q.wants(&e), nil
	}
	e.ID, e.Type, e.PartitionKey = string(unquote(h.id)), d.text(unquote(h.kind)), string(unquote(h.key))
	millis, _ := strconv.ParseInt(string(h.timestamp), 10, 64) // looked at by header
	e.Timestamp = time.UnixMilli(millis).UTC()
	if h.tags != nil {
		e.Tags = make(insideout.Tags, len(d.tags))
		for _, tag := range d.tags {
			e.Tags[d.text(tag.name)] = d.text(unquote(tag.value))
		}
	}
	if !q.wants(&e) {
		return e, false, nil
	}
	d.body(&e, text)
	return e, true, nil
}

// body copies the other members, since the text is not the event's own.
func (d *decoder) body(e *insideout.Event, text []byte) {
	n, size := 0, 0
	for _, s := range d.spans {
		if !isField(s.name) {
			n, size = n+1, size+len(s.value)
		}
	}
	if n == 0 {
		return
	}
	e.Body = make(map[string]json.RawMessage, n)
	own := make([]byte, 0, size)
	for _, s := range d.spans {
		if isField(s.name) {
			continue
		}
		start := len(own)
		own = append(own, s.value...)
		e.Body[d.text(s.name)] = own[start:len(own):len(own)]
	}
}

const maxTexts = 1024

// text returns a string for bytes, the same for the same ones.
func (d *decoder) text(b []byte) string {
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if d.texts == nil || len(d.texts) >= maxTexts {
		d.texts = map[string]string{}
	}
	s := string(b)
	d.texts[s] = s
	return s
}

func isField(name []byte) bool {
	switch string(name) {
	case "id", "type", "partitionKey", "timestamp", "tags", "triggers":
		return true
	}
	return false
}

// header finds the members of the object. It is everyday unless something about it needs the real decoder: escapes in names or
// fields, fields of another kind, empty or twice, triggers.
func (d *decoder) header(text []byte) header {
	h := header{everyday: true}
	var ok bool
	if d.spans, ok = split(d.spans[:0], text); !ok {
		return header{}
	}
	kind := false
	for _, s := range d.spans {
		switch string(s.name) {
		case "id":
			h.everyday = h.everyday && h.id == nil && isText(s.value)
			h.id = s.value
		case "type":
			h.everyday = h.everyday && h.kind == nil && isText(s.value)
			h.kind = s.value
		case "partitionKey":
			h.everyday = h.everyday && h.key == nil && isText(s.value)
			h.key = s.value
		case "timestamp":
			h.everyday = h.everyday && h.timestamp == nil && isMillis(s.value)
			h.timestamp = s.value
		case "tags":
			h.everyday = h.everyday && h.tags == nil && d.isTags(s.value)
			h.tags = s.value
		case "triggers":
			h.everyday = false
		case "detail":
			h.detail = s.value
		case "detail-type":
			kind = true
		}
	}
	h.envelope = kind && h.kind == nil && len(h.detail) > 0 && h.detail[0] == '{'
	h.everyday = h.everyday && h.id != nil && h.kind != nil && h.timestamp != nil && h.key != nil
	return h
}

// isText reports whether a value is a string of plain characters, and not empty.
func isText(value []byte) bool {
	if len(value) < 3 || value[0] != '"' {
		return false
	}
	for _, c := range value[1 : len(value)-1] {
		if c < ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// isMillis reports whether a value is a whole number of milliseconds, of at most fifteen digits: all of them are dates.
func isMillis(value []byte) bool {
	if len(value) == 0 || len(value) > 15 || value[0] == '0' {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isTags reports whether a value is an object of plain strings, each under a name of its own, and remembers them.
func (d *decoder) isTags(value []byte) bool {
	var ok bool
	if d.tags, ok = split(d.tags[:0], value); !ok {
		return false
	}
	for i, tag := range d.tags {
		if !isText(tag.value) {
			return false
		}
		for _, other := range d.tags[:i] {
			if bytes.Equal(other.name, tag.name) {
				return false
			}
		}
	}
	return true
}

func unquote(value []byte) []byte {
	if len(value) < 2 {
		return nil
	}
	return value[1 : len(value)-1]
}

// split appends the members of a valid JSON object. It gives up on anything else, and on names with more than plain characters.
func split(spans []span, text []byte) ([]span, bool) {
	if len(text) < 2 || text[0] != '{' {
		return spans, false
	}
	at := 1 + skipSpace(text[1:])
	for at < len(text) && text[at] == '"' {
		end := at + stringEnd(text[at:])
		name := text[at:end]
		at = end + skipSpace(text[end:])
		at += 1 + skipSpace(text[at+1:]) // a colon
		end = at + valueEnd(text[at:])
		if !isText(name) {
			return spans, false
		}
		spans = append(spans, span{unquote(name), text[at:end]})
		at = end + skipSpace(text[end:])
		if text[at] == ',' {
			at += 1 + skipSpace(text[at+1:])
		}
	}
	return spans, true
}

// valueEnd returns where the value at the start of a valid JSON text ends.
func valueEnd(text []byte) int {
	switch text[0] {
	case '"':
		return stringEnd(text)
	case '{', '[':
		depth := 0
		for at := 0; at < len(text); at++ {
			switch text[at] {
			case '"':
				at += stringEnd(text[at:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
	}
	for at, c := range text {
		if c == ',' || c == '}' || c == ']' || isSpace(c) {
			return at
		}
	}
	return len(text)
}
