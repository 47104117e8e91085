package views_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// denied is a listener whose writes end with an error of which nobody knows whether it will pass.
func denied(t *testing.T, opts *views.Options) *views.Listener {
	t.Helper()
	client := &counting{before: func(string) error {
		return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not allowed", Fault: smithy.FaultClient}
	}}
	l, err := views.New(newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client }), opts, rules()[0])
	require.NoError(t, err)
	return l
}

// TestUnknownErrorInProcess: nobody counts for the bus, so the listener does.
func TestUnknownErrorInProcess(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l := denied(t, &views.Options{Faults: &faults, MaxAttempts: 3})
	bus := views.NewBus(l)
	batch := []insideout.Event{registered(1, "ann", "Ann")}
	for range 2 {
		require.ErrorContains(t, bus.Publish(t.Context(), batch), "not allowed")
		require.Empty(t, faults.events)
	}
	require.NoError(t, bus.Publish(t.Context(), batch))
	require.Len(t, faults.events, 1)
	require.Contains(t, faultOf(t, faults.events[0]).Err.Message, "not allowed")
	// The event is forgotten: when it is resubmitted, it has all its attempts again.
	require.Error(t, bus.Publish(t.Context(), batch))
}

// TestUnknownErrorOnQueue: the queue says how often a message was delivered, of a FIFO queue too.
func TestUnknownErrorOnQueue(t *testing.T) {
	t.Parallel()
	for arn, failed := range map[string]string{"q": "a", "q.fifo": "ac"} {
		t.Run(arn, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			l := denied(t, &views.Options{Faults: &faults, MaxAttempts: 4})
			batch := sqs(t, arn, body(t, registered(1, "ann", "Ann")), body(t, registered(2, "bob", "Bob")), `{"type":"other"}`)
			batch.Records[0].Attributes["ApproximateReceiveCount"] = "3"
			batch.Records[1].Attributes["ApproximateReceiveCount"] = "4"
			response, err := l.HandleSQS(t.Context(), batch)
			require.NoError(t, err)
			require.Equal(t, failed, sqsFailures(response))
			require.Len(t, faults.events, 1)
			require.Equal(t, "e2", faultOf(t, faults.events[0]).UOW.Event.ID)
		})
	}
}

// century lets the events of the tests into a bubble, whose clock starts in 2000.
const century = 100 * 365 * 24 * time.Hour

// TestUnknownErrorOnStream: a stream only says since when a record is there.
func TestUnknownErrorOnStream(t *testing.T) {
	t.Parallel()
	raw := []byte(body(t, registered(1, "ann", "Ann")))
	synctest.Test(t, func(t *testing.T) {
		for age, again := range map[time.Duration]bool{0: true, 9*time.Minute + 59*time.Second: true, 10 * time.Minute: false} {
			var faults faultSink
			l := denied(t, &views.Options{Faults: &faults, MaxAge: 10 * time.Minute, MaxSkew: century})
			record := events.KinesisRecord{SequenceNumber: "7", Data: raw}
			record.ApproximateArrivalTimestamp.Time = time.Now()
			time.Sleep(age)
			for range 5 { // however often the shard delivers it
				response, err := l.HandleKinesis(t.Context(), events.KinesisEvent{Records: []events.KinesisEventRecord{{Kinesis: record}}})
				require.NoError(t, err)
				require.Equal(t, again, len(response.BatchItemFailures) == 1, age)
				require.Equal(t, again, len(faults.events) == 0, age)
			}
		}
	})
}

// TestUnknownErrorFromEventBridge: Lambda tries three times within three minutes, and the last time counts.
func TestUnknownErrorFromEventBridge(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(body(t, registered(1, "ann", "Ann")))
	synctest.Test(t, func(t *testing.T) {
		var faults faultSink
		l := denied(t, &views.Options{Faults: &faults, MaxSkew: century})
		e := events.EventBridgeEvent{ID: "b1", Time: time.Now(), Detail: raw}
		require.Error(t, l.HandleEventBridge(t.Context(), e))
		time.Sleep(time.Minute)
		require.Error(t, l.HandleEventBridge(t.Context(), e))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.HandleEventBridge(t.Context(), e))
		require.Len(t, faults.events, 1)
	})
}

