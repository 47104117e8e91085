package views_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// life is that of a process: it ends at a step, and then nothing works any more.
type life struct {
	steps, last int64
	end         context.CancelFunc
	over        atomic.Bool
}

func (l *life) step() error {
	if l.over.Load() {
		return context.Canceled
	}
	if atomic.AddInt64(&l.steps, 1) == l.last {
		l.over.Store(true)
		l.end()
		return context.Canceled
	}
	return nil
}

// mortal is a client of a process that may end before each request, and after it.
type mortal struct {
	*embedded.DB
	*life
}

func live[In, Out any](m *mortal, ctx context.Context, in In, opts []func(*dynamodb.Options), call func(context.Context, In, ...func(*dynamodb.Options)) (Out, error)) (out Out, err error) {
	if err := m.step(); err != nil {
		return out, err
	}
	if out, err = call(ctx, in, opts...); err != nil {
		return out, err
	}
	return out, m.step()
}

func (m *mortal) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return live(m, ctx, in, opts, m.DB.GetItem)
}

func (m *mortal) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return live(m, ctx, in, opts, m.DB.UpdateItem)
}

func (m *mortal) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return live(m, ctx, in, opts, m.DB.DeleteItem)
}

func (m *mortal) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return live(m, ctx, in, opts, m.DB.Query)
}

func (m *mortal) Scan(ctx context.Context, in *dynamodb.ScanInput, opts ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return live(m, ctx, in, opts, m.DB.Scan)
}

// job is a rebuild that is killed.
type job struct {
	client  *mortal
	db      *table.DB
	facts   []fact
	opts    views.RebuildOptions
	readers string // which table they are on
	resumed int64  // lanes that were not written again, of all kills
}

func (j *job) history() iter.Seq2[insideout.Event, error] {
	return func(yield func(insideout.Event, error) bool) {
		for _, f := range j.facts {
			if err := j.client.step(); err != nil {
				yield(insideout.Event{}, err)
				return
			}
			if !yield(f.event(), nil) {
				return
			}
		}
	}
}

// run runs the job until it is done, or has made a number of steps.
func (j *job) run(t *testing.T, steps int64) (views.Rebuilt, error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j.client.life = &life{last: steps, end: cancel}
	l, err := views.New(j.db, append(rules(), &views.Options{Workers: 1})...)
	require.NoError(t, err)
	opts := j.opts
	opts.Switch = func(context.Context, views.Rebuilt) error {
		if err := j.client.step(); err != nil {
			return err
		}
		require.Equal(t, reference(j.facts), j.view(t), "at the switch")
		j.readers = "green"
		return j.client.step()
	}
	return views.Rebuild(ctx, l, j.history(), &opts)
}

func (j *job) view(t *testing.T) map[string]state {
	db, err := table.Open(j.client.DB, j.db.Name(), nil)
	require.NoError(t, err)
	return view(t, db, j.client.DB, reference(j.facts))
}

func (j *job) open(t *testing.T) {
	j.client, j.readers = &mortal{life: &life{}}, "blue"
	j.db = newTable(t, func(e *embedded.DB) table.Client { j.client.DB = e; return j.client })
}

// TestRebuildKilledAtEveryStep: whether it is killed while it reads, before or after a write, a note, the verification or the switch,
// the job goes on where it was, and ends as if nothing had happened.
func TestRebuildKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	var facts []fact
	for n := range 6 {
		id, kinds := fmt.Sprint("c", n%3), []string{"customer-registered", "address-changed", "customer-closed"}
		facts = append(facts, fact{id: fmt.Sprint("a", n), kind: kinds[n%3], millis: n / 2, customer: id, text: fmt.Sprint(n)})
		facts = append(facts, fact{id: fmt.Sprint("b", n), kind: "order-placed", millis: n, customer: id, order: fmt.Sprint("o", n%3), amount: n})
	}
	for name, tt := range map[string]struct {
		opts   views.RebuildOptions
		before func(t *testing.T, j *job)
	}{
		"into another table": {views.RebuildOptions{Rate: 4}, func(*testing.T, *job) {}},
		"in several passes":  {views.RebuildOptions{Rate: 4, Memory: 4000}, func(*testing.T, *job) {}},
		"in place":           {views.RebuildOptions{Rate: 4, InPlace: true}, foldDifferently},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(start.Add(time.Hour)))
				j := &job{facts: facts, opts: tt.opts}
				step := int64(1)
				if testing.Short() {
					step = 7
				}
				killed := true
				for last := int64(1); killed; last += step {
					j.open(t)
					tt.before(t, j)
					killed = j.killedAt(t, last)
				}
				require.Positive(t, j.resumed)
			})
		})
	}
}

// killedAt kills the job at a step, and lets another process end it. It is false if the job has fewer steps.
func (j *job) killedAt(t *testing.T, last int64) bool {
	_, err := j.run(t, last)
	killed := j.client.over.Load()
	if !killed {
		require.NoError(t, err)
		return false
	}
	require.Error(t, err, "killed at step %d", last)
	done, err := j.run(t, 0)
	require.NoError(t, err, "killed at step %d", last)
	require.Equal(t, reference(j.facts), j.view(t), "killed at step %d", last)
	require.Equal(t, "green", j.readers)
	j.resumed += done.Resumed
	require.Equal(t, done.Lanes, done.Resumed+done.Applied+done.Duplicate)
	require.Equal(t, done.Verified.Want, done.Verified.Have)
	noted, err := j.client.DB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: new(j.db.Name()), Key: table.RowKey{PK: "rebuild-rebuild", SK: "rebuild"}.Item(),
	})
	require.NoError(t, err)
	require.Empty(t, noted.Item, "what the job had noted")
	return true
}

// foldDifferently fills the table as another mapper did.
func foldDifferently(t *testing.T, j *job) {
	j.client.life = &life{}
	other := rules()
	other[0] = views.Upsert(customers, views.On("customer-registered"), func(e customerEvent) (customer, error) {
		return customer{ID: e.Customer.ID, Name: "old", Email: "old"}, nil
	})
	other[4] = views.Upsert(purchases, views.On("order-placed"), func(e orderEvent) (purchase, error) {
		return purchase{CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, Amount: -1}, nil
	})
	l, err := views.New(j.db, other...)
	require.NoError(t, err)
	for _, f := range j.facts {
		require.NoError(t, l.Handle(t.Context(), []insideout.Event{f.event()}))
	}
}
