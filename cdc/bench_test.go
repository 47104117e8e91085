package cdc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
)

type discard struct{}

func (discard) Publish(context.Context, []insideout.Event) error { return nil }

// BenchmarkHandle maps a batch of 100 records of rows of 1 KB.
func BenchmarkHandle(b *testing.B) {
	trigger, err := cdc.New(discard{}, cdc.Publish(things, thingEvent))
	if err != nil {
		b.Fatal(err)
	}
	var batch events.DynamoDBEvent
	for n := range 100 {
		batch.Records = append(batch.Records, inserted(fmt.Sprintf("%021d", n), fmt.Sprint("t", n), strings.Repeat("x", 1000)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := trigger.HandleDynamoDB(b.Context(), batch); len(r.BatchItemFailures) > 0 {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}
