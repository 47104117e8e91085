package gdpr

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/smithy-go"
)

// inputError is about what was asked for, or how things are set up. Nothing was touched.
type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

func inputf(format string, args ...any) error {
	return &inputError{fmt.Errorf("gdpr: "+format, args...)}
}

// maxSubject is how long an id of a person may be: it is part of keys, which DynamoDB bounds.
const maxSubject = 1024

// validSubject refuses what is no id, rather than to find nothing under it.
func validSubject(id string) error {
	switch {
	case id == "":
		return inputf("the subject's id is empty")
	case len(id) > maxSubject:
		return inputf("the subject's id has %d bytes, and an id has %d at most", len(id), maxSubject)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return inputf("the subject's id has characters that are none: control characters, or bytes that are not UTF-8")
	case strings.TrimSpace(id) != id:
		return inputf("the subject's id begins or ends with white space")
	}
	return nil
}

// setupFault says what to do about an answer that no repetition changes: missing rights, tables and indexes.
func setupFault(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	switch code := api.ErrorCode(); {
	case code == "AccessDeniedException" || code == "UnrecognizedClientException":
		return &inputError{fmt.Errorf("the rights are missing, and nothing was touched: %w", err)}
	case code == "ResourceNotFoundException":
		return &inputError{fmt.Errorf("the table is missing, and nothing was touched: %w", err)}
	case code == "ValidationException" && strings.Contains(api.ErrorMessage(), "index"):
		return &inputError{fmt.Errorf("an index over references to subjects is missing (table.Schema has them all), and nothing was touched: %w", err)}
	}
	return err
}

// keyFaults finds keys that do not go together: a subject that one place finds, another one would miss.
func keyFaults(places []Place) []error {
	var faults []error
	first, ref, keys, sealed := "", "", false, ""
	for _, p := range places {
		if _, ok := p.(*keyring); ok {
			keys = true
		}
		t, ok := p.(*rows)
		if !ok || t.db == nil {
			continue
		}
		own, err := t.SubjectRef("a subject")
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("place %q: %w", p.Name(), err))
		case ref == "":
			first, ref = p.Name(), own
		case own != ref:
			faults = append(faults, fmt.Errorf("places %q and %q have different SubjectKeys: one of them would not find its rows", first, p.Name()))
		}
		for _, name := range t.order {
			for _, policy := range t.models[name].policies {
				if _, option, _ := strings.Cut(policy.Sealed, ","); policy.Sealed != "" && option != "carried" {
					sealed = fmt.Sprintf("place %q seals field %s of %q", p.Name(), policy.Field, name)
				}
			}
		}
	}
	if sealed != "" && !keys {
		faults = append(faults, fmt.Errorf("%s, and there is no place Keys: copies elsewhere would stay readable", sealed))
	}
	return faults
}
