// Package emf writes what a listener does as lines in CloudWatch's embedded metric format. In a Lambda function a line on
// standard output is enough for CloudWatch to make metrics of it: there is no request, no agent and no permission.
//
//	metrics, err := emf.New(os.Stdout, &emf.Options{Dimensions: map[string]string{"functionname": "customers-listener"}})
//	listener, err := views.New(db, &views.Options{OnBatch: metrics.OnBatch}, …)
//
// # Metrics
//
// Of each batch, in the namespace "insideout/views":
//
//	in               Count         events taken in; its average is the size of a batch
//	applied          Count         writes that changed a row
//	stale            Count         writes that came after a newer one
//	duplicate        Count         writes that had been made before
//	coalesced        Count         writes that a newer event of the same batch made needless
//	withheld         Count         writes that were not made, since their subject was erased
//	skipped          Count         events that had nothing to say
//	faults           Count         fault events that are out
//	failed           Count         events to be delivered again
//	throttled        Count         requests that the table throttled
//	reads            Count         requests that read: of roll-ups only
//	writes           Count         requests that write, of roll-ups too
//	rolled.up        Count         totals that were written
//	conflicted       Count         totals that another listener wrote in between
//	batch.time       Milliseconds  from the batch to its answer
//	iterator.age     Milliseconds  how old the oldest record was; not in process
//	write.latency    Milliseconds  of each request that wrote a row
//
// The counts reads, rolled.up and conflicted are left out of a line where all three are zero, and so is withheld where it is. The member "from" of a line,
// which is no dimension, says where the batch came from.
//
// The format is "Specification: Embedded metric format" of the CloudWatch user guide: at most 30 dimensions, and 100 values of
// a metric in a line. A batch with more writes than that has several lines.
package emf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/insideout-go/insideout/views"
)

// Options are the options of [New]. The zero value and nil are fine.
type Options struct {
	// Namespace is where CloudWatch keeps the metrics. Default: "insideout/views".
	Namespace string

	// Dimensions tell these metrics from others, such as the name of the function; at most 30. Each combination of values is
	// a metric of its own. Default: none.
	Dimensions map[string]string
}

// Limits of the format.
const (
	maxDimensions = 30
	maxValues     = 100
)

// Log writes lines. It is safe for concurrent use.
type Log struct {
	mu         sync.Mutex
	w          io.Writer
	namespace  string
	dimensions map[string]string
	names      []string // of the dimensions
}

// New returns a log that writes to w, a line at a time. The error lists every mistake in the options.
func New(w io.Writer, opts *Options) (*Log, error) {
	l := &Log{w: w, namespace: "insideout/views"}
	if opts != nil && opts.Namespace != "" {
		l.namespace = opts.Namespace
	}
	if opts != nil {
		l.dimensions = maps.Clone(opts.Dimensions)
	}
	l.names = slices.Sorted(maps.Keys(l.dimensions))
	var faults []error
	if w == nil {
		faults = append(faults, errors.New("emf: no writer"))
	}
	if len(l.names) > maxDimensions {
		faults = append(faults, fmt.Errorf("emf: %d dimensions are more than the %d that CloudWatch takes", len(l.names), maxDimensions))
	}
	for _, name := range l.names {
		if name == "" || l.dimensions[name] == "" {
			faults = append(faults, fmt.Errorf("emf: the dimension %q needs a name and a value", name))
		}
		if name == memberMeta || name == memberFrom || isMetric(name) {
			faults = append(faults, fmt.Errorf("emf: the dimension %q is called as a member of the line: give it another name", name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return l, nil
}

// Members of a line that are neither a dimension nor a metric.
const (
	memberMeta = "_aws"
	memberFrom = "from"
)

// definition is how a line declares a metric.
type definition struct {
	Name string
	Unit string
}

// metric is one metric of a batch, with its value or values.
type metric struct {
	definition
	value any
}

func counts(b views.Batch) []metric {
	list := []metric{
		count("in", b.In), count("applied", b.Applied), count("stale", b.Stale), count("duplicate", b.Duplicate),
		count("coalesced", b.Coalesced), count("skipped", b.Skipped), count("faults", b.Faults), count("failed", b.Failed),
		count("throttled", b.Throttled), count("writes", b.Writes),
	}
	if b.Withheld > 0 {
		list = append(list, count("withheld", b.Withheld))
	}
	if b.Reads+b.RolledUp+b.Conflicted > 0 {
		list = append(list, count("reads", b.Reads), count("rolled.up", b.RolledUp), count("conflicted", b.Conflicted))
	}
	list = append(list, metric{definition{"batch.time", "Milliseconds"}, millis(b.Took)})
	if b.From != "" {
		list = append(list, metric{definition{"iterator.age", "Milliseconds"}, millis(b.Age)})
	}
	return list
}

func latencies(values []time.Duration) metric {
	list := make([]float64, len(values))
	for i, d := range values {
		list[i] = millis(d)
	}
	return metric{definition{"write.latency", "Milliseconds"}, list}
}

func isMetric(name string) bool {
	all := append(counts(views.Batch{Stats: views.Stats{Reads: 1, Withheld: 1}, From: "sqs"}), latencies(nil))
	return slices.ContainsFunc(all, func(m metric) bool { return m.Name == name })
}

func count(name string, n int64) metric { return metric{definition{name, "Count"}, n} }

// millis has three decimals, which is what the clocks are good for.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// OnBatch writes the line of a batch, or its lines, in one call of the writer. It is made for [views.Options]. An error of the
// writer is not reported: the work of the listener goes on without its metrics.
func (l *Log) OnBatch(b views.Batch) {
	now, metrics := time.Now(), counts(b)
	var out []byte
	for chunk := range slices.Chunk(b.Latencies, maxValues) {
		metrics = append(metrics, latencies(chunk))
		out, metrics = l.line(out, now, b.From, metrics), nil
	}
	if metrics != nil {
		out = l.line(out, now, b.From, metrics)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(out)
}

// line appends a line with the metrics.
func (l *Log) line(out []byte, now time.Time, from string, metrics []metric) []byte {
	members := map[string]any{}
	for name, value := range l.dimensions {
		members[name] = value
	}
	if from != "" {
		members[memberFrom] = from
	}
	definitions := make([]definition, len(metrics))
	for i, m := range metrics {
		definitions[i], members[m.Name] = m.definition, m.value
	}
	members[memberMeta] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": l.namespace, "Dimensions": [][]string{append([]string{}, l.names...)}, "Metrics": definitions,
		}},
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return out // it cannot: the members are texts and finite numbers
	}
	return append(append(out, raw...), '\n')
}
