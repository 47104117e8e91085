package views_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// instant answers writes without making them, so that what is left is the listener's own work.
type instant struct{ *embedded.DB }

func (instant) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return &dynamodb.UpdateItemOutput{}, nil
}

// kilobytes is a listener and 100 messages of 1 KB for it, each for a row of its own.
func kilobytes(t testing.TB) (*views.Listener, events.SQSEvent) {
	t.Helper()
	db := newTable(t, func(e *embedded.DB) table.Client { return instant{e} })
	l, err := views.New(db, rules()[0])
	require.NoError(t, err)
	var batch events.SQSEvent
	for n := range 100 {
		e := registered(n, fmt.Sprint("c", n), strings.Repeat("x", 900))
		e.Tags = insideout.Tags{"source": "orders", "region": "eu-west-1"}
		raw, err := e.MarshalJSON()
		require.NoError(t, err)
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: e.ID, Body: string(raw)})
	}
	return l, batch
}

// BenchmarkHandleSQS takes 100 messages from their JSON to the request.
func BenchmarkHandleSQS(b *testing.B) {
	l, batch := kilobytes(b)
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		if r, _ := l.HandleSQS(b.Context(), batch); len(r.BatchItemFailures) > 0 {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/100, "cpu-ns/event")
}

// TestAllocations holds the listener's own work on an event of 1 KB, from its JSON to the request, to its allocations: 60 are what it may need at
// most, and 15 what it needs, but for the race detector's doing.
func TestAllocations(t *testing.T) {
	l, batch := kilobytes(t)
	n := testing.AllocsPerRun(20, func() { _, _ = l.HandleSQS(t.Context(), batch) })
	require.LessOrEqual(t, n/float64(len(batch.Records)), 40.0)
}

// BenchmarkRebuild folds a history of events of 1 KB, four for a row or one, from their JSON into an empty table of the embedded engine.
func BenchmarkRebuild(b *testing.B) {
	for _, share := range []int{4, 1} {
		b.Run(fmt.Sprintf("%d to 1", share), func(b *testing.B) { benchmarkRebuild(b, share) })
	}
}

func benchmarkRebuild(b *testing.B, share int) {
	const events = 40_000
	var lines [][]byte
	for n := range events {
		raw, err := registered(n, fmt.Sprint("c", n%(events/share)), strings.Repeat("x", 900)).MarshalJSON()
		require.NoError(b, err)
		lines = append(lines, raw)
	}
	history := func(yield func(insideout.Event, error) bool) {
		for _, line := range lines {
			var e insideout.Event
			if err := e.UnmarshalJSON(line); !yield(e, err) {
				return
			}
		}
	}
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		b.StopTimer()
		l, err := views.New(newTable(b, nil), rules()[0])
		require.NoError(b, err)
		b.StartTimer()
		done, err := views.Rebuild(b.Context(), l, history, nil)
		require.NoError(b, err)
		require.EqualValues(b, events/share, done.Applied)
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(events)/float64(b.N), "cpu-µs/event")
}
