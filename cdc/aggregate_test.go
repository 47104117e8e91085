package cdc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// newTable makes the tests' table on an engine of its own.
func newTable(t testing.TB, opts *embedded.Options) (*embedded.DB, *table.DB) {
	t.Helper()
	engine := embedded.New(opts)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	in, err := table.Schema(things, parts).CreateTableInput("things")
	require.NoError(t, err)
	_, err = engine.CreateTable(context.Background(), in)
	require.NoError(t, err)
	db, err := table.Open(engine, "things", nil)
	require.NoError(t, err)
	return engine, db
}

// drained is what a trigger publishes of everything that is in the table's stream, read in batches of the given size.
func drained(t *testing.T, engine *embedded.DB, trigger *cdc.Trigger, limit int) {
	t.Helper()
	done := make(chan struct{})
	close(done)
	require.NoError(t, cdc.Tail(t.Context(), engine, "things", trigger, &cdc.TailOptions{Drain: done, Limit: limit, Idle: 1}))
}

func aggregateTrigger(t *testing.T, db *table.DB, out cdc.Publisher) *cdc.Trigger {
	t.Helper()
	trigger, err := cdc.New(out, cdc.PublishAggregate(db, assemblies, assemblyEvent))
	require.NoError(t, err)
	return trigger
}

// said is an event in short: its type and what it says.
func said(t *testing.T, e insideout.Event) string {
	t.Helper()
	v, err := insideout.Body[thing](e, "thing")
	require.NoError(t, err)
	list, err := insideout.Body[[]part](e, "parts")
	require.NoError(t, err)
	return fmt.Sprintf("%s %s %q %d", e.Type, e.PartitionKey, v.Name, len(list))
}

// step changes the table.
type step func(context.Context, *table.DB) error

// aggregateCase is what is published of changes; those of each inner list are a batch.
type aggregateCase struct {
	name  string
	steps [][]step
	want  []string
}

func aggregateCases() []aggregateCase {
	lamp := thing{ID: "t1", Name: "lamp"}
	bulb, shade := part{ThingID: "t1", No: 1, Name: "bulb"}, part{ThingID: "t1", No: 2, Name: "shade"}
	save := func(v thing) step {
		return func(ctx context.Context, db *table.DB) error { return things.Save(ctx, db, v) }
	}
	add := func(v part) step {
		return func(ctx context.Context, db *table.DB) error { return parts.Save(ctx, db, v) }
	}
	remove := func(ctx context.Context, db *table.DB) error { return things.Delete(ctx, db, "t1") }
	drop := func(ctx context.Context, db *table.DB) error { return parts.Delete(ctx, db, table.Of("t1", 1)) }
	strip := func(ctx context.Context, db *table.DB) error {
		key, err := parts.RowKey(bulb)
		return errors.Join(err, hardDelete(ctx, db, key.PK, key.SK))
	}
	erase := func(ctx context.Context, db *table.DB) error { return hardDelete(ctx, db, "t1", "thing") }
	return []aggregateCase{
		{"one event a batch", [][]step{{save(lamp), add(bulb), add(shade)}}, []string{`thing-created t1 "lamp" 2`}},
		{"no root yet", [][]step{{add(bulb)}, {save(lamp)}}, []string{`thing-created t1 "lamp" 1`}},
		{
			"a part changes",
			[][]step{{save(lamp)}, {add(bulb)}, {drop}},
			[]string{`thing-created t1 "lamp" 0`, `thing-updated t1 "lamp" 1`, `thing-updated t1 "lamp" 0`},
		},
		{
			"deleted once",
			[][]step{{save(lamp), add(bulb)}, {remove}, {add(shade)}, {drop}},
			[]string{`thing-created t1 "lamp" 1`, `thing-deleted t1 "lamp" 1`},
		},
		{"created and deleted", [][]step{{save(lamp), remove}}, []string{`thing-deleted t1 "lamp" 0`}},
		{
			"undeleted",
			[][]step{{save(lamp)}, {remove}, {save(lamp)}},
			[]string{`thing-created t1 "lamp" 0`, `thing-deleted t1 "lamp" 0`, `thing-undeleted t1 "lamp" 0`},
		},
		{
			"root removed from the table",
			[][]step{{save(lamp), add(bulb)}, {erase}, {add(shade)}},
			[]string{`thing-created t1 "lamp" 1`, `thing-deleted t1 "lamp" 1`},
		},
		{
			"a part removed from the table",
			[][]step{{save(lamp)}, {add(bulb)}, {strip}},
			[]string{`thing-created t1 "lamp" 0`, `thing-updated t1 "lamp" 1`, `thing-updated t1 "lamp" 0`},
		},
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	for _, c := range aggregateCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			engine, db := newTable(t, nil)
			var out sink
			trigger := aggregateTrigger(t, db, &out)
			checkpoints := &memory{}
			for _, step := range c.steps {
				for _, do := range step {
					require.NoError(t, do(t.Context(), db))
				}
				done := make(chan struct{})
				close(done)
				require.NoError(t, cdc.Tail(t.Context(), engine, "things", trigger, &cdc.TailOptions{Checkpoints: checkpoints, Drain: done, Idle: 1}))
			}
			var got []string
			for _, e := range out.all() {
				got = append(got, said(t, e))
			}
			require.Equal(t, c.want, got)
			requireGrowing(t, out.all())
		})
	}
}

func hardDelete(ctx context.Context, db *table.DB, pk, sk string) error {
	dynamo, ok := db.Dynamo()
	if !ok {
		return errors.New("no table")
	}
	return dynamo.Delete("pk", pk).Range("sk", sk).Run(ctx)
}

