package views_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// catching keeps the requests instead of making them.
type catching struct {
	*embedded.DB
	mu     sync.Mutex
	caught []*dynamodb.UpdateItemInput
}

func (c *catching) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caught = append(c.caught, in)
	return &dynamodb.UpdateItemOutput{}, nil
}

// both are what a listener makes of a message: its requests, its fault events and its counts.
type both struct {
	Requests []*dynamodb.UpdateItemInput
	Faults   []string
	Stats    views.Stats
	Seen     *insideout.Event
}

func outcome(t testing.TB, body string) both {
	t.Helper()
	client := &catching{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	var faults faultSink
	var got both
	l, err := views.New(db, &views.Options{Faults: &faults, Source: "me"}, rules()[0],
		views.Upsert(customers, views.On("customer-registered"), func(e insideout.Event) (customer, error) {
			if delete(e.Body, "s3"); len(e.Body) == 0 {
				e.Body = nil
			}
			got.Seen = &e
			return customer{ID: "whole"}, nil
		}))
	require.NoError(t, err)
	_, err = l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: body}}})
	require.NoError(t, err)
	for _, e := range faults.events {
		got.Faults = append(got.Faults, fmt.Sprint(e.ID, e.Type, e.PartitionKey, e.Timestamp, e.Tags, string(e.Body["err"])))
	}
	for _, in := range client.caught { // both rules may write at the same time, in any order
		if strings.Contains(fmt.Sprint(in.Key["pk"]), "whole") {
			got.Requests = append(got.Requests, in)
		} else {
			got.Requests = append([]*dynamodb.UpdateItemInput{in}, got.Requests...)
		}
	}
	got.Stats = l.Stats()
	return got
}

// FuzzHeader: an event of which only the header is read has the same effect as one that is decoded in full, which a
// member s3 brings about.
func FuzzHeader(f *testing.F) {
	for _, members := range []string{
		`"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann","name":"A \"n\" \\"}`,
		`"id":"e1","id":"e2","type":"customer-registered","timestamp":1,"timestamp":2,"customer":{"id":"ann"}`,
		`"id":"e1","type":"customer-registered","timestamp":1.5,"customer":{"id":"ann"}`,
		`"id":"e1","type":"customer-registered","timestamp":9999999999999999,"customer":{"id":"ann"}`,
		`"id":"é","type":"customer\u002dregistered","timestamp":1e3,"customer":{"id":"ann"}`,
		`"id":"","type":"customer-registered","timestamp":null,"customer":[{"id":"]}"}, 1, true ,null]`,
		` "tags" : {"source":"me","a":"b"} , "id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann"} `,
		`"tags":{"skip":true},"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann"}`,
		`"tags":{},"triggers":[{"id":"e0"}],"partitionKey":"p","id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann"}`,
		`"id":"x","detail-type":"t","detail":{"id":"e","type":"customer-registered","timestamp":1,"customer":{"id":"ann"}}`,
		"\"partitionKey\":\"\xff\",\"id\":\"e1\",\"type\":\"customer-registered\",\"timestamp\":1,\"customer\":{\"id\":\"ann\"}",
		`"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann","name":"\","},"a":"\\","timestamp":3,"tags":{"a":"b"},"tags":{}`,
		`"i\u0064":"e1","type":"customer-registered","timestamp":1,"timest\u0061mp":5,"customer":{"id":"ann"}`,
		`"type":"customer-registered","customer":{"id":"ann"},"id":"e1","timestamp":1,"type":"address-changed"`,
		`"a":"type","type":"address-changed","id":"e1","timestamp":1,"customer":{"id":"ann"},"type":"customer-registered"`,
		`"customer":{"type":"address-changed","id":"ann"},"id":"e1","\u0061":"\\\"","timestamp":1,"type":"customer-registered"`,
		`"type":"customer-registered","customer":{"ID":"ann"},"id":"e1","timestamp":1`,
	} {
		f.Add(members)
	}
	f.Fuzz(func(t *testing.T, members string) {
		fast, full := "{"+members+"}", `{"s3":0,`+members+"}"
		if !json.Valid([]byte(full)) {
			return
		}
		want, got := outcome(t, full), outcome(t, fast)
		require.Equal(t, want, got)
	})
}

// TestMalformed: what is no JSON is a fault with the record, also where it begins like an event.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann"}`,
		`{"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":nope}}`,
		`{"id":"e1","type":"customer-registered","timestamp":1,"customer":{"id":"ann"}}}`,
		`{"id":"e1","type":"customer-registered","timestamp":1,"customer":"ann}`,
		`{"id":"e1","type":"customer-registered","timestamp":1,,}`,
	} {
		got := outcome(t, text)
		require.NotEmpty(t, got.Faults, text)
		require.Empty(t, got.Requests, text)
		require.Contains(t, got.Faults[0], "not valid JSON", text)
	}
}

type bomb struct{}

func (*bomb) UnmarshalJSON([]byte) error { panic("bomb") }

// TestPanicWhileDecoding: a type that panics when it decodes itself makes a fault, as a mapper does that panics.
func TestPanicWhileDecoding(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l, err := views.New(newTable(t, nil), &views.Options{Faults: &faults},
		views.Upsert(customers, views.On("customer-registered"), func(struct{ Customer bomb }) (customer, error) { return customer{}, nil }))
	require.NoError(t, err)
	response, err := l.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: "m1", Body: `{"id":"e1","type":"customer-registered","timestamp":1,"Customer":{}}`,
	}}})
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	require.Len(t, faults.events, 1)
	require.Contains(t, string(faults.events[0].Body["err"]), "bomb")
}
