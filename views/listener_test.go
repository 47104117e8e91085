package views_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func newListener(t *testing.T, db *table.DB, more ...views.Part) *views.Listener {
	t.Helper()
	l, err := views.New(db, append(rules(), more...)...)
	require.NoError(t, err)
	return l
}

// TestCost counts requests: no read, and one write for each lane of a row that the batch is about.
func TestCost(t *testing.T) {
	t.Parallel()
	client := &counting{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l, err := views.New(db, rules()[:2]...)
	require.NoError(t, err)
	batch := []insideout.Event{
		registered(3, "ann", "Ann"), registered(1, "ann", "An"), registered(2, "bob", "Bob"), registered(3, "ann", "Ann"),
		placed(9, "ann", "o1", 1), // of no rule of this listener
	}
	require.NoError(t, l.Handle(t.Context(), batch))
	require.EqualValues(t, 2, client.writes.Load())
	require.Zero(t, client.reads.Load())
	require.Equal(t, views.Stats{In: 5, Applied: 2, Coalesced: 2, Skipped: 1, Writes: 2}, l.Stats())

	require.NoError(t, l.Handle(t.Context(), batch[:3]))
	require.Equal(t, views.Stats{In: 8, Applied: 2, Coalesced: 3, Skipped: 1, Writes: 4, Duplicate: 2}, l.Stats())
	require.NoError(t, l.Handle(t.Context(), batch[1:2]))
	require.EqualValues(t, 1, l.Stats().Stale)
	require.Zero(t, client.reads.Load())
}

// TestIgnored: what is not for the listener is skipped without a trace.
func TestIgnored(t *testing.T) {
	t.Parallel()
	own, test, longer := registered(1, "ann", "Ann"), registered(2, "ann", "Ann"), registered(3, "ann", "Ann")
	own.Tags = insideout.Tags{insideout.TagSource: "customers"}
	test.Tags = insideout.Tags{insideout.TagSkip: "yes"}
	longer.Type = "customer-registered-late"
	for name, e := range map[string]insideout.Event{"own": own, "test": test, "type that only starts the same": longer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newTable(t, nil)
			l := newListener(t, db, &views.Options{Source: "customers"})
			require.NoError(t, l.Handle(t.Context(), []insideout.Event{e}))
			require.Equal(t, views.Stats{In: 1, Skipped: 1}, l.Stats())
			_, err := customers.Get(t.Context(), db, "ann")
			require.ErrorIs(t, err, table.ErrNotFound)
		})
	}
}

// TestTypes: a rule is for whole types, and for prefixes where they are given as such. Faults are none of a prefix: a rule that fails with
// them would make faults of them for ever.
func TestTypes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string][]string{} // the rules of each type, in the order in which they are called
	rule := func(name string, types ...string) views.Part {
		return views.Upsert(customers, views.On(types...), func(e insideout.Event) (customer, error) {
			mu.Lock()
			defer mu.Unlock()
			got[e.Type] = append(got[e.Type], name)
			return customer{ID: name}, nil
		})
	}
	l, err := views.New(newTable(t, nil), rule("placed", "order-placed"), rule("order", "order-*", "credit-placed"), rule("all", "*"), rule("faults", "fault"))
	require.NoError(t, err)
	var batch []insideout.Event
	for n, kind := range []string{"order-placed", "order-placed-late", "order-", "order", "reorder-placed", "credit-placed", "credit-placed-late", "fault"} {
		batch = append(batch, event(fmt.Sprint("e", n), kind, n, "x", 0))
	}
	require.NoError(t, l.Handle(t.Context(), batch))
	require.Equal(t, map[string][]string{
		"order-placed": {"placed", "order", "all"}, "order-placed-late": {"order", "all"}, "order-": {"order", "all"}, "order": {"all"},
		"reorder-placed": {"all"}, "credit-placed": {"order", "all"}, "credit-placed-late": {"all"}, "fault": {"faults"},
	}, got)
}

