package publishtest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// tooLarge: without claim checks, an event over the limit is refused, with its size; the others are out.
func tooLarge(t *testing.T, h Harness) {
	b := &Backend{}
	list := []insideout.Event{event("a", "k", 10), event("large", "k", h.Entry), event("c", "k", 10)}
	own := failed(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.Equal(t, []int{1}, own.Failed())
	require.ErrorIs(t, own, cdc.ErrTooLarge)
	require.ErrorIs(t, own, cdc.ErrRejected)
	require.ErrorContains(t, own, "ClaimChecks")
	require.Equal(t, []string{"a", "c"}, b.Taken())

	// The limit itself fits, to the byte.
	b = &Backend{}
	p := h.New(t, b, Options{CompressAbove: -1})
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{event("a", "k", 1000)}))
	room := h.Entry - b.Calls()[0][0].Size
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{event("a", "k", 1000+room)}))
	require.Equal(t, h.Entry, b.Calls()[1][0].Size)
	require.ErrorIs(t, p.Publish(t.Context(), []insideout.Event{event("a", "k", 1001+room)}), cdc.ErrTooLarge)
}

func notJSON(t *testing.T, h Harness) {
	b := &Backend{}
	list := events(3, 10)
	list[1].Body["thing"] = json.RawMessage("{")
	own := failed(t, h.New(t, b, Options{}).Publish(t.Context(), list))
	require.Equal(t, []int{1}, own.Failed())
	require.ErrorIs(t, own, cdc.ErrRejected)
	require.Equal(t, ids(list, 1), b.Taken())
}

// claimChecks: the body is kept, and a claim check travels; published again, it is the same one.
func claimChecks(t *testing.T, h Harness) {
	b, vault := &Backend{}, &Vault{}
	list := []insideout.Event{event("a", "k", 10), event("large", "k", h.Entry), event("a/../b", "k", h.Entry)}
	p := h.New(t, b, Options{ClaimChecks: vault, CompressAbove: -1})
	for range 2 {
		require.NoError(t, p.Publish(t.Context(), list))
	}
	sent := map[string]insideout.Event{}
	for _, call := range b.Calls() {
		for _, m := range call {
			sent[idOf(m)] = eventOf(m)
		}
	}
	const folder = "eu-west-1/claimchecks/2026/11/21/12/"
	for i, e := range list[1:] {
		light := sent[e.ID]
		check, err := insideout.Body[struct{ Bucket, Key string }](light, "s3")
		require.NoError(t, err)
		require.Len(t, light.Body, 1)
		require.Equal(t, "vault", check.Bucket)
		if i == 0 {
			require.Equal(t, folder+"large", check.Key)
		}
		require.NotContains(t, strings.TrimPrefix(check.Key, folder), "/")
		want, err := e.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(vault.kept[check.Key]), "the whole event is kept")
		light.Body = e.Body
		require.True(t, e.Timestamp.Equal(light.Timestamp))
		light.Timestamp = e.Timestamp
		require.Equal(t, e, light, "id, type, time, key and tags travel")
	}
}

// claimsFail: what cannot be kept does not travel, and is reported.
func claimsFail(t *testing.T, h Harness) {
	calls := 0
	vault := &Vault{Err: func(string) error {
		if calls++; calls < 3 {
			return APIError("SlowDown")
		}
		return nil
	}}
	b := &Backend{}
	p := h.New(t, b, Options{ClaimChecks: vault, InFlight: 1, CompressAbove: -1})
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{event("large", "k", h.Entry)}), "a throttle passes")

	vault.Err = func(string) error { return errors.New("disk full") }
	list := []insideout.Event{event("a", "a", 10), event("large", "k", h.Entry), event("c", "c", 10)}
	own := failed(t, p.Publish(t.Context(), list))
	require.Equal(t, []int{1}, own.Failed())
	require.ErrorContains(t, own, "disk full")
	require.NotErrorIs(t, own, cdc.ErrRejected)
	require.Equal(t, []string{"large", "a", "c"}, b.Taken())

	// What is too large without its body cannot travel at all.
	vault.Err = nil
	huge := event("huge", "k", h.Entry)
	huge.Tags["note"] = noise("tag", h.Entry)
	require.ErrorIs(t, p.Publish(t.Context(), []insideout.Event{huge}), cdc.ErrTooLarge)
}

// compression: large members are compressed as the JavaScript library does it, and what fits by that needs no claim check.
func compression(t *testing.T, h Harness) {
	b := &Backend{}
	e := event("a", "k", 0)
	text := strings.Repeat("all the same ", h.Entry/10)
	require.NoError(t, errors.Join(e.SetBody("thing", map[string]string{"text": text}), e.SetBody("small", "COMPRESSED")))
	p := h.New(t, b, Options{})
	for range 2 {
		require.NoError(t, p.Publish(t.Context(), []insideout.Event{e}))
	}
	require.Equal(t, b.Calls()[0][0].Body, b.Calls()[1][0].Body, "the same bytes each time")
	sent := eventOf(b.Calls()[0][0])
	require.Equal(t, `"COMPRESSED"`, string(sent.Body["small"]))
	packed, err := insideout.Body[string](sent, "thing")
	require.NoError(t, err)
	require.JSONEq(t, string(e.Body["thing"]), inflate(t, packed))

	// Never, if that is wanted.
	require.ErrorIs(t, h.New(t, b, Options{CompressAbove: -1}).Publish(t.Context(), []insideout.Event{e}), cdc.ErrTooLarge)
}

// faults: the record in a fault stays readable where it fits.
func faults(t *testing.T, h Harness) {
	b := &Backend{}
	small, large := event("a", "k", 0), event("b", "k", 0)
	small.Type, large.Type = insideout.TypeFault, insideout.TypeFault
	require.NoError(t, small.SetBody("uow", strings.Repeat("x", 20_000)))
	require.NoError(t, large.SetBody("uow", strings.Repeat("x", h.Entry)))
	require.NoError(t, h.New(t, b, Options{}).Publish(t.Context(), []insideout.Event{small, large}))
	for _, call := range b.Calls() {
		for _, m := range call {
			require.Equal(t, idOf(m) == "b", strings.Contains(string(m.Body), "COMPRESSED"))
		}
	}
}
