package sqs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	publish "github.com/insideout-go/insideout/cdc/publish/sqs"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// report is an entity that may be too large for the queue.
type report struct {
	ID   string `dynamo:"id" json:"id"`
	Text string `dynamo:"text" json:"text"`
}

var reports = table.DefineNode("report", func(r *report, d *table.Def[report]) { d.ID(&r.ID) })

const limit = 16 << 10

// queue keeps messages, and refuses those over its limit as SQS does.
type queue struct {
	mu     sync.Mutex
	bodies []string
}

func (q *queue) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := &sqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		if len(*e.MessageBody) > limit {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: new("InvalidParameterValue"), SenderFault: true})
			continue
		}
		q.bodies = append(q.bodies, *e.MessageBody)
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// deliver is the queue's messages as Lambda gets them, each of them twice, in any order.
func (q *queue) deliver(random *rand.Rand) events.SQSEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch events.SQSEvent
	for n, body := range append(q.bodies, q.bodies...) {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId: fmt.Sprint("m", n), Body: body, EventSource: "aws:sqs", Attributes: map[string]string{"ApproximateReceiveCount": "1"},
		})
	}
	random.Shuffle(len(batch.Records), func(i, j int) { batch.Records[i], batch.Records[j] = batch.Records[j], batch.Records[i] })
	return batch
}

func open(t *testing.T, engine *embedded.DB, name string) *table.DB {
	t.Helper()
	require.NoError(t, table.Create(t.Context(), engine, name, table.Schema(reports)))
	db, err := table.Open(engine, name, nil)
	require.NoError(t, err)
	return db
}

// faults keeps fault events.
type faults struct{ events []insideout.Event }

func (f *faults) Publish(_ context.Context, events []insideout.Event) error {
	f.events = append(f.events, events...)
	return nil
}

// publishAll is the service that publishes what is in its table.
func publishAll(t *testing.T, engine *embedded.DB, q *queue, checks cdc.ClaimChecks) cdc.Stats {
	t.Helper()
	publisher, err := publish.New(q, "https://sqs.us-east-1.amazonaws.com/123456789012/reports", &publish.Options{
		MaxBytes: limit, ClaimChecks: checks, CompressAbove: -1,
	})
	require.NoError(t, err)
	trigger, err := cdc.New(publisher, &cdc.Options{Region: "us-east-1", Source: "reports"},
		cdc.Publish(reports, func(c cdc.Change[report]) (insideout.Event, error) {
			var e insideout.Event
			return e, e.SetBody("report", c.State())
		}))
	require.NoError(t, err)
	drain := make(chan struct{})
	close(drain)
	require.NoError(t, cdc.Tail(t.Context(), engine, "source", trigger, &cdc.TailOptions{Drain: drain, Idle: 1}))
	return trigger.Stats()
}

// listen is the service that keeps a view of what is in the queue. It returns the faults.
func listen(t *testing.T, view *table.DB, q *queue, checks views.ClaimChecks) []insideout.Event {
	t.Helper()
	var out faults
	listener, err := views.New(view, &views.Options{ClaimChecks: checks, Faults: &out},
		views.Upsert(reports, views.On("report-created"), func(e struct{ Report report }) (report, error) { return e.Report, nil }))
	require.NoError(t, err)
	response, err := listener.HandleSQS(t.Context(), q.deliver(rand.New(rand.NewPCG(1, 1))))
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	return out.events
}

// TestClaimCheck: a row is too large for the queue once it is an event. Its body goes to the lake, a claim check travels, and the listener redeems it;
// the row of the view has all of it. If the body is gone meanwhile, there is a fault, and the others are not held up.
func TestClaimCheck(t *testing.T) {
	t.Parallel()
	engine := embedded.New(nil)
	defer engine.Close()
	source, view, late := open(t, engine, "source"), open(t, engine, "view"), open(t, engine, "late")
	events, err := lake.Open(t.TempDir(), &lake.Options{Region: "us-east-1"})
	require.NoError(t, err)
	defer events.Close()
	want := []report{{"1", "small"}, {"2", strings.Repeat("large ", limit)}, {"3", strings.Repeat("x", limit)}}
	for _, r := range want {
		require.NoError(t, reports.Save(t.Context(), source, r))
	}

	var q queue
	require.Equal(t, cdc.Stats{Records: 3, Published: 3}, publishAll(t, engine, &q, events))
	require.Len(t, q.bodies, 3)
	require.Empty(t, listen(t, view, &q, events))
	for _, r := range want {
		got, err := reports.Get(t.Context(), view, r.ID)
		require.NoError(t, err)
		require.True(t, r == got, "report %s has %d of %d bytes", r.ID, len(got.Text), len(r.Text))
	}

	for _, body := range q.bodies {
		var e insideout.Event
		require.NoError(t, e.UnmarshalJSON([]byte(body)))
		if bucket, key, claimed := lake.ClaimOf(e); claimed && e.PartitionKey == "2" {
			require.NoError(t, events.Discard(t.Context(), bucket, key))
		}
	}
	list := listen(t, late, &q, events)
	require.NotEmpty(t, list)
	for _, fault := range list {
		require.Equal(t, insideout.TypeFault, fault.Type)
		require.Equal(t, list[0].ID, fault.ID)
	}
	_, err = reports.Get(t.Context(), late, "2")
	require.ErrorIs(t, err, table.ErrNotFound)
	for _, id := range []string{"1", "3"} {
		_, err := reports.Get(t.Context(), late, id)
		require.NoError(t, err)
	}
}