// judging is a listener with one rule, whose mapper ends as the event's customer is called.
func judging(t *testing.T, db *table.DB, opts *views.Options) *views.Listener {
	t.Helper()
	l, err := views.New(db, opts, views.Upsert(customers, views.On("customer-registered"), func(e customerEvent) (customer, error) {
		switch e.Customer.Name {
		case "skip":
			return customer{}, views.Skip("not of interest")
		case "retry":
			return customer{}, views.Retry(errors.New("the other service is down"))
		case "poison":
			return customer{}, views.Poison(context.DeadlineExceeded)
		case "error":
			return customer{}, errors.New("no such street")
		case "throttled":
			return customer{}, &types.ProvisionedThroughputExceededException{}
		case "panic":
			panic("out of cheese")
		}
		return customer{ID: e.Customer.ID, Name: e.Customer.Name}, nil
	}))
	require.NoError(t, err)
	return l
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		want   views.Stats
		failed bool
		fault  string
	}{
		{"skip", views.Stats{In: 2, Applied: 1, Writes: 1, Skipped: 1}, false, ""},
		{"retry", views.Stats{In: 2, Applied: 1, Writes: 1, Failed: 1}, true, ""},
		{"throttled", views.Stats{In: 2, Applied: 1, Writes: 1, Failed: 1}, true, ""},
		{"poison", views.Stats{In: 2, Applied: 1, Writes: 1, Faults: 1}, false, "context deadline exceeded"},
		{"error", views.Stats{In: 2, Applied: 1, Writes: 1, Faults: 1}, false, "no such street"},
		{"panic", views.Stats{In: 2, Applied: 1, Writes: 1, Faults: 1}, false, "views: panic: out of cheese"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			l := judging(t, newTable(t, nil), &views.Options{Faults: &faults})
			err := l.Handle(t.Context(), []insideout.Event{registered(1, "ann", c.name), registered(2, "bob", "Bob")})
			require.Equal(t, c.want, l.Stats())
			if c.failed {
				failed, ok := errors.AsType[*views.BatchError](err)
				require.True(t, ok)
				require.Equal(t, []int{0}, failed.Failed())
				return
			}
			require.NoError(t, err)
			if c.fault != "" {
				require.Equal(t, c.fault, faultOf(t, faults.events[0]).Err.Message)
			}
		})
	}
}

// fault is what a fault event says.
type fault struct {
	Err struct{ Name, Message string }
	UOW struct {
		Record json.RawMessage
		Event  *insideout.Event
	}
}

func faultOf(t *testing.T, e insideout.Event) fault {
	t.Helper()
	require.Equal(t, "fault", e.Type)
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	var f fault
	require.NoError(t, json.Unmarshal(raw, &f))
	return f
}

func TestFault(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l := judging(t, newTable(t, nil), &views.Options{Faults: &faults, Name: "listener", Source: "customers"})
	batch := []insideout.Event{registered(1, "ann", "error")}
	require.NoError(t, l.Handle(t.Context(), batch))
	require.NoError(t, l.Handle(t.Context(), batch))
	require.Len(t, faults.events, 2)
	require.Equal(t, faults.events[0], faults.events[1], "a fault that is published again is the same event")
	got := faults.events[0]
	require.Equal(t, insideout.Tags{"functionname": "listener", "pipeline": "upsert-customer", "source": "customers"}, got.Tags)
	require.Equal(t, batch[0].Timestamp, got.Timestamp)
	require.Equal(t, batch[0].ID, faultOf(t, got).UOW.Event.ID, "the event is in the fault")
}

// TestFaultsThatFail: what could be published neither as applied nor as a fault must come again.
func TestFaultsThatFail(t *testing.T) {
	t.Parallel()
	batch := []insideout.Event{registered(1, "ann", "Ann"), registered(2, "bob", "error")}
	for name, opts := range map[string]*views.Options{
		"no port": {}, "port fails": {Faults: &faultSink{err: errors.New("no bus")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := judging(t, newTable(t, nil), opts)
			failed, ok := errors.AsType[*views.BatchError](l.Handle(t.Context(), batch))
			require.True(t, ok)
			require.Equal(t, []int{1}, failed.Failed())
			require.Zero(t, l.Stats().Faults)
		})
	}
}

// TestBadEvents: each is a fault with a text for people, and holds up nothing.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	noID, noType, noTime, future, beyond := registered(1, "ann", "Ann"), registered(1, "ann", "Ann"), registered(1, "ann", "Ann"), registered(1, "ann", "Ann"), registered(1, "ann", "Ann")
	noID.ID, noType.Type, noTime.Timestamp, future.Timestamp = "", "", time.Time{}, time.Now().Add(25*time.Hour)
	beyond.Timestamp = time.UnixMilli(1 << 60)
	misfit := event("e1", "customer-registered", 1, "customer", "Ann")
	noKey := registered(1, "", "Ann")
	for name, c := range map[string]struct {
		event insideout.Event
		text  string
	}{
		"no id": {noID, "the event id is empty"}, "no type": {noType, "has no type"}, "no timestamp": {noTime, "has no timestamp"},
		"far future": {future, "ahead of the clock"}, "beyond the wire": {beyond, "after the year 2286"}, "wrong kind": {misfit, "does not fit"}, "no key": {noKey, "cannot be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			db := newTable(t, nil)
			l := newListener(t, db, &views.Options{Faults: &faults})
			require.NoError(t, l.Handle(t.Context(), []insideout.Event{c.event, registered(2, "bob", "Bob")}))
			require.Len(t, faults.events, 1)
			require.Contains(t, faultOf(t, faults.events[0]).Err.Message, c.text)
			require.NoError(t, faults.events[0].Validate())
			_, err := customers.Get(t.Context(), db, "bob")
			require.NoError(t, err)
		})
	}
}

