package gdpr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Plan is what an erasure would do: every target with its action, what is held or kept and why, which copies remain elsewhere, and what it costs.
// Making one changes nothing. Somebody approves its Hash, and only what the plan names is done.
//
// A plan names keys of rows, which may be personal data themselves: treat it like the data.
type Plan struct {
	Version   int        `json:"version"`
	Job       string     `json:"job"`
	Subject   string     `json:"subject"` // the keyed reference
	MadeAt    time.Time  `json:"made_at"`
	ExpiresAt time.Time  `json:"expires_at"` // an approval after this is refused
	Actions   []Action   `json:"actions"`
	Residuals []Residual `json:"residuals"`
	Cost      Cost       `json:"cost"`
}

// Action is what is to be done with one target: a row, a subject's key, an object of the lake.
type Action struct {
	Place  string        `json:"place"`
	Target string        `json:"target"` // in a table: partition key and sort key, as JSON
	Kind   string        `json:"kind"`   // the model's name, or what else it is
	Do     ActionDo      `json:"do"`
	Fields []FieldAction `json:"fields,omitempty"`
	Seen   string        `json:"seen,omitempty"` // the version that the plan saw
	Hold   string        `json:"hold,omitempty"` // why it must not be touched now
	Cost   Cost          `json:"cost"`
}

// ActionDo is what an action does with its target.
type ActionDo string

// What is done with a target.
const (
	DeleteRow ActionDo = "delete"  // a tombstone without data takes its place, and goes after its time to live
	EditRow   ActionDo = "edit"    // only the fields named change
	MoveRow   ActionDo = "move"    // and with them the key: the row goes on under another one; or goes, if it is about nobody else by then
	KeepRow   ActionDo = "keep"    // nothing changes, for the reasons of the fields
	ShredKey  ActionDo = "shred"   // what is sealed under the key opens nowhere any more
	Rewrite   ActionDo = "rewrite" // an object of the lake is written again without the subject
)

// FieldAction is what becomes of one field.
type FieldAction struct {
	Field  string    `json:"field"`
	Class  string    `json:"class,omitempty"` // of a sealed field
	Do     Do        `json:"do"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// Cost is capacity, in DynamoDB's units.
type Cost struct {
	Reads  float64 `json:"reads"`
	Writes float64 `json:"writes"`
}

func (c Cost) plus(d Cost) Cost { return Cost{c.Reads + d.Reads, c.Writes + d.Writes} }

// planVersion is the version of the plan's bytes, and so of what its hash means.
const planVersion = 1

// Hash is what an approval names: SHA-256 of the plan's JSON, in hexadecimal.
func (p Plan) Hash() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("gdpr: the plan cannot be hashed: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Count counts actions by what they do.
func (p Plan) Count(do ActionDo) int {
	n := 0
	for _, a := range p.Actions {
		if a.Do == do {
			n++
		}
	}
	return n
}
