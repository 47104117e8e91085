package views_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// weighing answers writes without making them, and weighs the heap at one of them.
type weighing struct {
	*embedded.DB
	at     atomic.Int64 // the write at which it does
	weight int64
}

func (w *weighing) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if w.at.Add(-1) == 0 {
		w.weight = inUse()
	}
	return &dynamodb.UpdateItemOutput{}, nil
}

// inUse is how much of the heap is in use.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC() // twice, for what pools keep over one
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryIsBoundedByTheBatch: while a batch is worked on, the listener needs memory in proportion to it, and of batches that are done
// it keeps nothing: neither of those applied, nor of those that failed, nor of faults.
func TestMemoryIsBoundedByTheBatch(t *testing.T) {
	const size, each = 40, 10_000
	client := &weighing{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l, err := views.New(db, rules()[0], rules()[2], &views.Options{Faults: forgetful{}},
		views.Upsert(purchases, views.On("order-placed"), func(orderEvent) (p purchase, err error) { return p, views.Retry(io.EOF) }),
		views.Upsert(purchases, views.On("order-changed"), func(orderEvent) (p purchase, err error) { return p, io.EOF }))
	require.NoError(t, err)
	large := func(n int) events.SQSEvent {
		var batch events.SQSEvent
		for i := range size {
			kind := []string{"customer-registered", "address-changed", "order-placed", "order-changed"}[i%4]
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(n, i), Body: fmt.Sprintf(
				`{"id":"e%d-%d","type":%q,"timestamp":%d,"customer":{"id":"c%d-%d","name":"%s","street":"s"}}`,
				n, i, kind, start.UnixMilli()+int64(n), n, i, strings.Repeat("x", each))})
		}
		return batch
	}
	handle := func(batch events.SQSEvent) {
		response, err := l.HandleSQS(t.Context(), batch)
		require.NoError(t, err)
		require.Len(t, response.BatchItemFailures, size/4)
	}
	handle(large(0)) // makes what is made once

	batch := large(1)
	before := inUse()
	client.at.Store(size / 2) // the last one
	handle(batch)
	require.Zero(t, client.at.Load())
	t.Logf("a batch of %d bytes needs %d more", size*each, client.weight-before)
	require.Less(t, client.weight-before, int64(2*size*each))

	before = inUse()
	for n := range 10 {
		handle(large(2 + n))
	}
	require.Less(t, inUse()-before, int64(size*each/2), "kept of ten batches")
	runtime.KeepAlive(batch)
	runtime.KeepAlive(l) // with what it keeps
}

// forgetful takes faults.
type forgetful struct{}

func (forgetful) Publish(context.Context, []insideout.Event) error { return nil }
