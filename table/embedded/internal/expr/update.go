package expr

import (
	"maps"
	"slices"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// Update is a list of changes to an item.
type Update struct {
	b        *bound
	actions  []action
	paths    []Path   // one for each action
	kids     []branch // by the numbers of the actions
	mismatch string   // AttributeUpdates: the text about operands of a wrong type
}

// ParseUpdate reads an UpdateExpression.
func ParseUpdate(text string, e *Env) (*Update, error) {
	b, err := bind("UpdateExpression", text, grammarUpdate, e)
	if err != nil {
		return nil, err
	}
	return newUpdate(b, b.actions), nil
}

func newUpdate(b *bound, actions []action) *Update {
	paths := make([]Path, len(actions))
	for i, a := range actions {
		paths[i] = b.paths[a.target]
	}
	return &Update{b: b, actions: actions, paths: paths, kids: branches(paths)}
}

// Paths gives the paths that the update changes, in the order of the text.
func (u *Update) Paths() []Path { return slices.Clone(u.paths) }

// RefuseKeys gives DynamoDB's error when the update changes one of these
// attributes, or something within it.
func (u *Update) RefuseKeys(keys ...string) error {
	for _, p := range u.paths {
		if name := p.Name(); slices.Contains(keys, name) {
			return &Error{"One or more parameter values were invalid: Cannot update attribute " + name +
				". This attribute is part of the key"}
		}
	}
	return nil
}

// Nested gives the top-level attributes within which the update looks or
// changes something.
func (u *Update) Nested() []string {
	if u == nil {
		return nil
	}
	return nested(u.b.paths)
}

// Creates tells whether the update makes an item of one that does not exist: an
// update that only removes leaves nothing behind.
func (u *Update) Creates() bool {
	for _, a := range u.actions {
		if a.section == sectionSet || a.section == sectionAdd {
			return true
		}
	}
	return len(u.actions) == 0
}

// Touched gives what the item has at the update's paths, in its hierarchy: of
// the item before the update these are the UPDATED_OLD values, of the item
// after it the UPDATED_NEW values. It is empty when there is nothing.
func (u *Update) Touched(item attr.Item) attr.Item { return project(item, u.kids) }

// Apply gives the item with the changes made. It leaves the item as it is, of
// which the result shares what did not change. Every right side sees the item
// as it was, and list indexes mean the list as it was. Errors are of type
// [*Error].
func (u *Update) Apply(item attr.Item) (attr.Item, error) { return u.apply(item, false) }

// ApplyMissing is Apply for an item that does not exist; key holds its key
// attributes. Removing from within an attribute is then no error.
func (u *Update) ApplyMissing(key attr.Item) (attr.Item, error) { return u.apply(key, true) }

func (u *Update) apply(item attr.Item, missing bool) (attr.Item, error) {
	if !u.reaches(item, missing) {
		return nil, &Error{msgPath}
	}
	var room [8]change
	c := changes{list: room[:0]}
	for i := range u.actions {
		one, msg := u.b.change(&u.actions[i], item)
		switch {
		case msg == msgOperandType && u.mismatch != "":
			return nil, &Error{u.mismatch}
		case msg != "":
			return nil, &Error{msg}
		}
		c.list = append(c.list, one)
	}
	next, msg := c.inMap(item, u.kids, 0)
	if msg != "" {
		return nil, &Error{msg}
	}
	return next, nil
}

// reaches tells whether every path leads to a place that the item has: its last
// step is into a map, or into a list.
func (u *Update) reaches(item attr.Item, missing bool) bool {
	for i, p := range u.paths {
		last := len(p) - 1
		if last == 0 || missing && u.actions[i].section == sectionRemove {
			continue
		}
		kind := attr.List
		if p[last].Index < 0 {
			kind = attr.Map
		}
		if v, ok := p[:last].get(item); !ok || v.Kind() != kind {
			return false
		}
	}
	return true
}

// change is what becomes of the value at one path.
type change struct {
	what  changeKind
	value attr.Value
}

type changeKind uint8

const (
	changeNothing changeKind = iota
	changeSet
	changeRemove
)

// change evaluates an action; the text is empty or an error's message.
func (b *bound) change(a *action, item attr.Item) (change, string) {
	switch a.section {
	case sectionSet:
		v, msg := b.right(a.value, item)
		return change{changeSet, v}, msg
	case sectionRemove:
		return change{what: changeRemove}, ""
	case sectionAdd:
		return addition(b.paths[a.target], b.values[a.operand], item)
	default:
		return deletion(b.paths[a.target], b.values[a.operand], item)
	}
}

func addition(path Path, v attr.Value, item attr.Item) (change, string) {
	old, ok := path.get(item)
	switch {
	case !ok:
		return change{changeSet, v}, ""
	case old.Kind() != v.Kind():
		return change{}, msgOperandType
	case v.Kind() == attr.Num:
		sum, err := old.Num().Add(v.Num())
		if err != nil {
			return change{}, err.Error()
		}
		return change{changeSet, attr.N(sum)}, ""
	case v.Kind() == attr.List: // only AttributeUpdates adds to lists
		return change{changeSet, attr.L(slices.Concat(old.List(), v.List()))}, ""
	default:
		all := slices.Concat(old.Members(), v.Members())
		slices.Sort(all)
		return change{changeSet, attr.Set(v.Kind(), slices.Compact(all))}, ""
	}
}

func deletion(path Path, v attr.Value, item attr.Item) (change, string) {
	old, ok := path.get(item)
	if !ok {
		return change{}, ""
	}
	if old.Kind() != v.Kind() {
		return change{}, msgOperandType
	}
	var rest []string
	for _, m := range old.Members() {
		if _, found := slices.BinarySearch(v.Members(), m); !found {
			rest = append(rest, m)
		}
	}
	if rest == nil {
		return change{what: changeRemove}, ""
	}
	return change{changeSet, attr.Set(v.Kind(), rest)}, ""
}

// right evaluates the right side of SET.
func (b *bound) right(n *node, item attr.Item) (attr.Value, string) {
	switch n.op {
	case opValue:
		return b.values[n.slot], ""
	case opPath:
		v, ok := b.paths[n.slot].get(item)
		if !ok {
			return attr.Value{}, msgMissingOperand
		}
		return v, ""
	}
	if n.fn == fnIfNotExists {
		if v, ok := b.paths[n.args[0].slot].get(item); ok {
			return v, ""
		}
		return b.right(n.args[1], item)
	}
	kind := attr.Num
	if n.op == opFunction {
		kind = attr.List
	}
	var operands [2]attr.Value
	for i, arg := range n.args {
		v, msg := b.right(arg, item)
		switch {
		case msg != "":
			return attr.Value{}, msg
		case v.Kind() != kind:
			return attr.Value{}, msgOperandType
		}
		operands[i] = v
	}
	if n.op == opFunction {
		return attr.L(slices.Concat(operands[0].List(), operands[1].List())), ""
	}
	return sum(n.op, operands[0], operands[1])
}

func sum(o op, left, right attr.Value) (attr.Value, string) {
	combine := num.Number.Add
	if o == opMinus {
		combine = num.Number.Sub
	}
	n, err := combine(left.Num(), right.Num())
	if err != nil {
		return attr.Value{}, err.Error()
	}
	return attr.N(n), ""
}

// changes makes all changes in one walk down the tree of their paths, copying
// each map and list on the way once. Paths that lead nowhere change nothing.
type changes struct {
	list []change
}

// inMap gives the map with the changes; depth is the number of lists and maps around it.
func (c *changes) inMap(m map[string]attr.Value, kids []branch, depth int) (map[string]attr.Value, string) {
	next := maps.Clone(m)
	if next == nil {
		next = make(map[string]attr.Value, len(kids))
	}
	for i := range kids {
		k := &kids[i]
		old, ok := m[k.step.Name]
		if k.path < 0 && !ok {
			continue
		}
		what, v, msg := c.at(old, k, depth)
		switch {
		case msg != "":
			return nil, msg
		case what == changeSet:
			next[k.step.Name] = v
		case what == changeRemove:
			delete(next, k.step.Name)
		}
	}
	return next, ""
}

// inList gives the list with the changes: elements are set, new ones are
// appended in the order of their indexes, and then elements are removed.
func (c *changes) inList(list []attr.Value, kids []branch, depth int) ([]attr.Value, string) {
	next := slices.Clone(list)
	var removed []int
	for i := range kids {
		k := &kids[i]
		at, inside := k.step.Index, k.step.Index < len(list)
		var old attr.Value
		if inside {
			old = list[at]
		} else if k.path < 0 {
			continue
		}
		what, v, msg := c.at(old, k, depth)
		switch {
		case msg != "":
			return nil, msg
		case what == changeSet && inside:
			next[at] = v
		case what == changeSet:
			next = append(next, v)
		case what == changeRemove && inside:
			removed = append(removed, at)
		}
	}
	for _, at := range slices.Backward(removed) {
		next = slices.Delete(next, at, at+1)
	}
	return next, ""
}

// at tells what becomes of the value at a branch.
func (c *changes) at(old attr.Value, k *branch, depth int) (changeKind, attr.Value, string) {
	if k.path >= 0 {
		one := &c.list[k.path]
		if one.what == changeSet && depth+one.value.Depth() > attr.MaxDepth {
			return changeNothing, attr.Value{}, msgDepth
		}
		return one.what, one.value, ""
	}
	switch names := k.kids[0].step.Index < 0; {
	case names && old.Kind() == attr.Map:
		m, msg := c.inMap(old.Map(), k.kids, depth+1)
		return changeSet, attr.M(m), msg
	case !names && old.Kind() == attr.List:
		l, msg := c.inList(old.List(), k.kids, depth+1)
		return changeSet, attr.L(l), msg
	default:
		return changeNothing, attr.Value{}, ""
	}
}
