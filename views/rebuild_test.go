package views_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// historyOf is a history that can be read again.
func historyOf(events []insideout.Event) iter.Seq2[insideout.Event, error] {
	return func(yield func(insideout.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// long is a history of n orders of some customers, with a registration each, in which every order is placed twice.
func long(n int) []insideout.Event {
	var events []insideout.Event
	for i := range n {
		customer := fmt.Sprint("c", i%(n/4+1))
		events = append(events, registered(3*i, customer, fmt.Sprint("name ", i)), placed(3*i+1, customer, fmt.Sprint("o", i), i))
		later := placed(3*i+2, customer, fmt.Sprint("o", i), 2*i)
		events = append(events, later)
	}
	return events
}

// flaky throttles one request in eight, and loses the answer of another.
func flaky(seed uint64) *counting {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 2))
	sometimes := func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(8) == 0 {
			return &types.ProvisionedThroughputExceededException{}
		}
		return nil
	}
	return &counting{before: sometimes, after: sometimes}
}

// TestRebuildConverges: while green listeners take live events, the history is folded into the green table, in as many passes as the
// memory asks for, with throttles and lost answers: it is as the reference.
func TestRebuildConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		facts := facts(40).Draw(rt, "facts")
		seed := rapid.Uint64().Draw(rt, "seed")
		client := flaky(seed)
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		old := len(facts) - rapid.IntRange(0, len(facts)/2).Draw(rt, "live")
		overlap := rapid.IntRange(0, old).Draw(rt, "overlap")
		var history []insideout.Event
		for _, f := range facts[:old] {
			history = append(history, f.event())
		}
		var wg sync.WaitGroup
		live := &disorder{client: client.DB, name: db.Name(), seed: seed}
		wg.Go(func() { live.deliver(rt, facts[overlap:], 2) })
		green, err := views.New(db, append(rules(), &views.Options{Workers: 3})...)
		require.NoError(rt, err)
		memory := rapid.SampledFrom([]int64{1, 5000, 0}).Draw(rt, "memory")
		done, err := views.Rebuild(context.Background(), green, historyOf(history), &views.RebuildOptions{Memory: memory, MaxFaults: 99})
		wg.Wait()
		// Events of the tests are older than the clock allows for live ones: what live listeners write looks unexplained.
		if !errors.Is(err, views.ErrUnverified) || done.Verified.Missing+done.Verified.Wrong > 0 {
			require.NoError(rt, err)
		}
		client.before, client.after = nil, nil
		want := reference(facts)
		require.Equal(rt, want, view(rt, db, client, want))
		require.EqualValues(rt, old, done.Events)
		require.Equal(rt, done.Verified.Want, done.Verified.Have)
	})
}

func TestRebuildWritesEachLaneOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testWritesEachLaneOnce) // how often it notes how far it is depends on the time
}

func testWritesEachLaneOnce(t *testing.T) {
	time.Sleep(time.Until(start.Add(time.Hour)))
	events := long(400)
	for _, memory := range []int64{0, 200_000} {
		client := &counting{}
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		var switched []views.Rebuilt
		done, err := views.Rebuild(t.Context(), newListener(t, db), historyOf(events), &views.RebuildOptions{
			Memory: memory,
			Switch: func(_ context.Context, r views.Rebuilt) error { switched = append(switched, r); return nil },
		})
		require.NoError(t, err)
		customers, lanes := int64(101), int64(101+400)
		require.EqualValues(t, 1200, done.Events)
		require.Equal(t, lanes, done.Lanes)
		require.Equal(t, lanes, done.Applied)
		require.Equal(t, 1200-lanes, done.Superseded)
		require.Equal(t, customers, done.RolledUp)
		require.Equal(t, lanes, done.Verified.Lanes)
		require.Equal(t, done.Verified.Want, done.Verified.Have)
		require.Len(t, switched, 1)
		notes := int64(done.Passes) + 1 // how far it is, and that it is done
		require.Equal(t, lanes+customers+notes, client.writes.Load(), "a write for each lane and each total")
		require.Equal(t, memory > 0, done.Passes > 1)
		got, err := customersOf(t, db)
		require.NoError(t, err)
		require.Len(t, got, int(customers))
		require.Equal(t, customer{ID: "c7", Name: "name 310", Orders: 4, Amount: 2 * (7 + 108 + 209 + 310)}, got["c7"])
	}
}

func customersOf(t *testing.T, db *table.DB) (map[string]customer, error) {
	t.Helper()
	got := map[string]customer{}
	for c, err := range customers.List().All(t.Context(), db) {
		if err != nil {
			return nil, err
		}
		got[c.ID] = c
	}
	return got, nil
}

