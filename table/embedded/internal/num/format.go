package num

import "strconv"

// String gives the normal text: no exponent, no leading or trailing zeros, as
// DynamoDB answers it.
func (n Number) String() string {
	var buf [48]byte
	return string(n.AppendText(buf[:0]))
}

// AppendText appends the normal text to dst.
func (n Number) AppendText(dst []byte) []byte {
	if n.IsZero() {
		return append(dst, '0')
	}
	if n.neg {
		dst = append(dst, '-')
	}
	var buf [40]byte
	text := appendDigits(buf[:0], n.hi, n.lo)
	point := len(text) + int(n.exp)
	switch {
	case n.exp >= 0:
		return appendZeros(append(dst, text...), int(n.exp))
	case point > 0:
		dst = append(append(dst, text[:point]...), '.')
		return append(dst, text[point:]...)
	default:
		return append(appendZeros(append(dst, '0', '.'), -point), text...)
	}
}

func appendDigits(dst []byte, hi, lo uint64) []byte {
	if hi == 0 {
		return strconv.AppendUint(dst, lo, 10)
	}
	_, q, rest := div64(hi, lo, 1e19) // below 10^19, since the coefficient is below 10^38
	dst = strconv.AppendUint(dst, q, 10)
	for limit := uint64(1e18); limit > rest && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, rest, 10)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// Size gives the bytes that DynamoDB counts for the number: one, one for each
// two digits before and after the point, and one for a minus sign. Leading and
// trailing zeros do not count.
func (n Number) Size() int {
	if n.IsZero() {
		return 1
	}
	count := digits(n.hi, n.lo)
	whole := min(max(count+int(n.exp), 0), count)
	size := 1 + (whole+1)/2 + (count-whole+1)/2
	if n.neg {
		size++
	}
	return size
}
