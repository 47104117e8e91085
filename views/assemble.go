package views

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/jsonplan"
)

// assemble writes an everyday event as JSON for a mapper, whose decoder checks it: its members sorted by name, as Event.MarshalJSON has
// them, but without a look into their values. ok is false for whatever takes more care.
func assemble(e insideout.Event) (raw []byte, ok bool) {
	if e.Triggers != nil || e.Timestamp.IsZero() || e.Timestamp.UnixMilli() <= 0 || len(strconv.FormatInt(e.Timestamp.UnixMilli(), 10)) > maxMillisDigits {
		return nil, false
	}
	size := 128 + len(e.ID) + len(e.Type) + len(e.PartitionKey)
	names := make([]string, 0, len(e.Body)+5)
	names = append(names, "id", "type", "timestamp", "partitionKey", memberTags)
	for name, value := range e.Body {
		if slices.Contains(names[:5], name) || name == "triggers" || !jsonplan.Valid(string(value)) {
			return nil, false
		}
		names = append(names, name)
		size += len(name) + len(value) + 4
	}
	slices.Sort(names)
	raw = append(make([]byte, 0, size), '{')
	for _, name := range names {
		before := len(raw)
		if len(raw) > 1 {
			raw = append(raw, ',')
		}
		var there bool
		if raw, ok = appendPlain(raw, name); !ok {
			return nil, false
		}
		if raw, there, ok = appendMember(append(raw, ':'), e, name); !ok {
			return nil, false
		}
		if !there {
			raw = raw[:before]
		}
	}
	return append(raw, '}'), true
}

// appendMember writes the value of a member. An empty field is not there.
func appendMember(raw []byte, e insideout.Event, name string) (_ []byte, there, ok bool) {
	switch name {
	case "id":
		raw, ok = appendPlain(raw, e.ID)
		return raw, e.ID != "", ok
	case "type":
		raw, ok = appendPlain(raw, e.Type)
		return raw, e.Type != "", ok
	case "partitionKey":
		raw, ok = appendPlain(raw, e.PartitionKey)
		return raw, e.PartitionKey != "", ok
	case "timestamp":
		return strconv.AppendInt(raw, e.Timestamp.UnixMilli(), 10), true, true
	case memberTags:
		return appendTags(raw, e.Tags)
	}
	return append(raw, e.Body[name]...), true, true
}

func appendTags(raw []byte, tags insideout.Tags) (_ []byte, there, ok bool) {
	raw = append(raw, '{')
	for name, text := range tags {
		if raw[len(raw)-1] != '{' {
			raw = append(raw, ',')
		}
		if raw, ok = appendPlain(raw, name); !ok {
			return raw, false, false
		}
		if raw, ok = appendPlain(append(raw, ':'), text); !ok {
			return raw, false, false
		}
	}
	return append(raw, '}'), tags != nil, true
}

// appendPlain writes a text that needs no escapes.
func appendPlain(raw []byte, text string) (_ []byte, ok bool) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return raw, false
		}
	}
	return append(append(append(raw, '"'), text...), '"'), true
}
