package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cmd/insideout/internal/eventbridge"
	"github.com/insideout-go/insideout/cmd/insideout/internal/kinesis"
	"github.com/insideout-go/insideout/cmd/insideout/internal/sqs"
)

const lakeDestinations = "stdout, file:FILE, lake:DIR, sqs:URL, kinesis:STREAM, or eventbridge:BUS"

// replayed is what a replay did.
type replayed struct {
	Events     int            `json:"events"`           // that were taken, or would be
	Types      map[string]int `json:"types"`            // of these
	Objects    int            `json:"objects"`          // that are done
	Bytes      int64          `json:"bytes"`            // of the objects, compressed
	Damaged    int            `json:"damaged"`          // places that were passed over
	Refused    int            `json:"refused"`          // events that the destination will never take, such as those that are too large for it
	LastObject string         `json:"lastObject"`       // the last one whose events all were taken: -after goes on behind it
	Elapsed    int64          `json:"elapsedMs"`        // milliseconds
	DryRun     bool           `json:"dryRun,omitempty"` // nothing was published
}

// replay publishes the events of a lake again, in batches.
type replay struct {
	*lakeSettings
	to       cdc.Publisher
	batch    []insideout.Event
	reached  string // the last object of which all events were read
	began    time.Time
	pace     pace
	done     replayed
	progress *replayProgress
}

