package insideout

import (
	"bytes"
	"encoding/json"
)

// Body decodes the body member of that name, usually the entity, into a T as encoding/json does.
//
// The error is a [*MemberError] that names the event and the member. It wraps [ErrNoMember] if the event has no such
// member; a member that is null gives the zero T, as encoding/json has it. A [Sealed] in it is given its origin.
func Body[T any](e Event, name string) (T, error) {
	var value T
	raw, ok := e.Body[name]
	if !ok {
		return value, e.fault(name, ErrNoMember)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		var zero T
		return zero, e.fault(name, err)
	}
	return value, e.bindSealed(pointerPrefix+escapePointer(name), &value)
}

// SetBody encodes v as encoding/json does, without escaping HTML, and puts it into the body under that name.
//
// Each [Sealed] in v is described in the event's member eem. It refuses a value that is tagged to be sealed and is not, an empty name, the name of one of the event's fields, and a v that has no JSON form; e is then unchanged.
// It writes to the Body map that copies of e share; see [Event.Clone].
func (e *Event) SetBody(name string, v any) error {
	if name == "" {
		return e.fault(name, errNoName)
	}
	if isField(name) {
		return e.fault(name, errReserved)
	}
	raw, err := marshal(v)
	if err != nil {
		return e.fault(name, err)
	}
	eem, err := e.describeSealed(name, v)
	if err != nil {
		return e.fault(name, err)
	}
	if e.Body == nil {
		e.Body = map[string]json.RawMessage{}
	}
	e.Body[name] = raw
	e.putEEM(eem)
	return nil
}

// marshal encodes v without the escapes for HTML, which would change the text of members that pass through.
func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
