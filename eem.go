package insideout

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The event's member eem ("envelope encryption metadata") tells what is sealed in it. The name and the member fields are those
// of aws-lambda-stream, whose services redact the named fields in their faults; version and sealed are ours.
const (
	memberEEM     = "eem"
	eemVersion    = "version"
	eemFields     = "fields"
	eemSealed     = "sealed"
	eemDataKeys   = "dataKeys" // of aws-kms-ee: then fields are those that it encrypted
	currentEEM    = 1
	pointerPrefix = "/"
)

// eemEntry is the origin and the key of one sealed value.
type eemEntry struct {
	Origin
	Key string `json:"key"`
}

var errEEM = &sealError{text: "is not of a form that this version reads"}

// Origins tells what is sealed in e: the origin of each value by its place, a JSON pointer (RFC 6901) such as
// "/customer/email". It is empty if nothing is. The error is a [*MemberError].
func (e Event) Origins() (map[string]Origin, error) {
	_, entries, err := readEEM(e.Body[memberEEM])
	if err != nil {
		return nil, e.fault(memberEEM, err)
	}
	origins := make(map[string]Origin, len(entries))
	for at, entry := range entries {
		origins[at] = entry.Origin
	}
	return origins, nil
}

// BindSealed gives each [Sealed] in v its origin, from the event's eem. v points to a struct that e was decoded into as a
// whole; [Body] does the same for one member. One that the eem does not name stays without, and does not open.
func (e Event) BindSealed(v any) error { return e.bindSealed("", v) }

func (e Event) bindSealed(at string, v any) error {
	raw, ok := e.Body[memberEEM]
	if !ok || !mayCarry(reflect.TypeOf(v)) {
		return nil
	}
	_, entries, err := readEEM(raw)
	if err != nil {
		return e.fault(memberEEM, err)
	}
	var w sealedWalk
	err = w.walk(reflect.ValueOf(v), at, 0, func(s sealedSpot) error {
		entry, named := entries[s.pointer]
		if s.carrier == nil || !named {
			return nil
		}
		f, ok, err := s.carrier.Field()
		if err != nil || !ok || f.Ciphertext == nil {
			return nil // redacted, or nothing: there is nothing to open
		}
		f.Origin = entry.Origin
		return s.carrier.SetField(f)
	})
	if err != nil {
		return e.fault(memberEEM, err)
	}
	w.writeBack()
	return nil
}

// describeSealed is the eem that the event has when v is its body member of that name: nil if that changes nothing, empty if
// none is left. It refuses what would leave as plain text.
func (e *Event) describeSealed(name string, v any) (json.RawMessage, error) {
	rv := reflect.ValueOf(v)
	old, held := e.Body[memberEEM]
	if name == memberEEM || !held && (!rv.IsValid() || !mayCarry(rv.Type())) {
		return nil, nil
	}
	at := pointerPrefix + escapePointer(name)
	members, entries, err := readEEM(old)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(entries, func(p string, _ eemEntry) bool { return p == at || strings.HasPrefix(p, at+pointerPrefix) })
	depths := map[string]int{}
	err = new(sealedWalk).walk(rv, at, 0, func(s sealedSpot) error {
		entry, ok, err := describeSpot(s)
		if depth, taken := depths[s.pointer]; err != nil || taken && depth <= s.depth {
			return err
		}
		depths[s.pointer] = s.depth
		delete(entries, s.pointer)
		if ok {
			entries[s.pointer] = entry
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return writeEEM(members, entries, held)
}

func describeSpot(s sealedSpot) (eemEntry, bool, error) {
	if s.carrier == nil {
		if s.plain.IsZero() {
			return eemEntry{}, false, nil
		}
		return eemEntry{}, false, sealFault(ErrUnsealed, "%q is tagged to be sealed and would be published as plain text; make it an insideout.Sealed", s.pointer)
	}
	f, ok, err := s.carrier.Field()
	switch {
	case err != nil:
		return eemEntry{}, false, sealFault(err, "%q: %s", s.pointer, causeText(err))
	case !ok:
		return eemEntry{}, false, nil
	case f.Ciphertext == nil:
		return eemEntry{}, false, sealFault(ErrUnsealed, "%q has no ciphertext to publish; write it to its row first", s.pointer)
	case f.Origin == Origin{}:
		return eemEntry{}, false, sealFault(ErrUnsealed, "%q is a ciphertext of unknown origin, which nobody could open", s.pointer)
	}
	return eemEntry{f.Origin, f.KeyID()}, true, nil
}

func readEEM(raw json.RawMessage) (map[string]json.RawMessage, map[string]eemEntry, error) {
	members, entries := map[string]json.RawMessage{}, map[string]eemEntry{}
	if raw == nil || string(raw) == "null" {
		return members, entries, nil
	}
	if json.Unmarshal(raw, &members) != nil {
		return nil, nil, errEEM
	}
	sealed, ok := members[eemSealed]
	if !ok {
		return members, entries, nil // of aws-kms-ee
	}
	var version int
	if json.Unmarshal(members[eemVersion], &version) != nil || version != currentEEM || json.Unmarshal(sealed, &entries) != nil {
		return nil, nil, errEEM
	}
	return members, entries, nil
}

// putEEM takes the answer of describeSealed.
func (e *Event) putEEM(eem json.RawMessage) {
	switch {
	case eem == nil:
	case len(eem) == 0:
		delete(e.Body, memberEEM)
	default:
		e.Body[memberEEM] = eem
	}
}

func writeEEM(members map[string]json.RawMessage, entries map[string]eemEntry, held bool) (json.RawMessage, error) {
	_, foreign := members[eemDataKeys]
	delete(members, eemSealed)
	delete(members, eemVersion)
	if !foreign {
		delete(members, eemFields)
	}
	if len(entries) > 0 {
		sealed, err := marshal(entries)
		if err != nil {
			return nil, err
		}
		members[eemSealed], members[eemVersion] = sealed, json.RawMessage(strconv.Itoa(currentEEM))
		if !foreign {
			if members[eemFields], err = marshal(fieldNames(entries)); err != nil {
				return nil, err
			}
		}
	}
	if len(members) > 0 {
		return marshal(members)
	}
	if held {
		return json.RawMessage{}, nil
	}
	return nil, nil
}

// fieldNames are the last names of the pointers, sorted, each once.
func fieldNames(entries map[string]eemEntry) []string {
	names := map[string]bool{}
	for at := range entries {
		last := at[strings.LastIndex(at, pointerPrefix)+1:]
		names[strings.NewReplacer("~1", "/", "~0", "~").Replace(last)] = true
	}
	return slices.Sorted(maps.Keys(names))
}
