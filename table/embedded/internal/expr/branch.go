package expr

import (
	"slices"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// branch is a step of one or more paths. Paths that do not overlap or conflict
// make a tree: below a branch are either names or indexes, these in order.
type branch struct {
	step Step
	path int // the number of the path that ends here, -1 if none does
	kids []branch
}

// branches makes the tree of paths.
func branches(paths []Path) []branch {
	root := branch{kids: make([]branch, 0, len(paths))}
	for i, p := range paths {
		root.add(p, i)
	}
	return root.kids
}

func (b *branch) add(p Path, number int) {
	if len(p) == 0 {
		b.path = number
		return
	}
	i := slices.IndexFunc(b.kids, func(k branch) bool { return k.step == p[0] })
	if i < 0 {
		i = len(b.kids)
		if p[0].Index >= 0 {
			i = 0
			for i < len(b.kids) && b.kids[i].step.Index < p[0].Index {
				i++
			}
		}
		b.kids = slices.Insert(b.kids, i, branch{step: p[0], path: -1})
	}
	b.kids[i].add(p[1:], number)
}

// project gives what the item has at the paths, in its hierarchy; elements of
// one list move together, in order.
func project(item attr.Item, kids []branch) attr.Item {
	out := make(attr.Item, len(kids))
	for i := range kids {
		if v, ok := item[kids[i].step.Name]; ok {
			if v, ok = kids[i].project(v); ok {
				out[kids[i].step.Name] = v
			}
		}
	}
	return out
}

// project gives the part of v that the branch keeps, if it has any.
func (b *branch) project(v attr.Value) (attr.Value, bool) {
	if b.path >= 0 {
		return v, true
	}
	if b.kids[0].step.Index < 0 {
		if v.Kind() != attr.Map {
			return attr.Value{}, false
		}
		m := project(v.Map(), b.kids)
		return attr.M(m), len(m) > 0
	}
	var out []attr.Value
	list := v.List()
	for i := range b.kids {
		at := b.kids[i].step.Index
		if at >= len(list) {
			break
		}
		if e, ok := b.kids[i].project(list[at]); ok {
			out = append(out, e)
		}
	}
	return attr.L(out), len(out) > 0
}

// Projection is a list of paths to answer with.
type Projection struct {
	names []string
	inner []string // of these, those within which it looks
	kids  []branch
}

// ParseProjection reads a ProjectionExpression.
func ParseProjection(text string, e *Env) (*Projection, error) {
	b, err := bind("ProjectionExpression", text, grammarProjection, e)
	if err != nil {
		return nil, err
	}
	return newProjection(b.paths), nil
}

func newProjection(paths []Path) *Projection {
	p := &Projection{kids: branches(paths), inner: nested(paths)}
	for i := range p.kids {
		p.names = append(p.names, p.kids[i].step.Name)
	}
	return p
}

// Names gives the top-level attributes that the projection looks at, each once.
func (p *Projection) Names() []string { return slices.Clone(p.names) }

// Nested gives the top-level attributes within which the projection looks.
func (p *Projection) Nested() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.inner)
}

// Apply gives what the item has at the projection's paths. The result is a new
// item; it is empty when there is nothing.
func (p *Projection) Apply(item attr.Item) attr.Item { return project(item, p.kids) }
