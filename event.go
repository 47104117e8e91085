package insideout

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// TypeFault is the type of the event that reports an event or a change record which could not be processed.
const TypeFault = "fault"

// Names of the tags that every service puts on its events.
const (
	TagAccount  = "account"      // the account that published the event
	TagRegion   = "region"       // the region that published it
	TagStage    = "stage"        // the stage, such as "prd"
	TagSource   = "source"       // the service; listeners ignore the events of their own service
	TagFunction = "functionname" // the function
	TagPipeline = "pipeline"     // the rule within the function
	TagSkip     = "skip"         // set on test events, which listeners drop; see [Event.Skipped]
)

// Event is a fact: something that happened to one entity, in the past tense.
//
// The zero value is an empty event. Copies share Tags, Triggers and Body; [Event.Clone] makes an independent one.
type Event struct {
	// ID is unique and deterministic: the same change gives the same id however often it is published.
	ID string
	// Type is the entity and what happened to it, such as "order-placed".
	Type string
	// Timestamp is when it happened. On the wire it has milliseconds, so a finer part is cut off when the event is
	// written. The zero time is not written.
	Timestamp time.Time
	// PartitionKey groups the events that must stay in order: the id of the entity, or a correlation id.
	PartitionKey string
	// Tags describe where the event comes from. Nil is not written.
	Tags Tags
	// Triggers are the events that caused this one. Nil is not written.
	Triggers []Ref
	// Body holds every other member by its name, as it was received: the entity, and what this version does not know.
	//
	// It also keeps what a field above cannot say: tags that are not strings, as an object under "tags"; and the
	// received form of a member that was null, an empty string, a time with a fraction of a millisecond, or a list of
	// triggers with members of their own. Such a form is written back as long as the field was not changed.
	Body map[string]json.RawMessage
}

// Tags are the string tags of an event by name. Tags of another type stay in [Event.Body] under "tags".
type Tags map[string]string

// Ref names an event that caused another one.
type Ref struct {
	ID        string
	Type      string
	Timestamp time.Time // with milliseconds on the wire; the zero time is not written
}

// Ref returns the reference to e, for the triggers of an event that e causes.
func (e Event) Ref() Ref {
	return Ref{ID: e.ID, Type: e.Type, Timestamp: e.Timestamp}
}

// Clone returns a copy of e that shares nothing with it.
func (e Event) Clone() Event {
	e.Tags = maps.Clone(e.Tags)
	e.Triggers = slices.Clone(e.Triggers)
	e.Body = maps.Clone(e.Body)
	for name, raw := range e.Body {
		e.Body[name] = slices.Clone(raw)
	}
	return e
}

// Skipped reports whether the event is marked as a test event that listeners drop: its tag "skip" is a string that is
// not empty, true, or any other JSON value but false, null and zero.
func (e Event) Skipped() bool {
	if text, ok := e.Tags[TagSkip]; ok {
		return text != ""
	}
	others, err := looseTags(e.Body[memberTags])
	if err != nil {
		return false
	}
	raw, ok := others[TagSkip]
	return ok && truthy(raw)
}

// truthy judges a JSON value that is not a string as JavaScript does, since the services on the other side of the bus do.
func truthy(raw json.RawMessage) bool {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return false
	}
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	default:
		return true
	}
}

// Validate reports everything that keeps e from being published: a missing id, a missing type, a missing timestamp or
// one that does not fit the wire, and body members that are not JSON.
func (e Event) Validate() error {
	var faults []error
	if e.ID == "" {
		faults = append(faults, e.fault(memberID, errMissing))
	}
	if e.Type == "" {
		faults = append(faults, e.fault(memberType, errMissing))
	}
	if e.Timestamp.IsZero() {
		faults = append(faults, e.fault(memberTimestamp, errMissing))
	} else if _, err := appendTime(nil, e.Timestamp); err != nil {
		faults = append(faults, e.fault(memberTimestamp, err))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Body)) {
		if !json.Valid(e.Body[name]) {
			faults = append(faults, e.fault(name, errNotJSON))
		}
	}
	return errors.Join(faults...)
}
