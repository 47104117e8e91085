package dispatch

import (
	"bytes"
	"strconv"
	"strings"
)

// maxToken is the length of a message group's and a deduplication's id.
const maxToken = 128

// Text is an event as the text of a message. SQS and SNS take the characters of XML 1.0 only; what JSON leaves over of the others is
// written as an escape, which only strings can have.
func Text(data []byte) string {
	if bytes.Contains(data, []byte("\uFFFE")) || bytes.Contains(data, []byte("\uFFFF")) {
		return strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`).Replace(string(data))
	}
	return string(data)
}

// TextOverhead is by how much Text may be longer than the event.
func TextOverhead(data []byte) int {
	return 3 * (bytes.Count(data, []byte("\uFFFE")) + bytes.Count(data, []byte("\uFFFF")))
}

// Token is an id as SQS and SNS take it for groups and deduplication: the text itself, or its SHA-256 where it is longer than 128
// characters or has others than letters, digits and ASCII punctuation.
func Token(text string) string {
	if text == "" || len(text) > maxToken || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return Hash(text)
	}
	return text
}

// Answers are the reasons of a batch whose entries were sent under their place in it, as a number.
type Answers []error

// NewAnswers has none for any of the n entries.
func NewAnswers(n int) Answers {
	a := make(Answers, n)
	for i := range a {
		a[i] = NoAnswer
	}
	return a
}

// Set notes the answer for an entry; one for an entry that was not sent says nothing.
func (a Answers) Set(id *string, reason error) {
	if id == nil {
		return
	}
	if i, err := strconv.Atoi(*id); err == nil && i >= 0 && i < len(a) {
		a[i] = reason
	}
}
