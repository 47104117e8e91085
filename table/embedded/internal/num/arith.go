package num

import (
	"cmp"
	"math/bits"
)

// Add gives the exact sum. One that needs more than 38 digits or is too large is
// refused with ErrOverflow, as DynamoDB refuses 1E50 + 1, and one that is too
// close to zero with ErrUnderflow.
func (n Number) Add(m Number) (Number, error) {
	switch {
	case n.IsZero():
		return m, nil
	case m.IsZero():
		return n, nil
	}
	if n.exp < m.exp {
		n, m = m, n
	}
	// m's last digit is not zero, so a sum that does not fit 128 bits has more
	// than 38 digits, whatever the signs.
	shift := int(n.exp) - int(m.exp)
	if digits(n.hi, n.lo)+shift > maxDigits+1 {
		return Number{}, ErrOverflow
	}
	hi, lo, over := scale(n.hi, n.lo, shift)
	if over {
		return Number{}, ErrOverflow
	}
	sum, over := addAligned(hi, lo, n.neg, m)
	if over {
		return Number{}, ErrOverflow
	}
	if sum.IsZero() {
		return sum, nil
	}
	if sum.magnitude() < minMagnitude {
		return Number{}, ErrUnderflow
	}
	if sum.magnitude() > maxMagnitude || digits(sum.hi, sum.lo) > maxDigits {
		return Number{}, ErrOverflow
	}
	return sum, nil
}

// addAligned adds ±(hi, lo)×10^m.exp to m.
func addAligned(hi, lo uint64, neg bool, m Number) (Number, bool) {
	if neg == m.neg {
		lo, carry := bits.Add64(lo, m.lo, 0)
		hi, carry := bits.Add64(hi, m.hi, carry)
		return normal(hi, lo, int(m.exp), neg), carry != 0
	}
	if hi < m.hi || hi == m.hi && lo < m.lo {
		hi, lo, m.hi, m.lo = m.hi, m.lo, hi, lo
		neg = m.neg
	}
	lo, borrow := bits.Sub64(lo, m.lo, 0)
	hi, _ = bits.Sub64(hi, m.hi, borrow)
	return normal(hi, lo, int(m.exp), neg), false
}

// Sub gives the exact difference, with the errors of [Number.Add].
func (n Number) Sub(m Number) (Number, error) { return n.Add(m.Neg()) }

// Cmp gives -1, 0 or 1: whether n is less than, equal to or greater than m.
func (n Number) Cmp(m Number) int {
	if n == m {
		return 0
	}
	if s, t := n.Sign(), m.Sign(); s != t {
		return cmp.Compare(s, t)
	}
	if n.neg {
		n, m = m, n
	}
	if a, b := n.magnitude(), m.magnitude(); a != b {
		return cmp.Compare(a, b)
	}
	// Equal magnitudes: aligned, both have at most 38 digits.
	n.hi, n.lo, _ = scale(n.hi, n.lo, max(int(n.exp)-int(m.exp), 0))
	m.hi, m.lo, _ = scale(m.hi, m.lo, max(int(m.exp)-int(n.exp), 0))
	if n.hi != m.hi {
		return cmp.Compare(n.hi, m.hi)
	}
	return cmp.Compare(n.lo, m.lo)
}