// TestRefusedByTheTable: of the events for one row, the newest that the table takes is written, as if they had come one
// by one.
func TestRefusedByTheTable(t *testing.T) {
	t.Parallel()
	var faults faultSink
	db := newTable(t, nil)
	l := newListener(t, db, &views.Options{Faults: &faults})
	huge := registered(9, "ann", string(make([]byte, 401<<10)))
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{huge, registered(2, "ann", "Ann"), registered(1, "ann", "An")}))
	require.Equal(t, views.Stats{In: 3, Applied: 1, Coalesced: 1, Faults: 1, Writes: 2}, l.Stats())
	ann, err := customers.Get(t.Context(), db, "ann")
	require.NoError(t, err)
	require.Equal(t, "Ann", ann.Name)
}

// TestThrottled: a write that did not get through fails all events that it stood for.
func TestThrottled(t *testing.T) {
	t.Parallel()
	client := &counting{before: func(string) error { return &types.ProvisionedThroughputExceededException{} }}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	var faults faultSink
	l := newListener(t, db, &views.Options{Faults: &faults})
	failed, ok := errors.AsType[*views.BatchError](l.Handle(t.Context(), []insideout.Event{registered(2, "ann", "Ann"), registered(1, "ann", "An")}))
	require.True(t, ok)
	require.Equal(t, []int{0, 1}, failed.Failed())
	require.Empty(t, faults.events, "a throttled write is no fault")
}

// TestCancelled: what was not started when the context ended is reported as failed.
func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := newListener(t, newTable(t, nil))
	err := l.Handle(ctx, []insideout.Event{registered(1, "ann", "Ann")})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, l.Stats().Writes)
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	f := func(e insideout.Event) (customer, error) { return customer{ID: e.ID}, nil }
	_, err := views.New(nil, nil, &views.Options{}, &views.Options{},
		views.Upsert(customers, views.On(), f),
		views.Upsert(customers, views.On("a", "a", "", "b*c"), f, views.InLane("no lane")),
		views.Upsert(customers, views.On("order-placed", "order-*"), f), views.Upsert(customers, views.On("thing-*", "thing-placed-*"), f),
		views.Upsert[insideout.Event, customer](nil, views.On("a"), f),
		views.Rollup(purchases, customers, "", sum))
	for _, text := range []string{
		"no table", "part 0 is nil", "more than one Options", "for no event type", `twice for the event type "a"`, "an empty event type",
		`"b*c": a "*" stands at the end`, `twice for the event type "order-*"`, `twice for the event type "thing-placed-*"`,
		"no lane", "needs a model and a mapper", "needs a named lane",
	} {
		require.ErrorContains(t, err, text)
	}
	_, err = views.New(newTable(t, nil), &views.Options{})
	require.ErrorContains(t, err, "no rules")
}

// TestOnBatch: the hook gets the counts of its batch, also when batches are handled at the same time.
func TestOnBatch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var in int64
	l := newListener(t, newTable(t, nil), &views.Options{OnBatch: func(s views.Batch) {
		mu.Lock()
		defer mu.Unlock()
		in += s.In
	}})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() { _ = l.Handle(context.Background(), []insideout.Event{registered(n, "ann", "Ann")}) })
	}
	wg.Wait()
	require.EqualValues(t, 8, in)
	require.EqualValues(t, 8, l.Stats().In)
}

// TestHookPanics: the work is done, and the answer says so.
func TestHookPanics(t *testing.T) {
	t.Parallel()
	db := newTable(t, nil)
	l := newListener(t, db, &views.Options{OnBatch: func(views.Batch) { panic("out of metrics") }})
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(1, "ann", "Ann")}))
	_, err := customers.Get(t.Context(), db, "ann")
	require.NoError(t, err)
}

// TestCallsAreCounted: a batch of events reads nothing, and writes once for each row and lane that it has news of, which the counts tell too;
// events that say nothing new cost a write each that fails.
func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		client := &counting{}
		db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
		l, err := views.New(db, rules()[:6]...) // without the roll-up
		require.NoError(rt, err)
		history, lanes := facts(30).Draw(rt, "facts"), map[string]bool{}
		var batch []insideout.Event
		for _, f := range history {
			lanes[f.lane()] = true
			batch = append(batch, f.event())
		}
		changed := int64(len(lanes))
		require.NoError(rt, l.Handle(context.Background(), batch))
		require.Zero(rt, client.reads.Load())
		require.Equal(rt, changed, client.writes.Load())
		in := int64(len(batch))
		require.Equal(rt, views.Stats{In: in, Applied: changed, Coalesced: in - changed, Writes: changed}, l.Stats())
		require.NoError(rt, l.Handle(context.Background(), batch))
		require.Zero(rt, client.reads.Load())
		require.Equal(rt, views.Stats{
			In: 2 * in, Applied: changed, Duplicate: changed, Coalesced: 2 * (in - changed), Writes: 2 * changed,
		}, l.Stats())
	})
}
