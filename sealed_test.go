package insideout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
)

const marker = "marker@example.com"

// mirror seals by writing the bytes backwards, which is enough to see what passes through it.
type mirror struct {
	calls  int
	marked error
}

func (m *mirror) Seal(_ context.Context, fields []insideout.SealedField) error {
	m.calls++
	for i, f := range fields {
		fields[i].Ciphertext = append(make([]byte, 45), reverse(f.Plaintext)...)
		fields[i].Ciphertext[16] = 7
	}
	return nil
}

func (m *mirror) Open(_ context.Context, fields []insideout.SealedField) error {
	m.calls++
	for i, f := range fields {
		if fields[i].Err = m.marked; m.marked == nil {
			fields[i].Plaintext = reverse(f.Ciphertext[45:])
		}
	}
	return nil
}

func reverse(in []byte) []byte {
	out := bytes.Clone(in)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func origin(field string) insideout.Origin {
	return insideout.Origin{Subject: "17850", Model: "customer", ID: "17850", Field: field, Class: "contact"}
}

// carried is what a reader without a key holds.
func carried[T any](t require.TestingT, field string, v T) insideout.Sealed[T] {
	s := insideout.Seal(v)
	f, ok, err := s.Field()
	require.NoError(t, err)
	require.True(t, ok)
	fields := []insideout.SealedField{f}
	fields[0].Origin = origin(field)
	require.NoError(t, (&mirror{}).Seal(context.Background(), fields))
	fields[0].Plaintext = nil
	var out insideout.Sealed[T]
	require.NoError(t, out.SetField(fields[0]))
	return out
}

type person struct {
	ID     string                               `json:"id"`
	Email  insideout.Sealed[string]             `json:"email,omitzero"`
	Phones []insideout.Sealed[string]           `json:"phones,omitempty"`
	Notes  map[string]insideout.Sealed[int]     `json:"notes,omitempty"`
	Home   *address                             `json:"home,omitempty"`
	hidden insideout.Sealed[string]             // as fmt sees fields that it cannot call methods of
	Other  map[string]*insideout.Sealed[[]byte] `json:"o~t/h,omitempty"`
}

type address struct {
	Street insideout.Sealed[string] `json:"street"`
}

func TestSealedPrintsNothing(t *testing.T) {
	t.Parallel()
	p := person{ID: "17850", Email: insideout.Seal(marker), hidden: insideout.Seal(marker), Phones: []insideout.Sealed[string]{insideout.Seal(marker)}}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
		logger.Info("read", "person", p, "email", p.Email, "pointer", &p.Email)
	}
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	printed := log.String() + string(raw)
	f, _, err := p.Email.Field()
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		printed += fmt.Sprintf(verb+verb+verb+verb+verb, p, &p, p.Email, &p.Email, f)
	}
	require.Contains(t, printed, "[REDACTED]")
	require.NotContains(t, printed, marker)
	require.NotContains(t, printed, fmt.Sprintf("%x", marker))
	require.NotContains(t, printed, fmt.Sprint([]byte(marker))[1:20])
	_, err = p.Email.MarshalText()
	require.ErrorContains(t, err, "no text")
}

func TestRevealIsTheOnlyWayOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		marked error
		value  string
	}{"opened": {nil, marker}, "shredded": {insideout.ErrShredded, ""}, "restricted": {insideout.ErrRestricted, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := person{Email: carried(t, "email", marker)}
			_, err := p.Email.Reveal()
			require.ErrorIs(t, err, insideout.ErrSealed)
			require.Equal(t, "?", p.Email.RevealOr("?"))
			copied := p.Email
			require.NoError(t, insideout.OpenSealed(t.Context(), &mirror{marked: tc.marked}, &p))
			value, err := p.Email.Reveal()
			require.Equal(t, tc.value, value)
			require.ErrorIs(t, err, tc.marked)
			_, err = copied.Reveal()
			require.ErrorIs(t, err, insideout.ErrSealed, "copies are independent")
		})
	}
	fresh, err := insideout.Seal(marker).Reveal()
	require.NoError(t, err)
	require.Equal(t, marker, fresh)
	var none insideout.Sealed[int]
	zero, err := none.Reveal()
	require.NoError(t, err)
	require.Zero(t, zero)
	require.True(t, none.IsZero())
	require.Equal(t, 3, none.RevealOr(3))
}

