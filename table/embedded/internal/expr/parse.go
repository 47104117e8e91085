package expr

import (
	"strconv"
)

// parser turns the words of one expression into a tree by recursive descent.
// After the first fault it stands at the end of the text, so that every loop
// ends; the nodes it gives then mean nothing. It recurses once for each nested
// parenthesis or NOT, of which the 4,096 bytes of a text bound the number.
type parser struct {
	text   string
	tokens []token
	pos    int
	fault  fault
	tree   *tree
	pool   []node
	args   []*node
	room   [64]token
}

// parse reads the text by the grammar that rule begins.
func parse(text string, rule func(*parser)) (*tree, fault) {
	if text == "" {
		return nil, faultEmpty
	}
	if len(text) > maxBytes {
		return nil, fault("Expression size has exceeded the maximum allowed size; expression size: " + strconv.Itoa(len(text)))
	}
	p := parser{text: text, tree: &tree{}}
	p.tokens = lex(text, p.room[:0])
	rule(&p)
	if p.fault == "" && p.kind() != tokEOF {
		p.unexpected()
	}
	if p.fault != "" {
		return nil, p.fault
	}
	return p.tree, ""
}

func (p *parser) kind() tokenKind { return p.tokens[p.pos].kind }

// word gives the text of the word at which the parser stands.
func (p *parser) word() string {
	t := p.tokens[p.pos]
	return p.text[t.start:t.end]
}

// take steps over the word and gives its text.
func (p *parser) take() string {
	w := p.word()
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return w
}

// accept steps over a word of the kind, if the parser stands at one.
func (p *parser) accept(kind tokenKind) bool {
	if p.kind() != kind {
		return false
	}
	p.take()
	return true
}

// expect steps over a word of the kind; another one is a fault.
func (p *parser) expect(kind tokenKind) string {
	if p.kind() != kind {
		p.unexpected()
		return ""
	}
	return p.take()
}

func (p *parser) fail(f fault) {
	if p.fault == "" {
		p.fault = f
	}
	p.pos = len(p.tokens) - 1
}

// unexpected is a fault at the current word. The message shows the words around
// it as they were written.
func (p *parser) unexpected() {
	if p.fault != "" {
		return
	}
	t := p.tokens[p.pos]
	start, end := int32(0), int32(len(p.text))
	if p.pos > 0 {
		start = p.tokens[p.pos-1].start
	}
	if p.pos+2 < len(p.tokens) {
		end = p.tokens[p.pos+1].end
	}
	word := p.text[t.start:t.end]
	if t.kind == tokEOF {
		word = "<EOF>"
	}
	p.fail(fault(`Syntax error; token: "` + word + `", near: "` + p.text[start:end] + `"`))
}

// node keeps a node; the pool saves an allocation for each.
func (p *parser) node(n node) *node {
	if len(p.pool) == cap(p.pool) {
		p.pool = make([]node, 0, 16)
	}
	p.pool = append(p.pool, n)
	return &p.pool[len(p.pool)-1]
}

func (p *parser) operation(o op, args ...*node) *node {
	p.tree.count++
	start := len(p.args)
	p.args = append(p.args, args...)
	return p.node(node{op: o, args: p.args[start:len(p.args):len(p.args)]})
}

// condition is the rule of conditions, filters and key conditions.
func condition(p *parser) { p.tree.root = p.disjunction(false) }

// disjunction reads conditions with OR between them. Inside parentheses, an
// operand alone is one too: (a) = :b.
func (p *parser) disjunction(operandToo bool) *node {
	left := p.conjunction(operandToo)
	for p.accept(tokOr) {
		left = p.operation(opOr, left, p.conjunction(false))
	}
	return left
}

func (p *parser) conjunction(operandToo bool) *node {
	left := p.negation(operandToo)
	for p.accept(tokAnd) {
		left = p.operation(opAnd, left, p.negation(false))
	}
	return left
}

func (p *parser) negation(operandToo bool) *node {
	nots := 0
	for p.accept(tokNot) {
		nots++
	}
	n := p.comparison(operandToo && nots == 0)
	for range nots {
		n = p.operation(opNot, n)
	}
	return n
}

// comparison reads a condition without AND, OR and NOT.
func (p *parser) comparison(operandToo bool) *node {
	left := p.operandOrCondition()
	if !left.isCondition() {
		switch k := p.kind(); {
		case k >= tokEqual && k <= tokGreaterEq:
			p.take()
			return p.operation(opEqual+op(k-tokEqual), left, p.operand())
		case k == tokBetween:
			p.take()
			low := p.operand()
			p.expect(tokAnd)
			return p.operation(opBetween, left, low, p.operand())
		case k == tokIn:
			p.take()
			return p.in(left)
		}
	}
	if left.isCondition() || left.op == opFunction || operandToo && p.kind() == tokClose {
		return left
	}
	p.unexpected()
	return left
}