// replayLake runs the command.
func replayLake(ctx context.Context, s *lakeSettings, l *lake.Lake) error {
	to, closing, err := s.destination(ctx)
	if err != nil {
		return badArgument{fmt.Errorf("-to: %w", err)}
	}
	r := &replay{lakeSettings: s, to: to, began: time.Now(), done: replayed{Types: map[string]int{}, DryRun: s.dryRun}}
	err = r.run(ctx, l)
	r.done.Elapsed, r.done.Damaged = time.Since(r.began).Milliseconds(), s.damaged
	err = errors.Join(err, closing())
	if r.done.Refused > 0 && err == nil {
		err = fmt.Errorf("%d events were refused", r.done.Refused)
		return errors.Join(err, r.report())
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil && r.done.LastObject != "" && !s.dryRun {
		err = fmt.Errorf("%w; -after %s goes on", err, r.done.LastObject)
	}
	return errors.Join(err, r.report())
}

func (r *replay) run(ctx context.Context, l *lake.Lake) error {
	r.progress = newReplayProgress(r.errors, r.quiet)
	measuring, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	objects := r.query
	wg.Go(func() { r.progress.total.Store(measure(measuring, l, objects)) })
	r.query.Done = func(o lake.Object) {
		r.reached = o.Name
		r.done.Objects++
	}
	r.query.Read = func(bytes int64) { r.done.Bytes += bytes }
	for e, err := range r.events(ctx, l) {
		if err != nil {
			return errors.Join(r.progress.end(), err)
		}
		r.batch = append(r.batch, e)
		if len(r.batch) >= r.size() {
			if err := r.flush(ctx); err != nil {
				return errors.Join(r.progress.end(), err)
			}
		}
	}
	return errors.Join(r.flush(ctx), r.progress.end())
}

// measure sums up the objects to read, while the first ones are read. It returns 0 if it cannot, which the reading tells.
func measure(ctx context.Context, l *lake.Lake, q lake.Query) (total int64) {
	if q.Damaged != nil {
		q.Damaged = func(error) error { return nil }
	}
	for o, err := range l.Objects(ctx, q) {
		if err != nil {
			return 0
		}
		total += o.Bytes
	}
	return total
}

// size is how many events to publish at a time: few enough to keep to the rate without long pauses.
func (r *replay) size() int {
	if r.rate == 0 {
		return r.lakeSettings.batch
	}
	return max(1, min(r.lakeSettings.batch, int(r.rate/4)))
}

// flush publishes the batch. An object is done when no event of it waits any more.
func (r *replay) flush(ctx context.Context) error {
	if len(r.batch) > 0 {
		if err := r.publish(ctx); err != nil {
			return err
		}
	}
	for _, e := range r.batch {
		r.done.Types[e.Type]++
		r.done.Events++
	}
	r.batch = r.batch[:0]
	r.done.LastObject = r.reached
	return r.progress.tell(r.done)
}

func (r *replay) publish(ctx context.Context) error {
	if r.dryRun {
		return ctx.Err()
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	if err := r.refuse(r.to.Publish(ctx, r.batch)); err != nil {
		return fmt.Errorf("events were not taken: %w", err)
	}
	return nil
}

// refuse tells of the events that the destination will never take, and takes them out of the batch, so that they do not hold up those
// behind them. It returns the error if there are others among those that failed.
func (r *replay) refuse(err error) error {
	failed, ok := errors.AsType[*cdc.PublishError](err)
	if !ok {
		return err
	}
	for _, reason := range failed.Errors {
		if !errors.Is(reason, cdc.ErrRejected) {
			return err
		}
	}
	var taken []insideout.Event
	for i, e := range r.batch {
		reason := failed.Errors[i]
		if reason == nil {
			taken = append(taken, e)
			continue
		}
		r.done.Refused++
		fmt.Fprintf(r.errors, "insideout lake replay: event %q was refused: %s\n", e.ID, oneLine(reason))
	}
	r.batch = taken
	return nil
}

// wait keeps the rate: the next batch comes no sooner than the one before it allows.
func (r *replay) wait(ctx context.Context) error {
	return r.pace.wait(ctx, r.rate, len(r.batch))
}

// report goes to standard error where standard output has the events.
func (r *replay) report() error {
	out := r.out
	if r.to != nil && r.lakeSettings.to == "stdout" {
		out = r.errors
	}
	if r.json {
		return json.NewEncoder(out).Encode(r.done)
	}
	verb := "published"
	if r.dryRun {
		verb = "would be published"
	}
	_, err := fmt.Fprintf(out, "%d events %s, from %d objects with %d bytes, in %s\n", r.done.Events, verb, r.done.Objects, r.done.Bytes,
		(time.Duration(r.done.Elapsed) * time.Millisecond).Round(time.Millisecond))
	if r.dryRun && r.done.Events > 0 {
		_, err = fmt.Fprintln(out, strings.Map(printable, countedTypes(r.done.Types)))
	}
	return err
}

// destination opens where the events go.
func (s *lakeSettings) destination(ctx context.Context) (cdc.Publisher, func() error, error) {
	nothing := func() error { return nil }
	if s.dryRun {
		return nil, nothing, nil
	}
	kind, place, named := strings.Cut(s.to, ":")
	var p cdc.Publisher
	var err error
	switch {
	case s.to == "stdout":
		return linePublisher{s.out, nothing}, nothing, nil
	case !named || place == "":
		err = fmt.Errorf("%q is none of %s", s.to, lakeDestinations)
	case kind == "file":
		file, err := openWhole(place)
		if err != nil {
			return nil, nothing, err
		}
		return linePublisher{file, nothing}, func() error { return errors.Join(file.Sync(), file.Close()) }, nil
	case kind == "lake":
		l, err := lake.Open(place, nil)
		if err != nil {
			return nil, nothing, err
		}
		return l, l.Close, nil
	case kind == "sqs":
		p, err = sqs.Publisher(ctx, place)
	case kind == "kinesis":
		p, err = kinesis.Publisher(ctx, place)
	case kind == "eventbridge":
		p, err = eventbridge.Publisher(ctx, place)
	default:
		err = fmt.Errorf("%q is none of %s", s.to, lakeDestinations)
	}
	return p, nothing, err
}

// replayProgress tells how far a replay is, and when it will be done.
type replayProgress struct {
	out      io.Writer
	total    atomic.Int64 // bytes of the objects to read; 0 as long as it is not known
	terminal bool
	every    time.Duration
	began    time.Time
	last     time.Time
}

const (
	progressOften  = 200 * time.Millisecond // on a terminal, where a line replaces the one before it
	progressSeldom = 10 * time.Second       // in a log
)

func newReplayProgress(out io.Writer, quiet bool) *replayProgress {
	p := &replayProgress{out: out, every: progressSeldom, began: time.Now(), last: time.Now()}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.terminal, p.every = true, progressOften
	}
	if quiet {
		p.out = io.Discard
	}
	return p
}

func (p *replayProgress) tell(done replayed) error {
	now := time.Now()
	if now.Sub(p.last) < p.every {
		return nil
	}
	p.last = now
	line := fmt.Sprintf("%d events%s, %.0f events/s%s", done.Events, p.share(done.Bytes), float64(done.Events)/now.Sub(p.began).Seconds(), p.left(done.Bytes, now))
	if p.terminal {
		_, err := fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return err
	}
	_, err := fmt.Fprintln(p.out, line)
	return err
}

// share is how much of the objects is done.
func (p *replayProgress) share(done int64) string {
	total := p.total.Load()
	if total == 0 {
		return fmt.Sprintf(", %d bytes", done)
	}
	return fmt.Sprintf(", %d of %d bytes (%d %%)", done, total, min(done, total)*100/total)
}

// left estimates what is to come by what has been, once there is something to go by.
func (p *replayProgress) left(done int64, now time.Time) string {
	total := p.total.Load()
	if done == 0 || done >= total {
		return ""
	}
	left := time.Duration(float64(now.Sub(p.began)) * float64(total-done) / float64(done))
	return ", " + left.Round(time.Second).String() + " left"
}

// end clears the terminal's line.
func (p *replayProgress) end() error {
	if !p.terminal {
		return nil
	}
	_, err := fmt.Fprint(p.out, "\r\x1b[K")
	return err
}
