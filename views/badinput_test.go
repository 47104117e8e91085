package views_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// claims is a store of claim checks.
type claims struct{}

func (claims) Redeem(_ context.Context, _, key string) ([]byte, error) {
	switch key {
	case "denied":
		return nil, errors.New("AccessDenied")
	case "other":
		return []byte(`{"id":"other"}`), nil
	case "text":
		return []byte(`hello`), nil
	case "panic":
		panic("out of objects")
	}
	return nil, fs.ErrNotExist
}

const (
	applied = "applied"
	skipped = "skipped"
	failed  = "failed"
)

// badInput are messages, with what becomes of each: one of the words above, or the text of a fault.
func badInput() map[string]struct{ body, want string } {
	const (
		id   = `"id":"e1","type":"customer-registered",`
		head = id + `"timestamp":1700000000000,`
		body = `"customer":{"id":"c1"}`
	)
	future := time.Now().Add(100 * time.Hour).UnixMilli()
	return map[string]struct{ body, want string }{
		"empty":                {``, `is not valid JSON`},
		"broken":               {`{"id":"e1","type":`, `is not valid JSON (at byte 18)`},
		"text":                 {`hello`, `is not valid JSON`},
		"a list":               {`[1]`, `want an object, got an array`},
		"null":                 {`null`, `want an object, got null`},
		"two events":           {`{` + head + body + `}{}`, `is not valid JSON (at byte 90)`},
		"no id":                {`{"type":"customer-registered","timestamp":1700000000000,` + body + `}`, applied}, // the message's
		"no type":              {`{"id":"e1","timestamp":1700000000000,` + body + `}`, `views: the event "e1" has no type, such as "order-placed"`},
		"no timestamp":         {`{` + id + body + `}`, `views: the event "e1" has no timestamp, and so no place in the order of changes`},
		"a text as timestamp":  {`{` + id + `"timestamp":"today",` + body + `}`, `event "e1": member "timestamp": want a number of milliseconds, got a string`},
		"before 1970":          {`{` + id + `"timestamp":-5,` + body + `}`, `event "e1" is before 1970`},
		"out of range":         {`{` + id + `"timestamp":99999999999999999999,` + body + `}`, `member "timestamp": lies outside of`},
		"far future":           {fmt.Sprintf(`{%s"timestamp":%d,%s}`, id, future, body), `ahead of the clock, more than the 1h0m0s of MaxSkew`},
		"a number as type":     {`{"id":"e1","type":7,"timestamp":1700000000000,` + body + `}`, `event "e1": member "type": want a string, got a number`},
		"a number as id":       {`{"id":7,"type":"customer-registered","timestamp":1700000000000,` + body + `}`, `member "id": want a string, got a number`},
		"a list as tags":       {`{` + head + `"tags":[1],` + body + `}`, `event "e1": member "tags": want an object, got an array`},
		"a number as tag":      {`{` + head + `"tags":{"source":7,"x":{}},` + body + `}`, applied},
		"unknown members":      {`{` + head + `"customer":{"id":"c1","x":[1]},"y":{}}`, applied},
		"unknown type":         {`{"id":"e1","type":"customer-renamed","timestamp":1700000000000}`, skipped},
		"member twice":         {`{"id":"e0",` + head + body + `}`, applied},
		"no UTF-8":             {"{\"id\":\"e\xff1\",\"type\":\"customer-registered\",\"timestamp\":1700000000000," + body + "}", applied},
		"a text as body":       {`{` + head + `"customer":"secret"}`, `the member "customer" is a string, and the mapper's type takes an object`},
		"an object as name":    {`{` + head + `"customer":{"id":"c1","name":{"x":"secret"}}}`, `the member "customer.name" is an object, and the mapper's type takes a string`},
		"no body":              {`{` + head + `"x":1}`, `field ID: a part of a key cannot be empty`},
		"deep":                 {`{` + head + body + `,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, `is not valid JSON (at byte 10`},
		"too large for a row":  {`{` + head + `"customer":{"id":"c1","name":"` + strings.Repeat("x", 500<<10) + `"}}`, `Item size to update has exceeded the maximum allowed size`},
		"too large for a key":  {`{` + head + `"customer":{"id":"` + strings.Repeat("x", 3000) + `"}}`, `2048`},
		"claim that is gone":   {`{` + head + `"s3":{"bucket":"b","key":"gone"}}`, `views: the body of the event was in the object "gone" of the bucket "b": the object is gone; objects of claim checks are kept for a limited time`},
		"claim of another":     {`{` + head + `"s3":{"bucket":"b","key":"other"}}`, `the object "other" of the bucket "b" holds another event, "other"`},
		"claim of a text":      {`{` + head + `"s3":{"bucket":"b","key":"text"}}`, `the object "text" of the bucket "b" holds no event`},
		"claim that panics":    {`{` + head + `"s3":{"bucket":"b","key":"panic"}}`, `panic: out of objects`},
		"claim that is denied": {`{` + head + `"s3":{"bucket":"b","key":"denied"}}`, failed},
		"no compression":       {`{` + head + `"customer":{"id":"c1","name":"COMPRESSED it is not"}}`, applied},
	}
}

// TestBadInput: whatever comes as a message is applied, skipped, a fault with a text for people, or reported as failed; and it never
// holds up the message behind it.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for name, tt := range badInput() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sink faultSink
			l := newListener(t, newTable(t, nil), &views.Options{Faults: &sink, ClaimChecks: claims{}})
			good, err := registered(1, "good", "x").MarshalJSON()
			require.NoError(t, err)
			response, err := l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{
				{MessageId: "m1", Body: tt.body, Attributes: map[string]string{"ApproximateReceiveCount": "1"}}, {MessageId: "m2", Body: string(good)},
			}})
			require.NoError(t, err)
			want := views.Stats{In: 2, Applied: 1}
			switch tt.want {
			case applied:
				want.Applied++
			case skipped:
				want.Skipped++
			case failed:
				want.Failed++
			default:
				want.Faults++
			}
			got := l.Stats()
			got.Writes = 0
			require.Equal(t, want, got)
			require.Len(t, response.BatchItemFailures, int(want.Failed))
			require.Len(t, sink.events, int(want.Faults))
			if want.Faults > 0 {
				f := faultOf(t, sink.events[0])
				require.Contains(t, f.Err.Message, tt.want)
				require.NotContains(t, f.Err.Message, "secret")
				require.Contains(t, string(sink.events[0].Body["uow"]), `"record":{"messageId":"m1"`, "it can be resubmitted")
			}
		})
	}
}

// TestBadInputElsewhere: the same of a stream, a topic and a bus, each with the answer that its source expects.
func TestBadInputElsewhere(t *testing.T) {
	t.Parallel()
	for source, handle := range map[string]func(*views.Listener, string) (failed bool){
		"kinesis": func(l *views.Listener, body string) bool {
			response, err := l.HandleKinesis(t.Context(), events.KinesisEvent{Records: []events.KinesisEventRecord{
				{EventID: "m1", Kinesis: events.KinesisRecord{SequenceNumber: "1", Data: []byte(body)}},
			}})
			require.NoError(t, err)
			return len(response.BatchItemFailures) > 0
		},
		"sns": func(l *views.Listener, body string) bool {
			return l.HandleSNS(t.Context(), events.SNSEvent{Records: []events.SNSEventRecord{{SNS: events.SNSEntity{MessageID: "m1", Message: body}}}}) != nil
		},
		"eventbridge": func(l *views.Listener, body string) bool {
			return l.HandleEventBridge(t.Context(), events.EventBridgeEvent{ID: "m1", Detail: []byte(body)}) != nil
		},
	} {
		for name, tt := range badInput() {
			if source == "eventbridge" && !json.Valid([]byte(tt.body)) {
				continue // Lambda delivers none
			}
			t.Run(source+"/"+name, func(t *testing.T) {
				t.Parallel()
				var sink faultSink
				l := newListener(t, newTable(t, nil), &views.Options{Faults: &sink, ClaimChecks: claims{}})
				require.Equal(t, tt.want == failed, handle(l, tt.body))
				switch got := l.Stats(); tt.want {
				case applied:
					require.EqualValues(t, 1, got.Applied)
				case skipped:
					require.EqualValues(t, 1, got.Skipped)
				case failed:
					require.EqualValues(t, 1, got.Failed)
				default:
					require.EqualValues(t, 1, got.Faults)
					require.Contains(t, faultOf(t, sink.events[0]).Err.Message, tt.want)
				}
			})
		}
	}
}

// TestFaultsThatAreNotOut: where a fault cannot be published, whatever the reason, its record is reported as failed.
func TestFaultsThatAreNotOut(t *testing.T) {
	t.Parallel()
	for name, publish := range map[string]func() error{
		"error": func() error { return errors.New("the bus is down") },
		"panic": func() error { panic("the bus is down") },
	} {
		l := newListener(t, newTable(t, nil), &views.Options{Faults: publisher(publish)})
		broken := registered(1, "", "nobody")
		err := l.Handle(t.Context(), []insideout.Event{registered(2, "c2", "x"), broken})
		failed, ok := errors.AsType[*views.BatchError](err)
		require.True(t, ok, name)
		require.Equal(t, []int{1}, failed.Failed())
		require.ErrorContains(t, err, "the fault event could not be published")
		require.ErrorContains(t, err, "the bus is down")
		require.EqualValues(t, 1, l.Stats().Applied)
	}
}

// TestSomeFaultsAreNotOut: of several faults, the records of those that are not out are reported, and no others.
func TestSomeFaultsAreNotOut(t *testing.T) {
	t.Parallel()
	l := newListener(t, newTable(t, nil), &views.Options{Faults: publisher(func() error {
		return &views.BatchError{Errors: map[int]error{1: errors.New("too large")}}
	})})
	err := l.Handle(t.Context(), []insideout.Event{registered(1, "", "a"), registered(2, "c2", "b"), registered(3, "", "c"), registered(4, "", "d")})
	failed, ok := errors.AsType[*views.BatchError](err)
	require.True(t, ok)
	require.Equal(t, []int{2}, failed.Failed())
	require.ErrorContains(t, failed.Errors[2], "too large")
	require.EqualValues(t, 2, l.Stats().Faults)
}

type publisher func() error

func (p publisher) Publish(context.Context, []insideout.Event) error { return p() }
