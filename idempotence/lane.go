package idempotence

import (
	"errors"
	"fmt"
)

// ErrLane is wrapped by the errors about names that are not lanes.
var ErrLane = errors.New("idempotence: no lane")

const (
	versionAttribute   = "_v"
	tombstonePrefix    = "_d_"
	tombstoneAttribute = "deleted"
	maxLane            = 64
)

// Lane names one upstream source of a row. The zero value is the unnamed lane: the owner, which decides whether the row
// is visible. Most rows have no other.
//
// A lane owns a set of attributes that no other lane writes, its version and its tombstone.
type Lane string

// VersionAttribute returns the name of the attribute (S) with the lane's version: "_v", or "_v_" and the lane's name.
func (l Lane) VersionAttribute() string {
	if l == "" {
		return versionAttribute
	}
	return versionAttribute + "_" + string(l)
}

// TombstoneAttribute returns the name of the attribute (BOOL) that is true while the lane is deleted: "deleted" for the
// unnamed lane, where it marks the whole row, or "_d_" and the lane's name.
func (l Lane) TombstoneAttribute() string {
	if l == "" {
		return tombstoneAttribute
	}
	return tombstonePrefix + string(l)
}

// Valid returns nil for the unnamed lane and for a name of 1 to 64 ASCII letters, digits, "-" and "_" that starts with a
// letter, and otherwise an error that wraps [ErrLane].
func (l Lane) Valid() error {
	if len(l) > maxLane {
		return fmt.Errorf("%w: %q has more than %d characters", ErrLane, string(l), maxLane)
	}
	for i, c := range []byte(l) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		inner := i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '_')
		if !letter && !inner {
			return fmt.Errorf("%w: %q is not a letter followed by letters, digits, \"-\" and \"_\"", ErrLane, string(l))
		}
	}
	return nil
}
