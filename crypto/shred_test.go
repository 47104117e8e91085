package crypto_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

func TestShredSubject(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, k *kit) {
		s, cold := k.sealer(t, "shop"), k.sealer(t, "shop")
		fields := mustSeal(t, s, field("17850", "email", "1"), field("13047", "email", "2"))
		require.NoError(t, s.RotateSubject(t.Context(), "17850"))
		newer := mustSeal(t, s, field("17850", "email", "3"))[0]
		count, err := s.ShredSubject(t.Context(), "17850")
		require.NoError(t, err)
		require.Equal(t, 2, count)
		for _, reader := range []*crypto.Sealer{s, cold, k.sealer(t, "shop")} {
			for _, f := range []insideout.SealedField{fields[0], newer} {
				_, err := opened(t, reader, f)
				require.ErrorIs(t, err, insideout.ErrShredded)
			}
			plain, err := opened(t, reader, fields[1])
			require.NoError(t, err)
			require.Equal(t, "2", plain)
		}
		require.ErrorIs(t, s.Seal(t.Context(), []insideout.SealedField{field("17850", "email", "late")}), insideout.ErrShredded)
		require.ErrorIs(t, s.RotateSubject(t.Context(), "17850"), insideout.ErrShredded)
		count, err = s.ShredSubject(t.Context(), "17850")
		require.NoError(t, err)
		require.Zero(t, count, "again")
		state, err := s.State(t.Context(), "17850")
		require.NoError(t, err)
		require.Equal(t, crypto.Shredded, state)

		foreign := fields[1]
		foreign.Origin.Subject = "17850"
		_, err = opened(t, s, foreign)
		require.ErrorIs(t, err, crypto.ErrAuthentication, "a value of another key is not called shredded")
	})
}

func TestShredBeforeTheFirstSeal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	count, err := s.ShredSubject(t.Context(), "17850")
	require.NoError(t, err)
	require.Zero(t, count)
	require.ErrorIs(t, s.Seal(t.Context(), []insideout.SealedField{field("17850", "email", "late")}), insideout.ErrShredded)
	_, err = s.ShredSubject(t.Context(), "")
	require.ErrorIs(t, err, crypto.ErrInvalid)
}

// A list of references is enough to shred again what a restored key table brought back.
func TestShredByReference(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	fields := mustSeal(t, s, field("17850", "email", "1"), field("13047", "email", "2"))
	ref, err := s.SubjectRef(t.Context(), "17850")
	require.NoError(t, err)
	count, err := s.ShredRef(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	state, err := s.StateRef(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, crypto.Shredded, state)
	_, err = opened(t, s, fields[0])
	require.ErrorIs(t, err, insideout.ErrShredded, "at once in this process")
	_, err = opened(t, s, fields[1])
	require.NoError(t, err)
	calls := k.master.calls.Load()
	count, err = s.ShredRef(t.Context(), ref)
	require.NoError(t, err)
	require.Zero(t, count, "again")
	require.Equal(t, calls, k.master.calls.Load(), "it takes no master key")
	for _, bad := range []string{"", "17850", ref[1:]} {
		_, err = s.ShredRef(t.Context(), bad)
		require.ErrorIs(t, err, crypto.ErrInvalid)
	}
}

func TestReadmit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	old := mustSeal(t, s, field("17850", "email", "1"))[0]
	require.ErrorIs(t, s.Readmit(t.Context(), "17850"), crypto.ErrState)
	_, err := s.ShredSubject(t.Context(), "17850")
	require.NoError(t, err)
	require.NoError(t, s.Readmit(t.Context(), "17850"))
	fresh := mustSeal(t, s, field("17850", "email", "2"))[0]
	_, err = opened(t, s, old)
	require.ErrorIs(t, err, insideout.ErrShredded)
	plain, err := opened(t, s, fresh)
	require.NoError(t, err)
	require.Equal(t, "2", plain)
}

// Another process with a warm cache opens nothing after the stated time.
func TestShredReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	bubble(t, func(t *testing.T) {
		const stated = 30 * time.Second
		s := sealerOf(t, k.process(t, nil), "shop")
		warm := sealerOf(t, k.process(t, &crypto.Options{SubjectTTL: stated}), "shop")
		evicted := sealerOf(t, k.process(t, &crypto.Options{SubjectTTL: stated}), "shop")
		f := mustSeal(t, s, field("17850", "email", "1"))[0]
		for range 40 {
			_, err := opened(t, warm, f)
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		_, err := opened(t, evicted, f)
		require.NoError(t, err)
		_, err = s.ShredSubject(t.Context(), "17850")
		require.NoError(t, err)
		evicted.Evict("17850")
		_, err = opened(t, evicted, f)
		require.ErrorIs(t, err, insideout.ErrShredded)
		_, err = opened(t, warm, f)
		require.NoError(t, err, "the cache is warm")
		time.Sleep(stated)
		_, err = opened(t, warm, f)
		require.ErrorIs(t, err, insideout.ErrShredded)
	})
}

