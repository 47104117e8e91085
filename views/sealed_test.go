package views_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// reader is a view with the ciphertexts of another service.
type reader struct {
	ID     string                   `dynamo:"id"`
	Email  insideout.Sealed[string] `dynamo:"email" seal:"contact,carried"`
	Domain string                   `dynamo:"domain,omitempty"`
}

type readerEvent struct {
	Reader struct {
		ID    string                   `json:"id"`
		Email insideout.Sealed[string] `json:"email"`
		Phone insideout.Sealed[string] `json:"phone"`
	} `json:"reader"`
}

var readers = table.DefineNode("reader", func(r *reader, d *table.Def[reader]) {
	d.ID(&r.ID)
	d.Subject(&r.ID)
})

const (
	sealedMarker = "marker@example.com"
	ciphertext   = "0123456789012345678901234567890123456789012345-"
)

// carry copies what is sealed, and reveal looks at it.
func carry(e readerEvent) (reader, error) {
	return reader{ID: e.Reader.ID, Email: e.Reader.Email}, nil
}

func reveal(e readerEvent) (reader, error) {
	address, err := e.Reader.Email.Reveal()
	_, domain, _ := strings.Cut(address, "@")
	return reader{ID: e.Reader.ID, Email: e.Reader.Email, Domain: domain}, err
}

func originOf(field string) insideout.Origin {
	return insideout.Origin{Subject: "r1", Model: "user", ID: "r1", Field: field, Class: "contact"}
}

func readerRegistered(t *testing.T) insideout.Event {
	t.Helper()
	var body readerEvent
	body.Reader.ID = "r1"
	require.NoError(t, body.Reader.Email.SetField(insideout.SealedField{Origin: originOf("email"), Ciphertext: []byte(ciphertext + "email")}))
	require.NoError(t, body.Reader.Phone.SetField(insideout.SealedField{Origin: originOf("phone"), Ciphertext: []byte(ciphertext + "phone")}))
	return event("e1", "reader-registered", 1, "reader", body.Reader)
}

// keyring opens what was sealed where it says, or has an outcome for each value, or no keys.
type keyring struct {
	mu      sync.Mutex
	calls   int
	outcome error // of values
	err     error // of calls
}

func (k *keyring) Open(_ context.Context, fields []insideout.SealedField) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.err != nil {
		return k.err
	}
	for i := range fields {
		f := &fields[i]
		if f.Err = k.outcome; f.Err == nil && string(f.Ciphertext) == ciphertext+f.Origin.Field && f.Origin == originOf(f.Origin.Field) {
			f.Plaintext = []byte(`"` + sealedMarker + `"`)
		} else if f.Err == nil {
			f.Err = errors.New("the value does not belong there")
		}
		if f.Err != nil && !errors.Is(f.Err, insideout.ErrShredded) && !errors.Is(f.Err, insideout.ErrRestricted) {
			return f.Err
		}
	}
	return nil
}

// sealing is a listener for readers.
func sealing(t *testing.T, f func(readerEvent) (reader, error), opts *views.Options) (*views.Listener, *table.DB) {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "readers", table.Schema(readers)))
	db, err := table.Open(engine, "readers", nil)
	require.NoError(t, err)
	l, err := views.New(db, opts, views.Upsert(readers, views.On("reader-registered"), f))
	require.NoError(t, err)
	return l, db
}

// ways are those of an event to a listener: as it is, as JSON, as JSON that takes more care, and as history.
func ways(t *testing.T) map[string]func(*views.Listener, insideout.Event) error {
	message := func(l *views.Listener, body string) error {
		r, _ := l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: body}}})
		if len(r.BatchItemFailures) > 0 {
			return errors.New("failed")
		}
		return nil
	}
	return map[string]func(*views.Listener, insideout.Event) error{
		"in process": func(l *views.Listener, e insideout.Event) error { return l.Handle(t.Context(), []insideout.Event{e}) },
		"JSON":       func(l *views.Listener, e insideout.Event) error { return message(l, asJSON(t, e)) },
		"escaped": func(l *views.Listener, e insideout.Event) error {
			return message(l, strings.Replace(asJSON(t, e), `"eem"`, `"\u0065em"`, 1))
		},
		"history": func(l *views.Listener, e insideout.Event) error {
			_, err := views.Rebuild(t.Context(), l, func(yield func(insideout.Event, error) bool) { yield(e, nil) }, nil)
			return err
		},
	}
}

func asJSON(t *testing.T, e insideout.Event) string {
	t.Helper()
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	return string(raw)
}

// TestSealed: ciphertexts and their origins arrive in the view, whether they were opened for the mapper, could not be, or nobody tried.
func TestSealed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		f      func(readerEvent) (reader, error)
		keys   *keyring
		domain string
	}{
		{"carried", carry, nil, ""},
		{"opened", reveal, &keyring{}, "example.com"},
		{"shredded and not looked at", carry, &keyring{outcome: insideout.ErrShredded}, ""},
	} {
		for way, deliver := range ways(t) {
			t.Run(c.name+" "+way, func(t *testing.T) {
				t.Parallel()
				opts := &views.Options{}
				keys := &keyring{}
				if c.keys != nil {
					keys.outcome = c.keys.outcome
					opts.Opener = keys
				}
				l, db := sealing(t, c.f, opts)
				require.NoError(t, deliver(l, readerRegistered(t)))
				got, err := readers.Get(t.Context(), db, "r1")
				require.NoError(t, err)
				require.Equal(t, c.domain, got.Domain)
				held, ok, err := got.Email.Field()
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, insideout.SealedField{Origin: originOf("email"), Ciphertext: []byte(ciphertext + "email")}, held)
				if c.keys != nil {
					require.Equal(t, 1, keys.calls, "one for all that the event holds")
				}
			})
		}
	}
}

