package table

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// flags are the options of a dynamo tag, with the meaning that guregu/dynamo v2.6.0 gives them.
type flags uint8

const (
	flagSet flags = 1 << iota
	flagOmitEmpty
	flagOmitEmptyElem
	flagAllowEmpty
	flagAllowEmptyElem
	flagNull
	flagUnixTime
)

// option is the flag of a tag option; ok is false for an unknown one.
func option(name string) (f flags, ok bool) {
	switch name {
	case "set":
		return flagSet, true
	case "omitempty":
		return flagOmitEmpty, true
	case "omitemptyelem":
		return flagOmitEmptyElem, true
	case "allowempty":
		return flagAllowEmpty, true
	case "allowemptyelem":
		return flagAllowEmptyElem, true
	case "null":
		return flagNull, true
	case "unixtime":
		return flagUnixTime, true
	}
	return 0, false
}

func optionNames() []string {
	return []string{"set", "omitempty", "omitemptyelem", "allowempty", "allowemptyelem", "null", "unixtime"}
}

// tag is a parsed dynamo tag.
type tag struct {
	name    string // the attribute; "-" is none
	flags   flags
	options string // as written, with the leading comma: handed to guregu for types that it encodes
}

// parseTag reads a field's dynamo tag. guregu ignores an option that it does not know, and so loses the field's meaning
// in silence; here it is a fault.
func parseTag(f reflect.StructField) (tag, []fault) {
	text := f.Tag.Get("dynamo")
	name, rest, _ := strings.Cut(text, ",")
	t := tag{name: name}
	if t.name == "" {
		t.name = f.Name[strings.LastIndex(f.Name, ".")+1:]
	}
	var faults []fault
	for opt := range strings.SplitSeq(rest, ",") {
		if opt == "" {
			continue
		}
		flag, ok := option(opt)
		if !ok {
			faults = append(faults, unknownOption(f, opt))
			continue
		}
		t.flags |= flag
		t.options += "," + opt
	}
	return t, faults
}

func unknownOption(f reflect.StructField, opt string) fault {
	found := fault{
		field: f.Name,
		cause: fmt.Sprintf("unknown option %q in tag `%s`", opt, f.Tag),
		mend:  "options are " + strings.Join(optionNames(), ", "),
	}
	if opt == "hash" || opt == "range" || strings.HasPrefix(opt, "index:") {
		found.mend = "keys and indexes are named in the definition: d.ID, d.Owner, d.Index"
		return found
	}
	best := slices.MinFunc(optionNames(), func(a, b string) int { return distance(opt, a) - distance(opt, b) })
	if distance(opt, best) <= 2 {
		found.mend = fmt.Sprintf("did you mean %q?", best)
	}
	return found
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
