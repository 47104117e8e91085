package idempotence_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
)

// holding runs Do in the background with an effect that pays no heed to its lease, and returns how to wait for what comes of it.
func holding(t *testing.T, l *idempotence.Ledger[string], d time.Duration, fn func(context.Context) (string, error)) func() (string, error) {
	t.Helper()
	var wg sync.WaitGroup
	var got string
	var err error
	wg.Go(func() {
		got, err = l.Do(t.Context(), "k", func(ctx context.Context) (string, error) {
			time.Sleep(d)
			return fn(ctx)
		})
	})
	synctest.Wait()
	return func() (string, error) {
		wg.Wait()
		return got, err
	}
}

func short() *idempotence.Options { return &idempotence.Options{Lease: 10 * time.Second} }

func TestInProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := ledger[string](t, m, "rows", short())
		started := time.Now()
		wait := holding(t, l, 5*time.Second, returns("first"))

		_, err := l.Do(t.Context(), "k", never[string](t))
		require.ErrorIs(t, err, idempotence.ErrInProgress)
		busy, ok := errors.AsType[*idempotence.LedgerError](err)
		require.True(t, ok)
		require.Equal(t, started.Add(11*time.Second), busy.RetryAt.In(started.Location()))
		require.Equal(t, "k", busy.Key)
		require.EqualError(t, err, `idempotence: claim charge "k": in progress, until `+started.Add(11*time.Second).UTC().Format(time.RFC3339)+` at the latest`)
		_, err = l.Do(t.Context(), "k", never[string](t), idempotence.Payload("other"))
		require.ErrorIs(t, err, idempotence.ErrPayloadMismatch)

		patient := short()
		patient.Wait = true
		got, err := ledger[string](t, m, "rows", patient).Do(t.Context(), "k", never[string](t))
		require.NoError(t, err)
		require.Equal(t, "first", got)
		require.Less(t, time.Since(started), 6*time.Second+time.Millisecond)
		got, err = wait()
		require.NoError(t, err)
		require.Equal(t, "first", got)
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &faulty{engine: newMemory()}
		opts := short()
		opts.Wait = true
		l := ledger[string](t, client, "rows", opts)
		wait := holding(t, l, 5*time.Second, returns("first"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := l.Do(ctx, "k", never[string](t))
		require.ErrorIs(t, err, idempotence.ErrInProgress)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, client.requests.Load(), int64(20), "the pauses grow")
		_, err = wait()
		require.NoError(t, err)
	})
}

// An effect that finds another key held has failed; only one's own key is worth waiting for.
func TestWaitIsForOwnKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, runs := newMemory(), 0
		wait := holding(t, ledger[string](t, m, "rows", short()), 5*time.Second, returns("first"))
		opts := short()
		opts.Wait = true
		_, err := ledger[string](t, m, "rows", opts).Do(t.Context(), "outer", func(ctx context.Context) (string, error) {
			runs++
			return ledger[string](t, m, "rows", short()).Do(ctx, "k", never[string](t))
		})
		require.ErrorIs(t, err, idempotence.ErrInProgress)
		require.Equal(t, 1, runs)
		_, err = wait()
		require.NoError(t, err)
	})
}

// The lease is the earlier of the context's deadline and Options.Lease, and the effect's context ends with it.
func TestLease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ lease, deadline, want time.Duration }{
		{0, 5 * time.Second, 5 * time.Second},
		{2 * time.Second, 5 * time.Second, 2 * time.Second},
		{8 * time.Second, 5 * time.Second, 5 * time.Second},
		{8 * time.Second, time.Hour, 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := ledger[string](t, newMemory(), "rows", &idempotence.Options{Lease: tc.lease})
			ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
			defer cancel()
			started := time.Now()
			_, err := l.Do(ctx, "k", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				require.Equal(t, tc.want, time.Since(started))
				return "", ctx.Err()
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			later, err := ledger[string](t, newMemory(), "rows", short()).Do(t.Context(), "k", returns("later"))
			require.NoError(t, err)
			require.Equal(t, "later", later)
		})
	}
}

// An effect whose caller has gone away is still recorded, and released.
func TestEndedContextStillSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ledger[string](t, newMemory(), "rows", short())
		ctx, cancel := context.WithCancel(t.Context())
		got, err := l.Do(ctx, "k", func(context.Context) (string, error) { cancel(); return "done", nil })
		require.NoError(t, err)
		require.Equal(t, "done", got)
		_, err = l.Do(t.Context(), "k", never[string](t))
		require.NoError(t, err)
	})
}

