package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
	"golang.org/x/sync/errgroup"
)

// runFlow opens the engine and the input, and runs the commands of the input through the two services.
func runFlow(ctx context.Context, opts options, stdin io.Reader, stderr io.Writer) (summary Summary, err error) {
	in, name, closeInput, err := openInput(ctx, opts, stdin)
	if err != nil {
		return summary, err
	}
	defer closeInput()
	engine, err := openEngine(ctx, opts)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, engine.close()) }()
	progress := newProgress(stderr)
	defer progress.close()
	im := &importer{db: engine.orders, name: name, tally: newTally(), progress: progress, inPieces: opts.chaos != nil}
	return runServices(ctx, opts, engine, im, in, stderr)
}

// runServices wires the two services to one bus: what the importer stores, the trigger publishes, and the listener folds into the
// view, until all of it is there.
func runServices(ctx context.Context, opts options, engine *engine, im *importer, in io.Reader, stderr io.Writer) (summary Summary, err error) {
	bus, err := newBus(opts, engine, im.progress, faultLog{stderr})
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, bus.close()) }()
	trigger, err := newTrigger(engine.orders, bus.publisher)
	if err != nil {
		return summary, err
	}
	tail := &cdc.TailOptions{Checkpoints: cdc.CheckpointsIn(engine.checkpoints), Idle: engine.idle, Limit: bus.records}
	if opts.endpoint != "" { // a folder does not go away, an endpoint may
		tail.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	err = follow(ctx, engine, trigger, tail, func(ctx context.Context) error { return im.run(ctx, in) })
	var receipts []gdpr.Receipt
	if err == nil && len(opts.erase) > 0 { // facts that are late come after the erasure, and bring nobody back
		receipts, err = eraseCustomers(ctx, engine, bus.lake, opts.erase)
	}
	if err == nil {
		err = bus.flush(ctx)
	}
	if err != nil {
		return summary, err
	}
	summary.top, summary.ViewDigest, err = query(ctx, engine.customers, opts.dump)
	summary.resumed = im.resumed
	im.tally.fill(&summary)
	summary.flow(im.progress.published.Load(), bus.stats())
	summary.Faults += trigger.Stats().Faults
	summary.Chaos = bus.faults()
	summary.receipts = receipts
	return summary, err
}

// follow runs the commands while the trigger follows the table's stream; once they are done, it reads the stream to its end.
func follow(ctx context.Context, engine *engine, trigger *cdc.Trigger, opts *cdc.TailOptions, commands func(context.Context) error) error {
	done := make(chan struct{})
	opts.Drain = done
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := commands(ctx); err != nil {
			return err
		}
		close(done)
		return nil
	})
	group.Go(func() error { return cdc.Tail(ctx, engine.streams, engine.orders.Name(), trigger, opts) })
	return group.Wait()
}

// bus carries the facts from the trigger to the listeners.
type bus struct {
	publisher cdc.Publisher
	records   int // of the stream in a batch; 0 is the default
	flush     func(context.Context) error
	stats     func() views.Stats
	close     func() error
	lake      *lake.Lake     // or nil
	faults    func() *Faults // nil where nothing went wrong on purpose
}

// newBus carries the facts to the listener, counts them, and keeps them in the lake first, if there is one.
func newBus(opts options, engine *engine, progress *progress, faults faultLog) (*bus, error) {
	b := &bus{
		flush:  func(context.Context) error { return nil },
		close:  func() error { return nil },
		faults: func() *Faults { return nil },
	}
	if opts.chaos != nil {
		c := newChaos(*opts.chaos, engine.client, func(client table.Client) (*views.Listener, error) {
			db, err := table.Open(client, engine.customers.Name(), engine.viewOptions())
			if err != nil {
				return nil, err
			}
			return newListener(db, faults)
		})
		b.publisher, b.records, b.flush, b.stats, b.faults = c, chaosRecords, c.flush, c.stats, c.counts.faults
	} else {
		listener, err := newListener(engine.customers, faults)
		if err != nil {
			return nil, err
		}
		b.publisher, b.stats = views.NewBus(listener), listener.Stats
	}
	b.publisher = counting{b.publisher, progress, faults}
	if opts.lake == "" {
		return b, nil
	}
	events, err := lake.Open(opts.lake, nil)
	if err != nil {
		return nil, badInput{fmt.Errorf("-lake: %w", err)}
	}
	b.publisher, b.close, b.lake = cdc.FanOut(events, b.publisher), events.Close, events
	return b, nil
}

// counting counts what was published, and tells of faults: what the trigger could not make an event of.
type counting struct {
	cdc.Publisher
	progress *progress
	faults   faultLog
}

func (c counting) Publish(ctx context.Context, events []insideout.Event) error {
	if err := c.Publisher.Publish(ctx, events); err != nil {
		return err
	}
	faults := slices.DeleteFunc(slices.Clone(events), func(e insideout.Event) bool { return e.Type != insideout.TypeFault })
	c.progress.published.Add(int64(len(events) - len(faults)))
	return c.faults.Publish(ctx, faults)
}

// faultLog is where the faults of this program go: a line each. A service publishes them to its bus, and keeps them in the lake.
type faultLog struct{ to io.Writer }

func (f faultLog) Publish(_ context.Context, faults []insideout.Event) error {
	for _, e := range faults {
		reason, err := insideout.Body[struct{ Message string }](e, "err")
		if err != nil {
			return err
		}
		fmt.Fprintf(f.to, "orders: fault %s of %s: %s\n", e.ID, e.Tags[insideout.TagPipeline], oneLine(reason.Message))
	}
	return nil
}

// query dumps the view to a file, or to nowhere, and returns the best customers and the digest of the dump. A file is replaced
// only when the dump is complete; a device or a pipe is written to.
func query(ctx context.Context, db *table.DB, file string) (top []Customer, digest string, err error) {
	if file == "" {
		return dumpView(ctx, db, io.Discard)
	}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	name := file + ".part"
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		name = file
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, "", badInput{fmt.Errorf("-dump: %w", err)}
	}
	top, digest, err = dumpView(ctx, db, out)
	if err = errors.Join(err, out.Close()); err == nil && name != file {
		err = os.Rename(name, file)
	}
	return top, digest, err
}
