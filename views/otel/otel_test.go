package otel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/otel"
)

// collect returns what each instrument has, by the attribute "from": of a histogram the count and the sum.
func collect(t *testing.T, reader metric.Reader) map[string]map[string][]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	got := map[string]map[string][]float64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		require.NotEmpty(t, m.Unit, m.Name)
		require.NotEmpty(t, m.Description, m.Name)
		points := map[string][]float64{}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			require.True(t, data.IsMonotonic)
			for _, p := range data.DataPoints {
				points[from(p.Attributes.Value("from"))] = []float64{float64(p.Value)}
			}
		case metricdata.Histogram[int64]:
			for _, p := range data.DataPoints {
				points[from(p.Attributes.Value("from"))] = []float64{float64(p.Count), float64(p.Sum)}
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				points[from(p.Attributes.Value("from"))] = []float64{float64(p.Count), p.Sum}
			}
		case metricdata.Gauge[float64]:
			for _, p := range data.DataPoints {
				points[from(p.Attributes.Value("from"))] = []float64{p.Value}
			}
		default:
			require.Failf(t, "kind", "%T", data)
		}
		got[m.Name] = points
	}
	return got
}

func from(v attribute.Value, _ bool) string { return v.AsString() }

// TestInstruments: what two batches from two places leave in the instruments.
func TestInstruments(t *testing.T) {
	t.Parallel()
	reader := metric.NewManualReader()
	m, err := otel.New(metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"))
	require.NoError(t, err)
	stats := views.Stats{
		In: 1, Applied: 2, Stale: 3, Duplicate: 4, Coalesced: 5, Skipped: 6, Faults: 7, Failed: 8, Throttled: 9,
		Writes: 10, Reads: 11, RolledUp: 12, Conflicted: 13, Withheld: 14,
	}
	for range 2 {
		m.OnBatch(views.Batch{Stats: stats, From: "sqs", Age: time.Minute, Took: 250 * time.Millisecond, Latencies: []time.Duration{time.Second, 2 * time.Second}})
	}
	m.OnBatch(views.Batch{Stats: views.Stats{In: 7}, Took: time.Second})
	require.Equal(t, map[string]map[string][]float64{
		"insideout.views.in":            {"sqs": {2}, "process": {7}},
		"insideout.views.applied":       {"sqs": {4}},
		"insideout.views.stale":         {"sqs": {6}},
		"insideout.views.duplicate":     {"sqs": {8}},
		"insideout.views.coalesced":     {"sqs": {10}},
		"insideout.views.withheld":      {"sqs": {28}},
		"insideout.views.skipped":       {"sqs": {12}},
		"insideout.views.faults":        {"sqs": {14}},
		"insideout.views.failed":        {"sqs": {16}},
		"insideout.views.throttled":     {"sqs": {18}},
		"insideout.views.writes":        {"sqs": {20}},
		"insideout.views.reads":         {"sqs": {22}},
		"insideout.views.rolled.up":     {"sqs": {24}},
		"insideout.views.conflicted":    {"sqs": {26}},
		"insideout.views.batch.size":    {"sqs": {2, 2}, "process": {1, 7}},
		"insideout.views.batch.time":    {"sqs": {2, .5}, "process": {1, 1}},
		"insideout.views.write.latency": {"sqs": {4, 6}},
		"insideout.views.iterator.age":  {"sqs": {60}},
	}, collect(t, reader))
	_, err = otel.New(nil)
	require.ErrorContains(t, err, "no meter")
}