// zombie is what others do to the key while its first holder sleeps past its lease, and what the holder gets when it wakes.
type zombie struct {
	name   string
	others func(t *testing.T, l *idempotence.Ledger[string])
	own    func(context.Context) (string, error)
	want   string
	is     error
	warned bool
}

func TestZombies(t *testing.T) {
	t.Parallel()
	nothing := func(*testing.T, *idempotence.Ledger[string]) {}
	down := errors.New("down")
	fails := func(err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return "", err }
	}
	takes := func(fn func(context.Context) (string, error)) func(*testing.T, *idempotence.Ledger[string]) {
		return func(t *testing.T, l *idempotence.Ledger[string]) { _, _ = l.Do(t.Context(), "k", fn) }
	}
	holds := func(t *testing.T, l *idempotence.Ledger[string]) {
		holding(t, l, 9*time.Second, returns("second"))
	}
	for _, tc := range []zombie{
		{"nobody else came", nothing, returns("first"), "first", nil, false},
		{"another completed", takes(returns("second")), returns("first"), "second", nil, true},
		{"another failed", takes(fails(idempotence.Final(down))), returns("first"), "", idempotence.ErrFailed, true},
		{"another released", takes(fails(down)), returns("first"), "first", idempotence.ErrLost, true},
		{"another holds", holds, returns("first"), "first", idempotence.ErrLost, true},
		{"another holds, release", holds, fails(down), "", down, false},
		{"another completed, release", takes(returns("second")), fails(down), "second", nil, false},
		{"another completed, final", takes(returns("second")), fails(idempotence.Final(down)), "second", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, tc.check)
		})
	}
}

func (z zombie) check(t *testing.T) {
	var log bytes.Buffer
	opts := short()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	m := newMemory()
	wait := holding(t, ledger[string](t, m, "rows", opts), 15*time.Second, z.own)

	l := ledger[string](t, m, "rows", short())
	time.Sleep(11 * time.Second)
	_, err := l.Do(t.Context(), "k", never[string](t))
	require.ErrorIs(t, err, idempotence.ErrInProgress, "the margin belongs to the lease")
	time.Sleep(time.Millisecond)
	z.others(t, l)

	got, err := wait()
	require.ErrorIs(t, err, z.is)
	require.Equal(t, z.want, got)
	require.Equal(t, z.warned, log.Len() > 0, log.String())
	time.Sleep(10 * time.Second)
	final, err := l.Do(t.Context(), "k", returns("third"))
	switch z.name {
	case "nobody else came", "another completed", "another completed, release", "another completed, final":
		require.Equal(t, z.want, final)
	case "another holds", "another holds, release":
		require.Equal(t, "second", final, "the zombie has not touched the claim of the other")
	case "another released":
		require.Equal(t, "third", final)
	default:
		require.ErrorIs(t, err, idempotence.ErrFailed)
	}
}

// A lapsed claim is not for another request: nobody knows what the first one did.
func TestLapsedClaimKeepsItsPayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		dead := &faulty{engine: m, before: func(n int64, _ string) error {
			if n > 1 {
				return errNetwork
			}
			return nil
		}}
		got, err := ledger[string](t, dead, "rows", short()).Do(t.Context(), "k", returns("crashed"), idempotence.Payload(1))
		require.ErrorIs(t, err, errNetwork)
		require.Equal(t, "crashed", got, "what could not be stored is returned with the error")
		time.Sleep(time.Minute)
		l := ledger[string](t, m, "rows", short())
		_, err = l.Do(t.Context(), "k", never[string](t), idempotence.Payload(2))
		require.ErrorIs(t, err, idempotence.ErrPayloadMismatch)
		got, err = l.Do(t.Context(), "k", returns("again"), idempotence.Payload(1))
		require.NoError(t, err)
		require.Equal(t, "again", got)
	})
}

// The time to live decides, not its sweeper: in memory nothing ever removes a row.
func TestRetention(t *testing.T) {
	t.Parallel()
	for _, cache := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			l := ledger[string](t, newMemory(), "rows", &idempotence.Options{Lease: time.Second, Retention: time.Hour, Cache: cache})
			_, err := l.Do(t.Context(), "k", returns("first"))
			require.NoError(t, err)
			time.Sleep(59 * time.Minute)
			got, err := l.Do(t.Context(), "k", never[string](t))
			require.NoError(t, err)
			require.Equal(t, "first", got)
			time.Sleep(time.Minute + time.Second)
			got, err = l.Do(t.Context(), "k", returns("second"), idempotence.Payload("another request"))
			require.NoError(t, err)
			require.Equal(t, "second", got)
		})
	}
}
