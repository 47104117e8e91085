package views_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
	"github.com/insideout-go/insideout/table/embedded/local"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// loop is what one writes by hand over the SDK: it decodes the messages one by one, and makes the conditional write that keeps the view
// right whatever the order.
type loop struct {
	client table.Client
	table  string
}

func (l loop) handle(ctx context.Context, batch events.SQSEvent) error {
	for _, m := range batch.Records {
		var e struct {
			ID        string `json:"id"`
			Timestamp int64  `json:"timestamp"`
			customerEvent
		}
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			return err
		}
		_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:           &l.table,
			Key:                 map[string]types.AttributeValue{"pk": text(e.Customer.ID), "sk": text("customer")},
			UpdateExpression:    new("SET #v = :v, #d = :d, #t = :t, #l = :l, #name = :name REMOVE #email, #deleted, #ttl"),
			ConditionExpression: new("attribute_not_exists(#v) OR #v < :v"),
			ExpressionAttributeNames: map[string]string{
				"#v": "_v", "#d": "discriminator", "#t": "timestamp", "#l": "latched", "#name": "name", "#email": "email", "#deleted": "deleted", "#ttl": "ttl",
			},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":v": text(fmt.Sprintf("%013d#%s", e.Timestamp, e.ID)), ":d": text("customer"),
				":t": &types.AttributeValueMemberN{Value: fmt.Sprint(e.Timestamp)}, ":l": &types.AttributeValueMemberBOOL{Value: true},
				":name": text(e.Customer.Name),
			},
		})
		if _, stale := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !stale {
			return err
		}
	}
	return nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// BenchmarkAgainstALoop compares a listener of 16 workers with the loop, on batches of 100 messages of 1 KB whose events share rows
// four to one, or do not share any: on the embedded engine in memory and in a folder, where a write is answered once it is on the disk,
// both in process and through the SDK over HTTP. Ratios of time are those of the median batch.
func BenchmarkAgainstALoop(b *testing.B) {
	for _, where := range []string{"memory", "folder", "memory, over HTTP", "folder, over HTTP"} {
		for _, share := range []int{4, 1} {
			b.Run(fmt.Sprintf("%s/%d to 1", where, share), func(b *testing.B) {
				kept, served := strings.CutSuffix(where, ", over HTTP")
				engine := embedded.New(nil)
				if kept == "folder" {
					var err error
					engine, err = disk.Open(b.TempDir(), nil)
					require.NoError(b, err)
				}
				var client table.Client
				db := newTableOn(b, engine, func(e *embedded.DB) table.Client {
					if client = e; served {
						client = overHTTP(b, e)
					}
					return client
				})
				l, err := views.New(db, rules()[0])
				require.NoError(b, err)
				compare(b, loop{client, db.Name()}, l, share)
			})
		}
	}
}

func overHTTP(b *testing.B, e *embedded.DB) table.Client {
	server := httptest.NewServer(e.Handler())
	b.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	return client
}

// compare has the two take batches by turns, so that both have the same neighbours.
func compare(b *testing.B, hand loop, l *views.Listener, share int) {
	var theirs, ours turns
	n := 0
	for b.Loop() {
		batch := messages(n, share)
		theirs.take(func() { require.NoError(b, hand.handle(b.Context(), batch)) })
		batch = messages(n+100, share)
		ours.take(func() {
			if r, _ := l.HandleSQS(b.Context(), batch); len(r.BatchItemFailures) > 0 {
				b.Fatal(r)
			}
		})
		n += 200
	}
	b.ReportMetric(100/theirs.median().Seconds(), "loop-events/s")
	b.ReportMetric(100/ours.median().Seconds(), "events/s")
	b.ReportMetric(theirs.median().Seconds()/ours.median().Seconds(), "x-time")
	b.ReportMetric(theirs.used.Seconds()/ours.used.Seconds(), "x-cpu")
	b.ReportMetric(float64(ours.used.Microseconds())/float64(n/2), "cpu-µs/event")
	b.ReportMetric(0, "ns/op")
}

// turns are what one contender took.
type turns struct {
	took []time.Duration
	used time.Duration // of the processors
}

func (t *turns) take(f func()) {
	began, before := time.Now(), cpu()
	f()
	t.took, t.used = append(t.took, time.Since(began)), t.used+cpu()-before
}

func (t *turns) median() time.Duration {
	slices.Sort(t.took)
	return t.took[len(t.took)/2]
}

// messages is a batch of 100, numbered from n on.
func messages(n, share int) events.SQSEvent {
	var batch events.SQSEvent
	name := strings.Repeat("x", 900)
	for i := range 100 {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: "m", Body: fmt.Sprintf(
			`{"id":"e%d","type":"customer-registered","timestamp":%d,"partitionKey":"p","tags":{"source":"orders"},"customer":{"id":"c%d","name":"%s"}}`,
			n+i, start.UnixMilli()+int64(n+i), (n+i%(100/share))%10_000, name)})
	}
	return batch
}
