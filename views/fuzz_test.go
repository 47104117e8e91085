package views_test

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// FuzzHandleSQS: whatever comes from a queue is applied, skipped or a fault that is a valid event; nothing panics or fails the batch.
func FuzzHandleSQS(f *testing.F) {
	for _, body := range []string{
		``, `{`, `null`, `[1]`, `7`, `{}`, `{"id":7}`, `{"type":"customer-registered"}`,
		`{"id":"e","type":"customer-registered","timestamp":1700000000000,"customer":{"id":"ann","name":"Ann"}}`,
		`{"id":"e","type":"customer-registered","timestamp":9e15,"customer":{"id":"ann"}}`,
		`{"id":"e","type":"customer-registered","timestamp":-1,"customer":{"id":"ann"}}`,
		`{"id":"e","type":"customer-registered","timestamp":1,"customer":"ann"}`,
		`{"id":"e","type":"customer-registered","timestamp":1,"customer":{"id":""}}`,
		`{"id":"x","detail-type":"t","detail":{"type":"customer-registered","timestamp":1,"customer":{"id":"a"}}}`,
		`{"Type":"Notification","TopicArn":"t","MessageId":"m","Message":"{\"type\":\"customer-registered\"}"}`,
		`{"detail-type":"t","detail":{"detail-type":"t","detail":null}}`,
		`{"id":"e","type":"customer-registered","timestamp":1,"tags":{"skip":true}}`,
		"{\"id\":\"\xff\",\"type\":\"customer-registered\",\"timestamp\":1,\"customer\":{\"id\":\"\xff\"}}",
	} {
		f.Add(body, "m1")
	}
	db := newTable(f, nil)
	f.Fuzz(func(t *testing.T, body, id string) {
		var faults faultSink
		l, err := views.New(db, &views.Options{Faults: &faults}, rules()[0])
		require.NoError(t, err)
		response, err := l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: id, Body: body}}})
		require.NoError(t, err)
		require.Empty(t, response.BatchItemFailures)
		s := l.Stats()
		require.EqualValues(t, 1, s.Applied+s.Stale+s.Duplicate+s.Skipped+s.Faults)
		for _, e := range faults.events {
			require.NoError(t, e.Validate())
		}
	})
}
