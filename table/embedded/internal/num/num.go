// Package num holds DynamoDB's numbers: decimals of at most 38 significant
// digits with a magnitude between 1E-130 and 9.99…E+125.
//
// Start from [Parse] and [Number.String]. A Number is always normalised (1.0
// and 1 are the same value, and == compares them), arithmetic is exact or an
// error, never rounded, and [AppendKey] gives bytes that sort as the numbers do.
package num

import (
	"math/bits"
)

const (
	maxDigits    = 38
	maxMagnitude = 125  // exponent of the leading digit
	minMagnitude = -130 // exponent of the leading digit
)

// Number is an immutable decimal: ±coefficient × 10^exponent. The zero value
// is the number 0. Numbers are normalised, so == is numeric equality.
type Number struct {
	hi, lo uint64 // coefficient, below 10^38, not divisible by 10
	exp    int16
	neg    bool
}

// FromInt gives the number n.
func FromInt(n int64) Number {
	if n < 0 {
		return normal(0, uint64(-(n+1))+1, 0, true)
	}
	return normal(0, uint64(n), 0, false)
}

// IsZero tells whether the number is 0.
func (n Number) IsZero() bool { return n.hi|n.lo == 0 }

// Sign gives -1, 0 or 1.
func (n Number) Sign() int {
	switch {
	case n.IsZero():
		return 0
	case n.neg:
		return -1
	default:
		return 1
	}
}

// Neg gives the number with the other sign.
func (n Number) Neg() Number {
	if !n.IsZero() {
		n.neg = !n.neg
	}
	return n
}

// Int64 gives the number as an integer, and whether it is one that fits.
func (n Number) Int64() (int64, bool) {
	if n.IsZero() {
		return 0, true
	}
	if n.exp < 0 || n.exp > 18 {
		return 0, false
	}
	hi, lo, over := scale(n.hi, n.lo, int(n.exp))
	switch {
	case over || hi != 0:
		return 0, false
	case n.neg && lo <= 1<<63:
		return -int64(lo-1) - 1, true
	case !n.neg && lo < 1<<63:
		return int64(lo), true
	default:
		return 0, false
	}
}

// magnitude is the exponent of the leading digit; the number must not be zero.
func (n Number) magnitude() int { return digits(n.hi, n.lo) + int(n.exp) - 1 }

// normal moves the coefficient's trailing zeros into the exponent.
func normal(hi, lo uint64, exp int, neg bool) Number {
	if hi|lo == 0 {
		return Number{}
	}
	for hi != 0 || lo%10 == 0 {
		qh, ql, r := div64(hi, lo, 10)
		if r != 0 {
			break
		}
		hi, lo = qh, ql
		exp++
	}
	return Number{hi: hi, lo: lo, exp: int16(exp), neg: neg}
}

// div64 divides the 128-bit number by a 64-bit one.
func div64(hi, lo, by uint64) (qh, ql, rest uint64) {
	qh, rest = hi/by, hi%by
	ql, rest = bits.Div64(rest, lo, by)
	return qh, ql, rest
}

// mul64 multiplies the 128-bit number by a 64-bit one and tells of overflow.
func mul64(hi, lo, by uint64) (rh, rl uint64, over bool) {
	carry, rl := bits.Mul64(lo, by)
	over1, rh := bits.Mul64(hi, by)
	rh, c := bits.Add64(rh, carry, 0)
	return rh, rl, over1|c != 0
}

// scale multiplies by 10^k and tells of overflow.
func scale(hi, lo uint64, k int) (rh, rl uint64, over bool) {
	for k > 0 {
		step := min(k, 19)
		hi, lo, over = mul64(hi, lo, power(step))
		if over {
			return 0, 0, true
		}
		k -= step
	}
	return hi, lo, false
}

// power gives 10^k for k up to 19.
func power(k int) uint64 {
	return [...]uint64{
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
		1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	}[k]
}

// digits counts the decimal digits; zero has none.
func digits(hi, lo uint64) int {
	if hi != 0 {
		qh, ql, _ := div64(hi, lo, 1e19)
		return 19 + digits(qh, ql)
	}
	n := 0
	for lo >= 100 {
		lo /= 100
		n += 2
	}
	if lo >= 10 {
		return n + 2
	}
	if lo > 0 {
		return n + 1
	}
	return n
}
