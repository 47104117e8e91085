package jsonplan

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of what is read here; encoding/json takes 10,000.
const maxDepth = 500

// scanner walks over a JSON text. Each method steps over what it is named for and reports false if that is not there; the position
// says nothing then.
type scanner struct {
	text   string
	at     int
	depth  int
	member func(name, value string) bool // gets the members of the outermost struct, if it is not nil
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next is the first byte of what comes, zero at the end.
func (s *scanner) next() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' { // as it nearly always is
		return s.text[s.at]
	}
	s.space()
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// take steps over a character, if it is the next one.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// end reports whether nothing is left.
func (s *scanner) end() bool { return s.next() == 0 && s.at == len(s.text) }

// object calls f for each member, at its value, which f must step over.
func (s *scanner) object(f func(name string) bool) bool {
	if !s.take('{') || !s.enter() {
		return false
	}
	if s.take('}') {
		s.depth--
		return true
	}
	for {
		name, plain, ok := s.word()
		if !ok {
			return false
		}
		if !plain {
			if name, ok = unquote(name); !ok {
				return false
			}
		}
		if !s.take(':') || !f(name) {
			return false
		}
		if s.take(',') {
			continue
		}
		s.depth--
		return s.take('}')
	}
}

// array calls f for each item, which f must step over.
func (s *scanner) array(f func() bool) bool {
	if !s.take('[') || !s.enter() {
		return false
	}
	if s.take(']') {
		s.depth--
		return true
	}
	for {
		if !f() {
			return false
		}
		if s.take(',') {
			continue
		}
		s.depth--
		return s.take(']')
	}
}

func (s *scanner) enter() bool {
	s.depth++
	return s.depth <= maxDepth
}

// value steps over any value and returns its text.
func (s *scanner) value() (string, bool) {
	first := s.next()
	start, ok := s.at, false
	switch first {
	case '"':
		_, _, ok = s.word()
	case '{':
		ok = s.object(func(string) bool { _, ok := s.value(); return ok })
	case '[':
		ok = s.array(func() bool { _, ok := s.value(); return ok })
	case 't', 'f', 'n':
		ok = s.literal("true") || s.literal("false") || s.literal("null")
	default:
		_, ok = s.number()
	}
	return s.text[start:s.at], ok
}

func (s *scanner) literal(text string) bool {
	s.space()
	if !strings.HasPrefix(s.text[s.at:], text) {
		return false
	}
	s.at += len(text)
	return true
}

// null steps over a null, if that is next.
func (s *scanner) null() bool { return s.next() == 'n' && s.literal("null") }

// word steps over a string. Where it is plain, its text is what is between the quotes; else it is the whole token, for unquote.
func (s *scanner) word() (text string, plain, ok bool) {
	if !s.take('"') {
		return "", false, false
	}
	start := s.at
	end := strings.IndexByte(s.text[start:], '"')
	if end < 0 {
		return "", false, false
	}
	text = s.text[start : start+end]
	if class := classOf(text); class == ascii || class == foreign && utf8.ValidString(text) {
		s.at = start + end + 1
		return text, true, true
	}
	return s.odd(start)
}

// odd steps over a string with escapes or what is no UTF-8, and has encoding/json judge it.
func (s *scanner) odd(start int) (text string, plain, ok bool) {
	for at := start; ; at++ {
		end := strings.IndexAny(s.text[at:], `\"`)
		if end < 0 {
			return "", false, false
		}
		if at += end; s.text[at] == '"' {
			s.at = at + 1
			text = s.text[start-1 : s.at]
			return text, false, json.Valid([]byte(text))
		}
		at++ // over what is escaped
		if at == len(s.text) {
			return "", false, false
		}
	}
}

// unquote is the text of a token that is not plain.
func unquote(token string) (text string, ok bool) {
	err := json.Unmarshal([]byte(token), &text)
	return text, err == nil
}

// class says what a text has in it.
type class byte

const (
	ascii   class = iota // nothing but printable characters of ASCII, and no backslash
	foreign              // others, too
	special              // a backslash, or a control character, which JSON forbids
)

// Eight bytes at a time: each mask has a bit of every byte.
const (
	ones     = 0x0101010101010101
	tops     = 0x8080808080808080
	spaces   = ones * ' '
	slashes  = ones * '\\'
	wordSize = 8
)

func classOf(text string) class {
	var seen uint64 // the top bits of characters that are not ASCII
	at := 0
	for ; at+wordSize <= len(text); at += wordSize {
		b := text[at : at+wordSize]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		slash := w ^ slashes
		// A byte that is less than the one that is taken from it borrows, and so has its top bit set; or was above 127 before. What a borrow
		// does to the bytes above matters not, since there is a hit already.
		if ((w-spaces)|(slash-ones))&^w&tops != 0 {
			return special
		}
		seen |= w & tops
	}
	for ; at < len(text); at++ {
		c := text[at]
		if c < ' ' || c == '\\' {
			return special
		}
		seen |= uint64(c & utf8.RuneSelf)
	}
	if seen != 0 {
		return foreign
	}
	return ascii
}

// number steps over a number.
func (s *scanner) number() (string, bool) {
	s.space()
	start := s.at
	s.sign('-')
	switch first := s.at; {
	case !s.digits():
		return "", false
	case s.text[first] == '0' && s.at > first+1:
		return "", false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return "", false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|' ' == 'e' {
		s.at++
		if !s.sign('-') {
			s.sign('+')
		}
		if !s.digits() {
			return "", false
		}
	}
	return s.text[start:s.at], true
}

func (s *scanner) sign(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// Members calls f for each member of an object, with the text of its value, until f returns false. It reports whether f always
// returned true and the text is one JSON object, and nothing more.
func Members(text string, f func(name, value string) bool) bool {
	s := scanner{text: text}
	return s.object(func(name string) bool {
		value, ok := s.value()
		return ok && f(name, value)
	}) && s.end()
}

// Guess is the text of an object's first member of a name. It looks at no more than it must to find it, so it may be wrong of what is no JSON or has
// escapes, and is empty where there is no such member.
func Guess(text, name string) string {
	s := scanner{text: text}
	for more := s.take('{'); more; more = s.take(',') {
		here := s.rough()
		if !s.take(':') {
			return ""
		}
		if value := s.rough(); len(here) == len(name)+2 && here[1:len(here)-1] == name && len(value) > 2 {
			return value[1 : len(value)-1]
		}
	}
	return ""
}

// rough steps over a value as if it were JSON, and returns its text.
func (s *scanner) rough() string {
	s.space()
	start, depth := s.at, 0
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '"':
			if s.roughString(); depth == 0 {
				s.at++
				return s.text[start:s.at]
			}
		case c == '{', c == '[':
			depth++
		case depth == 0 && (c == ',' || c == '}'):
			return s.text[start:s.at]
		case c == '}', c == ']':
			depth--
		}
		s.at++
	}
	return s.text[start:]
}

// roughString steps to the last character of a string.
func (s *scanner) roughString() {
	for escaped := true; escaped; escaped = s.text[s.at-1] == '\\' {
		end := strings.IndexByte(s.text[s.at+1:], '"')
		if end < 0 {
			s.at = len(s.text) - 1
			return
		}
		s.at += end + 1
	}
}

// Valid reports whether a text is one JSON value. It is false for one that is nested too deep for this package, too.
func Valid(text string) bool {
	s := scanner{text: text}
	_, ok := s.value()
	return ok && s.end()
}

// Text is what the value of a member says, where that is a string without escapes.
func Text(value string) (string, bool) {
	s := scanner{text: value}
	text, plain, ok := s.word()
	return text, ok && plain
}