// DeleteItem counts as a write.
func (c *counting) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (out *dynamodb.DeleteItemOutput, err error) {
	err = c.around("DeleteItem", &c.writes, func() (err error) { out, err = c.DB.DeleteItem(ctx, in, opts...); return err })
	return out, err
}

// TestRebuildGoesOnAfterAKill: killed again and again, the job writes nothing twice but for what it had not noted yet.
func TestRebuildGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.Add(time.Hour)))
		client := &counting{}
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		history, opts := historyOf(long(60)), &views.RebuildOptions{Name: "mapper-2", Rate: 8} // two rows at a time
		runs := 0
		for {
			ctx, kill := context.WithCancel(t.Context())
			before := client.writes.Load()
			client.before = func(op string) error {
				if client.writes.Load()-before > 25 {
					kill()
					return context.Canceled
				}
				return nil
			}
			done, err := views.Rebuild(ctx, newListener(t, db), history, opts)
			kill()
			if runs++; err == nil {
				require.Equal(t, done.Lanes, done.Resumed+done.Applied+done.Duplicate)
				require.Positive(t, done.Resumed)
				break
			}
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, runs, 30, "it does not get on")
		}
		require.Greater(t, runs, 3)
		client.before = nil
		_, err := views.Rebuild(t.Context(), newListener(t, db), history, opts)
		require.NoError(t, err)
		got, err := customersOf(t, db)
		require.NoError(t, err)
		require.Len(t, got, 16)
	})
}

// TestRebuildGoesOnWithMoreHistory: between the kill and the next run, the lake got events of rows that had been written. They are written, and the others are not written again.
func TestRebuildGoesOnWithMoreHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.Add(time.Hour)))
		client := &counting{}
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		events, opts := long(40), &views.RebuildOptions{Rate: 8}
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		client.before = func(string) error {
			if client.writes.Load() > 40 {
				kill()
				return context.Canceled
			}
			return nil
		}
		_, err := views.Rebuild(ctx, newListener(t, db), historyOf(events), opts)
		require.ErrorIs(t, err, context.Canceled)
		client.before = nil
		for i := range 11 {
			events = append(events, registered(1000+i, fmt.Sprint("c", i), "later"))
		}
		done, err := views.Rebuild(t.Context(), newListener(t, db), historyOf(events), opts)
		require.NoError(t, err)
		require.Zero(t, done.Verified.Missing)
		require.Positive(t, done.Resumed)
		require.Equal(t, done.Lanes, done.Resumed+done.Applied+done.Duplicate)
		require.Equal(t, done.Verified.Want, done.Verified.Have)
		got, err := customersOf(t, db)
		require.NoError(t, err)
		for i := range 11 {
			require.Equal(t, "later", got[fmt.Sprint("c", i)].Name)
		}
	})
}

// TestRebuildInPlace: the mapper has changed, and the rows and totals follow; what came later stays.
func TestRebuildInPlace(t *testing.T) {
	t.Parallel()
	db := newTable(t, nil)
	events := long(20)
	live := newListener(t, db)
	require.NoError(t, live.Handle(t.Context(), events))
	latest := registered(9999, "c1", "latest")
	require.NoError(t, live.Handle(t.Context(), []insideout.Event{latest}))

	changed := rules()
	changed[0] = views.Upsert(customers, views.On("customer-registered"), func(e customerEvent) (customer, error) {
		return customer{ID: e.Customer.ID, Name: strings.ToUpper(e.Customer.Name)}, nil
	})
	changed[4] = views.Upsert(purchases, views.On("order-placed"), func(e orderEvent) (purchase, error) {
		return purchase{CustomerID: e.Order.CustomerID, OrderID: e.Order.ID, Amount: -e.Order.Amount}, nil
	})
	l, err := views.New(db, changed...)
	require.NoError(t, err)
	_, err = views.Rebuild(t.Context(), l, historyOf(events), nil)
	require.ErrorIs(t, err, views.ErrUnverified, "the versions are the same, and so nothing was written")
	require.ErrorContains(t, err, "has other attributes than the event")

	done, err := views.Rebuild(t.Context(), l, historyOf(events), &views.RebuildOptions{InPlace: true})
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Stale)
	require.EqualValues(t, 1, done.Verified.Newer)
	got, err := customersOf(t, db)
	require.NoError(t, err)
	require.Equal(t, customer{ID: "c2", Name: "NAME 14", Orders: 3, Amount: -2 * (2 + 8 + 14)}, got["c2"])
	require.Equal(t, "latest", got["c1"].Name)
}

