package main

import (
	"fmt"
	"math/big"
	"regexp"
)

// Amount is an exact decimal amount of money: sums of quantity × price never round. The zero Amount is 0. Amounts are
// immutable, and travel as text ("15.30") in rows and events, since a JSON number would lose digits in many readers.
type Amount struct{ rat *big.Rat }

var decimal = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)$`)

// maxDigits bounds the text of an amount, so that one line cannot make every later sum expensive.
const maxDigits = 38

// ParseAmount reads a plain decimal of up to 38 characters: no exponent, no thousands separator.
func ParseAmount(text string) (Amount, error) {
	if len(text) > maxDigits || !decimal.MatchString(text) {
		return Amount{}, fmt.Errorf("%.40q is not a decimal number", text)
	}
	rat, ok := new(big.Rat).SetString(text)
	if !ok {
		return Amount{}, fmt.Errorf("%.40q is not a decimal number", text)
	}
	return Amount{rat}, nil
}

func (a Amount) value() *big.Rat {
	if a.rat == nil {
		return new(big.Rat)
	}
	return a.rat
}

// Add is a + b.
func (a Amount) Add(b Amount) Amount { return Amount{new(big.Rat).Add(a.value(), b.value())} }

// Times is a × n.
func (a Amount) Times(n int64) Amount {
	return Amount{new(big.Rat).Mul(a.value(), new(big.Rat).SetInt64(n))}
}

// Cmp is negative, zero or positive as a is less than, equal to or more than b.
func (a Amount) Cmp(b Amount) int { return a.value().Cmp(b.value()) }

// Fixed is the amount with exactly three decimals, as the dump shows it.
func (a Amount) Fixed() string { return a.value().FloatString(3) }

// String is the shortest exact decimal text.
func (a Amount) String() string {
	digits, _ := a.value().FloatPrec()
	return a.value().FloatString(digits)
}

// MarshalText writes the exact decimal text.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote. A sum may have more digits than a price, so the length is not bounded here.
func (a *Amount) UnmarshalText(text []byte) error {
	rat, ok := new(big.Rat).SetString(string(text))
	if !ok || !decimal.Match(text) {
		return fmt.Errorf("%.40q is not a decimal number", text)
	}
	a.rat = rat
	return nil
}
