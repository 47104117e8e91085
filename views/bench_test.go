package views_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// instant answers writes without making them, so that what is left is the listener's own work.
type instant struct{ *embedded.DB }

func (instant) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return &dynamodb.UpdateItemOutput{}, nil
}

// BenchmarkHandleSQS takes 100 messages of 1 KB, each for a row of its own, from their JSON to the request.
func BenchmarkHandleSQS(b *testing.B) {
	db := newTable(b, func(e *embedded.DB) table.Client { return instant{e} })
	l, err := views.New(db, rules()[0])
	if err != nil {
		b.Fatal(err)
	}
	var batch events.SQSEvent
	for n := range 100 {
		e := registered(n, fmt.Sprint("c", n), strings.Repeat("x", 900))
		raw, err := e.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: e.ID, Body: string(raw)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := l.HandleSQS(b.Context(), batch); len(r.BatchItemFailures) > 0 {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}
