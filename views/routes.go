package views

import (
	"cmp"
	"slices"
	"strings"

	"github.com/insideout-go/insideout"
)

// anyRest ends a name that is a prefix.
const anyRest = "*"

// routes finds the rules for the type of an event.
type routes struct {
	whole    map[string][]*rule
	prefixes []prefixRoute
}

type prefixRoute struct {
	prefix string
	rule   *rule
}

func (r *routes) add(kind string, to *rule) {
	if prefix, ok := strings.CutSuffix(kind, anyRest); ok {
		r.prefixes = append(r.prefixes, prefixRoute{prefix, to})
		return
	}
	r.whole[kind] = append(r.whole[kind], to)
}

// to returns the rules for a type, in the order of their definition. Prefixes do not stand for faults: a rule that fails with one would
// make another one of it, for ever.
func (r *routes) to(kind string) []*rule {
	rules := r.whole[kind]
	if len(r.prefixes) == 0 || kind == insideout.TypeFault {
		return rules
	}
	rules = slices.Clone(rules)
	for _, p := range r.prefixes {
		if strings.HasPrefix(kind, p.prefix) {
			rules = append(rules, p.rule)
		}
	}
	slices.SortFunc(rules, func(x, y *rule) int { return cmp.Compare(x.place, y.place) })
	return rules
}

// covers reports whether every event of the other type or prefix is of this one, too.
func covers(kind, other string) bool {
	prefix, ok := strings.CutSuffix(kind, anyRest)
	return kind == other || ok && strings.HasPrefix(other, prefix)
}