func TestOpenSealedTakesOneCall(t *testing.T) {
	t.Parallel()
	people := make([]person, 25)
	for i := range people {
		street, other := carried(t, "street", "x"), carried(t, "other", []byte{1})
		people[i] = person{
			Email: carried(t, "email", marker), Phones: []insideout.Sealed[string]{carried(t, "phone", "1")}, Home: &address{street},
			Notes: map[string]insideout.Sealed[int]{"a": carried(t, "note", i)}, Other: map[string]*insideout.Sealed[[]byte]{"k": &other},
		}
	}
	m := &mirror{}
	require.NoError(t, insideout.OpenSealed(t.Context(), m, &people))
	require.Equal(t, 1, m.calls)
	for i, p := range people {
		note, err := p.Notes["a"].Reveal()
		require.NoError(t, err)
		require.Equal(t, i, note)
		require.Equal(t, marker, p.Email.RevealOr(""))
		require.Equal(t, "1", p.Phones[0].RevealOr(""))
		require.Equal(t, "x", p.Home.Street.RevealOr(""))
		require.Equal(t, []byte{1}, p.Other["k"].RevealOr(nil))
	}
	require.NoError(t, insideout.OpenSealed(t.Context(), m, &person{}, 3, nil))
	require.Equal(t, 1, m.calls, "nothing to open")
}

func TestOpenSealedTellsTheWrongType(t *testing.T) {
	t.Parallel()
	s := carried(t, "email", marker)
	f, _, err := s.Field()
	require.NoError(t, err)
	var number insideout.Sealed[int]
	require.NoError(t, number.SetField(f))
	err = insideout.OpenSealed(t.Context(), &mirror{}, &number)
	require.ErrorContains(t, err, `the sealed value of customer "17850", field "email", is not a int`)
	require.NotContains(t, err.Error(), marker)
	bad := errors.New("no key")
	require.ErrorIs(t, insideout.OpenSealed(t.Context(), failing{bad}, &s), bad)
}

type ring struct {
	Email insideout.Sealed[string]
	Next  *ring
}

func TestOpenSealedEndsInARing(t *testing.T) {
	t.Parallel()
	r := &ring{Email: carried(t, "email", marker)}
	r.Next = r
	require.ErrorContains(t, insideout.OpenSealed(t.Context(), &mirror{}, r), "contains itself")
}

type failing struct{ err error }

func (f failing) Open(context.Context, []insideout.SealedField) error { return f.err }

func TestEventsCarryCiphertext(t *testing.T) {
	t.Parallel()
	street, other := carried(t, "address.street", "x"), carried(t, "other", []byte{1})
	in := person{
		ID: "17850", Email: carried(t, "email", marker), Home: &address{street},
		Phones: []insideout.Sealed[string]{{}, carried(t, "phones", "1")}, Other: map[string]*insideout.Sealed[[]byte]{"k": &other},
	}
	e := insideout.Event{ID: "1", Type: "customer-registered"}
	require.NoError(t, e.SetBody("customer", in))
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	require.NotContains(t, string(raw), marker)
	origins, err := e.Origins()
	require.NoError(t, err)
	require.Equal(t, map[string]insideout.Origin{
		"/customer/email": origin("email"), "/customer/home/street": origin("address.street"),
		"/customer/phones/1": origin("phones"), "/customer/o~0t~1h/k": origin("other"),
	}, origins)

	var received insideout.Event
	require.NoError(t, json.Unmarshal(raw, &received))
	out, err := insideout.Body[person](received, "customer")
	require.NoError(t, err)
	var whole struct {
		Customer person `json:"customer"`
	}
	require.NoError(t, json.Unmarshal(raw, &whole))
	require.NoError(t, received.BindSealed(&whole))
	require.Equal(t, out, whole.Customer)
	require.NoError(t, insideout.OpenSealed(t.Context(), &mirror{}, &out))
	require.Equal(t, marker, out.Email.RevealOr(""))
	require.True(t, out.Phones[0].IsZero())
	require.Equal(t, []byte{1}, out.Other["k"].RevealOr(nil))
}

