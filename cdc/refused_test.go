package cdc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// refusing is a destination that never takes some events.
func refusing(reason func(insideout.Event) error) *sink {
	return &sink{fail: func(_ int, list []insideout.Event) error {
		failed := map[int]error{}
		for i, e := range list {
			if err := reason(e); err != nil {
				failed[i] = err
			}
		}
		if len(failed) == 0 {
			return nil
		}
		return &cdc.PublishError{Errors: failed}
	}}
}

// size is what a destination would count.
func size(e insideout.Event) int {
	data, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return len(data)
}

// TestRefused: an event that its destination will never take becomes a fault with the record in it, the same each time, and the batch
// goes on.
func TestRefused(t *testing.T) {
	t.Parallel()
	out := refusing(func(e insideout.Event) error {
		if e.PartitionKey == "b" && e.Type != insideout.TypeFault {
			return fmt.Errorf("bus: %w", cdc.ErrRejected)
		}
		return nil
	})
	trigger := newTrigger(t, out, thingEvent)
	batch := batchOf(inserted("1", "a", ""), inserted("2", "b", "lamp"), inserted("3", "c", ""))
	for range 2 {
		response, err := trigger.HandleDynamoDB(t.Context(), batch)
		require.NoError(t, err)
		require.Empty(t, response.BatchItemFailures)
	}
	got := out.all()
	require.Len(t, got, 6)
	require.Equal(t, got[:3], got[3:], "the same again")
	fault := got[2]
	require.Equal(t, insideout.TypeFault, fault.Type)
	require.Equal(t, "b", fault.PartitionKey)
	require.Equal(t, "thing", fault.Tags[insideout.TagPipeline])
	report, err := insideout.Body[struct{ Name, Message string }](fault, "err")
	require.NoError(t, err)
	require.Equal(t, "rejected", report.Name)
	require.Contains(t, report.Message, "bus")
	uow, err := insideout.Body[struct{ Record events.DynamoDBEventRecord }](fault, "uow")
	require.NoError(t, err)
	require.Equal(t, "lamp", uow.Record.Change.NewImage["name"].String(), "it can be resubmitted")
	require.Equal(t, cdc.Stats{Records: 6, Published: 4, Faults: 2}, trigger.Stats())
}

// TestTooLarge: without claim checks, a fault that is too large itself says which row it is about, and leaves the images out; it does
// not hold up the shard. If not even that is taken, the record is reported as failed.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	limit := 3000
	out := refusing(func(e insideout.Event) error {
		if n := size(e); n > limit {
			return fmt.Errorf("%w: %d bytes, the limit is %d", cdc.ErrTooLarge, n, limit)
		}
		return nil
	})
	trigger := newTrigger(t, out, thingEvent)
	batch := batchOf(inserted("1", "a", ""), inserted("2", "b", strings.Repeat("x", 4000)), inserted("3", "c", ""))
	response, err := trigger.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	got := out.all()
	require.Len(t, got, 3)
	report, err := insideout.Body[struct{ Name, Message string }](got[2], "err")
	require.NoError(t, err)
	require.Equal(t, "too large", report.Name)
	uow, err := insideout.Body[struct {
		Record        events.DynamoDBEventRecord
		WithoutImages string
	}](got[2], "uow")
	require.NoError(t, err)
	require.Equal(t, "b", uow.Record.Change.Keys["pk"].String())
	require.Equal(t, "2", uow.Record.Change.SequenceNumber)
	require.Nil(t, uow.Record.Change.NewImage)
	require.Contains(t, uow.WithoutImages, "the limit is 3000")

	limit = 500
	response, err = trigger.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, []events.DynamoDBBatchItemFailure{{ItemIdentifier: "2"}}, response.BatchItemFailures)
}

// TestRefusedFault: a fault that is refused for another reason than its size would be refused without the images, too.
func TestRefusedFault(t *testing.T) {
	t.Parallel()
	out := refusing(func(e insideout.Event) error {
		if e.PartitionKey == "b" {
			return cdc.ErrRejected
		}
		return nil
	})
	response, err := newTrigger(t, out, thingEvent).HandleDynamoDB(t.Context(), batchOf(inserted("1", "a", ""), inserted("2", "b", "")))
	require.NoError(t, err)
	require.Equal(t, []events.DynamoDBBatchItemFailure{{ItemIdentifier: "2"}}, response.BatchItemFailures)
	require.Equal(t, 2, out.calls)
}

// TestRefusedAggregate: the fault for an aggregate carries the last of its records in the batch.
func TestRefusedAggregate(t *testing.T) {
	t.Parallel()
	_, db := newTable(t, nil)
	require.NoError(t, things.Save(t.Context(), db, thing{ID: "a", Name: "lamp", Count: 1}))
	out := refusing(func(e insideout.Event) error {
		if e.Type != insideout.TypeFault {
			return cdc.ErrTooLarge
		}
		return nil
	})
	trigger, err := cdc.New(out, cdc.PublishAggregate(db, assemblies, assemblyEvent))
	require.NoError(t, err)
	response, err := trigger.HandleDynamoDB(t.Context(), batchOf(inserted("1", "a", "desk"), inserted("2", "a", "lamp")))
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	got := out.all()
	require.Len(t, got, 1)
	var uow struct{ Record events.DynamoDBEventRecord }
	require.NoError(t, json.Unmarshal(got[0].Body["uow"], &uow))
	require.Equal(t, "2", uow.Record.Change.SequenceNumber)
}

// TestDeadline: before the time of the function is over, the trigger says what is not out.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := publisherFunc(func(ctx context.Context, _ []insideout.Event) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		response, err := newTrigger(t, hang, thingEvent).HandleDynamoDB(ctx, batchOf(inserted("1", "a", "")))
		require.NoError(t, err)
		require.Equal(t, []events.DynamoDBBatchItemFailure{{ItemIdentifier: "1"}}, response.BatchItemFailures)
		require.Equal(t, 9*time.Second, time.Since(begun))
		require.NoError(t, ctx.Err())
	})
}