// The records as AWS writes them.
const (
	sqsRecord = `{"messageId":"059f36b4","receiptHandle":"AQEB","body":%s,"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183",
		"SenderId":"AIDA","ApproximateFirstReceiveTimestamp":"1545082649185"},"messageAttributes":{},"md5OfBody":"e4e68fb7","md5OfMessageAttributes":"",
		"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:q","awsRegion":"us-east-2"}`
	kinesisRecord = `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"4959","data":%s,"approximateArrivalTimestamp":1545084650.987},
		"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:4959","eventName":"aws:kinesis:record",
		"invokeIdentityArn":"arn:role","awsRegion":"us-east-2","eventSourceARN":"arn:stream"}`
	eventBridgeRecord = `{"version":"0","id":"53dc4d37","detail-type":"customer-registered","source":"custom","account":"123456789012",
		"time":"2015-12-22T18:43:48Z","region":"us-east-1","resources":[],"detail":%s}`
)

// TestFaultHasTheRecordAsItCame: so that it can be put into the function again.
func TestFaultHasTheRecordAsItCame(t *testing.T) {
	t.Parallel()
	text := body(t, registered(1, "ann", "error"))
	quoted, err := json.Marshal(text)
	require.NoError(t, err)
	data, err := json.Marshal([]byte(text))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		record string
		handle func(*views.Listener, []byte) error
	}{
		"sqs": {fmt.Sprintf(sqsRecord, quoted), func(l *views.Listener, raw []byte) error {
			var m events.SQSMessage
			err := json.Unmarshal(raw, &m)
			_, answer := l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{m}})
			return errors.Join(err, answer)
		}},
		"kinesis": {fmt.Sprintf(kinesisRecord, data), func(l *views.Listener, raw []byte) error {
			var r events.KinesisEventRecord
			err := json.Unmarshal(raw, &r)
			_, answer := l.HandleKinesis(t.Context(), events.KinesisEvent{Records: []events.KinesisEventRecord{r}})
			return errors.Join(err, answer)
		}},
		"eventbridge": {fmt.Sprintf(eventBridgeRecord, text), func(l *views.Listener, raw []byte) error {
			var e events.EventBridgeEvent
			return errors.Join(json.Unmarshal(raw, &e), l.HandleEventBridge(t.Context(), e))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			l := judging(t, newTable(t, nil), &views.Options{Faults: &faults})
			require.NoError(t, c.handle(l, []byte(c.record)))
			require.Len(t, faults.events, 1)
			require.JSONEq(t, c.record, string(faultOf(t, faults.events[0]).UOW.Record))
		})
	}
}

// TestErrorsTellNoValues: the texts of errors go to logs, where what a row holds has no place.
func TestErrorsTellNoValues(t *testing.T) {
	t.Parallel()
	const secret = 4111111111
	for name, c := range map[string]struct {
		mapper func(tight) (customer, error)
		text   string
	}{
		"does not fit": {func(tight) (customer, error) { return customer{}, nil }, `the member "customer.name" is a number, and the mapper's type takes an int8`},
		"panic":        {nil, "panic with a value of the type views_test.customer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var part views.Part = views.Upsert(customers, views.On("customer-registered"), func(insideout.Event) (customer, error) {
				panic(customer{Amount: secret})
			})
			if c.mapper != nil {
				part = views.Upsert(customers, views.On("customer-registered"), c.mapper)
			}
			l, err := views.New(newTable(t, nil), part)
			require.NoError(t, err)
			err = l.Handle(t.Context(), []insideout.Event{event("e1", "customer-registered", 1, "customer", map[string]any{"name": secret})})
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), fmt.Sprint(secret))
		})
	}
}

// tight has no room for the value of the test.
type tight struct {
	Customer struct {
		Name int8 `json:"name"`
	} `json:"customer"`
}
