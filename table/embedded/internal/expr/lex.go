package expr

import (
	"strings"
	"unicode/utf8"
)

// token is a word of an expression; other is one character that begins none.
type token struct {
	kind       tokenKind
	start, end int32
}

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokOther
	tokName      // a bare name
	tokNameRef   // #name
	tokValueRef  // :value
	tokInteger   // 0, or digits that do not begin with 0
	tokEqual     // =
	tokNotEqual  // <>
	tokLess      // <
	tokLessEq    // <=
	tokGreater   // >
	tokGreaterEq // >=
	tokOpen      // (
	tokClose     // )
	tokOpenList  // [
	tokCloseList // ]
	tokComma
	tokDot
	tokPlus
	tokMinus
	tokAnd
	tokOr
	tokNot
	tokBetween
	tokIn
	tokSet
	tokRemove
	tokAdd
	tokDelete
)

// lex splits the text into words; the last is tokEOF.
func lex(text string, tokens []token) []token {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		default:
			kind, n := next(text[i:])
			tokens = append(tokens, token{kind, int32(i), int32(i + n)})
			i += n
		}
	}
	return append(tokens, token{tokEOF, int32(len(text)), int32(len(text))})
}

// next gives the kind and the length of the word at the start of text.
func next(text string) (tokenKind, int) {
	switch c := text[0]; {
	case isLetter(c):
		n := 1 + wordLength(text[1:])
		return keyword(text[:n]), n
	case c == '#' || c == ':':
		n := wordLength(text[1:])
		if n == 0 {
			return tokOther, 1
		}
		if c == '#' {
			return tokNameRef, n + 1
		}
		return tokValueRef, n + 1
	case c == '0':
		return tokInteger, 1
	case '1' <= c && c <= '9':
		n := 1
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		return tokInteger, n
	default:
		return operator(text)
	}
}

// operator gives the kind and the length of the sign at the start of text.
func operator(text string) (tokenKind, int) {
	if len(text) > 1 {
		switch text[:2] {
		case "<>":
			return tokNotEqual, 2
		case "<=":
			return tokLessEq, 2
		case ">=":
			return tokGreaterEq, 2
		}
	}
	if i := strings.IndexByte("=<>()[],.+-", text[0]); i >= 0 {
		return [...]tokenKind{
			tokEqual, tokLess, tokGreater, tokOpen, tokClose, tokOpenList,
			tokCloseList, tokComma, tokDot, tokPlus, tokMinus,
		}[i], 1
	}
	_, n := utf8.DecodeRuneInString(text)
	return tokOther, n
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// wordLength counts the letters, digits and underscores at the start of text.
func wordLength(text string) int {
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && c != '_' && (c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}

// keyword tells the words of the grammar, in either case, from names.
func keyword(word string) tokenKind {
	if len(word) > len("between") {
		return tokName
	}
	for i, w := range [...]string{"and", "or", "not", "between", "in", "set", "remove", "add", "delete"} {
		if len(w) == len(word) && strings.EqualFold(w, word) {
			return tokAnd + tokenKind(i)
		}
	}
	return tokName
}
