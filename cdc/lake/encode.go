package lake

import (
	"maps"
	"slices"
	"strconv"

	"github.com/insideout-go/insideout"
)

// encodePlain writes the line that [insideout.Event.MarshalJSON] gives, at several times its speed, for events as nearly all are: names and
// fields of plain characters, bodies as encoders write them, no triggers. It returns nil for all others, and for what cannot be written.
func encodePlain(e *insideout.Event) []byte {
	if e.Triggers != nil || e.ID == "" || e.Type == "" || !plain(e.ID) || !plain(e.Type) || !plain(e.PartitionKey) {
		return nil
	}
	var room [16]string
	names := append(room[:0], "id", "timestamp", "type")
	if e.PartitionKey != "" {
		names = append(names, "partitionKey")
	}
	if e.Tags != nil {
		names = append(names, "tags")
	}
	size := len(e.ID) + len(e.Type) + len(e.PartitionKey) + 100
	for name, raw := range e.Body {
		if isField([]byte(name)) || !plain(name) || !compact(raw) {
			return nil
		}
		names, size = append(names, name), size+len(name)+len(raw)+4
	}
	for name, text := range e.Tags {
		if !plain(name) || !plain(text) {
			return nil
		}
		size += len(name) + len(text) + 6
	}
	slices.Sort(names)
	return append(appendMembers(make([]byte, 0, size), e, names), '\n')
}

func appendMembers(line []byte, e *insideout.Event, names []string) []byte {
	for i, name := range names {
		line = append(line, "{,"[min(i, 1)], '"')
		line = append(append(line, name...), `":`...)
		switch name {
		case "id":
			line = appendPlain(line, e.ID)
		case "type":
			line = appendPlain(line, e.Type)
		case "partitionKey":
			line = appendPlain(line, e.PartitionKey)
		case "timestamp":
			line = strconv.AppendInt(line, e.Timestamp.UnixMilli(), 10)
		case "tags":
			line = appendTags(line, e.Tags)
		default:
			line = append(line, e.Body[name]...)
		}
	}
	return append(line, '}')
}

func appendTags(line []byte, tags insideout.Tags) []byte {
	var room [16]string
	names := slices.AppendSeq(room[:0], maps.Keys(tags))
	slices.Sort(names)
	line = append(line, '{')
	for i, name := range names {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendPlain(append(appendPlain(line, name), ':'), tags[name])
	}
	return append(line, '}')
}

func appendPlain(line []byte, text string) []byte {
	return append(append(append(line, '"'), text...), '"')
}

// plain reports whether a text is its own form in JSON, but for the quotes.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// compact reports whether a text is JSON without white space around its values.
func compact(raw []byte) bool {
	if len(raw) == 0 || jsonValue(raw, 0, 0) != len(raw) {
		return false
	}
	for at := 0; at < len(raw); at++ {
		switch c := raw[at]; {
		case c == '"':
			at = jsonString(raw, at) - 1
		case isSpace(c):
			return false
		}
	}
	return true
}
