package views

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
)

// headerOf reads what routes an event, its id, type, time, partition key and tags, in one pass over its JSON and without
// its body (but for what tells of sealed values), which many events never need: a mapper decodes the JSON on its own, and the events of no rule are dropped. ok is
// false for whatever is not an everyday event, which is then decoded in full: members missing, written with escapes, or
// twice; tags that are no texts; a claim check; something compressed; text that is no JSON.
func headerOf(raw []byte) (e insideout.Event, ok bool) {
	if bytes.Contains(raw, []byte(markInJSON)) {
		return e, false
	}
	s := scanner{raw: raw}
	s.members(func(name, value []byte) bool { return setHeader(&e, name, value) })
	return e, !s.broken && s.end() && e.ID != "" && e.Type != "" && !e.Timestamp.IsZero()
}

func setHeader(e *insideout.Event, name, value []byte) bool {
	switch string(name) {
	case "id":
		return setText(&e.ID, value)
	case "type":
		return setText(&e.Type, value)
	case "partitionKey":
		return setText(&e.PartitionKey, value)
	case "timestamp":
		millis, err := strconv.ParseInt(string(value), 10, 64)
		plain := err == nil && value[0] >= '1' && value[0] <= '9' && len(value) <= maxMillisDigits
		e.Timestamp = time.UnixMilli(millis).UTC()
		return plain
	case memberTags:
		return setTags(e, value)
	case memberClaim:
		return false
	case memberEEM:
		e.Body = map[string]json.RawMessage{memberEEM: value}
	}
	return true
}

const (
	maxMillisDigits = 15 // all such numbers are within the range of a JavaScript Date

	separators = " \t\r\n,:"
	delimiters = separators + "\"{}[]"
)

func setText(dst *string, value []byte) bool {
	text, ok := plainText(value)
	if !ok || len(text) == 0 {
		return false
	}
	*dst = string(text)
	return true
}

func setTags(e *insideout.Event, value []byte) bool {
	e.Tags = insideout.Tags{}
	s := scanner{raw: value}
	s.members(func(name, value []byte) bool {
		text, ok := plainText(value)
		e.Tags[tagName(name)] = string(text)
		return ok
	})
	return !s.broken && s.end()
}

// tagName is the text of a tag's name, which is nearly always one of the standard ones.
func tagName(name []byte) string {
	switch string(name) {
	case insideout.TagAccount:
		return insideout.TagAccount
	case insideout.TagRegion:
		return insideout.TagRegion
	case insideout.TagStage:
		return insideout.TagStage
	case insideout.TagSource:
		return insideout.TagSource
	case insideout.TagFunction:
		return insideout.TagFunction
	case insideout.TagPipeline:
		return insideout.TagPipeline
	}
	return string(name)
}

// plainText returns what is between the quotes of a JSON string that has no escapes and nothing but ASCII.
func plainText(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	text := value[1 : len(value)-1]
	for _, c := range text {
		if c < ' ' || c >= 0x7f || c == '\\' {
			return nil, false
		}
	}
	return text, true
}

// scanner walks over the members of a JSON object. It finds where values end, and does not look into them.
type scanner struct {
	raw    []byte
	at     int
	broken bool
}

// members calls f for each member of the object until it returns false.
func (s *scanner) members(f func(name, value []byte) bool) {
	if !s.take('{') {
		s.broken = true
		return
	}
	if s.take('}') {
		return
	}
	for {
		name, ok := plainText(s.value())
		if !ok || !s.take(':') || !f(name, s.value()) || s.broken {
			s.broken = true
			return
		}
		if s.take('}') {
			return
		}
		if !s.take(',') {
			s.broken = true
			return
		}
	}
}

func (s *scanner) space() {
	for s.at < len(s.raw) && (s.raw[s.at] == ' ' || s.raw[s.at] == '\t' || s.raw[s.at] == '\n' || s.raw[s.at] == '\r') {
		s.at++
	}
}

// take steps over a character, if it is the next one.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

// end reports whether nothing is left.
func (s *scanner) end() bool {
	s.space()
	return s.at == len(s.raw)
}

// value steps over a value and returns it, nil if it does not end.
func (s *scanner) value() []byte {
	s.space()
	start, depth := s.at, 0
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case '"':
			s.text()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		default:
			s.scalar()
		}
		if s.broken || depth <= 0 {
			break
		}
		s.separators()
	}
	if s.broken || depth != 0 || s.at == start {
		s.broken = true
		return nil
	}
	return s.raw[start:s.at]
}

// text steps over a string.
func (s *scanner) text() {
	for at := s.at + 1; ; {
		end := bytes.IndexByte(s.raw[at:], '"')
		if end < 0 {
			s.broken = true
			return
		}
		end += at
		escapes := 0
		for s.raw[end-1-escapes] == '\\' {
			escapes++
		}
		at = end + 1
		if escapes%2 == 0 {
			s.at = at
			return
		}
	}
}

// scalar steps over a number or a word.
func (s *scanner) scalar() {
	start := s.at
	for s.at < len(s.raw) && strings.IndexByte(delimiters, s.raw[s.at]) < 0 {
		s.at++
	}
	s.broken = s.broken || s.at == start
}

// separators steps over what may stand between the parts of an object or a list.
func (s *scanner) separators() {
	for s.at < len(s.raw) && strings.IndexByte(separators, s.raw[s.at]) >= 0 {
		s.at++
	}
}
