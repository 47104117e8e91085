package gdpr

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Do is what an erasure does with a field, as the field's `gdpr` tag states it:
//
//	Email  string `dynamo:"email" seal:"contact" gdpr:"erase,category=contact,purpose=order handling"`
//	Amount string `dynamo:"amount" gdpr:"keep=Art. 17(3)(b),until=10y,category=invoice,purpose=accounting"`
//	City   string `dynamo:"city" gdpr:"redact"`
//	Stock  string `dynamo:"stock" gdpr:"none"`
//
// The decisions are
//
//	erase         the attribute goes, and with it whatever index keys are made of it; of an id or an owner: the row goes
//	redact        a text becomes "[REDACTED]": the row shows that there was something
//	pseudonymise  a text becomes a keyed hash, and index keys follow; of an id or an owner: the row moves to a key with the hash. The hash's key is destroyed
//	              when the job ends
//	keep=REASON   it stays for a reason and a time, and the receipt names both; of an id or an owner: the row stays
//	none          reviewed: the field tells nothing about a person
//
// In a row about several people (see table.Def.Subject), the fields that name a person go when that person is erased; those that name nobody go with the last one.
// An id or an owner that is to be erased becomes a hash as long as somebody else is left, and the row moves.
//
// "until" is a date (2031-12-31) or a time after the row's last change, in years, months and days (10y, 6m, 90d).
// Category, purpose and basis go into the record of processing activities (Art. 30). New refuses a model with a field that has no decision.
type Do string

const (
	doErase        Do = "erase"
	doRedact       Do = "redact"
	doPseudonymise Do = "pseudonymise"
	doKeep         Do = "keep"
	doNothing      Do = "none"
)

func (d Do) past() string { return strings.TrimSuffix(string(d), "e") + "ed" }

// redactedText is what redact leaves.
const redactedText = "[REDACTED]"

// policy is the decision about one field.
type policy struct {
	Field     string // the Go field
	Attribute string
	Do        Do
	Article   string // why it is kept
	Until     until
	Category  string
	Purpose   string
	Basis     string
	Sealed    string   // the class of a sealed field, with the tag's options
	whose     []string // the references of those whom the field is about by name, in a row about several people
	text      bool     // the field is a text
}

// until is when the reason to keep something ends. The zero value is never.
type until struct {
	date                time.Time
	years, months, days int
}

// After is the moment that is meant for a row that was last changed at a time.
func (u until) After(changed time.Time) time.Time {
	if u.IsZero() || !u.date.IsZero() {
		return u.date
	}
	return changed.UTC().AddDate(u.years, u.months, u.days)
}

// IsZero reports whether there is no end.
func (u until) IsZero() bool { return u == until{} }

// String is the text that parseUntil reads.
func (u until) String() string {
	if !u.date.IsZero() {
		return u.date.Format(time.DateOnly)
	}
	var b strings.Builder
	for _, part := range []struct {
		n    int
		unit byte
	}{{u.years, 'y'}, {u.months, 'm'}, {u.days, 'd'}} {
		if part.n > 0 {
			b.WriteString(strconv.Itoa(part.n))
			b.WriteByte(part.unit)
		}
	}
	return b.String()
}

// maxSpan keeps dates within what calendars and people can use.
const maxSpan = 200

// parseUntil reads a date, or years, months and days in that order: "10y", "1y6m", "90d".
func parseUntil(text string) (until, error) {
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return until{date: date}, nil
	}
	var u until
	rest := text
	for _, part := range []struct {
		n    *int
		unit string
	}{{&u.years, "y"}, {&u.months, "m"}, {&u.days, "d"}} {
		digits, after, ok := strings.Cut(rest, part.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 {
			return until{}, untilFault(text)
		}
		*part.n, rest = int(n), after
	}
	if rest != "" || u.IsZero() || u.years > maxSpan || u.months > 12*maxSpan || u.days > 366*maxSpan {
		return until{}, untilFault(text)
	}
	return u, nil
}

func untilFault(text string) error {
	return fmt.Errorf("until %q is no date such as 2031-12-31 and no time such as 10y, 6m or 90d", text)
}

// parsePolicy reads the tag of a field. ok is false if it has none.
func parsePolicy(attribute string, field reflect.StructField) (p policy, ok bool, err error) {
	text, ok := field.Tag.Lookup("gdpr")
	p = policy{Field: field.Name, Attribute: attribute, Sealed: field.Tag.Get("seal"), text: field.Type.Kind() == reflect.String}
	if !ok {
		return p, false, nil
	}
	head, rest, _ := strings.Cut(text, ",")
	do, article, reasoned := strings.Cut(strings.TrimSpace(head), "=")
	p.Do, p.Article = Do(do), strings.TrimSpace(article)
	var faults []error
	if reasoned && p.Do != doKeep {
		faults = append(faults, fmt.Errorf("only keep has a reason, and this is %q", head))
	}
	faults = append(faults, p.options(rest))
	faults = append(faults, p.sensible(field.Type))
	if err := errors.Join(faults...); err != nil {
		return p, true, fmt.Errorf("field %s: tag `gdpr:%q`: %w", field.Name, text, err)
	}
	return p, true, nil
}

// options reads what follows the decision.
func (p *policy) options(text string) error {
	var faults []error
	for option := range strings.SplitSeq(text, ",") {
		if option = strings.TrimSpace(option); option == "" {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		value = strings.TrimSpace(value)
		if value == "" {
			faults = append(faults, fmt.Errorf("option %q has no value", name))
			continue
		}
		switch name {
		case "until":
			u, err := parseUntil(value)
			p.Until = u
			faults = append(faults, err)
		case "category":
			p.Category = value
		case "purpose":
			p.Purpose = value
		case "basis":
			p.Basis = value
		default:
			faults = append(faults, fmt.Errorf("option %q is none of until, category, purpose, basis", name))
		}
	}
	return errors.Join(faults...)
}

// sensible finds decisions that cannot be carried out, or that nobody could defend.
func (p *policy) sensible(t reflect.Type) error {
	switch p.Do {
	case doErase, doNothing:
	case doRedact, doPseudonymise:
		if p.Sealed != "" {
			return fmt.Errorf("a sealed field cannot be %s, since what replaces it would be plain text: erase it", p.Do.past())
		}
		if t.Kind() != reflect.String {
			return fmt.Errorf("only a text can be %s, and the field is %s: erase it", p.Do.past(), t)
		}
	case doKeep:
		if p.Article == "" || p.Until.IsZero() {
			return errors.New(`keep needs the article that allows it and an end: "keep=Art. 17(3)(b),until=10y"`)
		}
	default:
		return fmt.Errorf("%q is none of erase, redact, pseudonymise, keep, none", p.Do)
	}
	if p.Do != doKeep && !p.Until.IsZero() {
		return errors.New("only keep has an until")
	}
	return nil
}
