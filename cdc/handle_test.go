package cdc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// inserted is the record of a new thing.
func inserted(sequence, id, name string) events.DynamoDBEventRecord {
	s := events.NewStringAttribute
	keys := map[string]events.DynamoDBAttributeValue{"pk": s(id), "sk": s("thing")}
	image := map[string]events.DynamoDBAttributeValue{
		"pk": s(id), "sk": s("thing"), "discriminator": s("thing"), "name": s(name),
		"count": events.NewNumberAttribute("1"), "timestamp": events.NewNumberAttribute("1700000000123"),
	}
	return events.DynamoDBEventRecord{
		EventID: "id-" + sequence, EventName: "INSERT",
		Change: events.DynamoDBStreamRecord{Keys: keys, NewImage: image, SequenceNumber: sequence, StreamViewType: "NEW_AND_OLD_IMAGES"},
	}
}

func batchOf(records ...events.DynamoDBEventRecord) events.DynamoDBEvent {
	return events.DynamoDBEvent{Records: records}
}

func newTrigger(t *testing.T, out cdc.Publisher, f func(cdc.Change[thing]) (insideout.Event, error)) *cdc.Trigger {
	t.Helper()
	trigger, err := cdc.New(out, cdc.Publish(things, f))
	require.NoError(t, err)
	return trigger
}

// TestPartialFailure: the response names the first record, by its place in the batch, of which something was not
// published. The numbers are so that comparing them as texts would find another one.
func TestPartialFailure(t *testing.T) {
	t.Parallel()
	batch := batchOf(inserted("99", "a", ""), inserted("100", "b", ""), inserted("101", "c", ""), inserted("102", "d", ""))
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"two", &cdc.PublishError{Errors: map[int]error{3: errors.New("x"), 1: errors.New("y")}}, "100"},
		{"first", &cdc.PublishError{Errors: map[int]error{0: errors.New("x")}}, "99"},
		{"all, by an error that names none", errors.New("no bus"), "99"},
		{"all, by a list that is empty", &cdc.PublishError{}, "99"},
		{"wrapped", fmt.Errorf("bus: %w", &cdc.PublishError{Errors: map[int]error{2: errors.New("x")}}), "101"},
		{"of another package", foreignError{2}, "101"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := &sink{fail: func(int, []insideout.Event) error { return c.err }}
			response, err := newTrigger(t, out, thingEvent).HandleDynamoDB(t.Context(), batch)
			require.NoError(t, err, "Lambda would ignore the response")
			var got string
			for _, f := range response.BatchItemFailures {
				got += f.ItemIdentifier
			}
			require.Equal(t, c.want, got)
		})
	}
}

// foreignError is how a publisher that does not import cdc names what failed.
type foreignError struct{ index int }

func (e foreignError) Error() string { return "queue is full" }
func (e foreignError) Failed() []int { return []int{e.index} }

// TestPanic: a mapper that panics is a fault, whose text tells where and has nothing that differs from delivery to
// delivery.
func TestPanic(t *testing.T) {
	t.Parallel()
	var out sink
	trigger := newTrigger(t, &out, func(c cdc.Change[thing]) (insideout.Event, error) {
		if c.New.Name == "bad" {
			panic("out of cheese")
		}
		return thingEvent(c)
	})
	batch := batchOf(inserted("1", "a", "bad"), inserted("2", "b", "good"))
	for range 2 {
		response, err := trigger.HandleDynamoDB(t.Context(), batch)
		require.NoError(t, err)
		require.Empty(t, response.BatchItemFailures)
	}
	got := out.all()
	require.Len(t, got, 4)
	require.Equal(t, got[:2], got[2:])
	fault, err := insideout.Body[struct{ Name, Message, Stack string }](got[0], "err")
	require.NoError(t, err)
	require.Equal(t, "panic", fault.Name)
	require.Contains(t, fault.Message, "out of cheese")
	require.Contains(t, fault.Stack, "handle_test.go")
	require.Equal(t, "thing-created", got[1].Type)
	require.Equal(t, cdc.Stats{Records: 4, Published: 2, Faults: 2}, trigger.Stats())
}

