package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// member has a sealed field of either kind.
type member struct {
	ID    string                   `dynamo:"id" json:"id"`
	Email insideout.Sealed[string] `dynamo:"email" json:"email,omitzero" seal:"contact"`
	Phone string                   `dynamo:"phone" json:"phone,omitempty" seal:"contact"`
}

type club struct{ Member member }

var (
	members = table.DefineNode("member", func(m *member, d *table.Def[member]) {
		d.ID(&m.ID)
		d.Subject(&m.ID)
	})
	clubs = table.DefineAggregate(table.Root(members, func(c *club) *member { return &c.Member }))
)

const sealedMarker = "marker@example.com"

// masker seals by remembering, and counts what it opens.
type masker struct {
	plain map[string][]byte
	opens int
}

func (m *masker) Seal(_ context.Context, fields []insideout.SealedField) error {
	for i := range fields {
		fields[i].Ciphertext = fmt.Appendf(nil, "\x01%044d", len(m.plain))
		m.plain[string(fields[i].Ciphertext)] = fields[i].Plaintext
	}
	return nil
}

func (m *masker) Open(_ context.Context, fields []insideout.SealedField) error {
	m.opens++
	for i := range fields {
		fields[i].Plaintext = m.plain[string(fields[i].Ciphertext)]
	}
	return nil
}

// sealedMembers is a table with a member in it, by the sealer, and what publishes it with the parts.
func sealedMembers(t *testing.T, m *masker, rule func(*table.DB) cdc.Part) []insideout.Event {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "things", table.Schema(members)))
	db, err := table.Open(engine, "things", &table.Options{Sealer: m, Opener: m})
	require.NoError(t, err)
	require.NoError(t, members.Save(t.Context(), db, member{ID: "m1", Email: insideout.Seal(sealedMarker), Phone: sealedMarker}))
	m.opens = 0
	var out sink
	trigger, err := cdc.New(&out, rule(db))
	require.NoError(t, err)
	drained(t, engine, trigger, 10)
	drained(t, engine, trigger, 1)
	require.NotContains(t, out.lines(), "marker")
	all := out.all()
	require.NotEmpty(t, all)
	require.Equal(t, all[:len(all)/2], all[len(all)/2:], "the same record gives the same event")
	return all[:len(all)/2]
}

// TestSealed: a trigger hands on what is sealed, with its origin, and asks for no key.
func TestSealed(t *testing.T) {
	t.Parallel()
	m := &masker{plain: map[string][]byte{}}
	list := sealedMembers(t, m, func(*table.DB) cdc.Part {
		return cdc.Publish(members, func(c cdc.Change[member]) (insideout.Event, error) {
			if _, err := c.New.Email.Reveal(); !errors.Is(err, insideout.ErrSealed) || c.New.Phone != "" {
				return insideout.Event{}, fmt.Errorf("opened: %w", err)
			}
			var e insideout.Event
			return e, e.SetBody("member", c.New)
		})
	})
	require.Zero(t, m.opens)
	require.Len(t, list, 1)
	require.Equal(t, "member-created", list[0].Type)
	origins, err := list[0].Origins()
	require.NoError(t, err)
	require.Equal(t, map[string]insideout.Origin{"/member/email": {Subject: "m1", Model: "member", ID: "m1", Field: "email", Class: "contact"}}, origins)
	got, err := insideout.Body[member](list[0], "member")
	require.NoError(t, err)
	require.NoError(t, insideout.OpenSealed(t.Context(), m, &got))
	address, err := got.Email.Reveal()
	require.NoError(t, err)
	require.Equal(t, sealedMarker, address)
}

// TestSealedMistakes: what would be published as plain text becomes a fault that does not tell it.
func TestSealedMistakes(t *testing.T) {
	t.Parallel()
	body := func(v any) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("member", v)
	}
	publish := func(f func(cdc.Change[member]) (insideout.Event, error)) func(*table.DB) cdc.Part {
		return func(*table.DB) cdc.Part { return cdc.Publish(members, f) }
	}
	aggregate := func(f func(cdc.Change[club]) (insideout.Event, error)) func(*table.DB) cdc.Part {
		return func(db *table.DB) cdc.Part { return cdc.PublishAggregate(db, clubs, f) }
	}
	for _, c := range []struct {
		name, reason string
		rule         func(*table.DB) cdc.Part
	}{
		{"an aggregate with plain fields", `"/member/phone" is tagged`, aggregate(func(c cdc.Change[club]) (insideout.Event, error) { return body(c.New.Member) })},
		{"a value that was never written", `"/member/email" has no ciphertext`, publish(func(cdc.Change[member]) (insideout.Event, error) {
			return body(member{ID: "m1", Email: insideout.Seal(sealedMarker)})
		})},
		{"an error", "[REDACTED]", publish(func(c cdc.Change[member]) (insideout.Event, error) {
			return insideout.Event{}, fmt.Errorf("cannot take %+v", c.New.Email)
		})},
		{"a panic", "panicked with a value of the type cdc_test.club", aggregate(func(c cdc.Change[club]) (insideout.Event, error) { panic(*c.New) })},
		{"a value that was not opened", "sealed", publish(func(c cdc.Change[member]) (insideout.Event, error) {
			_, err := c.New.Email.Reveal()
			return insideout.Event{}, err
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := sealedMembers(t, &masker{plain: map[string][]byte{}}, c.rule)
			require.Len(t, list, 1)
			require.Equal(t, insideout.TypeFault, list[0].Type)
			report, err := insideout.Body[struct{ Message string }](list[0], "err")
			require.NoError(t, err)
			require.Contains(t, report.Message, c.reason)
		})
	}
}

// TestSealedErased: a mapper that stumbles over an erased value has nothing to publish.
func TestSealedErased(t *testing.T) {
	t.Parallel()
	engine, db := newTable(t, nil)
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "t1"}))
	var out sink
	trigger, err := cdc.New(&out,
		cdc.Publish(things, func(cdc.Change[thing]) (insideout.Event, error) { return insideout.Event{}, insideout.ErrShredded }),
		cdc.PublishAggregate(db, assemblies, func(cdc.Change[assembly]) (insideout.Event, error) {
			return insideout.Event{}, fmt.Errorf("of %w", insideout.ErrShredded)
		}))
	require.NoError(t, err)
	drained(t, engine, trigger, 10)
	require.Empty(t, out.all())
}
