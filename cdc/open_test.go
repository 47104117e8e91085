package cdc_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// keyring opens what starts with the marker of a ciphertext, and does what it is told of others.
type keyring struct {
	calls int
	err   error            // instead of opening
	field map[string]error // by attribute
}

func (k *keyring) Open(_ context.Context, fields []insideout.SealedField) error {
	k.calls++
	if k.err != nil {
		return k.err
	}
	var faults []error
	for i := range fields {
		f := &fields[i]
		if f.Err = k.field[f.Origin.Field]; f.Err == nil {
			f.Plaintext, _ = json.Marshal(strings.TrimLeft(string(f.Ciphertext[1:]), "~"))
		} else {
			faults = append(faults, f.Err)
		}
	}
	if len(faults) == 0 || len(k.field) == 1 && errors.Is(faults[0], insideout.ErrShredded) {
		return nil
	}
	return errors.Join(faults...)
}

// sealedMember is the record of a member that has moved.
func sealedMember(t *testing.T, phone, was string) events.DynamoDBEventRecord {
	t.Helper()
	ciphertext := func(text string) events.DynamoDBAttributeValue {
		return events.NewBinaryAttribute([]byte("\x01" + strings.Repeat("~", 60) + text))
	}
	image := func(phone string) map[string]events.DynamoDBAttributeValue {
		s := events.NewStringAttribute
		return map[string]events.DynamoDBAttributeValue{
			"pk": s("m1"), "sk": s("member"), "discriminator": s("member"), "timestamp": events.NewNumberAttribute("1700000000123"),
			"email": ciphertext("ann@example.com"), "phone": ciphertext(phone),
		}
	}
	r := inserted("1", "m1", "")
	r.EventName, r.Change.NewImage, r.Change.OldImage = "MODIFY", image(phone), image(was)
	r.Change.Keys["sk"] = events.NewStringAttribute("member")
	return r
}

// movedEvent says where a member has moved from and to, and hands on the sealed address.
func movedEvent(c cdc.Change[member]) (insideout.Event, error) {
	prefix := func(m *member) string { return m.Phone[:min(3, len(m.Phone))] }
	area := cdc.Diff(c, prefix)
	if !area.Changed {
		return insideout.Event{}, cdc.ErrSkip
	}
	if _, err := c.New.Email.Reveal(); err != nil {
		return insideout.Event{}, err
	}
	e := insideout.Event{Type: "member-moved"}
	return e, errors.Join(e.SetBody("area", []string{area.Old, area.New}), e.SetBody("member", struct {
		Email insideout.Sealed[string] `json:"email"`
	}{c.New.Email}))
}

func openingTrigger(t *testing.T, out cdc.Publisher, o insideout.Opener, f func(cdc.Change[member]) (insideout.Event, error)) *cdc.Trigger {
	t.Helper()
	trigger, err := cdc.New(out, &cdc.Options{Opener: o}, cdc.Publish(members, f))
	require.NoError(t, err)
	return trigger
}

// TestOpener: whoever may, states something about sealed values; both images are opened in one call, and what is published stays sealed.
func TestOpener(t *testing.T) {
	t.Parallel()
	keys, out := &keyring{}, &sink{}
	trigger := openingTrigger(t, out, keys, movedEvent)
	for range 2 {
		_, err := trigger.HandleDynamoDB(t.Context(), batchOf(sealedMember(t, "089123", "030456")))
		require.NoError(t, err)
	}
	require.Equal(t, 2, keys.calls)
	list := out.all()
	require.Len(t, list, 2)
	require.Equal(t, list[0], list[1])
	require.Equal(t, "member-moved", list[0].Type)
	require.JSONEq(t, `["030","089"]`, string(list[0].Body["area"]))
	require.NotContains(t, out.lines(), "ann@")
	origins, err := list[0].Origins()
	require.NoError(t, err)
	require.Equal(t, "email", origins["/member/email"].Field)

	_, err = openingTrigger(t, out, nil, movedEvent).HandleDynamoDB(t.Context(), batchOf(sealedMember(t, "089123", "030456")))
	require.NoError(t, err)
	require.Len(t, out.all(), 2, "closed, there is no difference to be seen")
}

// TestOpenerFails: what becomes of a record whose values do not open.
func TestOpenerFails(t *testing.T) {
	t.Parallel()
	tampered := errors.New("crypto: not authentic")
	whole := func(c cdc.Change[member]) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("member", c.New)
	}
	for name, c := range map[string]struct {
		keys   keyring
		f      func(cdc.Change[member]) (insideout.Event, error)
		again  bool
		reason string // of a fault
	}{
		"no keys":            {keyring{err: errors.New("crypto: the key service does not answer")}, movedEvent, true, ""},
		"tampered":           {keyring{field: map[string]error{"phone": tampered}}, movedEvent, false, "not authentic"},
		"tampered, shredded": {keyring{field: map[string]error{"phone": tampered, "email": insideout.ErrShredded}}, movedEvent, false, "not authentic"},
		"shredded":           {keyring{field: map[string]error{"email": insideout.ErrShredded}}, movedEvent, false, ""},
		"published":          {keyring{}, whole, false, `"/member/phone" is tagged`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out sink
			response, err := openingTrigger(t, &out, &c.keys, c.f).HandleDynamoDB(t.Context(), batchOf(sealedMember(t, "089123", "030456")))
			require.NoError(t, err)
			require.Equal(t, c.again, len(response.BatchItemFailures) == 1)
			if c.reason == "" {
				require.Empty(t, out.all())
				return
			}
			require.Len(t, out.all(), 1)
			fault := out.all()[0]
			require.Equal(t, insideout.TypeFault, fault.Type)
			report, err := insideout.Body[struct{ Message string }](fault, "err")
			require.NoError(t, err)
			require.Contains(t, report.Message, c.reason)
			require.NotContains(t, out.lines(), "089123")
		})
	}
}