// TestSealedOutcomes: a mapper that stumbles over an erased or restricted value skips the event.
func TestSealedOutcomes(t *testing.T) {
	t.Parallel()
	for _, outcome := range []error{insideout.ErrShredded, insideout.ErrRestricted} {
		for way, deliver := range ways(t) {
			t.Run(outcome.Error()+" "+way, func(t *testing.T) {
				t.Parallel()
				var faults faultSink
				l, db := sealing(t, reveal, &views.Options{Opener: &keyring{outcome: outcome}, Faults: &faults})
				require.NoError(t, deliver(l, readerRegistered(t)))
				require.Empty(t, faults.events)
				_, err := readers.Get(t.Context(), db, "r1")
				require.ErrorIs(t, err, table.ErrNotFound)
				if way != "history" {
					require.Equal(t, views.Stats{In: 1, Skipped: 1}, l.Stats())
				}
			})
		}
	}
}

// TestSealedFaults: what does not open never will, and keys that are not there now may be later. Faults do not tell what was sealed.
func TestSealedFaults(t *testing.T) {
	t.Parallel()
	spoilt := readerRegistered(t)
	spoilt.Body["eem"] = bytes.Replace(spoilt.Body["eem"], []byte(`"email","class"`), []byte(`"name","class"`), 1)
	unreadable := readerRegistered(t)
	unreadable.Body["eem"] = json.RawMessage(`{"version":9,"sealed":{}}`)
	failing := func(e readerEvent) (reader, error) {
		v, err := reveal(e)
		return v, errors.Join(err, fmt.Errorf("cannot take %v of %+v", e.Reader.Email, e))
	}
	panicking := func(e readerEvent) (reader, error) { panic(e) }
	for _, c := range []struct {
		name     string
		e        insideout.Event
		f        func(readerEvent) (reader, error)
		keys     *keyring
		attempts int // until it is a fault; 0: never
		message  string
	}{
		{"moved", spoilt, carry, &keyring{}, 1, "does not belong there"},
		{"not opened", readerRegistered(t), reveal, nil, 1, "sealed"},
		{"unknown eem", unreadable, carry, &keyring{}, 1, `"eem"`},
		{"keys refused", readerRegistered(t), carry, &keyring{err: errors.New("no keys for you")}, 3, "no keys"},
		{"keys throttled", readerRegistered(t), carry, &keyring{err: context.DeadlineExceeded}, 0, ""},
		{"mapper fails", readerRegistered(t), failing, &keyring{}, 1, "cannot take [REDACTED]"},
		{"mapper panics", readerRegistered(t), panicking, &keyring{}, 1, "panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			opts := &views.Options{Faults: &faults}
			if c.keys != nil {
				opts.Opener = c.keys
			}
			l, _ := sealing(t, c.f, opts)
			for attempt := range 5 {
				err := l.Handle(t.Context(), []insideout.Event{c.e})
				if done := c.attempts > 0 && attempt+1 >= c.attempts; done {
					require.NoError(t, err)
					break
				}
				require.Error(t, err)
				require.Empty(t, faults.events)
			}
			if c.attempts == 0 {
				return
			}
			require.Len(t, faults.events, 1)
			require.Contains(t, faultOf(t, faults.events[0]).Err.Message, c.message)
			require.NotContains(t, asJSON(t, faults.events[0]), "marker")
		})
	}
}

// TestSealedElsewhere: events without sealed values, and mappers that have no room for one, cost no keys.
func TestSealedElsewhere(t *testing.T) {
	t.Parallel()
	keys := &keyring{err: errors.New("not to be asked")}
	db := newTable(t, nil)
	type bare struct {
		Reader struct{ ID string }
	}
	l, err := views.New(db, rules()[0], &views.Options{Opener: keys}, views.Upsert(customers, views.On("reader-registered"), func(e bare) (customer, error) {
		return customer{ID: e.Reader.ID}, nil
	}))
	require.NoError(t, err)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, "c1", "lamp"), readerRegistered(t)}))
	require.Zero(t, keys.calls)
	_, err = customers.Get(t.Context(), db, "r1")
	require.NoError(t, err)
}

// TestSealedLate: a view that seals for itself skips what comes for somebody who was erased.
func TestSealedLate(t *testing.T) {
	t.Parallel()
	type own struct {
		ID    string `dynamo:"id"`
		Email string `dynamo:"email" seal:"contact"`
	}
	owns := table.DefineNode("own", func(o *own, d *table.Def[own]) {
		d.ID(&o.ID)
		d.Subject(&o.ID)
	})
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "owns", table.Schema(owns)))
	db, err := table.Open(engine, "owns", &table.Options{Sealer: shredded{}})
	require.NoError(t, err)
	var faults faultSink
	l, err := views.New(db, &views.Options{Faults: &faults}, views.Upsert(owns, views.On("customer-registered"), func(e customerEvent) (own, error) {
		return own{ID: e.Customer.ID, Email: e.Customer.Name}, nil
	}))
	require.NoError(t, err)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, "c1", sealedMarker)}))
	require.Empty(t, faults.events)
	require.EqualValues(t, 1, l.Stats().Skipped)
}

type shredded struct{}

func (shredded) Seal(context.Context, []insideout.SealedField) error { return insideout.ErrShredded }
