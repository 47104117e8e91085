package idempotence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"
)

// Client is what a ledger needs of a DynamoDB client. *dynamodb.Client has it.
type Client interface {
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// Defaults and limits of Options.
const (
	defaultRetention = 33 * 24 * time.Hour // as rows of the table's own models
	defaultMargin    = time.Second
	defaultMaxResult = 64 << 10
	largestResult    = 380 << 10 // an item has at most 400 KB, and the ledger's own attributes need some of it
	longestLease     = 366 * 24 * time.Hour
)

// Options change what [NewLedger] makes. The zero value has all defaults.
type Options struct {
	// Lease bounds how long one effect may take. It ends earlier where the context does. Default: as long as the context,
	// which must then have a deadline.
	Lease time.Duration
	// Margin is the time between the end of a lease and the moment when another caller may take the key over: for clocks
	// that differ, and for effects that take a moment to stop. Default: one second.
	Margin time.Duration
	// Retention is how long a receipt counts, at least one second. Default: 33 days.
	Retention time.Duration
	// MaxResult bounds the result, in bytes of JSON, up to 389,120 (380 KB). Default: 65,536 (64 KB).
	MaxResult int
	// Wait lets a caller wait for the one that holds the key, in its context, rather than fail with ErrInProgress. Each look is
	// a conditional write that fails, with jittered pauses between 10 ms and one second.
	Wait bool
	// Cache is how many results of completed keys the process keeps, so that a repetition costs no request. Each is bounded by
	// MaxResult and Retention. Default: none.
	Cache int
	// Final tells, besides the mark of [Final], which errors of an effect are stored and returned again. It is called from many
	// goroutines. Default: none.
	Final func(error) bool
	// Logger gets a warning for each effect that went on after its lease, when another caller has taken its key over: the
	// effect may have happened twice. Default: none.
	Logger *slog.Logger
}

// Ledger runs effects once. T is the type of their result, which is stored as JSON. A ledger does not change and may be used
// from any number of goroutines.
type Ledger[T any] struct {
	client           Client
	table, operation string
	opts             Options
	cache            *cache
}

// NewLedger returns the ledger of one operation, such as "charge-card", in a table. The name keeps the keys of different
// operations apart and is stored in every row: 1 to 64 ASCII letters, digits, "-" and "_", a letter first. There is no I/O.
//
// The table needs pk and sk as its keys, both strings, and should have a time to live by the attribute "ttl". It fails with
// every mistake at once; the error wraps [ErrInvalid].
func NewLedger[T any](client Client, table, operation string, opts *Options) (*Ledger[T], error) {
	l := &Ledger[T]{client: client, table: table, operation: operation}
	if opts != nil {
		l.opts = *opts
	}
	var faults []error
	if client == nil {
		faults = append(faults, invalid("the client is nil"))
	}
	if table == "" {
		faults = append(faults, invalid("the name of the table is empty"))
	}
	if operation == "" || Lane(operation).Valid() != nil {
		faults = append(faults, invalid("the operation %q is not 1 to %d letters, digits, \"-\" and \"_\", a letter first", operation, maxLane))
	}
	if err := errors.Join(append(faults, l.opts.complete()...)...); err != nil {
		return nil, err
	}
	l.cache = newCache(l.opts.Cache)
	return l, nil
}

// complete puts the defaults in, and returns what is wrong.
func (o *Options) complete() []error {
	o.Margin = cmp.Or(o.Margin, defaultMargin)
	o.Retention = cmp.Or(o.Retention, defaultRetention)
	o.MaxResult = cmp.Or(o.MaxResult, defaultMaxResult)
	var faults []error
	if o.Lease < 0 || o.Lease > longestLease {
		faults = append(faults, invalid("Options.Lease is %v, not up to %v", o.Lease, longestLease))
	}
	if o.Margin < 0 || o.Margin > longestLease {
		faults = append(faults, invalid("Options.Margin is %v, not up to %v", o.Margin, longestLease))
	}
	if o.Retention < time.Second {
		faults = append(faults, invalid("Options.Retention is %v, less than a second", o.Retention))
	}
	if o.MaxResult < 0 || o.MaxResult > largestResult {
		faults = append(faults, invalid("Options.MaxResult is %d, not 1 to %d", o.MaxResult, largestResult))
	}
	if o.Cache < 0 {
		faults = append(faults, invalid("Options.Cache is %d", o.Cache))
	}
	return faults
}

// CallOption changes one call of a ledger.
type CallOption func(*callOptions)

type callOptions struct{ payload any }

// Payload gives the call what its key stands for, such as the request: anything that encodes as JSON, the order of members
// aside. A second call under the key with another payload, or without one, fails with [ErrPayloadMismatch] and runs nothing. Only a hash is
// stored. Nil is no payload.
func Payload(v any) CallOption { return func(o *callOptions) { o.payload = v } }

// call is one caller's way through the ledger.
type call[T any] struct {
	*Ledger[T]
	key     string
	row     rowKey
	owner   string // the token that fences others off
	payload string
	claim   *claim
}

// Do runs fn once for the key, stores its result, and returns that to every caller. The key is any text that is not empty, and
// is stored as a hash.
//
// The first caller claims the key for the time of its lease and runs fn with a context that ends with the lease. What comes next depends on fn:
//
//   - a result is stored, and every later caller gets it;
//   - an error that is marked as final ([Final], Options.Final) is stored: later callers get its text in an error that is [ErrFailed];
//   - any other error releases the key, and the next caller runs fn again;
//   - a panic releases the key and goes on.
//
// A caller that finds the key held fails with [ErrInProgress] in a [*LedgerError] with the time after which to try again,
// or waits (Options.Wait). If the holder is gone when its lease ends, the next caller runs fn again. So an effect that is outside of DynamoDB
// may happen again after a crash between it and its receipt: give the key to it too. An effect inside DynamoDB happens exactly
// once with [Ledger.Receipt].
//
// A holder that outlives its lease cannot store or release anything once another caller has the key: it gets what that caller stored, or [ErrLost].
// Storing goes on for up to five seconds after the context has ended. If fn has returned a result that could not be stored, Do returns
// it together with an error.
//
// It makes one conditional write to claim, and one to complete or release; a repetition is one that fails. It never reads.
func (l *Ledger[T]) Do(ctx context.Context, key string, fn func(context.Context) (T, error), opts ...CallOption) (T, error) {
	var none T
	c, err := l.call(key, opts)
	if err != nil {
		return none, err
	}
	if fn == nil {
		return none, c.fail("claim", invalid("the function is nil"))
	}
	if stored, ok := l.cache.get(c.row.pk, time.Now()); ok {
		return c.replay("claim", stored)
	}
	for pause := newPause(); ; {
		result, again, err := c.attempt(ctx, fn)
		if !again || !l.opts.Wait {
			return result, err
		}
		if ctxErr := pause.Wait(ctx); ctxErr != nil {
			return none, errors.Join(err, ctxErr)
		}
	}
}

// call checks what the caller gave, and makes the names of its row.
func (l *Ledger[T]) call(key string, opts []CallOption) (*call[T], error) {
	var o callOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	c := &call[T]{Ledger: l, key: key, row: rowKey{table: l.table, pk: l.operation + "|" + hash([]byte(key))}}
	if key == "" {
		return nil, c.fail("claim", invalid("the key is empty"))
	}
	var err error
	if c.payload, err = payloadHash(o.payload); err != nil {
		return nil, c.fail("claim", invalid("the payload does not encode as JSON: %w", err))
	}
	return c, nil
}

// attempt claims the key and runs fn, or returns what is stored. Again says that somebody else holds the key.
func (c *call[T]) attempt(ctx context.Context, fn func(context.Context) (T, error)) (result T, again bool, err error) {
	ends, err := c.leaseEnd(ctx)
	if err != nil {
		return result, false, c.fail("claim", err)
	}
	c.owner = uuid.NewString()
	stored, err := c.take(ctx, ends.Add(c.opts.Margin))
	switch {
	case err != nil:
		return result, c.blocked(err), err
	case stored != nil:
		result, err = c.replay("claim", *stored)
		return result, false, err
	}
	result, err = c.run(ctx, ends, fn)
	return result, c.blocked(err), err
}

// blocked says that somebody else holds this very key; a function may come back with such an error of another one.
func (c *call[T]) blocked(err error) bool {
	e, ok := errors.AsType[*LedgerError](err)
	return ok && e.Operation == c.operation && e.Key == c.key && (errors.Is(e.Err, ErrInProgress) || errors.Is(e.Err, ErrLost))
}

func (c *call[T]) leaseEnd(ctx context.Context) (time.Time, error) {
	if err := context.Cause(ctx); err != nil {
		return time.Time{}, err
	}
	ends, ok := ctx.Deadline()
	if c.opts.Lease > 0 {
		if own := time.Now().Add(c.opts.Lease); !ok || own.Before(ends) {
			ends, ok = own, true
		}
	}
	if !ok {
		return time.Time{}, ErrNoLease
	}
	return ends, nil
}

// run runs fn under the claim, and settles the claim whatever fn does.
func (c *call[T]) run(ctx context.Context, ends time.Time, fn func(context.Context) (T, error)) (T, error) {
	c.claim = &claim{owner: c.owner, payload: c.payload}
	within, cancel := context.WithDeadlineCause(context.WithValue(ctx, c.row, c.claim), ends, errLeaseEnded)
	defer cancel()
	returned := false
	defer func() {
		if !returned { // a panic, or the end of the goroutine, which goes on after this
			_, _, _ = c.release(ctx)
		}
	}()
	result, err := fn(within)
	returned = true
	return c.settle(ctx, result, err)
}

func (c *call[T]) settle(ctx context.Context, result T, err error) (T, error) {
	if stored, ok := c.claim.settled(); ok { // by a receipt in a transaction of fn
		kept, replayErr := c.replay("complete", stored)
		return kept, errors.Join(err, replayErr)
	}
	if err == nil {
		return c.complete(ctx, result)
	}
	if isFinal(err) || c.opts.Final != nil && c.opts.Final(err) {
		return c.keep(ctx, err)
	}
	var none T
	stored, found, releaseErr := c.release(ctx)
	if found {
		return c.replay("release", stored)
	}
	if releaseErr != nil {
		return none, errors.Join(err, releaseErr)
	}
	return none, err
}

// complete stores the result. One that cannot be stored is kept as a failure: the effect has happened and must not again.
func (c *call[T]) complete(ctx context.Context, result T) (T, error) {
	text, err := c.encode(result)
	if err != nil {
		_, keepErr := c.finish(ctx, entry{status: failed, failure: shorten(err.Error())})
		return result, errors.Join(c.fail("complete", err), keepErr)
	}
	stored, err := c.finish(ctx, entry{status: completed, result: text})
	if err != nil {
		return result, err
	}
	return c.replay("complete", stored)
}

// keep stores an error that is final. The caller gets it as it is, unless another caller's end of the claim came first.
func (c *call[T]) keep(ctx context.Context, cause error) (T, error) {
	var none T
	stored, err := c.finish(ctx, entry{status: failed, failure: shorten(cause.Error())})
	if err != nil {
		return none, errors.Join(cause, err)
	}
	if stored.owner != c.owner {
		return c.replay("complete", stored)
	}
	return none, cause
}

func (c *call[T]) warn(ctx context.Context) {
	if c.opts.Logger != nil {
		c.opts.Logger.WarnContext(ctx, "idempotence: an effect outlived its lease and may have happened twice",
			slog.String("operation", c.operation), slog.String("row", c.row.pk))
	}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}
