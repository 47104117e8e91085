package expr

import (
	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// KeyOp is the operator of a key condition.
type KeyOp uint8

// The operators of key conditions.
const (
	KeyEqual KeyOp = iota + 1
	KeyLess
	KeyLessEq
	KeyGreater
	KeyGreaterEq
	KeyBetween
	KeyBeginsWith
)

// String gives the operator as expressions write it.
func (o KeyOp) String() string {
	return [...]string{"", "=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"}[o]
}

// KeyTerm is a condition on one attribute.
type KeyTerm struct {
	Name   string
	Op     KeyOp
	Values []attr.Value // two for KeyBetween, otherwise one
}

// Match tells whether the value meets the term.
func (t KeyTerm) Match(v attr.Value) bool {
	order, ok := attr.Compare(v, t.Values[0])
	if !ok {
		return false
	}
	switch t.Op {
	case KeyEqual:
		return order == 0
	case KeyLess:
		return order < 0
	case KeyLessEq:
		return order <= 0
	case KeyGreater:
		return order > 0
	case KeyGreaterEq:
		return order >= 0
	case KeyBetween:
		high, ok := attr.Compare(v, t.Values[1])
		return ok && order >= 0 && high <= 0
	default:
		first, prefix := v.Str(), t.Values[0].Str()
		return v.Kind() != attr.Num && len(first) >= len(prefix) && first[:len(prefix)] == prefix
	}
}

// KeyCondition is what a Query looks for: terms that all hold, each on another
// attribute, in the order of the text. That they fit a key schema is for the
// caller to check.
type KeyCondition struct {
	Terms []KeyTerm
}

// Term gives the term on the attribute, if there is one.
func (k *KeyCondition) Term(name string) (KeyTerm, bool) {
	for _, t := range k.Terms {
		if t.Name == name {
			return t, true
		}
	}
	return KeyTerm{}, false
}

// ParseKeyCondition reads a KeyConditionExpression.
func ParseKeyCondition(text string, e *Env) (*KeyCondition, error) {
	b, err := bind("KeyConditionExpression", text, grammarCondition, e)
	if err != nil {
		return nil, err
	}
	k := &KeyCondition{}
	if err := k.collect(b, b.root); err != nil {
		return nil, err
	}
	return k, nil
}

// collect adds the terms below a node.
func (k *KeyCondition) collect(b *bound, n *node) error {
	if n.op == opAnd {
		if err := k.collect(b, n.args[0]); err != nil {
			return err
		}
		return k.collect(b, n.args[1])
	}
	op, err := keyOp(n)
	if err != nil {
		return err
	}
	return k.add(b, n, op)
}

// keyOp gives the operator of a term; a key condition has few.
func keyOp(n *node) (KeyOp, error) {
	switch n.op {
	case opEqual:
		return KeyEqual, nil
	case opLess, opLessEq, opGreater, opGreaterEq:
		return KeyLess + KeyOp(n.op-opLess), nil
	case opBetween:
		return KeyBetween, nil
	case opFunction:
		if n.fn == fnBeginsWith {
			return KeyBeginsWith, nil
		}
	}
	return 0, &Error{"Invalid operator used in KeyConditionExpression: " + n.title()}
}

// add adds the term of a comparison.
func (k *KeyCondition) add(b *bound, n *node, o KeyOp) error {
	const in = "Invalid condition in KeyConditionExpression: "
	at := -1
	t := KeyTerm{Op: o}
	for i, arg := range n.args {
		switch arg.op {
		case opPath:
			if at >= 0 {
				if n.args[0].op != opPath && len(n.args) > 2 {
					return &Error{in + n.title() + " operator must have the key attribute as its first operand"}
				}
				return &Error{in + "Multiple attribute names used in one condition"}
			}
			at = i
		case opValue:
			t.Values = append(t.Values, b.values[arg.slot])
		default:
			return &Error{"KeyConditionExpressions cannot contain nested operations"}
		}
	}
	switch {
	case at < 0:
		return &Error{in + "No key attribute specified"}
	case at > 0 && o >= KeyBetween:
		return &Error{in + n.title() + " operator must have the key attribute as its first operand"}
	case at > 0:
		t.Op = flipped(o)
	}
	path := b.paths[n.args[at].slot]
	t.Name = path.Name()
	if len(path) > 1 {
		return &Error{"KeyConditionExpressions cannot have conditions on nested attributes"}
	}
	if _, twice := k.Term(t.Name); twice {
		return &Error{"KeyConditionExpressions must only contain one condition per key"}
	}
	k.Terms = append(k.Terms, t)
	return nil
}

// flipped gives the operator for swapped operands.
func flipped(o KeyOp) KeyOp {
	switch o {
	case KeyLess:
		return KeyGreater
	case KeyLessEq:
		return KeyGreaterEq
	case KeyGreater:
		return KeyLess
	case KeyGreaterEq:
		return KeyLessEq
	default:
		return o
	}
}