// requireGrowing checks that the versions downstream, timestamp and then id, grow in the order of publishing.
func requireGrowing(t *testing.T, list []insideout.Event) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		a, b := list[i-1], list[i]
		require.True(t, a.Timestamp.Before(b.Timestamp) || a.Timestamp.Equal(b.Timestamp) && a.ID < b.ID, "%v %s then %v %s", a.Timestamp, a.ID, b.Timestamp, b.ID)
	}
}

// TestAggregateVersions: whatever the batches are, the event with the greatest version says how the aggregate ended,
// and the same records in the same batches give the same ids.
func TestAggregateVersions(t *testing.T) {
	t.Parallel()
	engine, db := newTable(t, nil)
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "t1"}))
	for n := range 30 {
		require.NoError(t, parts.Save(t.Context(), db, part{ThingID: "t1", No: n}))
	}
	var last []string
	for _, limit := range []int{1, 3, 7, 1000, 3} {
		var out sink
		drained(t, engine, aggregateTrigger(t, db, &out), limit)
		requireGrowing(t, out.all())
		newest := out.all()[len(out.all())-1]
		require.Equal(t, `thing-updated t1 "" 30`, said(t, withType(newest, "thing-updated")))
		for _, e := range out.all() {
			require.Equal(t, newest.Timestamp, e.Timestamp, "the time is that of what was read, so the ids must tell the events apart")
		}
		last = append(last, newest.ID)
	}
	for _, id := range last {
		require.Equal(t, last[0], id, "the last record is the last one of every batching")
	}
	require.Regexp(t, `^[0-9]{40}\.thing\.[0-9a-f]{32}$`, last[0])
}

func withType(e insideout.Event, name string) insideout.Event { e.Type = name; return e }

// TestAggregateOfRemovedParts: a removal is ordered behind the last update of its row, and the aggregate behind all of
// its changes, whatever clocks their writers had.
func TestAggregateOfRemovedParts(t *testing.T) {
	t.Parallel()
	_, db := newTable(t, nil)
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "t1"}))
	removed := inserted("1", "t1", "")
	removed.EventName = "REMOVE"
	s, n := events.NewStringAttribute, events.NewNumberAttribute
	removed.Change.Keys["sk"] = s("parts|1")
	removed.Change.OldImage, removed.Change.NewImage = map[string]events.DynamoDBAttributeValue{
		"pk": s("t1"), "sk": s("parts|1"), "discriminator": s("part"), "timestamp": n("4000000000000"),
	}, nil
	var out sink
	_, err := aggregateTrigger(t, db, &out).HandleDynamoDB(t.Context(), batchOf(removed, inserted("2", "t1", "")))
	require.NoError(t, err)
	require.Len(t, out.all(), 1)
	require.EqualValues(t, 4000000000001, out.all()[0].Timestamp.UnixMilli())
}

// TestAggregateUnreadable: throttling fails the records from the first of the aggregate; a row that cannot be decoded
// is a fault.
func TestAggregateUnreadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, failed string
		err          error
		faults       int64
	}{
		{"throttled", "1", &throttled{}, 0},
		{"a row of an unknown model", "", nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			engine, _ := newTable(t, nil)
			db, err := table.Open(&broken{DB: engine, err: c.err}, "things", nil)
			require.NoError(t, err)
			require.NoError(t, things.Save(t.Context(), db, thing{ID: "t1"}))
			dynamo, _ := db.Dynamo()
			require.NoError(t, dynamo.Put(map[string]string{"pk": "t1", "sk": "stranger"}).Run(t.Context()))
			var out sink
			trigger := aggregateTrigger(t, db, &out)
			response, err := trigger.HandleDynamoDB(t.Context(), batchOf(inserted("1", "t1", ""), inserted("2", "t1", ""), inserted("3", "t1", "")))
			require.NoError(t, err)
			got := ""
			for _, f := range response.BatchItemFailures {
				got += f.ItemIdentifier
			}
			require.Equal(t, c.failed, got)
			require.Equal(t, c.faults, trigger.Stats().Faults)
		})
	}
}

type throttled struct{}

func (*throttled) Error() string   { return "slow down" }
func (*throttled) Timeout() bool   { return true }
func (*throttled) Temporary() bool { return true }

// broken is an engine whose queries fail.
type broken struct {
	*embedded.DB
	err error
}

func (b *broken) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.DB.Query(ctx, in, opts...)
}

// Commands that write the root last are one event each, however their records are cut into batches.
func TestAggregateWhenRootChanges(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 3, 1000} {
		engine, db := newTable(t, nil)
		var out sink
		trigger, err := cdc.New(&out, cdc.PublishAggregate(db, assemblies, assemblyEvent, cdc.WhenRootChanges()))
		require.NoError(t, err)
		for _, v := range []thing{{ID: "t1", Name: "lamp"}, {ID: "t2", Name: "desk"}} {
			for no := range 3 {
				require.NoError(t, parts.Save(t.Context(), db, part{ThingID: v.ID, No: no, Name: "part"}))
			}
			require.NoError(t, things.Save(t.Context(), db, v))
		}
		require.NoError(t, parts.Save(t.Context(), db, part{ThingID: "t1", No: 9, Name: "late"}))
		drained(t, engine, trigger, limit)
		require.Len(t, out.all(), 2, "records a batch: %d", limit)
		for _, e := range out.all() {
			require.Contains(t, said(t, e), "-created")
		}
	}
}
