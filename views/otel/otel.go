// Package otel records what a listener does as OpenTelemetry metrics.
//
//	metrics, err := otel.New(provider.Meter("customers"))
//	listener, err := views.New(db, &views.Options{OnBatch: metrics.OnBatch}, …)
//
// # Instruments
//
//	insideout.views.in             {event}    counter    events taken in
//	insideout.views.applied        {write}    counter    writes that changed a row
//	insideout.views.stale          {write}    counter    writes that came after a newer one
//	insideout.views.duplicate      {write}    counter    writes that had been made before
//	insideout.views.coalesced      {write}    counter    writes that a newer event of the same batch made needless
//	insideout.views.withheld       {write}    counter    writes that were not made, since their subject was erased
//	insideout.views.skipped        {event}    counter    events that had nothing to say
//	insideout.views.faults         {event}    counter    fault events that are out
//	insideout.views.failed         {event}    counter    events to be delivered again
//	insideout.views.throttled      {request}  counter    requests that the table throttled
//	insideout.views.reads          {request}  counter    requests that read: of roll-ups only
//	insideout.views.writes         {request}  counter    requests that write, of roll-ups too
//	insideout.views.rolled.up      {write}    counter    totals that were written
//	insideout.views.conflicted     {write}    counter    totals that another listener wrote in between
//	insideout.views.batch.size     {event}    histogram  events of a batch
//	insideout.views.batch.time     s          histogram  from the batch to its answer
//	insideout.views.write.latency  s          histogram  of each request that wrote a row
//	insideout.views.iterator.age   s          gauge      how old the oldest record of the last batch was; not in process
//
// Each has the attribute "from": where the batch came from, such as "sqs", or "process".
package otel

import (
	"cmp"
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/insideout-go/insideout/views"
)

// Metrics are the instruments of listeners. It is safe for concurrent use.
type Metrics struct {
	counts  []counter
	size    metric.Int64Histogram
	took    metric.Float64Histogram
	latency metric.Float64Histogram
	age     metric.Float64Gauge
}

// counter is an instrument, and where its number is.
type counter struct {
	metric.Int64Counter
	of func(*views.Stats) int64
}

const prefix = "insideout.views."

// New makes the instruments. The error is the meter's.
func New(meter metric.Meter) (*Metrics, error) {
	if meter == nil {
		return nil, errors.New("otel: no meter")
	}
	m := &Metrics{}
	var faults []error
	for _, c := range []struct {
		name, unit, description string
		of                      func(*views.Stats) int64
	}{
		{"in", "{event}", "Events taken in.", func(s *views.Stats) int64 { return s.In }},
		{"applied", "{write}", "Writes that changed a row.", func(s *views.Stats) int64 { return s.Applied }},
		{"withheld", "{write}", "Writes that were not made, since their subject was erased.", func(s *views.Stats) int64 { return s.Withheld }},
		{"stale", "{write}", "Writes that came after a newer one.", func(s *views.Stats) int64 { return s.Stale }},
		{"duplicate", "{write}", "Writes that had been made before.", func(s *views.Stats) int64 { return s.Duplicate }},
		{"coalesced", "{write}", "Writes that a newer event of the same batch made needless.", func(s *views.Stats) int64 { return s.Coalesced }},
		{"skipped", "{event}", "Events that had nothing to say.", func(s *views.Stats) int64 { return s.Skipped }},
		{"faults", "{event}", "Fault events that are out.", func(s *views.Stats) int64 { return s.Faults }},
		{"failed", "{event}", "Events to be delivered again.", func(s *views.Stats) int64 { return s.Failed }},
		{"throttled", "{request}", "Requests that the table throttled.", func(s *views.Stats) int64 { return s.Throttled }},
		{"reads", "{request}", "Requests that read: of roll-ups only.", func(s *views.Stats) int64 { return s.Reads }},
		{"writes", "{request}", "Requests that write, of roll-ups too.", func(s *views.Stats) int64 { return s.Writes }},
		{"rolled.up", "{write}", "Totals that were written.", func(s *views.Stats) int64 { return s.RolledUp }},
		{"conflicted", "{write}", "Totals that another listener wrote in between.", func(s *views.Stats) int64 { return s.Conflicted }},
	} {
		instrument, err := meter.Int64Counter(prefix+c.name, metric.WithUnit(c.unit), metric.WithDescription(c.description))
		m.counts, faults = append(m.counts, counter{instrument, c.of}), append(faults, err)
	}
	return m, errors.Join(append(faults, m.measures(meter))...)
}

// measures makes the instruments that are no counters.
func (m *Metrics) measures(meter metric.Meter) error {
	var faults [4]error
	m.size, faults[0] = meter.Int64Histogram(prefix+"batch.size", metric.WithUnit("{event}"), metric.WithDescription("Events of a batch."),
		metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000))
	m.took, faults[1] = meter.Float64Histogram(prefix+"batch.time", metric.WithUnit("s"), metric.WithDescription("From the batch to its answer."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300))
	m.latency, faults[2] = meter.Float64Histogram(prefix+"write.latency", metric.WithUnit("s"), metric.WithDescription("Of each request that wrote a row."),
		metric.WithExplicitBucketBoundaries(.001, .002, .003, .005, .0075, .01, .025, .05, .1, .25, .5, 1, 5))
	m.age, faults[3] = meter.Float64Gauge(prefix+"iterator.age", metric.WithUnit("s"), metric.WithDescription("How old the oldest record of the last batch was."))
	return errors.Join(faults[:]...)
}

// OnBatch records a batch. It is made for [views.Options].
func (m *Metrics) OnBatch(b views.Batch) {
	ctx := context.Background()
	from := metric.WithAttributeSet(attribute.NewSet(attribute.String("from", cmp.Or(b.From, "process"))))
	for _, c := range m.counts {
		if n := c.of(&b.Stats); n != 0 {
			c.Add(ctx, n, from)
		}
	}
	m.size.Record(ctx, b.In, from)
	m.took.Record(ctx, b.Took.Seconds(), from)
	for _, d := range b.Latencies {
		m.latency.Record(ctx, d.Seconds(), from)
	}
	if b.From != "" {
		m.age.Record(ctx, b.Age.Seconds(), from)
	}
}
