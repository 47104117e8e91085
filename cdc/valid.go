package cdc

import (
	"encoding/binary"
	"math/bits"

	"github.com/insideout-go/insideout"
)

// validate is Event.Validate, without its second look at what an encoder has just written: bodies are most of the bytes of an event.
func validate(e *insideout.Event) error {
	if e.ID == "" || e.Type == "" || e.Timestamp.IsZero() {
		return e.Validate()
	}
	for _, raw := range e.Body {
		if !plainJSON(raw) {
			return e.Validate()
		}
	}
	bare := *e
	bare.Body = nil
	return bare.Validate()
}

// plainJSON reports whether data is JSON for certain: false may be, too, where it is not written as encoders do it (white space), or is
// nested deeply.
func plainJSON(data []byte) bool {
	end := plainValue(data, 0, 0)
	return end == len(data) && end > 0
}

const maxPlainDepth = 64

// plainValue returns the end of the value that starts at i, or -1.
func plainValue(data []byte, i, depth int) int {
	if i >= len(data) || depth > maxPlainDepth {
		return -1
	}
	switch c := data[i]; {
	case c == '"':
		return plainString(data, i)
	case c == '{':
		return plainList(data, i, depth, '}')
	case c == '[':
		return plainList(data, i, depth, ']')
	case c == '-' || c >= '0' && c <= '9':
		return plainNumber(data, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(data)-i >= len(word) && string(data[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return -1
}

func plainString(data []byte, i int) int {
	for i++; ; i++ {
		for i+8 <= len(data) {
			run := plainRun(binary.LittleEndian.Uint64(data[i:]))
			if i += run; run < 8 {
				break
			}
		}
		if i >= len(data) {
			return -1
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i+1 >= len(data) {
				return -1
			}
			switch data[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i++
			default:
				return -1
			}
		case c < ' ':
			return -1
		}
	}
}

// plainRun is how many of eight bytes come before the first quote, backslash or control character. It subtracts from all of them at once: a
// byte that is smaller than what is taken from it has its highest bit set then, as it had not before. What it borrows is from those behind it.
func plainRun(eight uint64) int {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^ones*'"', eight^ones*'\\'
	special := ((quote-ones)&^quote | (backslash-ones)&^backslash | (eight-ones*' ')&^eight) & highest
	return bits.TrailingZeros64(special) / 8
}

// plainNumber takes whole and decimal numbers, without an exponent.
func plainNumber(data []byte, i int) int {
	if data[i] == '-' {
		i++
	}
	start := i
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	if i == start || data[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(data) && data[i] == '.' {
		i++
		fraction := i
		for i < len(data) && data[i] >= '0' && data[i] <= '9' {
			i++
		}
		if i == fraction {
			return -1
		}
	}
	return i
}

// plainList takes the members of an object or the elements of an array.
func plainList(data []byte, i, depth int, end byte) int {
	if i++; i < len(data) && data[i] == end {
		return i + 1
	}
	for i < len(data) {
		if end == '}' {
			if data[i] != '"' {
				return -1
			}
			if i = plainString(data, i); i < 0 || i >= len(data) || data[i] != ':' {
				return -1
			}
			i++
		}
		if i = plainValue(data, i, depth+1); i < 0 || i >= len(data) {
			return -1
		}
		switch data[i] {
		case end:
			return i + 1
		case ',':
			i++
		default:
			return -1
		}
	}
	return -1
}