func TestRebuildPassesOverFaults(t *testing.T) {
	t.Parallel()
	broken := registered(5, "c1", "x")
	require.NoError(t, broken.SetBody("customer", "no object"))
	large := registered(7, "c2", strings.Repeat("x", 400<<10)) // more than a row holds
	events := []insideout.Event{registered(1, "c1", "one"), registered(2, "c2", "two"), registered(3, "c2", "three"), broken, large}
	db := newTable(t, nil)
	done, err := views.Rebuild(t.Context(), newListener(t, db), historyOf(events), nil)
	require.ErrorIs(t, err, views.ErrTooManyFaults)
	require.ErrorContains(t, err, `2, and MaxFaults is 0; the first: the event "e5"`)
	require.EqualValues(t, 2, done.Faults)

	var sink faultSink
	done, err = views.Rebuild(t.Context(), newListener(t, newTable(t, nil)), historyOf(events), &views.RebuildOptions{MaxFaults: 2, Faults: &sink})
	require.NoError(t, err)
	require.EqualValues(t, 2, done.Faults)
	require.Len(t, sink.events, 2)
	var names []string
	for _, e := range sink.events {
		names = append(names, e.Tags[insideout.TagPipeline])
		require.Contains(t, string(e.Body["uow"]), `"customer"`, "the fault carries the event")
	}
	require.Equal(t, []string{"upsert-customer", "upsert-customer"}, names)

	got, err := customersOf(t, db)
	require.NoError(t, err)
	require.Equal(t, "three", got["c2"].Name, "what the table refuses does not hide what came before it")
}

// TestRebuildHasNoSideEffects: no fault is published, and no hook is called.
func TestRebuildHasNoSideEffects(t *testing.T) {
	t.Parallel()
	var sink faultSink
	l, err := views.New(newTable(t, nil), append(rules(), &views.Options{
		Faults: &sink, OnBatch: func(views.Batch) { t.Error("the hook is called") },
	})...)
	require.NoError(t, err)
	broken := registered(5, "c1", "x")
	require.NoError(t, broken.SetBody("customer", "no object"))
	_, err = views.Rebuild(t.Context(), l, historyOf([]insideout.Event{broken}), &views.RebuildOptions{MaxFaults: 1})
	require.NoError(t, err)
	require.Empty(t, sink.events)
	require.Zero(t, l.Stats())
}

// losing pretends to write some rows, or writes something else.
type losing struct {
	*embedded.DB
	lose, spoil string // partition keys
}

func (l *losing) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	switch in.Key["pk"].(*types.AttributeValueMemberS).Value {
	case l.lose:
		return &dynamodb.UpdateItemOutput{}, nil
	case l.spoil:
		for name, v := range in.ExpressionAttributeValues {
			if s, ok := v.(*types.AttributeValueMemberS); ok && strings.HasPrefix(s.Value, "name") {
				in.ExpressionAttributeValues[name] = &types.AttributeValueMemberS{Value: "spoilt"}
			}
		}
	}
	return l.DB.UpdateItem(ctx, in, opts...)
}

// TestRebuildIsVerified: what is missing, wrong or left over from something else is found, and there is no switch.
func TestRebuildIsVerified(t *testing.T) {
	t.Parallel()
	events := long(8)
	tests := map[string]struct {
		client losing
		before []insideout.Event
		want   views.Verification
		text   string
		memory int64 // by default all is done at a time; by one byte, each partition key by itself
	}{
		"missing":     {losing{lose: "c1"}, nil, views.Verification{Lanes: 11, Missing: 4}, `the row "c1"`, 0},
		"wrong":       {losing{spoil: "c2"}, nil, views.Verification{Lanes: 11, Wrong: 1}, `has other attributes than the event "e`, 0},
		"unexplained": {losing{}, []insideout.Event{registered(1, "ghost", "g")}, views.Verification{Lanes: 11, Unexplained: 1}, `the row "ghost", "customer" was made by the event "e1"`, 0},
	}
	for name, tt := range maps.Clone(tests) {
		tt.memory = 1
		tests[name+", in several passes"] = tt
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newTable(t, func(e *embedded.DB) table.Client { tt.client.DB = e; return &tt.client })
			l := newListener(t, db)
			require.NoError(t, l.Handle(t.Context(), tt.before))
			done, err := views.Rebuild(t.Context(), l, historyOf(events), &views.RebuildOptions{
				Memory: tt.memory,
				Switch: func(context.Context, views.Rebuilt) error { t.Error("it switches"); return nil },
			})
			require.ErrorIs(t, err, views.ErrUnverified)
			require.ErrorContains(t, err, tt.text)
			got := done.Verified
			require.Equal(t, tt.want.Unexplained == 0, got.Want != got.Have, "the digests differ")
			got.Want, got.Have, got.First = "", "", nil
			require.Equal(t, tt.want, got)
		})
	}
}

