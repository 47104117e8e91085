package idempotence

import "fmt"

// Outcome is what the inverse lock made of a write. The zero value is none: the write has not been judged.
type Outcome uint8

const (
	Applied   Outcome = iota + 1 // the write was newer, and the row has it now
	Duplicate                    // the row had this very change already
	Stale                        // the row had a newer change
	Withheld                     // the write was not made: the row's subject was erased, and must not come back
)

// String returns "applied", "duplicate", "stale" or "withheld".
func (o Outcome) String() string {
	switch o {
	case Applied:
		return "applied"
	case Duplicate:
		return "duplicate"
	case Stale:
		return "stale"
	case Withheld:
		return "withheld"
	default:
		return fmt.Sprintf("outcome %d", uint8(o))
	}
}

// Classify tells what the inverse lock makes of a write with version incoming on a lane with version stored ("" if it was
// never written): Applied if incoming is greater, Duplicate if it is equal, Stale if it is smaller.
//
// After a failed condition, pass the version in the returned item (ReturnValuesOnConditionCheckFailure = ALL_OLD). The
// answer Applied then means that the condition failed for another reason than the lock, for instance because
// the attribute holds something else than a version; the write has not been made.
func Classify(stored, incoming Version) Outcome {
	switch {
	case stored < incoming:
		return Applied
	case stored == incoming:
		return Duplicate
	default:
		return Stale
	}
}

// LockCondition returns the condition expression of the inverse lock for an attribute name placeholder such as "#v", which
// stands for [Lane.VersionAttribute], and a value placeholder such as ":v", which stands for the incoming version as a
// string: "attribute_not_exists(#v) OR #v < :v". Put it into parentheses to combine it with AND.
//
// A write that fails on it is old news and a success; see [Classify]. A version attribute must always be a string: a
// number stored under the same name is neither absent nor smaller, so every write would look stale.
func LockCondition(name, value string) string {
	return "attribute_not_exists(" + name + ") OR " + name + " < " + value
}
