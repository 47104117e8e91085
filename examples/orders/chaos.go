package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
	"golang.org/x/sync/errgroup"
)

// chaos is a bus that misbehaves in every way that a real one may: it delivers each event one to four times, shuffled across
// batches, to several listeners at a time; their table throttles, loses answers of writes that it made, and they crash and are started
// again. The view must come out the same.
type chaos struct {
	open func(table.Client) (*views.Listener, error) // starts a listener on the view's table
	view table.Client

	mu        sync.Mutex
	random    *rand.Rand
	late      []insideout.Event // copies that come with a later batch; half of them with the next one
	idle      []*listenerProcess
	listeners []*views.Listener // all that ever ran
	counts    chaosCounts
}

// chaosCounts is what went wrong on purpose.
type chaosCounts struct {
	throttles   atomic.Int64
	lostAnswers atomic.Int64
	crashes     atomic.Int64
	redelivered atomic.Int64 // events that were delivered again since a batch had failed
}

// Faults is what the summary tells of it.
type Faults struct {
	Throttles   int64 `json:"throttles"`
	LostAnswers int64 `json:"lost_answers"`
	Crashes     int64 `json:"crashes"`
	Redelivered int64 `json:"redelivered"`
}

func (c *chaosCounts) faults() *Faults {
	return &Faults{c.throttles.Load(), c.lostAnswers.Load(), c.crashes.Load(), c.redelivered.Load()}
}

const (
	chaosListeners = 4   // at a time
	chaosCopies    = 4   // of an event at most
	chaosBatch     = 25  // events of a delivery at most
	chaosRecords   = 100 // of the stream at a time, so that there are batches to shuffle across
	chaosFault     = 50  // one of so many calls is throttled, and one loses its answer
	chaosLife      = 400 // calls of a listener before it crashes, at most
)

func newChaos(seed uint64, view table.Client, open func(table.Client) (*views.Listener, error)) *chaos {
	return &chaos{open: open, view: view, random: rand.New(rand.NewPCG(seed, seed))}
}

// Publish delivers each event at least once before it returns; further copies come with this batch or a later one. Now and then
// it says that events which were delivered were not, so that the trigger publishes them again.
func (c *chaos) Publish(ctx context.Context, events []insideout.Event) error {
	if err := c.deliver(ctx, c.mix(events)); err != nil {
		return err
	}
	if from := c.n(10 * len(events)); from < len(events) {
		lost := &cdc.PublishError{Errors: map[int]error{}}
		for i := from; i < len(events); i++ {
			lost.Errors[i] = errors.New("orders: the bus lost its answer")
		}
		return lost
	}
	return nil
}

// flush delivers what is still late.
func (c *chaos) flush(ctx context.Context) error {
	late := c.late
	c.late = nil
	return c.deliver(ctx, late)
}

// mix is every event once, copies of some, and some that are late, in any order.
func (c *chaos) mix(events []insideout.Event) []insideout.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, copies := slices.Clone(events), c.late
	for _, e := range events {
		for range c.random.IntN(chaosCopies) {
			copies = append(copies, e)
		}
	}
	c.late = nil
	for _, e := range copies {
		if c.random.IntN(2) == 0 {
			now = append(now, e)
		} else {
			c.late = append(c.late, e)
		}
	}
	c.random.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
	return now
}

// deliver cuts the events into batches for several listeners at a time.
func (c *chaos) deliver(ctx context.Context, events []insideout.Event) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(chaosListeners)
	for len(events) > 0 {
		n := min(1+c.n(chaosBatch), len(events))
		batch := events[:n]
		events = events[n:]
		group.Go(func() error { return c.handle(ctx, batch) })
	}
	return group.Wait()
}

// handle delivers a batch until a listener has taken all of it, as a queue does.
func (c *chaos) handle(ctx context.Context, batch []insideout.Event) error {
	for {
		p, err := c.process(ctx)
		if err != nil {
			return err
		}
		err = p.listener.Handle(p.ctx, batch)
		c.leave(p)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if failed, ok := errors.AsType[*views.BatchError](err); ok {
			batch = pick(batch, failed.Failed())
		}
		c.counts.redelivered.Add(int64(len(batch)))
	}
}

func pick(events []insideout.Event, places []int) []insideout.Event {
	picked := make([]insideout.Event, len(places))
	for i, place := range places {
		picked[i] = events[place]
	}
	return picked
}

func (c *chaos) n(limit int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(max(1, limit))
}

// listenerProcess is a listener that lives until it crashes: all its calls are broken off, whatever it was about to write.
type listenerProcess struct {
	table.Client // the view's
	listener     *views.Listener
	chaos        *chaos
	ctx          context.Context
	crash        context.CancelFunc
	calls        atomic.Int64 // that it has left
}

// process takes a listener that is idle, or starts one.
func (c *chaos) process(ctx context.Context) (*listenerProcess, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		p := c.idle[last]
		c.idle = c.idle[:last]
		return p, nil
	}
	p := &listenerProcess{Client: c.view, chaos: c}
	p.calls.Store(1 + c.random.Int64N(chaosLife))
	p.ctx, p.crash = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, p.crash)
	var err error
	if p.listener, err = c.open(p); err == nil {
		c.listeners = append(c.listeners, p.listener)
	}
	return p, err
}

// leave makes the listener idle, unless it has crashed.
func (c *chaos) leave(p *listenerProcess) {
	if p.ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, p)
}

// stats is what all listeners did.
func (c *chaos) stats() (sum views.Stats) {
	for _, l := range c.listeners {
		s := l.Stats()
		sum.In += s.In
		sum.Applied += s.Applied
		sum.Stale += s.Stale
		sum.Duplicate += s.Duplicate
		sum.Coalesced += s.Coalesced
		sum.Faults += s.Faults
		sum.Writes += s.Writes
		sum.Reads += s.Reads
		sum.RolledUp += s.RolledUp
	}
	return sum
}

// broken makes a call of a listener, or breaks it.
func broken[Out any](p *listenerProcess, call func() (*Out, error)) (*Out, error) {
	if p.calls.Add(-1) == 0 {
		p.chaos.counts.crashes.Add(1)
		p.crash()
	}
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	switch p.chaos.n(chaosFault) {
	case 0:
		p.chaos.counts.throttles.Add(1)
		return nil, &types.ProvisionedThroughputExceededException{Message: new("injected")}
	case 1:
		_, _ = call()
		p.chaos.counts.lostAnswers.Add(1)
		return nil, io.ErrUnexpectedEOF
	default:
		return call()
	}
}

// UpdateItem is one of the calls that go wrong.
func (p *listenerProcess) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return broken(p, func() (*dynamodb.UpdateItemOutput, error) { return p.Client.UpdateItem(ctx, in, o...) })
}

// GetItem is one of the calls that go wrong.
func (p *listenerProcess) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return broken(p, func() (*dynamodb.GetItemOutput, error) { return p.Client.GetItem(ctx, in, o...) })
}

// Query is one of the calls that go wrong.
func (p *listenerProcess) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return broken(p, func() (*dynamodb.QueryOutput, error) { return p.Client.Query(ctx, in, o...) })
}
