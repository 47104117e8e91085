package attr

import (
	"errors"
	"strings"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// The first byte of the key bytes of S and B; numbers have num.KeyNegative,
// num.KeyZero and num.KeyPositive.
const (
	KeyString byte = 0x02
	KeyBinary byte = 0x03
)

// In the key bytes of S and B a zero byte is written as 0x00 0xFF, and 0x00 0x01
// ends the value: so a prefix sorts before what it begins, and no value's bytes
// begin another's.
const (
	keyEscape byte = 0x00
	keyZero   byte = 0xFF
	keyEnd    byte = 0x01
)

// ErrKey tells that bytes are not key bytes, or that a value cannot be a key.
var ErrKey = errors.New("attr: not a key: want S, N or B")

// AppendKey appends bytes that sort as the values of one type do, that no other
// value has, and that tell where they end. Values other than S, N and B are
// refused with ErrKey.
func AppendKey(dst []byte, v Value) ([]byte, error) {
	switch v.kind {
	case Num:
		return append(dst, v.text...), nil
	case String:
		return appendEscaped(append(dst, KeyString), v.text), nil
	case Binary:
		return appendEscaped(append(dst, KeyBinary), v.text), nil
	default:
		return dst, ErrKey
	}
}

// AppendKeyPrefix appends the bytes with which the key bytes of every value
// begin that begins with the S or B v.
func AppendKeyPrefix(dst []byte, v Value) ([]byte, error) {
	if v.kind != String && v.kind != Binary {
		return dst, ErrKey
	}
	dst, err := AppendKey(dst, v)
	return dst[:len(dst)-2], err
}

func appendEscaped(dst []byte, text string) []byte {
	for {
		i := strings.IndexByte(text, keyEscape)
		if i < 0 {
			return append(append(dst, text...), keyEscape, keyEnd)
		}
		dst = append(append(dst, text[:i]...), keyEscape, keyZero)
		text = text[i+1:]
	}
}

// DecodeKey reads the value at the start of key bytes, and gives what follows.
// Bytes that AppendKey would not have written are refused with ErrKey.
func DecodeKey(key []byte) (Value, []byte, error) {
	if len(key) == 0 {
		return Value{}, key, ErrKey
	}
	switch key[0] {
	case KeyString:
		return decodeText(key, String)
	case KeyBinary:
		return decodeText(key, Binary)
	default:
		_, rest, err := num.DecodeKey(key)
		if err != nil {
			return Value{}, key, ErrKey
		}
		return Value{kind: Num, text: string(key[:len(key)-len(rest)])}, rest, nil
	}
}

func decodeText(key []byte, kind Kind) (Value, []byte, error) {
	var text []byte
	start := 1
	for i := 1; i+1 < len(key); i++ {
		if key[i] != keyEscape {
			continue
		}
		switch key[i+1] {
		case keyEnd:
			if text == nil {
				return Value{kind: kind, text: string(key[start:i])}, key[i+2:], nil
			}
			return Value{kind: kind, text: string(append(text, key[start:i]...))}, key[i+2:], nil
		case keyZero:
			text = append(append(text, key[start:i]...), keyEscape)
			start = i + 2
			i++
		default:
			return Value{}, key, ErrKey
		}
	}
	return Value{}, key, ErrKey
}