// in reads the operands after IN.
func (p *parser) in(left *node) *node {
	args := []*node{left}
	p.expect(tokOpen)
	for {
		args = append(args, p.operand())
		if !p.accept(tokComma) {
			break
		}
	}
	p.expect(tokClose)
	return p.operation(opIn, args...)
}

// operandOrCondition reads an operand, or a condition in parentheses.
func (p *parser) operandOrCondition() *node {
	if !p.accept(tokOpen) {
		return p.operand()
	}
	return p.closed(p.disjunction(true))
}

// closed ends what stands in parentheses.
func (p *parser) closed(inner *node) *node {
	p.expect(tokClose)
	if inner.paren {
		p.fail(faultParentheses)
	}
	inner.paren = true
	return inner
}

// operand reads a path, a value, a function, or one of these in parentheses.
func (p *parser) operand() *node {
	switch p.kind() {
	case tokOpen:
		p.take()
		return p.closed(p.operand())
	case tokValueRef:
		return p.node(node{op: opValue, slot: p.value()})
	case tokName:
		if p.tokens[p.pos+1].kind == tokOpen {
			return p.function()
		}
		return p.node(node{op: opPath, slot: p.path()})
	case tokNameRef:
		return p.node(node{op: opPath, slot: p.path()})
	default:
		p.unexpected()
		return p.node(node{op: opValue})
	}
}

// function reads a function's name and operands.
func (p *parser) function() *node {
	name := p.take()
	p.take()
	var args []*node
	for {
		args = append(args, p.operand())
		if !p.accept(tokComma) {
			break
		}
	}
	p.expect(tokClose)
	n := p.operation(opFunction, args...)
	n.name, n.fn = name, functionNamed(name)
	return n
}

// value reads a :value and gives its slot.
func (p *parser) value() int {
	p.tree.values = append(p.tree.values, p.expect(tokValueRef))
	return len(p.tree.values) - 1
}

// path reads a document path and gives its slot.
func (p *parser) path() int {
	raw := rawPath{steps: make(Path, 0, 2)}
	p.name(&raw)
	for {
		switch {
		case p.accept(tokDot):
			p.name(&raw)
		case p.accept(tokOpenList):
			raw.element(p.expect(tokInteger))
			p.expect(tokCloseList)
		default:
			if raw.placeholders {
				p.tree.steps += len(raw.steps)
			}
			p.tree.paths = append(p.tree.paths, raw)
			return len(p.tree.paths) - 1
		}
	}
}

func (p *parser) name(raw *rawPath) {
	switch p.kind() {
	case tokNameRef:
		raw.placeholders = true
	case tokName:
	default:
		p.unexpected()
		return
	}
	raw.steps = append(raw.steps, Step{Name: p.take(), Index: -1})
}

// element adds a list's index; one beyond 31 bits is kept for the message.
func (r *rawPath) element(text string) {
	i, err := strconv.ParseInt(text, 10, 32)
	if err != nil && r.index == "" {
		r.index = text
	}
	r.steps = append(r.steps, Step{Index: int(i)})
}

// projection is the rule of projections: paths with commas between them.
func projection(p *parser) {
	for {
		p.tree.targets = append(p.tree.targets, p.path())
		if !p.accept(tokComma) {
			return
		}
	}
}

// update is the rule of updates: sections, each with actions.
func update(p *parser) {
	for {
		switch k := p.kind(); k {
		case tokSet, tokRemove, tokAdd, tokDelete:
			p.take()
			p.actions(section(k - tokSet))
		default:
			p.unexpected()
		}
		if p.kind() == tokEOF {
			return
		}
	}
}

// actions reads the actions of one section.
func (p *parser) actions(s section) {
	for first := true; ; first = false {
		a := action{section: s, first: first, target: p.path()}
		switch s {
		case sectionSet:
			p.expect(tokEqual)
			a.value = p.sum()
		case sectionAdd, sectionDelete:
			a.operand = p.value()
		}
		p.tree.actions = append(p.tree.actions, a)
		p.tree.targets = append(p.tree.targets, a.target)
		if !p.accept(tokComma) {
			return
		}
	}
}

// sum reads the right side of SET: an operand, or two with + or - between them,
// which may stand in parentheses.
func (p *parser) sum() *node {
	if !p.accept(tokOpen) {
		return p.sumFrom(p.operand())
	}
	inner := p.closed(p.sum())
	if inner.op == opPlus || inner.op == opMinus {
		return inner
	}
	return p.sumFrom(inner)
}

func (p *parser) sumFrom(left *node) *node {
	switch {
	case p.accept(tokPlus):
		return p.operation(opPlus, left, p.operand())
	case p.accept(tokMinus):
		return p.operation(opMinus, left, p.operand())
	default:
		return left
	}
}
