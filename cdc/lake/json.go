package lake

// maxDepth of nested values, as in encoding/json.
const maxDepth = 10_000

// The functions below check JSON as encoding/json does, at several times its speed: reading a lake is for the most part that. Each takes a
// text and where a value begins, and returns where it ends, -1 if it is none.

// jsonObject is for an object at the start of a text.
func jsonObject(text []byte) int {
	if len(text) == 0 || text[0] != '{' {
		return -1
	}
	return jsonValue(text, 0, 0)
}

func jsonValue(text []byte, at, depth int) int {
	if at >= len(text) {
		return -1
	}
	switch c := text[at]; {
	case c == '"':
		return jsonString(text, at)
	case c == '{':
		return jsonMembers(text, at, depth+1, '}')
	case c == '[':
		return jsonMembers(text, at, depth+1, ']')
	case c == '-' || c >= '0' && c <= '9':
		return jsonNumber(text, at)
	default:
		return jsonWord(text, at)
	}
}

// jsonMembers is for an object or an array, depending on what closes it.
func jsonMembers(text []byte, at, depth int, closing byte) int {
	if depth > maxDepth {
		return -1
	}
	at = jsonSpace(text, at+1)
	if at < len(text) && text[at] == closing {
		return at + 1
	}
	for {
		if closing == '}' {
			if at >= len(text) || text[at] != '"' {
				return -1
			}
			if at = jsonString(text, at); at < 0 {
				return -1
			}
			if at = jsonSpace(text, at); at >= len(text) || text[at] != ':' {
				return -1
			}
			at = jsonSpace(text, at+1)
		}
		if at = jsonValue(text, at, depth); at < 0 {
			return -1
		}
		if at = jsonSpace(text, at); at >= len(text) {
			return -1
		}
		switch text[at] {
		case ',':
			at = jsonSpace(text, at+1)
		case closing:
			return at + 1
		default:
			return -1
		}
	}
}

func jsonSpace(text []byte, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

func jsonString(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1
		case c < ' ':
			return -1
		case c == '\\':
			n := jsonEscape(text[at+1:])
			if n == 0 {
				return -1
			}
			at += n
		}
	}
	return -1
}

// jsonEscape returns the length of what may follow a backslash.
func jsonEscape(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(text) < 5 {
			return 0
		}
		for _, c := range text[1:5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return 5
	}
	return 0
}

func jsonNumber(text []byte, at int) int {
	if text[at] == '-' {
		at++
	}
	switch digits := jsonDigits(text, at); {
	case digits == at, text[at] == '0' && digits > at+1:
		return -1
	default:
		at = digits
	}
	if at < len(text) && text[at] == '.' {
		digits := jsonDigits(text, at+1)
		if digits == at+1 {
			return -1
		}
		at = digits
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		digits := jsonDigits(text, at)
		if digits == at {
			return -1
		}
		at = digits
	}
	return at
}

func jsonDigits(text []byte, at int) int {
	for at < len(text) && text[at] >= '0' && text[at] <= '9' {
		at++
	}
	return at
}

func jsonWord(text []byte, at int) int {
	for _, word := range []string{"true", "false", "null"} {
		if len(text)-at >= len(word) && string(text[at:at+len(word)]) == word {
			return at + len(word)
		}
	}
	return -1
}
