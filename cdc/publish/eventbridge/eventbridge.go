// Package eventbridge publishes events to an Amazon EventBridge bus.
//
// [New] makes a publisher of a client and the name of the bus; it meets the port that package cdc publishes to. An entry has the
// event's type as its detail type, and the event in JSON as its detail, as services in JavaScript write it (aws-lambda-stream), so
// that rules match on detail.type or detail-type.
//
// A request has at most 10 entries, and 256 KiB of them unless [Options] say otherwise: the limit of PutEvents is 1 MB in most regions
// (documentation of the SDK, service/eventbridge v1.55.8) and 256 KB in others, China's among them; JavaScript listeners and other
// targets may take less than the bus. EventBridge counts the source, the detail type and the detail in UTF-8.
//
// EventBridge delivers at least once and in no order, so requests go out side by side. Its own ids are new with each request: what
// tells copies is the id in the detail. An event for a bus that does not exist may be taken without an error.
package eventbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/dispatch"
)

const (
	maxEntries    = 10
	safeBytes     = 256<<10 - 1 // "less than 256 KB"
	maxBytes      = 1<<20 - 1
	maxDetailType = 128
)

// Client is what a publisher needs of EventBridge. *eventbridge.Client meets it.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Options adjust a publisher. Nil and zero values are the defaults.
type Options struct {
	// Source of the entries. Default: "custom"; "external" is for events of other subsystems.
	Source string
	// Endpoint is the id of a global endpoint, which takes events to the same bus in another region while the first one is unwell:
	// "abcde.veo". Default: none.
	Endpoint string
	// MaxBytes is the limit of an entry and of a request, up to 1 MiB - 1. Default: 256 KiB - 1, which every region takes.
	MaxBytes int
	// ClaimChecks keep the bodies of events that are larger. Default: none; such events are refused ([cdc.ErrTooLarge]).
	ClaimChecks cdc.ClaimChecks
	// CompressAbove is the size in bytes from which on a member of an event is compressed. Negative: never. Default: 10,240.
	CompressAbove int
	// InFlight is how many requests are under way at a time. Default: 8.
	InFlight int
	// Attempts is how often an entry is tried, with growing, jittered pauses, while the context lasts. Default: 8.
	Attempts int
}

// Publisher publishes to one bus. It is safe for concurrent use.
type Publisher struct {
	client           Client
	bus              string
	source, endpoint string
	sender           *dispatch.Sender
}

// New returns a publisher to the bus of that name or ARN. The error lists every mistake.
func New(client Client, bus string, opts *Options) (*Publisher, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, safeBytes)
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("eventbridge: no client"))
	}
	if bus == "" {
		faults = append(faults, errors.New(`eventbridge: no bus; the one of the account is "default"`))
	}
	if o.MaxBytes < 0 || o.MaxBytes > maxBytes {
		faults = append(faults, fmt.Errorf("eventbridge: MaxBytes is %d, and must be 1 to %d", o.MaxBytes, maxBytes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p := &Publisher{client: client, bus: bus, source: cmp.Or(o.Source, "custom"), endpoint: o.Endpoint}
	p.sender = dispatch.New(dispatch.Destination{
		Name: fmt.Sprintf("eventbridge: bus %q", bus), Entries: maxEntries, Bytes: o.MaxBytes, Entry: o.MaxBytes,
		Check: check, Overhead: func(e *insideout.Event) int { return len(p.source) + len(e.Type) }, Send: p.put,
		InFlight: o.InFlight, Attempts: o.Attempts, CompressAbove: o.CompressAbove, ClaimChecks: o.ClaimChecks,
	})
	return p, nil
}

// check finds a type that EventBridge would drop.
func check(e *insideout.Event) error {
	if n := utf8.RuneCountInString(e.Type); n > maxDetailType {
		return fmt.Errorf("its type has %d characters, and a detail type at most %d", n, maxDetailType)
	}
	return nil
}

// Publish puts the events on the bus. Its error is a [cdc.PublishError] with the reason for each event that is not out.
func (p *Publisher) Publish(ctx context.Context, events []insideout.Event) error {
	return p.sender.Publish(ctx, events)
}

func (p *Publisher) put(ctx context.Context, entries []dispatch.Entry) ([]error, error) {
	in := &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, len(entries))}
	if p.endpoint != "" {
		in.EndpointId = &p.endpoint
	}
	for i, e := range entries {
		detail := string(e.Data)
		in.Entries[i] = types.PutEventsRequestEntry{EventBusName: &p.bus, Source: &p.source, DetailType: &e.Event.Type, Detail: &detail}
	}
	out, err := p.client.PutEvents(ctx, in)
	if err != nil {
		return nil, err
	}
	reasons := make([]error, len(out.Entries))
	for i, r := range out.Entries {
		if r.EventId == nil || r.ErrorCode != nil {
			reasons[i] = dispatch.Refused(r.ErrorCode, r.ErrorMessage, false)
		}
	}
	return reasons, nil
}
