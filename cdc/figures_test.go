package cdc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/internal/cpu"
	"github.com/insideout-go/insideout/table"
	"github.com/stretchr/testify/require"
)

// article is an entity as services have them: a row of it has 1 KB and 20 attributes.
type article struct {
	ID          string            `dynamo:"id" json:"id"`
	Name        string            `dynamo:"name" json:"name"`
	Description string            `dynamo:"description" json:"description"`
	Vendor      string            `dynamo:"vendor" json:"vendor"`
	Status      string            `dynamo:"status" json:"status"`
	Currency    string            `dynamo:"currency" json:"currency"`
	Price       float64           `dynamo:"price" json:"price"`
	Stock       int               `dynamo:"stock" json:"stock"`
	Reserved    int               `dynamo:"reserved" json:"reserved"`
	Active      bool              `dynamo:"active" json:"active"`
	Since       time.Time         `dynamo:"since" json:"since"`
	Colours     []string          `dynamo:"colours,set" json:"colours"`
	Labels      map[string]string `dynamo:"labels" json:"labels"`
	Note        string            `dynamo:"note" json:"note"`
}

var articles = table.DefineNode("article", func(v *article, d *table.Def[article]) { d.ID(&v.ID) })

func articleRecord(n int, note int) events.DynamoDBEventRecord {
	s, number := events.NewStringAttribute, events.NewNumberAttribute
	r := inserted(fmt.Sprintf("%021d", n), fmt.Sprint("a", n), "A lamp")
	r.EventName = "MODIFY"
	r.Change.Keys["sk"] = s("article")
	image := r.Change.NewImage
	for name, v := range map[string]events.DynamoDBAttributeValue{
		"sk": s("article"), "discriminator": s("article"), "description": s(strings.Repeat("It gives light. ", 20)), "vendor": s("lamps-and-more"),
		"status": s("OPEN"), "currency": s("EUR"), "price": number("19.99"), "stock": number("100"), "reserved": number("7"),
		"active": events.NewBooleanAttribute(true), "since": s("2026-11-21T12:00:00Z"), "colours": events.NewStringSetAttribute([]string{"blue", "red"}),
		"labels":    events.NewMapAttribute(map[string]events.DynamoDBAttributeValue{"shelf": s("17"), "hall": s("west")}),
		"awsregion": s("eu-west-1"), "lastModifiedBy": s("ann"), "ttl": number("1900000000"), "note": s(strings.Repeat("x", note)),
	} {
		image[name] = v
	}
	delete(image, "count")
	r.Change.OldImage = image
	return r
}

func articleTrigger(tb testing.TB, p cdc.Publisher) *cdc.Trigger {
	tb.Helper()
	trigger, err := cdc.New(p, &cdc.Options{Source: "articles", Region: "eu-west-1"}, cdc.Publish(articles, func(c cdc.Change[article]) (insideout.Event, error) {
		var e insideout.Event
		return e, e.SetBody("article", c.New)
	}))
	require.NoError(tb, err)
	return trigger
}

// diffTrigger publishes what changed, too.
func diffTrigger(tb testing.TB) *cdc.Trigger {
	tb.Helper()
	trigger, err := cdc.New(discard{}, cdc.Publish(articles, func(c cdc.Change[article]) (insideout.Event, error) {
		var e insideout.Event
		if status := cdc.Diff(c, func(a *article) string { return a.Status }); status.Changed {
			e.Type = "article-" + status.New
		}
		return e, e.SetBody("article", c.New)
	}))
	require.NoError(tb, err)
	return trigger
}

func articleBatch(n, note int) events.DynamoDBEvent {
	var batch events.DynamoDBEvent
	for i := range n {
		batch.Records = append(batch.Records, articleRecord(i, note))
	}
	return batch
}