func TestSetBodyKeepsTheEnvelopeTrue(t *testing.T) {
	t.Parallel()
	e := insideout.Event{ID: "1", Type: "x", Body: map[string]json.RawMessage{"eem": json.RawMessage(`{"later":1}`)}}
	require.NoError(t, e.SetBody("a", person{Email: carried(t, "email", marker)}))
	require.NoError(t, e.SetBody("b", person{Home: &address{carried(t, "street", marker)}}))
	require.JSONEq(t, `{"later":1,"version":1,"fields":["email","street"],"sealed":{
		"/a/email":{"subject":"17850","model":"customer","id":"17850","field":"email","class":"contact","key":"00000000000000000000000000000007"},
		"/b/home/street":{"subject":"17850","model":"customer","id":"17850","field":"street","class":"contact","key":"00000000000000000000000000000007"}}}`,
		strings.ReplaceAll(string(e.Body["eem"]), "00000000000000000000000000000000", "00000000000000000000000000000007"))
	require.NoError(t, e.SetBody("a", map[string]any{"p": person{Email: carried(t, "email", marker)}}))
	origins, err := e.Origins()
	require.NoError(t, err)
	require.Contains(t, origins, "/a/p/email")
	require.NotContains(t, origins, "/a/email")
	require.NoError(t, e.SetBody("a", 1))
	require.NoError(t, e.SetBody("b", 1))
	require.JSONEq(t, `{"later":1}`, string(e.Body["eem"]))

	plain := insideout.Event{ID: "1", Type: "x"}
	require.NoError(t, plain.SetBody("a", person{Email: carried(t, "email", marker)}))
	require.NoError(t, plain.SetBody("a", person{}))
	require.NotContains(t, plain.Body, "eem")
}

type plainTagged struct {
	ID    string `json:"id"`
	Email string `json:"email,omitempty" seal:"contact"`
	Local string `json:"-" seal:"contact"`
}

func TestSetBodyRefusesPlainText(t *testing.T) {
	t.Parallel()
	var bare insideout.Sealed[string]
	wire, err := carried(t, "email", marker).MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, bare.UnmarshalJSON(wire))
	var redacted insideout.Sealed[string]
	require.NoError(t, redacted.UnmarshalJSON([]byte(`"[REDACTED]"`)))
	for name, tc := range map[string]struct {
		body any
		text string
	}{
		"fresh":     {person{Email: insideout.Seal(marker)}, `"/c/email" has no ciphertext to publish`},
		"tagged":    {&plainTagged{Email: marker}, `"/c/email" is tagged to be sealed`},
		"nested":    {[]any{map[string]plainTagged{"k": {Email: marker}}}, `"/c/0/k/email" is tagged to be sealed`},
		"no origin": {person{Email: bare}, `"/c/email" is a ciphertext of unknown origin`},
		"redacted":  {person{Email: redacted}, `"/c/email": the value was read from text in which it is redacted`},
		"no JSON":   {struct{ F insideout.Sealed[func()] }{insideout.Seal(func() {})}, `"/c/F": a func() has no JSON form`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := insideout.Event{ID: "1"}
			err := e.SetBody("c", tc.body)
			require.ErrorContains(t, err, `insideout: event "1": member "c": `+tc.text)
			require.NotContains(t, err.Error(), marker)
			require.Nil(t, e.Body, "unchanged")
		})
	}
	e := insideout.Event{ID: "1"}
	require.NoError(t, e.SetBody("c", plainTagged{ID: "1", Local: marker}))
}

