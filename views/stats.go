package views

import "time"

// Stats counts what a listener did. An event counts once as In; what becomes of it counts for each rule that is for it.
type Stats struct {
	In         int64 // events taken in
	Applied    int64 // writes that changed a row
	Stale      int64 // writes that came after a newer one
	Duplicate  int64 // writes that had been made before
	Coalesced  int64 // writes that were not made, since the same batch had a newer one for the same row
	Withheld   int64 // writes that were not made, since their subject was erased
	Skipped    int64 // events of no rule, of this service itself, for tests, or skipped by their mapper
	Faults     int64 // fault events that are out
	Failed     int64 // events to be delivered again
	Throttled  int64 // requests that the table throttled
	Writes     int64 // requests that write, of roll-ups too
	Reads      int64 // requests that read: of roll-ups only
	RolledUp   int64 // totals that were written
	Conflicted int64 // totals that another listener wrote in between, so that they were made anew
}

func (s *Stats) add(o Stats) {
	s.In += o.In
	s.Applied += o.Applied
	s.Stale += o.Stale
	s.Duplicate += o.Duplicate
	s.Coalesced += o.Coalesced
	s.Withheld += o.Withheld
	s.Skipped += o.Skipped
	s.Faults += o.Faults
	s.Failed += o.Failed
	s.Throttled += o.Throttled
	s.Writes += o.Writes
	s.Reads += o.Reads
	s.RolledUp += o.RolledUp
	s.Conflicted += o.Conflicted
}

// Batch is what a listener did with one batch, as [Options].OnBatch gets it. Packages otel and emf below this one turn it
// into metrics.
type Batch struct {
	// Stats are the counts of this batch; In is its size.
	Stats

	// From is where the batch came from: "sqs", "sns", "kinesis", "eventbridge" or "dynamodb"; empty in process.
	From string

	// Age is how long ago the oldest record of the batch came into its queue or stream, which is what Lambda calls the
	// iterator age: how far the view is behind. It is zero in process, and never negative.
	Age time.Duration

	// Took is the time from the batch to its answer.
	Took time.Duration

	// Latencies are the times of the requests that wrote rows, in no particular order: one for each write that is no
	// roll-up, with the client's own retries in it. There are as many as the batch made, at most one for each event and
	// rule.
	Latencies []time.Duration
}

// Names of the places where batches come from.
const (
	fromSQS         = "sqs"
	fromSNS         = "sns"
	fromKinesis     = "kinesis"
	fromEventBridge = "eventbridge"
	fromDynamoDB    = "dynamodb"
)

// report is the batch in the terms of the hook.
func (b *batch) report(from string) Batch {
	r := Batch{Stats: b.stats, From: from, Took: time.Since(b.began), Latencies: b.latencies}
	var oldest time.Time
	for i := range b.deliveries {
		if at := b.deliveries[i].at; !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		r.Age = max(0, b.began.Sub(oldest))
	}
	return r
}
