package num

import (
	"errors"
	"math/bits"
)

// The first byte of a number's key bytes. It is never used by the key bytes of
// another type, and never 0x00 or 0xFF.
const (
	KeyNegative byte = 0x04
	KeyZero     byte = 0x05
	KeyPositive byte = 0x06
)

// ErrKey tells that bytes are not the key bytes of a number.
var ErrKey = errors.New("num: not the key bytes of a number")

// AppendKey appends bytes that sort as the numbers do and that tell where they
// end: the sign, the exponent of the leading digit plus 130, two digits a byte
// plus one, and 0; all but the sign inverted for negative numbers. Zero is one byte.
func AppendKey(dst []byte, n Number) []byte {
	if n.IsZero() {
		return append(dst, KeyZero)
	}
	sign, mask := KeyPositive, byte(0)
	if n.neg {
		sign, mask = KeyNegative, 0xFF
	}
	var buf [40]byte
	text := appendDigits(buf[:0], n.hi, n.lo)
	dst = append(dst, sign, byte(len(text)-1+int(n.exp)-minMagnitude)^mask)
	for i := 0; i < len(text); i += 2 {
		pair := (text[i] - '0') * 10
		if i+1 < len(text) {
			pair += text[i+1] - '0'
		}
		dst = append(dst, (pair+1)^mask)
	}
	return append(dst, mask)
}

// DecodeKey reads the number at the start of key bytes, and gives what follows.
// Bytes that AppendKey would not have written are refused with ErrKey.
func DecodeKey[B ~string | ~[]byte](key B) (Number, B, error) {
	n := keyLength(key)
	if n == 0 {
		return Number{}, key, ErrKey
	}
	if key[0] == KeyZero {
		return Number{}, key[1:], nil
	}
	var mask byte
	if key[0] == KeyNegative {
		mask = 0xFF
	}
	var hi, lo uint64
	last := byte(0)
	for i := 2; i < n-1; i++ {
		last = key[i] ^ mask - 1
		if last > 99 || i == 2 && last < 10 {
			return Number{}, key, ErrKey
		}
		if i < 11 { // up to 18 digits
			lo = lo*100 + uint64(last)
			continue
		}
		hi, lo, _ = mul64(hi, lo, 100)
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(last), 0)
		hi += carry
	}
	if last == 0 {
		return Number{}, key, ErrKey
	}
	exp := int(key[1]^mask) + minMagnitude - 2*(n-3) + 1
	return normal(hi, lo, exp, mask != 0), key[n:], nil
}

// keyLength gives the length of the key bytes at the start, 0 if there are none
// of at most 38 digits.
func keyLength[B ~string | ~[]byte](key B) int {
	if len(key) == 0 {
		return 0
	}
	end := byte(0)
	switch key[0] {
	case KeyZero:
		return 1
	case KeyPositive:
	case KeyNegative:
		end = 0xFF
	default:
		return 0
	}
	for i := 2; i < min(len(key), 3+maxDigits/2); i++ {
		if key[i] == end {
			if i == 2 {
				return 0
			}
			return i + 1
		}
	}
	return 0
}