func TestSealedRefusesWhatIsNotSealed(t *testing.T) {
	t.Parallel()
	short, err := json.Marshal(make([]byte, 44))
	require.NoError(t, err)
	for name, raw := range map[string]string{"text": `{"email":"` + marker + `"}`, "number": `{"email":3}`, "short": `{"email":` + string(short) + `}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := insideout.Body[person](insideout.Event{ID: "1", Body: map[string]json.RawMessage{"c": json.RawMessage(raw)}}, "c")
			require.EqualError(t, err, `insideout: event "1": member "c": want the base64 of a sealed value, which this is not`)
		})
	}
}

func TestEnvelopeOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, eem := range []string{`{"version":2,"sealed":{}}`, `{"sealed":{}}`, `[]`, `{"version":1,"sealed":[]}`} {
		e := insideout.Event{ID: "1", Body: map[string]json.RawMessage{"c": json.RawMessage(`{}`), "eem": json.RawMessage(eem)}}
		_, err := insideout.Body[person](e, "c")
		require.EqualError(t, err, `insideout: event "1": member "eem": is not of a form that this version reads`)
		require.Error(t, e.SetBody("c", person{}))
		_, err = e.Origins()
		require.Error(t, err)
	}
}

// Embedded structs and shadowed names must be read as encoding/json reads them, or a ciphertext loses its origin.
type base struct {
	Email insideout.Sealed[string] `json:"email,omitzero"`
	Name  insideout.Sealed[string] `json:"name,omitzero"`
}

type shadowing struct {
	base
	Email insideout.Sealed[string] `json:"email"`
}

func TestWalkNamesFieldsAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	in := shadowing{base{carried(t, "below", "1"), carried(t, "name", "2")}, carried(t, "above", "3")}
	var e insideout.Event
	require.NoError(t, e.SetBody("c", in))
	origins, err := e.Origins()
	require.NoError(t, err)
	require.Equal(t, map[string]insideout.Origin{"/c/email": origin("above"), "/c/name": origin("name")}, origins)
	out, err := insideout.Body[shadowing](e, "c")
	require.NoError(t, err)
	require.NoError(t, insideout.OpenSealed(t.Context(), &mirror{}, &out))
	require.Equal(t, "3", out.Email.RevealOr(""))
	require.Equal(t, "2", out.Name.RevealOr(""))
}

func TestSealedPassesThroughEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type body map[string]map[string][]insideout.Sealed[string]
		in := body{}
		for _, member := range rapid.SliceOfDistinct(rapid.String(), rapid.ID).Draw(t, "members") {
			in[member] = map[string][]insideout.Sealed[string]{}
			for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z/~."]{0,3}`), rapid.ID).Draw(t, "names") {
				in[member][name] = []insideout.Sealed[string]{carried(t, name, member)}
			}
		}
		e := insideout.Event{ID: "1"}
		require.NoError(t, e.SetBody("c", in))
		out, err := insideout.Body[body](e, "c")
		require.NoError(t, err)
		require.NoError(t, insideout.OpenSealed(context.Background(), &mirror{}, &out))
		for member, names := range in {
			for name := range names {
				f, _, err := out[member][name][0].Field()
				require.NoError(t, err)
				require.Equal(t, origin(name), f.Origin)
				require.Equal(t, member, out[member][name][0].RevealOr("?"))
			}
		}
	})
}

// Whatever the eem and the body of an event say, reading them ends in an error or in values that can be written again.
func FuzzSealedEvent(f *testing.F) {
	var e insideout.Event
	require.NoError(f, e.SetBody("c", person{Email: carried(f, "email", marker)}))
	f.Add([]byte(e.Body["c"]), []byte(e.Body["eem"]))
	f.Add([]byte(`{"email":"[REDACTED]"}`), []byte(`{"version":1,"sealed":{"/c/email":{}}}`))
	f.Add([]byte(`{"home":{"street":null}}`), []byte(`{"dataKeys":{},"fields":[]}`))
	f.Fuzz(func(t *testing.T, body, eem []byte) {
		e := insideout.Event{ID: "1", Body: map[string]json.RawMessage{"c": body, "eem": eem}}
		p, err := insideout.Body[person](e, "c")
		if err != nil {
			return
		}
		_ = insideout.OpenSealed(t.Context(), &mirror{marked: insideout.ErrShredded}, &p)
		before, err := e.Origins()
		require.NoError(t, err)
		if e.SetBody("c", p) != nil {
			return
		}
		after, err := e.Origins()
		require.NoError(t, err)
		for at, origin := range after {
			require.Equal(t, before[at], origin, "nothing gets an origin that it did not have")
		}
	})
}