func TestRebuildSwitchesAnAlias(t *testing.T) {
	t.Parallel()
	settings, green := newTable(t, nil), newTable(t, nil)
	alias, err := views.NewAlias(settings, "customers")
	require.NoError(t, err)
	ctx := t.Context()
	now, err := alias.Table(ctx)
	require.NoError(t, err)
	require.Empty(t, now)
	require.NoError(t, alias.Switch(ctx, "", "customers-1"))
	opts := &views.RebuildOptions{Switch: func(ctx context.Context, _ views.Rebuilt) error {
		return alias.Switch(ctx, "customers-1", "customers-2")
	}}
	for range 2 { // the second time as after a kill
		_, err = views.Rebuild(ctx, newListener(t, green), historyOf(long(3)), opts)
		require.NoError(t, err)
		now, err = alias.Table(ctx)
		require.NoError(t, err)
		require.Equal(t, "customers-2", now)
	}
	require.NoError(t, alias.Switch(ctx, "customers-2", "customers-1"), "and back")
	require.NoError(t, alias.Switch(ctx, "customers-1", "customers-3"))
	_, err = views.Rebuild(ctx, newListener(t, green), historyOf(long(3)), opts)
	require.ErrorIs(t, err, table.ErrConflict)
	require.ErrorContains(t, err, `the alias "customers" stands for the table "customers-3", and neither for "customers-1" nor for "customers-2"`)
	require.Error(t, alias.Switch(ctx, "a", ""))
	_, err = views.NewAlias(nil, "x")
	require.Error(t, err)
}

func TestRebuildTellsItsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []views.Progress
		slowly := func(yield func(insideout.Event, error) bool) {
			for i, e := range long(2000) {
				e.Timestamp = time.Now().Add(time.Duration(i-6000) * time.Minute)
				if time.Sleep(time.Millisecond); !yield(e, nil) {
					return
				}
			}
		}
		_, err := views.Rebuild(t.Context(), newListener(t, newTable(t, nil)), slowly, &views.RebuildOptions{
			Rate: 1000, Progress: func(p views.Progress) { told = append(told, p) },
		})
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(told, func(x, y views.Progress) int { return strings.Compare(x.Phase, y.Phase) }), "reading, then writing")
		require.Equal(t, "reading", told[1].Phase)
		require.InDelta(t, 1000, told[1].Rate, 10)
		require.InDelta(t, 6000, told[1].Total, 300, "guessed from the times of the events")
		require.InDelta(t, float64(6*time.Second), float64(told[1].Remaining)+float64(told[1].Done)*float64(time.Millisecond), float64(time.Second))
		last := told[len(told)-1]
		require.Equal(t, "writing", last.Phase)
		require.EqualValues(t, 2501, last.Total)
		require.InDelta(t, 1000, last.Rate, 200)
	})
}

func TestRebuildStopsWithItsHistory(t *testing.T) {
	t.Parallel()
	broken := errors.New("the lake has a hole")
	history := func(yield func(insideout.Event, error) bool) {
		if yield(registered(1, "c1", "x"), nil) {
			yield(insideout.Event{}, broken)
		}
	}
	db := newTable(t, nil)
	_, err := views.Rebuild(t.Context(), newListener(t, db), history, nil)
	require.ErrorIs(t, err, broken)
	got, err := customersOf(t, db)
	require.NoError(t, err)
	require.Empty(t, got, "nothing is written of half a history")
	_, err = views.Rebuild(t.Context(), nil, nil, nil)
	require.ErrorContains(t, err, "needs a listener and a history")
	_, err = views.Rebuild(t.Context(), newListener(t, db), history, &views.RebuildOptions{Name: "a b"})
	require.ErrorContains(t, err, `the name "a b" of the rebuild`)
}

// TestRebuildAtAnEndpoint is a rebuild in several passes on a DynamoDB endpoint.
func TestRebuildAtAnEndpoint(t *testing.T) {
	t.Parallel()
	client, db := endpoint(t)
	done, err := views.Rebuild(t.Context(), newListener(t, db), historyOf(long(60)), &views.RebuildOptions{Memory: 30_000})
	require.NoError(t, err)
	require.EqualValues(t, 76, done.Applied)
	require.Greater(t, done.Passes, 1)
	got, err := customersOf(t, db)
	require.NoError(t, err)
	require.Len(t, got, 16)
	_, err = client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: new(db.Name())})
	require.NoError(t, err)
}