func TestStates(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	keys := k.process(t, &crypto.Options{Purposes: []string{"legal-claims"}})
	s := sealerOf(t, keys, "shop")
	f := mustSeal(t, s, field("17850", "email", "1"))[0]
	set := func(to crypto.State) {
		require.NoError(t, s.SetState(t.Context(), "17850", to))
		got, err := s.State(t.Context(), "17850")
		require.NoError(t, err)
		require.Equal(t, to, got)
	}
	set(crypto.Restricted)
	_, err := opened(t, s, f)
	require.ErrorIs(t, err, insideout.ErrRestricted)
	_, err = opened(t, s.For("marketing"), f)
	require.ErrorIs(t, err, insideout.ErrRestricted)
	plain, err := opened(t, s.For("legal-claims"), f)
	require.NoError(t, err)
	require.Equal(t, "1", plain)
	mustSeal(t, s, field("17850", "email", "2")) // storing goes on
	set(crypto.Disabled)
	_, err = opened(t, s.For("legal-claims"), f)
	require.ErrorIs(t, err, insideout.ErrRestricted)
	require.ErrorIs(t, s.Seal(t.Context(), []insideout.SealedField{field("17850", "email", "3")}), insideout.ErrRestricted)
	require.ErrorIs(t, s.RotateSubject(t.Context(), "17850"), insideout.ErrRestricted)
	set(crypto.Restricted)
	set(crypto.Active)
	set(crypto.Active)
	_, err = opened(t, s, f)
	require.NoError(t, err)

	require.ErrorIs(t, s.SetState(t.Context(), "17850", crypto.Shredded), crypto.ErrInvalid)
	require.ErrorIs(t, s.SetState(t.Context(), "17850", "frozen"), crypto.ErrInvalid)
	require.ErrorIs(t, s.SetState(t.Context(), "nobody", crypto.Restricted), crypto.ErrUnknownKey)
	set(crypto.Disabled)
	_, err = s.ShredSubject(t.Context(), "17850")
	require.NoError(t, err)
	for _, to := range []crypto.State{crypto.Active, crypto.Restricted, crypto.Disabled} {
		require.ErrorIs(t, s.SetState(t.Context(), "17850", to), crypto.ErrState)
	}
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[crypto.State]int{crypto.Shredded: 1}, counts)
}

// The law of shredding: of any history of seals, rotations, rewraps, states and shreddings in several processes and tenants, what was sealed
// for a subject before it was shredded opens nowhere, and everything else opens everywhere.
func TestLawOfShredding(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		h := newHistory(t, k, run)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			h.step(t)
		}
		h.check(t)
	})
}

type history struct {
	processes [][]*crypto.Sealer // by namespace
	sealed    []sealedIn
	shredded  map[string]bool
}

type sealedIn struct {
	namespace int
	field     insideout.SealedField
	plain     string
	gone      bool
}

func newHistory(t *rapid.T, k *kit, run int) *history {
	h := &history{processes: make([][]*crypto.Sealer, 2), shredded: map[string]bool{}}
	for range 2 {
		keys, err := crypto.New(k.client, k.table, k.master, &crypto.Options{SubjectTTL: time.Nanosecond})
		require.NoError(t, err)
		for n := range h.processes {
			s, err := keys.Namespace(fmt.Sprintf("n%d-%d", run, n))
			require.NoError(t, err)
			h.processes[n] = append(h.processes[n], s)
		}
	}
	return h
}

func (h *history) step(t *rapid.T) {
	ctx := context.Background()
	n := rapid.IntRange(0, 1).Draw(t, "namespace")
	s := rapid.SampledFrom(h.processes[n]).Draw(t, "process")
	subject := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "subject")
	key := fmt.Sprint(n, subject)
	switch rapid.SampledFrom([]string{"seal", "seal", "seal", "shred", "rotate", "rewrap", "readmit"}).Draw(t, "step") {
	case "seal":
		plain := fmt.Sprint(len(h.sealed))
		fields := []insideout.SealedField{field(subject, "email", plain)}
		err := s.Seal(ctx, fields)
		if h.shredded[key] {
			require.ErrorIs(t, err, insideout.ErrShredded)
			return
		}
		require.NoError(t, err)
		h.sealed = append(h.sealed, sealedIn{n, fields[0], plain, false})
	case "shred":
		_, err := s.ShredSubject(ctx, subject)
		require.NoError(t, err)
		h.shredded[key] = true
		for i, f := range h.sealed {
			h.sealed[i].gone = f.gone || f.namespace == n && f.field.Origin.Subject == subject
		}
	case "rotate":
		if err := s.RotateSubject(ctx, subject); h.shredded[key] {
			require.ErrorIs(t, err, insideout.ErrShredded)
		} else {
			require.NoError(t, err)
		}
	case "rewrap":
		_, err := s.RotateEpoch(ctx)
		require.NoError(t, err)
		_, err = s.Rewrap(ctx, "", nil)
		require.NoError(t, err)
	case "readmit":
		if err := s.Readmit(ctx, subject); h.shredded[key] {
			require.NoError(t, err)
			delete(h.shredded, key)
		} else {
			require.ErrorIs(t, err, crypto.ErrState)
		}
	}
}

func (h *history) check(t *rapid.T) {
	for _, f := range h.sealed {
		for n, processes := range h.processes {
			for _, s := range processes {
				plain, err := opened(t, s, f.field)
				switch {
				case n != f.namespace:
					require.ErrorIs(t, err, crypto.ErrAuthentication)
				case f.gone:
					require.ErrorIs(t, err, insideout.ErrShredded)
				default:
					require.NoError(t, err)
					require.Equal(t, f.plain, plain)
				}
			}
		}
	}
}