// TestAllocations: of mapping a record of a row of 1 KB, both images of it, to an event.
func TestAllocations(t *testing.T) {
	trigger, batch := articleTrigger(t, discard{}), articleBatch(100, 250)
	n := testing.AllocsPerRun(20, func() {
		if r, _ := trigger.HandleDynamoDB(context.Background(), batch); len(r.BatchItemFailures) > 0 {
			t.Error(r)
		}
	})
	t.Logf("%.1f allocations a record", n/100)
	require.LessOrEqual(t, n/100, 80.0)
	require.Equal(t, int64(21*100), trigger.Stats().Published)
}

// BenchmarkRecord maps records of updates, with both images: of rows with 20 attributes, without and with a set and a map among them, and
// with a mapper that compares the images; and of new rows, with one image.
func BenchmarkRecord(b *testing.B) {
	for _, kind := range []string{"created", "updated", "nested", "compared"} {
		b.Run(kind, func(b *testing.B) {
			trigger, batch := articleTrigger(b, discard{}), articleBatch(100, 250)
			for i := range batch.Records {
				r := &batch.Records[i]
				if kind == "created" || kind == "updated" {
					delete(r.Change.NewImage, "colours")
					delete(r.Change.NewImage, "labels")
				}
				if kind == "created" {
					r.EventName, r.Change.OldImage = "INSERT", nil
				}
			}
			if kind == "compared" {
				trigger = diffTrigger(b)
			}
			b.ReportAllocs()
			before := cpu.Used()
			for b.Loop() {
				if r, _ := trigger.HandleDynamoDB(b.Context(), batch); len(r.BatchItemFailures) > 0 {
					b.Fatal(r)
				}
			}
			b.ReportMetric(float64((cpu.Used()-before).Nanoseconds())/1000/float64(b.N)/100, "cpu-µs/record")
		})
	}
}

// TestMemory: of a batch of 6 MB, the most that Lambda delivers, decoded from its JSON, mapped, and encoded by the publisher.
func TestMemory(t *testing.T) {
	payload, err := json.Marshal(articleBatch(1750, 600))
	require.NoError(t, err)
	require.Greater(t, len(payload), 5<<20)
	var encoded [][]byte
	trigger := articleTrigger(t, publisherFunc(func(_ context.Context, list []insideout.Event) error {
		for _, e := range list {
			data, err := e.MarshalJSON()
			if err != nil {
				return err
			}
			encoded = append(encoded, data)
		}
		return nil
	}))
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	var batch events.DynamoDBEvent
	require.NoError(t, json.Unmarshal(payload, &batch))
	response, err := trigger.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	close(stop)
	most := <-peak
	t.Logf("%d bytes of batch, %d records: %d MB of heap at most", len(payload), len(encoded), most>>20)
	require.Less(t, most, uint64(100<<20))
}

// TestOneCall: a batch is one call of the publisher, which makes as few requests of it as its destination allows.
func TestOneCall(t *testing.T) {
	t.Parallel()
	var out sink
	_, err := articleTrigger(t, &out).HandleDynamoDB(t.Context(), articleBatch(1000, 0))
	require.NoError(t, err)
	require.Equal(t, 1, out.calls)
	require.Len(t, out.all(), 1000)
}

// TestBatches: the same records give the same events, to the byte, in whatever batches they come.
func TestBatches(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/trigger/*.txt")
	require.NoError(t, err)
	var all []events.DynamoDBEventRecord
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		input, _, _ := strings.Cut(string(text), "----\n")
		_, records, _ := strings.Cut(input, "\n\n")
		var batch events.DynamoDBEvent
		require.NoError(t, json.Unmarshal([]byte(`{"Records":[`+records+`]}`), &batch))
		all = append(all, batch.Records...)
	}
	random := rand.New(rand.NewPCG(1, 1))
	var want string
	for attempt := range 20 {
		var out sink
		trigger := goldenTrigger(t, &out)
		for rest := all; len(rest) > 0; {
			n := len(rest)
			if attempt > 0 {
				n = 1 + random.IntN(min(n, 12))
			}
			_, err := trigger.HandleDynamoDB(t.Context(), batchOf(slices.Clone(rest[:n])...))
			require.NoError(t, err)
			rest = rest[n:]
		}
		if attempt == 0 {
			want = out.lines()
		}
		require.Equal(t, want, out.lines())
	}
}
