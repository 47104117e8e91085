package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/views"
)

// Summary is what a run prints at its end; with -json as one object. The counts of the file are of the whole file, those of the
// flow are of this run: a run that goes on where an earlier one stopped publishes only what was left.
type Summary struct {
	LinesRead     int      `json:"lines_read"`
	LinesRejected int      `json:"lines_rejected"`
	Rejects       []Reject `json:"rejects"` // the first 10,000
	Invoices      int      `json:"invoices"`
	Credits       int      `json:"credits"`
	Guests        int      `json:"guests"`
	Customers     int      `json:"customers"`

	EventsPublished int64 `json:"events_published"`
	EventsDelivered int64 `json:"events_delivered"`
	Applied         int64 `json:"applied"`
	Stale           int64 `json:"stale"`
	Duplicate       int64 `json:"duplicate"`
	Coalesced       int64 `json:"coalesced"`
	Faults          int64 `json:"faults"`

	Writes   int64 `json:"writes"`    // requests of the listener that write: one for each row and lane of a batch, and the totals
	Reads    int64 `json:"reads"`     // requests of the listener that read: for totals only
	RolledUp int64 `json:"rolled_up"` // totals that were written

	Chaos *Faults `json:"chaos,omitempty"` // only with -chaos

	Withheld int64 `json:"withheld,omitempty"` // writes that were not made, since their customer was erased

	ViewDigest string            `json:"view_digest"`
	ElapsedMS  int64             `json:"elapsed_ms"`
	Receipts   []json.RawMessage `json:"receipts"` // of -erase: each as the bytes that verify

	receipts []gdpr.Receipt
	top      []Customer
	resumed  int
}

// flow adds what the services counted.
func (s *Summary) flow(published int64, view views.Stats) {
	s.EventsPublished, s.EventsDelivered = published, view.In
	s.Applied, s.Stale, s.Duplicate = view.Applied, view.Stale, view.Duplicate
	s.Coalesced, s.Faults = view.Coalesced, view.Faults
	s.Withheld = view.Withheld
	s.Writes, s.Reads, s.RolledUp = view.Writes, view.Reads, view.RolledUp
}

func (s Summary) write(w io.Writer, opts options) error {
	if opts.json {
		return s.writeJSON(w)
	}
	return s.writeText(w, opts)
}

func (s Summary) writeJSON(w io.Writer) error {
	if s.Rejects == nil {
		s.Rejects = []Reject{}
	}
	var err error
	if s.Receipts, err = receiptLines(s.receipts); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(s)
}

func (s Summary) writeText(w io.Writer, opts options) error {
	var out strings.Builder
	fmt.Fprintf(&out, "commands  %s lines read, %s rejected", count(s.LinesRead), count(s.LinesRejected))
	if s.resumed > 0 {
		fmt.Fprintf(&out, ", %s of them stored by an earlier run", count(s.resumed))
	}
	fmt.Fprintf(&out, "\n          %s invoices and %s credits (%s by guests), %s customers\n",
		count(s.Invoices), count(s.Credits), count(s.Guests), count(s.Customers))
	for _, r := range s.Rejects[:min(len(s.Rejects), 5)] {
		fmt.Fprintf(&out, "          rejected line %d: %s\n", r.Line, r.Reason)
	}
	if more := s.LinesRejected - 5; more > 0 {
		fmt.Fprintf(&out, "          and %s more rejected lines; -json lists them\n", count(more))
	}
	fmt.Fprintf(&out, "facts     %s published, %s delivered\n", count(s.EventsPublished), count(s.EventsDelivered))
	fmt.Fprintf(&out, "view      %s applied, %s coalesced, %s duplicate, %s stale, %s faults\n",
		count(s.Applied), count(s.Coalesced), count(s.Duplicate), count(s.Stale), count(s.Faults))
	fmt.Fprintf(&out, "          %s writes, %s of them of totals, and %s reads, all for totals\n", count(s.Writes), count(s.RolledUp), count(s.Reads))
	if s.Chaos != nil {
		fmt.Fprintf(&out, "chaos     %s throttles, %s lost answers, %s crashes, %s redelivered\n",
			count(s.Chaos.Throttles), count(s.Chaos.LostAnswers), count(s.Chaos.Crashes), count(s.Chaos.Redelivered))
	}
	fmt.Fprintf(&out, "          digest %s\n", s.ViewDigest)
	fmt.Fprintf(&out, "          %s in all\n", time.Duration(s.ElapsedMS)*time.Millisecond)
	s.writeTop(&out)
	for _, r := range s.receipts {
		out.WriteString("\n")
		if err := r.Describe(&out); err != nil {
			return err
		}
	}
	out.WriteString(whereNext(opts))
	_, err := io.WriteString(w, out.String())
	return err
}

func (s Summary) writeTop(out io.Writer) {
	if len(s.top) == 0 {
		return
	}
	fmt.Fprint(out, "\ntop customers\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "customer\torders\tcredits\tunits\tamount\t")
	for _, c := range s.top {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t\n", c.ID, c.Orders, c.Credits, count(c.Units), c.Amount.Fixed())
	}
	_ = table.Flush()
}

func whereNext(opts options) string {
	text := "\nwhere to look next\n" +
		"  examples/orders/sales.go      the entities of the orders service, and its trigger\n" +
		"  examples/orders/customers.go  the listener that builds this view, and its query\n"
	if opts.data == "" && opts.endpoint == "" {
		text += "  -data DIR                     keep the data; the same command goes on where it stopped\n"
	}
	if opts.chaos == nil {
		text += "  -chaos SEED                   deliver the facts with faults of all kinds: the digest stays\n"
	}
	if opts.dump == "" {
		text += "  -dump FILE                    the whole view as CSV\n"
	}
	return text + "  -h                            every flag\n"
}

// count writes a number with thousands separators.
func count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	start := len(digits) % 3
	if n < 0 {
		return "-" + count(-n)
	}
	parts := []string{}
	if start > 0 {
		parts = append(parts, digits[:start])
	}
	for i := start; i < len(digits); i += 3 {
		parts = append(parts, digits[i:i+3])
	}
	return strings.Join(parts, ",")
}
