package expr

// grammar is what an expression is for: conditions and updates know other
// functions.
type grammar uint8

const (
	grammarCondition grammar = iota
	grammarUpdate
	grammarProjection
)

// rule gives the parser's first rule.
func (g grammar) rule() func(*parser) {
	switch g {
	case grammarUpdate:
		return update
	case grammarProjection:
		return projection
	default:
		return condition
	}
}

// structure checks what can be checked without names and values, in the order
// of the text: reserved words, indexes, and the use of functions.
func (t *tree) structure(g grammar) fault {
	if t.root != nil {
		return t.nodeFault(t.root, g, true)
	}
	if g == grammarUpdate {
		return t.updateFault()
	}
	for _, slot := range t.targets {
		if f := t.paths[slot].fault(); f != "" {
			return f
		}
	}
	return ""
}

// updateFault checks the sections of an update, each with its actions before
// whether it may be there.
func (t *tree) updateFault() fault {
	var seen [sectionDelete + 1]bool
	last := len(t.actions) - 1
	for i, a := range t.actions {
		if f := t.paths[a.target].fault(); f != "" {
			return f
		}
		if a.value != nil {
			if f := t.nodeFault(a.value, grammarUpdate, true); f != "" {
				return f
			}
		}
		if i < last && !t.actions[i+1].first {
			continue
		}
		if seen[a.section] {
			return fault(`The "` + a.section.String() + `" section can only be used once in an update expression;`)
		}
		seen[a.section] = true
	}
	return ""
}

// nodeFault checks a node and what is below it. free tells whether any function
// may stand here: at a condition's place, or alone on the right side of SET.
func (t *tree) nodeFault(n *node, g grammar, free bool) fault {
	switch n.op {
	case opPath:
		return t.paths[n.slot].fault()
	case opFunction:
		if f := n.functionFault(g, free); f != "" {
			return f
		}
	}
	conditions := n.op == opAnd || n.op == opOr || n.op == opNot
	for _, arg := range n.args {
		if f := t.nodeFault(arg, g, conditions); f != "" {
			return f
		}
	}
	return ""
}

// functionFault checks that the function exists and may stand where it does:
// size and if_not_exists are operands, list_append is a whole right side, and
// the others are conditions.
func (n *node) functionFault(g grammar, free bool) fault {
	forUpdate := n.fn == fnIfNotExists || n.fn == fnListAppend
	switch {
	case n.fn == fnUnknown:
		return fault("Invalid function name; function: " + n.name)
	case g == grammarCondition && forUpdate:
		return fault("The function is not allowed in a condition expression; function: " + n.name)
	case g == grammarUpdate && !forUpdate:
		return fault("The function is not allowed in an update expression; function: " + n.name)
	case n.fn == fnIfNotExists:
		return ""
	case (n.fn == fnSize) == free:
		return fault("The function is not allowed to be used this way in an expression; function: " + n.name)
	default:
		return ""
	}
}

// fault tells of reserved words and of an index beyond 31 bits.
func (r *rawPath) fault() fault {
	for _, s := range r.steps {
		if s.Index < 0 && s.Name[0] != '#' && reserved(s.Name) {
			return fault("Attribute name is a reserved keyword; reserved keyword: " + s.Name)
		}
	}
	if r.index != "" {
		return fault("List index is not within the allowable range; index: [" + r.index + "]")
	}
	return ""
}
