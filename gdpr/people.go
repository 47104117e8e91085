package gdpr

import (
	"slices"
	"strings"

	"github.com/insideout-go/insideout/table"
)

// stake is what a row is to a subject.
type stake struct {
	mine   []string // the attributes that refer to the subject: two, where a row leads from somebody to themselves
	others bool     // it is about somebody else, too, who is not erased
}

// isRef reports whether an attribute refers to a subject: _sid, and _sid2 to _sid4 in rows about several people.
func isRef(name string) bool {
	rest, ok := strings.CutPrefix(name, subjectIndex)
	return ok && (rest == "" || rest == "2" || rest == "3" || rest == "4")
}

// stakeIn is what a row is to the subject with a reference.
func stakeIn(item table.Item, ref string) stake {
	var s stake
	for name, value := range item {
		switch {
		case !isRef(name):
		case isText(value, ref):
			s.mine = append(s.mine, name)
		default:
			s.others = true
		}
	}
	return s
}

// concerns reports whether a row is about the subject at all.
func concerns(item table.Item, ref string) bool { return len(stakeIn(item, ref).mine) > 0 }

// names reports whether a field is about the subject by name.
func (s stake) names(p policy) bool {
	return slices.ContainsFunc(p.whose, func(ref string) bool { return slices.Contains(s.mine, ref) })
}

// covers reports whether an erasure of the subject is about a field: all of them, or, while the row is about somebody else, too, those that name the subject.
func (s stake) covers(p policy) bool { return !s.others || s.names(p) }

// shows reports whether the subject may see a field: it is about them, or about everybody.
func (s stake) shows(p policy) bool { return len(p.whose) == 0 || s.names(p) }

// setPeople notes whom the fields of a model are about, where it has several subjects.
func (m *personal) setPeople(model Model) {
	type person struct {
		ref    string
		fields []string
	}
	var people []person
	for ref, fields := range model.Subjects() {
		people = append(people, person{ref, fields})
		m.refs = append(m.refs, ref)
		m.ids = append(m.ids, fields[0])
	}
	for _, p := range people {
		for i := range m.policies {
			if len(people) > 1 && slices.Contains(p.fields, m.policies[i].Field) {
				m.policies[i].whose = append(m.policies[i].whose, p.ref)
			}
		}
	}
}

// idOf is the policy of the id under whose key a field is sealed.
func (m *personal) idOf(p policy) (policy, bool) {
	for i, ref := range m.refs {
		if len(p.whose) > 0 && !slices.Contains(p.whose, ref) {
			continue
		}
		at := slices.IndexFunc(m.policies, func(q policy) bool { return q.Field == m.ids[i] })
		if at >= 0 {
			return m.policies[at], true
		}
	}
	return policy{}, false
}
