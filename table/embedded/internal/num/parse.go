package num

import "strconv"

// Error is a refusal in DynamoDB's words; it is the text of a
// ValidationException.
type Error string

func (e Error) Error() string { return string(e) }

// The texts with which DynamoDB refuses a number; a text that is not a number
// at all is refused with ErrSyntax, followed by the text unless that is empty.
const (
	ErrSyntax    Error = "The parameter cannot be converted to a numeric value"
	ErrOverflow  Error = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	ErrUnderflow Error = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	ErrPrecision Error = "Attempting to store more than 38 significant digits in a Number"
)

// Parse reads a decimal: an optional sign, digits with at most one point, and
// an optional exponent. Leading and trailing zeros cost nothing. Errors are of
// type [Error].
func Parse(text string) (Number, error) {
	if text == "" {
		return Number{}, ErrSyntax
	}
	m, rest, ok := parseMantissa(text)
	if !ok {
		return Number{}, syntax(text)
	}
	e, ok := parseExponent(rest)
	if !ok {
		return Number{}, syntax(text)
	}
	if m.digits == 0 {
		return Number{}, nil
	}
	exp := e - m.fraction + m.zeros
	if err := check(m.digits+exp-1, m.digits); err != nil {
		return Number{}, err
	}
	return Number{hi: m.hi, lo: m.lo, exp: int16(exp), neg: m.neg}, nil
}

func syntax(text string) Error { return ErrSyntax + ": " + Error(text) }

// check refuses what is out of DynamoDB's range.
func check(magnitude, digits int) error {
	switch {
	case magnitude > maxMagnitude:
		return ErrOverflow
	case magnitude < minMagnitude:
		return ErrUnderflow
	case digits > maxDigits:
		return ErrPrecision
	default:
		return nil
	}
}

// mantissa is what stands before the exponent: the significant digits, of
// which only the first 38 are kept, the zeros after them, and the number of
// digits after the point.
type mantissa struct {
	hi, lo                  uint64
	digits, zeros, fraction int
	neg                     bool
}

// parseMantissa reads sign, digits and point; ok is false without a digit.
func parseMantissa(text string) (m mantissa, rest string, ok bool) {
	i := 0
	if text[0] == '-' || text[0] == '+' {
		m.neg = text[0] == '-'
		i = 1
	}
	point := false
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		ok = true
		if point {
			m.fraction++
		}
		m.digit(uint64(c - '0'))
	}
	return m, text[i:], ok
}

// digit appends a digit. Zeros wait until a digit other than zero follows.
func (m *mantissa) digit(d uint64) {
	if d == 0 {
		if m.digits > 0 {
			m.zeros++
		}
		return
	}
	m.digits += m.zeros + 1
	switch {
	case m.digits <= 19: // fits 64 bits
		m.lo = m.lo*power(m.zeros+1) + d
	case m.digits <= maxDigits:
		m.hi, m.lo, _ = scale(m.hi, m.lo, m.zeros+1)
		m.lo += d
		if m.lo < d {
			m.hi++
		}
	}
	m.zeros = 0
}

// parseExponent reads nothing or e, sign, digits, which must fit 64 bits, as
// DynamoDB asks. Exponents beyond a billion count as a billion: both are out of range.
func parseExponent(text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	n, err := strconv.ParseInt(text[1:], 10, 64)
	return int(max(-farExponent, min(n, farExponent))), err == nil
}

const farExponent = 1e9
