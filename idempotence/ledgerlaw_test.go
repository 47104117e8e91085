package idempotence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
)

const callers = 64

// fate is what happens to one caller on its first way through the ledger.
type fate int

const (
	fine        fate = iota
	dies             // after so many requests: nothing more leaves the process, and the caller starts anew
	diesUnheard      // the same, but the last request arrives and its answer does not
	sleeps           // the effect outlives its lease
	losesAnswer      // one answer gets lost, and the caller lives on
	sendsTwice       // each request arrives twice
	fates
)

// plan is a fate with its moment.
type plan struct {
	fate fate
	at   int64 // the number of the request
}

func plans() *rapid.Generator[[]plan] {
	one := rapid.Custom(func(t *rapid.T) plan {
		return plan{fate(rapid.IntRange(0, int(fates)-1).Draw(t, "fate")), rapid.Int64Range(0, 3).Draw(t, "at")}
	})
	return rapid.SliceOfN(one, callers, callers)
}

// client is the client of a caller with that fate.
func (p plan) client(e engine) *faulty {
	f := &faulty{engine: e, twice: p.fate == sendsTwice}
	last := p.at
	if p.fate == diesUnheard {
		last++
	}
	f.before = func(n int64, _ string) error {
		if (p.fate == dies || p.fate == diesUnheard) && n > last {
			return errNetwork
		}
		return nil
	}
	f.after = func(n int64, _ string) error {
		if p.fate == diesUnheard && n == last || p.fate == losesAnswer && n == p.at {
			return errNetwork
		}
		return nil
	}
	return f
}

// race has the laws' parameters: the times are real on an endpoint.
type race struct {
	engine engine
	table  string
	unit   time.Duration // of leases and sleeps
	joined bool          // the effect is a transaction that takes the receipt along
	runs   atomic.Int64
}

// caller goes through the ledger until it has a result, as a queue would deliver its message.
func (r *race) caller(ctx context.Context, t require.TestingT, number int, p plan) (string, error) {
	for try := 0; ; try++ {
		client := p.client(r.engine)
		l := ledger[string](t, client, r.table, &idempotence.Options{Lease: r.unit, Margin: r.unit / 10, Wait: true})
		got, err := l.Do(ctx, "k", func(ctx context.Context) (string, error) {
			r.runs.Add(1)
			if p.fate == sleeps {
				time.Sleep(3 * r.unit)
			}
			result := fmt.Sprintf("caller %d, try %d", number, try)
			if r.joined {
				return counting(context.WithoutCancel(ctx), l, client, r.table, "k", result)
			}
			return result, nil
		}, idempotence.Payload("the same"))
		if err == nil || !errors.Is(err, errNetwork) || try == 10 {
			return got, err
		}
		p = plan{} // it starts anew, and healthy
	}
}

// run lets all callers loose at once, and returns what they got.
func (r *race) run(ctx context.Context, t require.TestingT, fates []plan) []string {
	results := make([]string, len(fates))
	errs := make([]error, len(fates))
	var wg sync.WaitGroup
	for i, p := range fates {
		wg.Go(func() { results[i], errs[i] = r.caller(ctx, t, i, p) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	return results
}

// agree checks that all callers got the result that is stored.
func (r *race) agree(ctx context.Context, t require.TestingT, results []string) {
	l := ledger[string](t, r.engine, r.table, lease())
	stored, err := l.Do(ctx, "k", func(context.Context) (string, error) {
		return "", idempotence.Final(errors.New("the receipt is gone"))
	}, idempotence.Payload("the same"))
	require.NoError(t, err)
	for i, got := range results {
		require.Equal(t, stored, got, "caller %d", i)
	}
	if r.joined {
		require.Equal(t, 1, counted(t, r.engine, r.table, "k"), "the effect happens once")
	}
}

// Law: whatever crashes, sleeps or gets lost, an effect that takes its receipt along happens once, and every caller gets its result.
func TestLawEffectHappensOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fates, joined := plans().Draw(rt, "fates"), rapid.Bool().Draw(rt, "joined")
		synctest.Test(t, func(t *testing.T) {
			r := &race{engine: newMemory(), table: "rows", unit: 10 * time.Second, joined: joined}
			r.agree(t.Context(), rt, r.run(t.Context(), rt, fates))
		})
	})
}

// The same in real time: the fates are dealt in turn.
func TestEffectHappensOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		fates := make([]plan, callers)
		for i := range fates {
			fates[i] = plan{fate(i) % 6, int64(i) / 6 % 4}
		}
		r := &race{engine: e, table: table, unit: 500 * time.Millisecond, joined: true}
		r.agree(ctx, t, r.run(ctx, t, fates))
	})
}

// Without faults, one caller of many runs the effect.
func TestEffectRunsOnceWithoutFaults(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine, table string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := &race{engine: e, table: table, unit: time.Minute}
		r.agree(ctx, t, r.run(ctx, t, make([]plan, callers)))
		require.EqualValues(t, 1, r.runs.Load())
	})
}

// Each answer that gets lost once is found again: the caller knows its own token.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for number, kind := range map[int64]string{1: "update claim", 2: "update complete"} {
		client := &faulty{engine: newMemory(), after: func(n int64, _ string) error {
			if n == number {
				return errNetwork
			}
			return nil
		}}
		l := ledger[string](t, client, "rows", lease())
		got, err := l.Do(t.Context(), "k", returns("done"))
		if strings.HasSuffix(kind, "claim") {
			require.ErrorIs(t, err, errNetwork, kind)
			got, err = l.Do(t.Context(), "k", returns("done")) // at once: the claim was released
		}
		require.NoError(t, err, kind)
		require.Equal(t, "done", got)
	}
	twice := &faulty{engine: newMemory(), twice: true}
	l := ledger[string](t, twice, "rows", lease())
	_, err := l.Do(t.Context(), "k", func(context.Context) (string, error) { return "", errNetwork })
	require.Equal(t, errNetwork, err)
	got, err := l.Do(t.Context(), "k", returns("done"))
	require.NoError(t, err)
	require.Equal(t, "done", got)
}
