package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

func TestReseal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s, other := k.sealer(t, "shop"), k.sealer(t, "shop")
	sh := &shelf{busy: map[int]bool{4: true}}
	for i := range 10 {
		subject := fmt.Sprint(i % 3)
		sh.rows = append(sh.rows, mustSeal(t, s, field(subject, "email", "1"), field(subject, "phone", "2")))
	}
	plain := []insideout.SealedField{field("1", "email", "3"), field("2", "email", "3"), field("new", "email", "3")} // from before the model sealed it
	sh.rows = append(sh.rows, plain)
	require.NoError(t, other.RotateSubject(t.Context(), "1"), "the job asks for keys anew")
	_, err := s.ShredSubject(t.Context(), "2")
	require.NoError(t, err)

	stop := errors.New("stop")
	p, err := s.Reseal(t.Context(), sh, "", func(crypto.ResealProgress) error { return stop })
	require.ErrorIs(t, err, stop)
	require.Equal(t, crypto.ResealProgress{Rows: 3, Fields: 6, Resealed: 2, Dead: 2, Cursor: "3"}, p)
	p, err = s.Reseal(t.Context(), sh, p.Cursor, nil)
	require.NoError(t, err)
	require.Equal(t, crypto.ResealProgress{Rows: 8, Fields: 17, Resealed: 4, Plain: 2, Dead: 4, Exposed: 1, Left: 2}, p)
	require.Equal(t, 3, sh.written, "rows of current keys are not written")
	p, err = s.Reseal(t.Context(), sh, "", nil)
	require.NoError(t, err)
	require.Equal(t, crypto.ResealProgress{Rows: 11, Fields: 23, Resealed: 2, Dead: 6, Exposed: 1}, p)
	require.Equal(t, plain[1].Plaintext, sh.rows[10][1].Plaintext, "what nobody can seal is counted, and stays")
	current := mustSeal(t, s, field("1", "x", "1"))[0].KeyID()
	for i, row := range sh.rows {
		for _, f := range row {
			if f.Origin.Subject == "1" {
				require.Equal(t, current, f.KeyID(), "row %d", i)
				_, err := opened(t, s, f)
				require.NoError(t, err)
			}
		}
	}
}

// What does not open is named and left, and holds up nothing else.
func TestResealPassesOverWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	sh := &shelf{}
	for i := range 20 {
		f := field("1", "email", "1")
		f.Origin.ID = fmt.Sprint(i)
		sh.rows = append(sh.rows, mustSeal(t, s, f))
	}
	for i := range 12 {
		sh.rows[i][0].Origin.Field = "moved"
	}
	sh.rows[12][0].Ciphertext = sh.rows[12][0].Ciphertext[:44]
	sh.rows[13][0].Err = errors.New("of no use")
	sh.rows[14][0].Ciphertext = nil
	require.NoError(t, s.RotateSubject(t.Context(), "1"))
	pages := 0
	p, err := s.Reseal(t.Context(), sh, "", func(p crypto.ResealProgress) error { pages++; return nil })
	require.ErrorIs(t, err, crypto.ErrAuthentication)
	require.ErrorContains(t, err, "14 fields stay as they are, the first of them: ")
	require.ErrorContains(t, err, `customer "9" field "moved"`)
	require.NotContains(t, err.Error(), `customer "10"`, "ten are named")
	require.Equal(t, crypto.ResealProgress{Rows: 20, Fields: 20, Resealed: 5, Left: 1, Refused: 14}, p)
	require.Equal(t, 7, pages)
	_, err = s.Reseal(t.Context(), sh, "12", nil)
	require.ErrorContains(t, err, "of no use")
	require.ErrorContains(t, err, "it has 44 bytes")
}

// Outages end the job, to be gone on with.
func TestResealStopsWithTheKeyService(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	sh := &shelf{rows: [][]insideout.SealedField{mustSeal(t, s, field("1", "email", "1"))}}
	require.NoError(t, s.RotateSubject(t.Context(), "1"))
	k.client.fail.Store(&errOutage)
	p, err := s.Reseal(t.Context(), sh, "", nil)
	require.ErrorIs(t, err, errOutage)
	require.Zero(t, p.Resealed)
	k.client.fail.Store(nil)
	p, err = s.Reseal(t.Context(), sh, p.Cursor, nil)
	require.NoError(t, err)
	require.Equal(t, 1, p.Resealed)
}

// A page costs a request of the key table a hundred subjects, and writes rows side by side.
func TestCostOfReseal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	one := &pages{}
	for i := range 300 {
		one.page = append(one.page, insideout.SealedRow{Fields: mustSeal(t, s, field(fmt.Sprint(i), "email", "1"))})
	}
	for i := range 300 {
		require.NoError(t, s.RotateSubject(t.Context(), fmt.Sprint(i)))
	}
	k.client.reads.Store(0)
	k.master.calls.Store(0)
	p, err := s.Reseal(t.Context(), one, "", nil)
	require.NoError(t, err)
	require.Equal(t, 300, p.Resealed)
	require.EqualValues(t, 3, k.client.reads.Load())
	require.Zero(t, k.master.calls.Load())
	require.Greater(t, one.most.Load(), int64(1))
	require.LessOrEqual(t, one.most.Load(), int64(16))
}

// pages has one page, and counts how many of its rows are written at a time.
type pages struct {
	page      []insideout.SealedRow
	now, most atomic.Int64
}

func (p *pages) Page(context.Context, string) ([]insideout.SealedRow, string, error) {
	return p.page, "", nil
}

func (p *pages) Replace(context.Context, insideout.SealedRow) (bool, error) {
	n := p.now.Add(1)
	defer p.now.Add(-1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	time.Sleep(time.Millisecond)
	return true, nil
}
