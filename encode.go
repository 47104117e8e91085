package insideout

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// MarshalJSON returns e as one JSON object on one line, members sorted by name.
//
// Empty fields are left out. The error is a [*MemberError]: a body member that is not JSON, a timestamp outside of the
// range of a JavaScript Date. Note that [json.Marshal] escapes <, > and & within what this method returns, the text of
// body members included; call MarshalJSON itself, or an encoder with SetEscapeHTML(false), where their exact text counts.
func (e Event) MarshalJSON() ([]byte, error) {
	members := make(map[string]json.RawMessage, len(e.Body)+6)
	maps.Copy(members, e.Body)
	put := func(name string, empty bool, field json.RawMessage) {
		if !empty {
			members[name] = field
		} else if isField(name) {
			delete(members, name)
		}
	}
	for _, text := range []struct{ name, field string }{
		{memberID, e.ID},
		{memberType, e.Type},
		{memberPartitionKey, e.PartitionKey},
	} {
		if !unchanged(e.Body, text.name, readText, text.field, func(a, b string) bool { return a == b }) {
			put(text.name, text.field == "", appendText(nil, text.field))
		}
	}
	if !unchanged(e.Body, memberTimestamp, readTime, e.Timestamp, sameMillis) {
		field, err := appendTime(nil, e.Timestamp)
		if err != nil {
			return nil, e.fault(memberTimestamp, err)
		}
		put(memberTimestamp, e.Timestamp.IsZero(), field)
	}
	if !unchanged(e.Body, memberTriggers, readTriggers, e.Triggers, sameRefs) {
		field, err := appendRefs(nil, e.Triggers)
		if err != nil {
			return nil, e.fault(memberTriggers, err)
		}
		put(memberTriggers, e.Triggers == nil, field)
	}
	if err := e.putTags(members); err != nil {
		return nil, e.fault(memberTags, err)
	}
	return e.assemble(members)
}

// unchanged reports whether the received form of a member, kept in the body, still says what the field says.
func unchanged[T any](body map[string]json.RawMessage, name string,
	read func(*T) func(json.RawMessage) (json.RawMessage, error), field T, same func(a, b T) bool,
) bool {
	raw, ok := body[name]
	if !ok {
		return false
	}
	var kept T
	_, err := read(&kept)(raw)
	return err == nil && same(kept, field)
}

func sameMillis(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && a.UnixMilli() == b.UnixMilli()
}

func sameRefs(a, b []Ref) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, func(a, b Ref) bool {
		return a.ID == b.ID && a.Type == b.Type && sameMillis(a.Timestamp, b.Timestamp)
	})
}

// putTags joins the string tags with those of other types. A null in the place of the tags stays while there are none.
func (e Event) putTags(members map[string]json.RawMessage) error {
	if e.Tags == nil {
		return nil
	}
	others, err := looseTags(e.Body[memberTags])
	if err != nil {
		return err
	}
	tags := make(map[string]json.RawMessage, len(e.Tags)+len(others))
	maps.Copy(tags, others)
	for name, text := range e.Tags {
		tags[name] = appendText(nil, text)
	}
	members[memberTags], err = appendObject(nil, tags)
	return err
}

func (e Event) assemble(members map[string]json.RawMessage) ([]byte, error) {
	dst, err := appendObject(nil, members)
	if wrong, ok := errors.AsType[*MemberError](err); ok {
		wrong.EventID = e.ID
	}
	return dst, err
}

// appendObject writes the members sorted by name, each without white space. Every value is checked.
func appendObject(dst []byte, members map[string]json.RawMessage) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.Write(appendText(buf.AvailableBuffer(), name))
		buf.WriteByte(':')
		if err := json.Compact(&buf, members[name]); err != nil {
			return nil, &MemberError{Member: name, Err: errNotJSON}
		}
	}
	buf.WriteByte('}')
	return append(dst, buf.Bytes()...), nil
}

// appendText writes a JSON string. Text without special characters, as nearly all names and ids are, needs no encoder.
func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			raw, err := marshal(text)
			if err != nil { // a string always has a JSON form
				return append(dst, `""`...)
			}
			return append(dst, raw...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

func appendTime(dst []byte, t time.Time) ([]byte, error) {
	if t.IsZero() {
		return append(dst, "null"...), nil
	}
	millis := t.UnixMilli()
	if millis < -maxMillis || millis > maxMillis {
		return nil, errRange
	}
	return strconv.AppendInt(dst, millis, 10), nil
}

func appendRefs(dst []byte, refs []Ref) ([]byte, error) {
	dst = append(dst, '[')
	for i, ref := range refs {
		if i > 0 {
			dst = append(dst, ',')
		}
		raw, err := Event{ID: ref.ID, Type: ref.Type, Timestamp: ref.Timestamp}.MarshalJSON()
		if err != nil {
			return nil, Event{}.fault("["+strconv.Itoa(i)+"]", err)
		}
		dst = append(dst, raw...)
	}
	return append(dst, ']'), nil
}
