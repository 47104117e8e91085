package views_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

func body(t *testing.T, e insideout.Event) string {
	t.Helper()
	raw, err := e.MarshalJSON()
	require.NoError(t, err)
	return string(raw)
}

// throttledFor is a listener whose writes of rows in one partition do not get through.
func throttledFor(t *testing.T, opts *views.Options) *views.Listener {
	t.Helper()
	client := &counting{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l, err := views.New(db, opts, views.Upsert(customers, views.On("customer-registered"), func(e customerEvent) (customer, error) {
		if e.Customer.Name == "later" {
			return customer{}, views.Retry(&types.ProvisionedThroughputExceededException{})
		}
		return customer{ID: e.Customer.ID, Name: e.Customer.Name}, nil
	}))
	require.NoError(t, err)
	return l
}

func sqs(t *testing.T, arn string, bodies ...string) events.SQSEvent {
	t.Helper()
	var batch events.SQSEvent
	for i, b := range bodies {
		m := events.SQSMessage{MessageId: string(rune('a' + i)), Body: b, EventSourceARN: arn, Attributes: map[string]string{"SentTimestamp": "1700000000000"}}
		if strings.HasSuffix(arn, ".fifo") {
			m.Attributes["MessageGroupId"] = string(rune('0' + i%2))
		}
		batch.Records = append(batch.Records, m)
	}
	return batch
}

func sqsFailures(r events.SQSEventResponse) string {
	var ids strings.Builder
	for _, f := range r.BatchItemFailures {
		ids.WriteString(f.ItemIdentifier)
	}
	return ids.String()
}

// notification is what a queue gets that subscribes to a topic.
func notification(t *testing.T, id, message string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{
		"Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:us-east-1:123456789012:events", "Message": message,
		"Timestamp": "2023-11-14T22:13:20.000Z", "SignatureVersion": "1", "Signature": "x",
	})
	require.NoError(t, err)
	return string(text)
}

func nested(body string, depth int) string {
	for range depth {
		body = `{"detail-type":"t","detail":` + body + `}`
	}
	return body
}

func TestHandleSQS(t *testing.T) {
	t.Parallel()
	good, later := body(t, registered(1, "ann", "Ann")), body(t, registered(2, "bob", "later"))
	noID := `{"type":"customer-registered","timestamp":1700000000001,"customer":{"id":"eve","name":"Eve"}}`
	envelope := `{"version":"0","id":"x1","detail-type":"customer-registered","source":"custom","time":"2023-11-14T22:13:20Z","detail":` + good + `}`
	for _, c := range []struct {
		name, arn      string
		bodies         []string
		failed         string
		applied, fault int64
	}{
		{"all good", "q", []string{good, noID}, "", 2, 0},
		{"envelope of EventBridge", "q", []string{envelope}, "", 1, 0},
		{"notification of SNS", "q", []string{notification(t, "n1", good), notification(t, "n2", noID)}, "", 2, 0},
		{"notification of what EventBridge sent", "q", []string{notification(t, "n1", envelope)}, "", 1, 0},
		{"notification of no event", "q", []string{notification(t, "n1", "{oops"), `{"Type":"Notification","TopicArn":"t","MessageId":"m","Message":7}`}, "", 0, 2},
		{"too many envelopes", "q", []string{nested(good, 5), nested(good, 4)}, "", 1, 1},
		{"some fail", "q", []string{later, good, later}, "ac", 1, 0},
		{"no JSON", "q", []string{"{", good}, "", 1, 1},
		{"no event", "q", []string{`[1]`, `{"id":7}`, good}, "", 1, 2},
		// Of a FIFO queue, what is behind a failure in the same group comes again with it, in order.
		{"fifo", "q.fifo", []string{good, later, good, good, good}, "bd", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			l := throttledFor(t, &views.Options{Faults: &faults})
			response, err := l.HandleSQS(t.Context(), sqs(t, c.arn, c.bodies...))
			require.NoError(t, err)
			require.Equal(t, c.failed, sqsFailures(response))
			require.Equal(t, c.applied, l.Stats().Applied)
			require.Equal(t, c.fault, l.Stats().Faults)
		})
	}
}

