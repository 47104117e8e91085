package lake

import (
	"bytes"
	"errors"
	"iter"
)

// errNoValue quotes nothing: the text may be about a person.
var errNoValue = errors.New("is no JSON object")

// value is one JSON object of a text, with what belongs to it.
type value struct {
	json []byte // without white space around it
	text []byte // from the end of the one before to its own end, its line break included
	line int    // of its first byte, from 1
	err  error  // it is none; json is then its line
}

// values splits a text into JSON objects. They stand one in a line, or one behind the other without anything between them, as
// Firehose leaves them, or go over several lines. What is no object ends with its line, so that the next one is found. Objects that
// are not valid JSON are errors.
func values(text []byte, line int) iter.Seq[value] {
	return func(yield func(value) bool) {
		for len(text) > 0 {
			start := skipSpace(text)
			line += bytes.Count(text[:start], newline)
			if start == len(text) {
				return
			}
			v := value{line: line}
			end := jsonObject(text[start:])
			if end < 0 {
				v.err = errNoValue
				end = lineEnd(text[start:])
			}
			v.json = text[start : start+end]
			end += start
			line += bytes.Count(v.json, newline)
			if end < len(text) && text[end] == '\n' {
				end++
				line++
			}
			v.text, text = text[:end], text[end:]
			if !yield(v) {
				return
			}
		}
	}
}

var newline = []byte{'\n'}

func skipSpace(text []byte) int {
	for i, c := range text {
		if !isSpace(c) {
			return i
		}
	}
	return len(text)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func lineEnd(text []byte) int {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return end
	}
	return len(text)
}

// stringEnd returns where the JSON string at the start of a text ends, 0 if it does not. A string has no line break.
func stringEnd(text []byte) int {
	for at := 1; ; at++ {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return 0
		}
		at += n
		escapes := 0
		for text[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
}

// cut splits a text where a line ends with an object and the next one begins with another, in parts of about a given size.
func cut(text []byte, size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(text) > size {
			between := bytes.Index(text[size:], []byte("}\n{"))
			if between < 0 {
				break
			}
			part := text[:size+between+2]
			if text = text[len(part):]; !yield(part) {
				return
			}
		}
		if len(text) > 0 {
			yield(text)
		}
	}
}
