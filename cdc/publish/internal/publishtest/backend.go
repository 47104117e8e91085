// Package publishtest is the suite that every publisher must pass: what it sends, what it makes of the answers, and what it reports.
//
// A publisher's test gives [Run] a [Harness]: the limits of the service, and a publisher on a client that hands each request to a
// [Backend]. The backend answers as the test wants, partly, late, or not at all.
package publishtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
)

// Message is an entry of a request.
type Message struct {
	Body  []byte // the event
	Key   string // what the service keeps in order, empty if nothing
	Token string // by which the service knows copies, empty if it does not
	Size  int    // as the service counts
}

// Answer is what the backend says about an entry. The zero value takes it.
type Answer struct {
	Code   string // it is refused
	Sender bool   // and that is the sender's fault
	Omit   bool   // nothing is said
}

// Backend is the service behind a publisher's client.
type Backend struct {
	// Answer decides about a request, before it counts. Default: it is taken.
	Answer func(ctx context.Context, call int, messages []Message) ([]Answer, error)

	mu        sync.Mutex
	calls     [][]Message
	taken     []Message
	flying    int
	mostAtOne int
}

// Take is one request.
func (b *Backend) Take(ctx context.Context, messages []Message) ([]Answer, error) {
	b.mu.Lock()
	b.calls = append(b.calls, messages)
	call := len(b.calls)
	b.flying++
	b.mostAtOne = max(b.mostAtOne, b.flying)
	b.mu.Unlock()

	answers := make([]Answer, len(messages))
	var err error
	if b.Answer != nil {
		answers, err = b.Answer(ctx, call, messages)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying--
	if err != nil {
		return nil, err
	}
	for i, m := range messages {
		if answers[i] == (Answer{}) {
			b.taken = append(b.taken, m)
		}
	}
	return answers, nil
}

// Taken are the ids of the events that the service took, in its order.
func (b *Backend) Taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, m := range b.taken {
		ids = append(ids, idOf(m))
	}
	return ids
}

// Calls are the requests that were made.
func (b *Backend) Calls() [][]Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// InFlight is the most requests that were under way at a time.
func (b *Backend) InFlight() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mostAtOne
}

func idOf(m Message) string { return eventOf(m).ID }

func eventOf(m Message) insideout.Event {
	var e insideout.Event
	if err := e.UnmarshalJSON(m.Body); err != nil {
		panic(fmt.Sprintf("a message is no event: %v: %.100q", err, m.Body))
	}
	return e
}

// APIError is an error of a whole request.
func APIError(code string) error {
	fault := smithy.FaultClient
	if code == "InternalFailure" {
		fault = smithy.FaultServer
	}
	return &smithy.OperationError{ServiceID: "fake", OperationName: "Put", Err: &smithy.GenericAPIError{Code: code, Message: "no", Fault: fault}}
}

// Vault keeps claim checks in memory.
type Vault struct {
	Err  func(key string) error
	mu   sync.Mutex
	kept map[string][]byte
}

// Keep meets [cdc.ClaimChecks].
func (v *Vault) Keep(_ context.Context, key string, body []byte) (string, error) {
	if v.Err != nil {
		if err := v.Err(key); err != nil {
			return "", err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil {
		v.kept = map[string][]byte{}
	}
	if old, ok := v.kept[key]; ok && !bytes.Equal(old, body) {
		return "", errors.New("another body under the same key")
	}
	v.kept[key] = bytes.Clone(body)
	return "vault", nil
}

var _ cdc.ClaimChecks = (*Vault)(nil)

// event makes an event with a member of some bytes, which do not compress well.
func event(id, key string, bytes int) insideout.Event {
	e := insideout.Event{ID: id, Type: "thing-created", PartitionKey: key, Timestamp: noon, Tags: insideout.Tags{"region": "eu-west-1"}}
	if bytes > 0 {
		e.Body = map[string]json.RawMessage{"thing": json.RawMessage(`"` + noise(id, bytes-2) + `"`)}
	}
	return e
}
