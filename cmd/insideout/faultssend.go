package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
)

// resubmitted is what a run did.
type resubmitted struct {
	Faults  int `json:"faults"`  // that were meant
	Sent    int `json:"sent"`    // faults of which every event was taken
	Events  int `json:"events"`  // that were taken
	Skipped int `json:"skipped"` // faults that the journal had
	Failed  int `json:"failed"`  // faults that carry nothing to send, or were not taken
}

// sender sends faults again, one after the other.
type sender struct {
	faultSettings
	to      destination
	journal *journal
	table   *tabwriter.Writer
	pace    pace
	done    resubmitted
}

// destination takes what is sent.
type destination struct {
	events  cdc.Publisher
	records func(json.RawMessage) error
	close   func() error
}

// resubmitFaults sends the events of the faults again. A fault is noted in the journal once all its events are taken: a kill in between
// sends it again, which changes nothing in views.
func resubmitFaults(ctx context.Context, s faultSettings, source faultSource) (wrong int, err error) {
	x := &sender{faultSettings: s, table: tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)}
	if x.journal, err = openJournal(s.journal, s.dryRun); err != nil {
		return 0, badArgument{fmt.Errorf("-journal: %w", err)}
	}
	x.to = destination{close: func() error { return nil }}
	if !s.dryRun {
		if x.to, err = openDestination(ctx, s); err != nil {
			return 0, badArgument{errors.Join(fmt.Errorf("-to: %w", err), x.journal.close())}
		}
	}
	wrong, err = source.each(ctx, s, func(f fault) error { return x.send(ctx, f) })
	err = errors.Join(err, x.to.close(), x.journal.close(), x.table.Flush())
	if ctx.Err() != nil {
		err = errors.New("interrupted" + map[bool]string{true: "; the same command goes on where it stopped"}[s.journal != ""])
	}
	return wrong + x.done.Failed, errors.Join(x.report(), err)
}

// report goes to standard error where standard output has the events.
func (x *sender) report() error {
	out := x.out
	if x.to.toStdout(x.faultSettings) {
		out = x.errors
	}
	if x.json {
		return json.NewEncoder(out).Encode(x.done)
	}
	verb := map[bool]string{false: "sent", true: "would be sent"}[x.dryRun]
	_, err := fmt.Fprintf(out, "%d faults: %d %s with %d events, %d sent before, %d failed\n",
		x.done.Faults, x.done.Sent, verb, x.done.Events, x.done.Skipped, x.done.Failed)
	return err
}

func (destination) toStdout(s faultSettings) bool { return s.to == "stdout" && !s.dryRun }

// send sends one fault. Its error ends the run; what concerns only this fault is told and counted.
func (x *sender) send(ctx context.Context, f fault) error {
	x.done.Faults++
	if x.journal.has(f.ID) {
		x.done.Skipped++
		return nil
	}
	if err := x.wait(ctx); err != nil {
		return err
	}
	n, err := x.sendOne(ctx, f)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		x.done.Failed++
		at := ""
		if f.where != "" {
			at = f.where + ": "
		}
		fmt.Fprintf(x.errors, "insideout faults resubmit: %s%s\n", at, oneLine(err))
		return nil
	}
	x.done.Sent++
	x.done.Events += n
	if x.dryRun {
		return f.list(x.faultSettings, x.table)
	}
	return x.journal.add(f.ID)
}

func (x *sender) sendOne(ctx context.Context, f fault) (int, error) {
	if x.as == "records" {
		payload, err := f.records()
		if err != nil || x.dryRun {
			return len(f.units), err
		}
		return len(f.units), x.to.records(payload)
	}
	events, err := f.resubmission()
	if err != nil || x.dryRun {
		return len(events), err
	}
	if err := x.to.events.Publish(ctx, events); err != nil {
		return 0, fmt.Errorf("the event of the fault %q was not taken: %w", f.ID, err)
	}
	return len(events), nil
}

// wait keeps the rate.
func (x *sender) wait(ctx context.Context) error {
	if x.dryRun {
		return ctx.Err()
	}
	return x.pace.wait(ctx, x.rate, 1)
}

func openDestination(ctx context.Context, s faultSettings) (destination, error) {
	nothing := func() error { return nil }
	kind, place, _ := strings.Cut(s.to, ":")
	switch {
	case s.to == "stdout":
		return lineDestination(s.out, nothing, nothing), nil
	case kind == "file" && place != "":
		file, err := openWhole(place)
		if err != nil {
			return destination{}, err
		}
		return lineDestination(file, file.Sync, file.Close), nil
	case s.as == "records":
		return destination{}, fmt.Errorf("%q does not take records, but stdout and file:FILE do", s.to)
	}
	events, closing, err := (&lakeSettings{to: s.to, out: s.out}).destination(ctx)
	return destination{events: events, close: closing}, err
}

// lineDestination writes JSON lines.
func lineDestination(w io.Writer, sync, closing func() error) destination {
	return destination{
		events: linePublisher{w, sync},
		records: func(payload json.RawMessage) error {
			_, err := w.Write(append(payload, '\n'))
			return errors.Join(err, sync())
		},
		close: closing,
	}
}

type linePublisher struct {
	w    io.Writer
	sync func() error
}

func (p linePublisher) Publish(_ context.Context, events []insideout.Event) error {
	var lines bytes.Buffer
	for _, e := range events {
		line, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	if _, err := p.w.Write(lines.Bytes()); err != nil {
		return err
	}
	return p.sync()
}

// openWhole opens a file of JSON lines for appending. The beginning of a line at its end is what a kill left, and goes.
func openWhole(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := mendEnd(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return file, nil
}

func mendEnd(file *os.File) error {
	size, rest := int64(0), []byte(nil)
	for lines := bufio.NewReader(file); ; {
		line, end := lines.ReadBytes('\n')
		if end == io.EOF {
			rest = line
			break
		}
		if end != nil {
			return end
		}
		size += int64(len(line))
	}
	switch {
	case len(rest) == 0:
	case json.Valid(rest):
		_, err := file.Write([]byte("\n"))
		return err
	case rest[0] != '{':
		return errors.New("it ends in the middle of a line that is no JSON, and is left as it is")
	}
	if err := file.Truncate(size); err != nil {
		return err
	}
	_, err := file.Seek(size, io.SeekStart)
	return err
}

// journal is a file with the id of each fault that was sent, a line each.
type journal struct {
	file *os.File
	sent map[string]bool
}

func openJournal(name string, readOnly bool) (*journal, error) {
	j := &journal{sent: map[string]bool{}}
	if name == "" {
		return j, nil
	}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // what a kill left of the last line
		}
		var entry journalEntry
		if err := json.Unmarshal(line, &entry); err != nil || entry.Fault == "" {
			return nil, fmt.Errorf("%s:%d: it is no journal of this command", name, i+1)
		}
		j.sent[entry.Fault] = true
	}
	if readOnly {
		return j, nil
	}
	j.file, err = openWhole(name)
	return j, err
}

type journalEntry struct {
	Fault string    `json:"fault"`
	At    time.Time `json:"at"`
}

func (j *journal) has(id string) bool { return j.sent[id] }

func (j *journal) add(id string) error {
	if j.file == nil {
		return nil
	}
	line, err := json.Marshal(journalEntry{id, time.Now().UTC()})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("-journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("-journal: %w", err)
	}
	j.sent[id] = true
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
