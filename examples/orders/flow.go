package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
	"golang.org/x/sync/errgroup"
)

// runFlow wires the two services to one bus and runs the commands of the input through them.
func runFlow(ctx context.Context, opts options, stdin io.Reader, stderr io.Writer) (summary Summary, err error) {
	in, name, closeInput, err := openInput(opts, stdin)
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

	bus, err := newBus(opts, engine, progress)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, bus.close()) }()
	trigger, err := newTrigger(engine.orders, bus.publisher)
	if err != nil {
		return summary, err
	}

	im := &importer{db: engine.orders, name: name, tally: newTally(), progress: progress, inPieces: opts.chaos != nil}
	err = follow(ctx, engine, trigger, bus.records, func(ctx context.Context) error { return im.run(ctx, in) })
	if err == nil {
		err = bus.flush(ctx)
	}
	if err != nil {
		return summary, err
	}
	summary.top, summary.ViewDigest, err = query(ctx, engine.customers, opts.dump)
	summary.resumed = im.resumed
	im.tally.fill(&summary)
	summary.flow(progress.published.Load(), bus.stats())
	summary.Chaos = bus.faults()
	return summary, err
}

// follow runs the commands while the trigger follows the table's stream; once they are done, it reads the stream to its end.
func follow(ctx context.Context, engine *engine, trigger *cdc.Trigger, records int, commands func(context.Context) error) error {
	done := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := commands(ctx); err != nil {
			return err
		}
		close(done)
		return nil
	})
	group.Go(func() error {
		return cdc.Tail(ctx, engine.streams, engine.orders.Name(), trigger, &cdc.TailOptions{
			Checkpoints: cdc.CheckpointsIn(engine.orders),
			Drain:       done,
			Idle:        engine.idle,
			Limit:       records,
		})
	})
	return group.Wait()
}

// bus carries the facts from the trigger to the listeners.
type bus struct {
	publisher cdc.Publisher
	records   int // of the stream in a batch; 0 is the default
	flush     func(context.Context) error
	stats     func() views.Stats
	close     func() error
	faults    func() *Faults // nil where nothing went wrong on purpose
}

// newBus carries the facts to the listener, counts them, and keeps them in the lake first, if there is one.
func newBus(opts options, engine *engine, progress *progress) (*bus, error) {
	b := &bus{
		flush:  func(context.Context) error { return nil },
		close:  func() error { return nil },
		faults: func() *Faults { return nil },
	}
	if opts.chaos != nil {
		c := newChaos(*opts.chaos, engine.client, func(client table.Client) (*views.Listener, error) {
			db, err := table.Open(client, engine.customers.Name(), nil)
			if err != nil {
				return nil, err
			}
			return newListener(db)
		})
		b.publisher, b.records, b.flush, b.stats, b.faults = c, chaosRecords, c.flush, c.stats, c.counts.faults
	} else {
		listener, err := newListener(engine.customers)
		if err != nil {
			return nil, err
		}
		b.publisher, b.stats = views.NewBus(listener), listener.Stats
	}
	b.publisher = counting{b.publisher, progress}
	if opts.lake == "" {
		return b, nil
	}
	events, err := lake.Open(opts.lake, nil)
	if err != nil {
		return nil, badInput{fmt.Errorf("-lake: %w", err)}
	}
	b.publisher, b.close = cdc.FanOut(events, b.publisher), events.Close
	return b, nil
}

// counting counts what was published.
type counting struct {
	cdc.Publisher
	progress *progress
}

func (c counting) Publish(ctx context.Context, events []insideout.Event) error {
	err := c.Publisher.Publish(ctx, events)
	if err == nil {
		c.progress.published.Add(int64(len(events)))
	}
	return err
}

// query dumps the view to a file, or to nowhere, and returns the best customers and the digest of the dump. The file is replaced
// only when the dump is complete.
func query(ctx context.Context, db *table.DB, file string) (top []Customer, digest string, err error) {
	if file == "" {
		return dumpView(ctx, db, io.Discard)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return nil, "", badInput{fmt.Errorf("-dump: %w", err)}
	}
	defer os.Remove(temp.Name())
	top, digest, err = dumpView(ctx, db, temp)
	if err = errors.Join(err, temp.Close()); err != nil {
		return nil, "", err
	}
	return top, digest, os.Rename(temp.Name(), file)
}
