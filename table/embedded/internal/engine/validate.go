package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// violations collects the first layer of DynamoDB's checks: all faults of form
// are reported in one text.
type violations []string

// maxViolations is how many of them DynamoDB reports.
const maxViolations = 10

func (v *violations) add(value any, path, constraint string) {
	if len(*v) == maxViolations {
		return
	}
	shown := "null"
	if value != nil {
		shown = fmt.Sprintf("'%v'", value)
	}
	*v = append(*v, "Value "+shown+" at '"+path+"' failed to satisfy constraint: "+constraint)
}

func (v *violations) err() error {
	switch n := len(*v); n {
	case 0:
		return nil
	case 1:
		return validation("1 validation error detected: %s", (*v)[0])
	default:
		return validation("%d validation errors detected: %s", n, strings.Join(*v, "; "))
	}
}

// first reports one fault alone, as UpdateItem does.
func (v *violations) first() error {
	*v = (*v)[:min(len(*v), 1)]
	return v.err()
}

const notNull = "Member must not be null"

func nullMember(path string) error {
	var v violations
	v.add(nil, path, notNull)
	return v.err()
}

func (v *violations) between(path string, value, least, most int) {
	switch {
	case value < least:
		v.add(value, path, fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case value > most:
		v.add(value, path, fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
}

// limit reads the size of a page, which is the largest if it is not given.
func (v *violations) limit(limit *int32, most int) int {
	if limit == nil {
		return most
	}
	v.between("limit", int(*limit), 1, most)
	return int(*limit)
}

// oneOf checks a member of an enumeration; none is fine.
func oneOf[T ~string](v *violations, path string, value T, all []T) {
	if value == "" || slices.Contains(all, value) {
		return
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	v.add(value, path, "Member must satisfy enum value set: ["+strings.Join(names, ", ")+"]")
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// Table names may be 255 characters long, their ARNs 1,024.
const (
	maxNameLength = 255
	maxARNLength  = 1024
)

// table checks the form of a table's name or ARN.
func (v *violations) table(name *string) { v.tableAt("tableName", name) }

func (v *violations) tableAt(path string, name *string) {
	if name == nil || *name == "" || strings.HasPrefix(*name, "arn:") {
		v.needed(path, name, 1, maxARNLength)
		return
	}
	v.plainName(path, name, 1, maxARNLength)
}

// plainName checks a name that has to be there and is no ARN.
func (v *violations) plainName(path string, name *string, least, most int) {
	if name != nil && !namePattern.MatchString(*name) {
		v.add(*name, path, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
	v.needed(path, name, least, most)
}

// needed checks a text that has to be there, and its length.
func (v *violations) needed(path string, text *string, least, most int) {
	if text == nil {
		v.add(nil, path, notNull)
		return
	}
	v.length(path, *text, len(*text), least, most)
}

// length checks the length n of something, shown as it is.
func (v *violations) length(path string, shown any, n, least, most int) {
	switch {
	case n < least:
		v.add(shown, path, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		v.add(shown, path, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

// tableName strips an ARN down to the name.
func tableName(nameOrARN *string) string {
	if nameOrARN == nil {
		return ""
	}
	if strings.HasPrefix(*nameOrARN, "arn:") {
		_, name, _ := strings.Cut(*nameOrARN, ":table/")
		return name
	}
	return *nameOrARN
}