// TestFaultNotPublished: a record of which not even the fault is out must come again.
func TestFaultNotPublished(t *testing.T) {
	t.Parallel()
	out := &sink{fail: func(_ int, events []insideout.Event) error {
		failed := map[int]error{}
		for i, e := range events {
			if e.Type == insideout.TypeFault {
				failed[i] = errors.New("too large")
			}
		}
		return &cdc.PublishError{Errors: failed}
	}}
	trigger := newTrigger(t, out, func(c cdc.Change[thing]) (insideout.Event, error) {
		if c.New.Name == "bad" {
			return insideout.Event{}, errors.New("bad")
		}
		return thingEvent(c)
	})
	response, err := trigger.HandleDynamoDB(t.Context(), batchOf(inserted("1", "a", "good"), inserted("2", "b", "bad")))
	require.NoError(t, err)
	require.Equal(t, []events.DynamoDBBatchItemFailure{{ItemIdentifier: "2"}}, response.BatchItemFailures)
}

// TestMapperWins: what the mapper says is kept, the rest is filled in; what is no event is a fault.
func TestMapperWins(t *testing.T) {
	t.Parallel()
	var out sink
	trigger := newTrigger(t, &out, func(c cdc.Change[thing]) (insideout.Event, error) {
		e := insideout.Event{ID: "mine", Type: "thing-seen", PartitionKey: "elsewhere", Timestamp: c.At.AddDate(-1, 0, 0)}
		if c.New.Name == "broken" {
			e.Body = map[string]json.RawMessage{"thing": json.RawMessage("{")}
		}
		return e, nil
	})
	_, err := trigger.HandleDynamoDB(t.Context(), batchOf(inserted("1", "a", ""), inserted("2", "b", "broken")))
	require.NoError(t, err)
	got := out.all()
	require.Equal(t, "mine", got[0].ID)
	require.Equal(t, "thing-seen", got[0].Type)
	require.Equal(t, "elsewhere", got[0].PartitionKey)
	require.Equal(t, 2022, got[0].Timestamp.Year())
	require.Equal(t, "undefined", got[0].Tags[insideout.TagSource])
	require.Equal(t, insideout.TypeFault, got[1].Type)
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	one, two := &sink{}, &sink{fail: func(int, []insideout.Event) error {
		return &cdc.PublishError{Errors: map[int]error{1: errors.New("full")}}
	}}
	three := &sink{fail: func(int, []insideout.Event) error { return errors.New("closed") }}
	events := []insideout.Event{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	ctx := context.Background()

	require.NoError(t, cdc.FanOut(one).Publish(ctx, events))
	failed, ok := errors.AsType[*cdc.PublishError](cdc.FanOut(one, two).Publish(ctx, events))
	require.True(t, ok)
	require.Equal(t, []int{1}, failed.Failed())
	require.ErrorContains(t, failed, "full")
	failed, ok = errors.AsType[*cdc.PublishError](cdc.FanOut(one, three, two).Publish(ctx, events))
	require.True(t, ok)
	require.Equal(t, []int{0, 1, 2}, failed.Failed())
	require.Len(t, one.all(), 9, "the failure of one keeps nothing from the others")
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := cdc.New(nil, nil, &cdc.Options{}, &cdc.Options{},
		cdc.Publish[thing](nil, nil), cdc.PublishAggregate[assembly](nil, assemblies, assemblyEvent))
	for _, text := range []string{"no publisher", "part 0 is nil", "more than one Options", "Publish needs", "PublishAggregate needs", "no rules"} {
		require.ErrorContains(t, err, text)
	}
}

// TestOldImage: a mapper may ask for the old image when it likes, again, and after the batch is done.
func TestOldImage(t *testing.T) {
	t.Parallel()
	var changes []cdc.Change[thing]
	trigger := newTrigger(t, &sink{}, func(c cdc.Change[thing]) (insideout.Event, error) {
		changes = append(changes, c)
		if len(changes)%2 == 0 {
			require.Equal(t, "was "+c.New.Name, c.Old().Name)
		}
		return thingEvent(c)
	})
	var batch events.DynamoDBEvent
	for n := range 40 {
		name := fmt.Sprint("n", n)
		r := inserted(fmt.Sprint(n), fmt.Sprint("t", n), name)
		r.EventName, r.Change.OldImage = "MODIFY", inserted("", fmt.Sprint("t", n), "was "+name).Change.NewImage
		batch.Records = append(batch.Records, r)
	}
	response, err := trigger.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	var asking sync.WaitGroup
	for n, c := range changes {
		for range 2 {
			asking.Go(func() {
				if name := fmt.Sprint("n", n); c.New.Name != name || c.Old().Name != "was "+name {
					t.Errorf("got %q and %q of %s", c.New.Name, c.Old().Name, name)
				}
			})
		}
	}
	asking.Wait()
}
