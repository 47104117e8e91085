package lake_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/internal/cpu"
)

// kilobyte is an event of about 1 KB: an order with lines, as services publish them.
func kilobyte(random *rand.Rand, i int) insideout.Event {
	type line struct {
		StockCode   string `json:"stockCode"`
		Description string `json:"description"`
		Quantity    int    `json:"quantity"`
		UnitPrice   string `json:"unitPrice"`
	}
	words := strings.Fields("WHITE HANGING HEART LIGHT HOLDER METAL LANTERN CREAM CUPID COAT HANGER KNITTED UNION FLAG HOT WATER BOTTLE")
	var lines []line
	for range 7 {
		lines = append(lines, line{
			StockCode: fmt.Sprint(10000 + random.IntN(90000)), Quantity: 1 + random.IntN(48), UnitPrice: fmt.Sprintf("%d.%02d", random.IntN(20), random.IntN(100)),
			Description: words[random.IntN(len(words))] + " " + words[random.IntN(len(words))] + " " + words[random.IntN(len(words))],
		})
	}
	order, _ := json.Marshal(map[string]any{"id": fmt.Sprint(536365 + i), "customerId": fmt.Sprint(random.IntN(5000)), "status": "PLACED", "lines": lines})
	return insideout.Event{
		ID: fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), Type: "order-placed", Timestamp: noon().Add(time.Duration(i) * time.Millisecond),
		PartitionKey: fmt.Sprint(536365 + i),
		Tags:         insideout.Tags{"account": "123456789012", "region": "us-east-1", "stage": "prd", "source": "orders", "functionname": "orders-trigger", "pipeline": "order"},
		Body:         map[string]json.RawMessage{"order": order},
	}
}

func kilobytes(n int) []insideout.Event {
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]insideout.Event, n)
	for i := range events {
		events[i] = kilobyte(random, i)
	}
	return events
}

// perEvent reports how many events went through, and what each cost the processors.
func perEvent(b *testing.B, events int, before time.Duration) {
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu.Used()-before).Nanoseconds())/1000/float64(events), "cpu-µs/event")
}

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, err := lake.Open(b.TempDir(), nil)
			require.NoError(b, err)
			defer l.Close()
			batch := kilobytes(size)
			b.ReportAllocs()
			before := cpu.Used()
			for b.Loop() {
				require.NoError(b, l.Publish(b.Context(), batch))
			}
			perEvent(b, b.N*size, before)
		})
	}
}

// filled is a lake with events in two files.
func filled(b *testing.B, n int) *lake.Lake {
	dir := b.TempDir()
	l, err := lake.Open(dir, &lake.Options{FileBytes: 32 << 20})
	require.NoError(b, err)
	events := kilobytes(n)
	for len(events) > 0 {
		part := min(1000, len(events))
		require.NoError(b, l.Publish(b.Context(), events[:part]))
		events = events[part:]
	}
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	return l
}

func BenchmarkEvents(b *testing.B) {
	const n = 100_000
	l := filled(b, n)
	for name, q := range map[string]lake.Query{
		"all":    {},
		"key":    {PartitionKeys: []string{"536365"}},
		"type":   {Types: []string{"order-placed"}},
		"no-key": {PartitionKeys: []string{"nobody"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpu.Used()
			for b.Loop() {
				for _, err := range l.Events(b.Context(), q) {
					require.NoError(b, err)
				}
			}
			perEvent(b, b.N*n, before)
		})
	}
}

// The memory that a reader takes depends on the size of the parts of objects, not on that of the lake.
func BenchmarkReaderMemory(b *testing.B) {
	l := filled(b, 100_000)
	for b.Loop() {
		var peak atomic.Uint64
		n := 0
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, err := range l.Events(b.Context(), lake.Query{}) {
			require.NoError(b, err)
			if n++; n%5000 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
		b.ReportMetric(float64(peak.Load()-min(peak.Load(), before.HeapAlloc))/(1<<20), "live-MiB")
	}
}