// TestFaultCarriesTheRecord: what is no event is in the fault as it came, so that it can be resubmitted.
func TestFaultCarriesTheRecord(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l := throttledFor(t, &views.Options{Faults: &faults})
	_, err := l.HandleSQS(t.Context(), sqs(t, "q", "{oops"))
	require.NoError(t, err)
	require.Len(t, faults.events, 1)
	var record events.SQSMessage
	require.NoError(t, json.Unmarshal(faultOf(t, faults.events[0]).UOW.Record, &record))
	require.Equal(t, "{oops", record.Body)
	require.Equal(t, start, faults.events[0].Timestamp)
	require.Equal(t, "a", faults.events[0].PartitionKey)
}

func TestHandleKinesis(t *testing.T) {
	t.Parallel()
	record := func(n string, data string) events.KinesisEventRecord {
		return events.KinesisEventRecord{EventID: "shard:" + n, Kinesis: events.KinesisRecord{SequenceNumber: n, Data: []byte(data)}}
	}
	good, later := body(t, registered(1, "ann", "Ann")), body(t, registered(2, "bob", "later"))
	l := throttledFor(t, nil)
	response, err := l.HandleKinesis(t.Context(), events.KinesisEvent{Records: []events.KinesisEventRecord{
		record("9", good), record("10", later), record("11", later), record("12", good),
	}})
	require.NoError(t, err)
	require.Equal(t, []events.KinesisBatchItemFailure{{ItemIdentifier: "10"}}, response.BatchItemFailures)
	response, err = l.HandleKinesis(t.Context(), events.KinesisEvent{Records: []events.KinesisEventRecord{record("9", good)}})
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
}

func TestHandleEventBridge(t *testing.T) {
	t.Parallel()
	l := throttledFor(t, nil)
	noID := json.RawMessage(`{"type":"customer-registered","timestamp":1700000000001,"customer":{"id":"eve","name":"Eve"}}`)
	require.NoError(t, l.HandleEventBridge(t.Context(), events.EventBridgeEvent{ID: "b1", Detail: noID}))
	require.EqualValues(t, 1, l.Stats().Applied)
	later := json.RawMessage(body(t, registered(2, "bob", "later")))
	require.Error(t, l.HandleEventBridge(t.Context(), events.EventBridgeEvent{ID: "b2", Detail: later}))
}

func TestHandleSNS(t *testing.T) {
	t.Parallel()
	l := throttledFor(t, nil)
	record := func(id, message string) events.SNSEvent {
		return events.SNSEvent{Records: []events.SNSEventRecord{{SNS: events.SNSEntity{MessageID: id, Message: message}}}}
	}
	require.NoError(t, l.HandleSNS(t.Context(), record("n1", `{"type":"customer-registered","timestamp":1700000000001,"customer":{"id":"eve","name":"Eve"}}`)))
	require.EqualValues(t, 1, l.Stats().Applied)
	require.Error(t, l.HandleSNS(t.Context(), record("n2", body(t, registered(2, "bob", "later")))))
}

// TestMeasures: the hook gets where a batch came from, how old it was, and how long its work and its writes took.
func TestMeasures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &counting{before: func(string) error { time.Sleep(30 * time.Millisecond); return nil }}
		var got []views.Batch
		l, err := views.New(newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client }),
			&views.Options{Workers: 1, OnBatch: func(b views.Batch) { got = append(got, b) }}, rules()[0])
		require.NoError(t, err)
		const nineties = -800_000_000_000 // before the bubble's clock
		batch := sqs(t, "q", body(t, registered(nineties, "ann", "Ann")), body(t, registered(nineties, "bob", "Bob")))
		for i, age := range []time.Duration{time.Second, time.Minute} {
			batch.Records[i].Attributes["SentTimestamp"] = fmt.Sprint(time.Now().Add(-age).UnixMilli())
		}
		_, err = l.HandleSQS(t.Context(), batch)
		require.NoError(t, err)
		require.NoError(t, l.Handle(t.Context(), []insideout.Event{registered(nineties+1, "ann", "Anna")}))
		require.Len(t, got, 2)
		require.Equal(t, views.Batch{
			Stats: views.Stats{In: 2, Applied: 2, Writes: 2}, From: "sqs", Age: time.Minute,
			Took: 60 * time.Millisecond, Latencies: []time.Duration{30 * time.Millisecond, 30 * time.Millisecond},
		}, got[0])
		require.Empty(t, got[1].From)
		require.Zero(t, got[1].Age)
	})
}
