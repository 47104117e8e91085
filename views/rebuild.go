package views

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// RebuildOptions adjust a rebuild. The zero value and nil are fine.
type RebuildOptions struct {
	// Name is that of the job, under which it notes how far it is: letters, digits, "-". A job that was killed goes on under
	// the same name. Changed code is another job: give it another name. Default: "rebuild".
	Name string

	// State is where the job notes how far it is: one row, with the sort key "rebuild", which is deleted at the end. Default: the
	// listener's table.
	State *table.DB

	// InPlace says that the rows are already there and in use, and that a mapper or a roll-up has changed: what the very same
	// event wrote before is replaced.
	InPlace bool

	// Memory bounds the bytes of what is held at a time, about: half a KiB for each row and lane, and the body of its newest event. A
	// history with more rows than fit is read, and the table verified, once for each part that fits: a history of
	// a million rows of 1 KB is done fastest with 2 GiB. The rows of one partition key are always held together. Default: 256 MiB.
	Memory int64

	// Rate bounds the writes a second, which leaves the rest of what the table can take to its users. Default: what the table
	// takes; while it throttles, the listener's workers become fewer.
	Rate int

	// Events is how many events the history has, for the progress. Default: unknown, and then guessed from their timestamps.
	Events int64

	// MaxFaults is how many events that no rule can apply, ever, the rebuild passes over. With more it fails before the switch.
	// Default: none.
	MaxFaults int64

	// Faults takes a fault event for each of those. Default: none is published, since the live listener had published them; the
	// result counts them and has the first ones.
	Faults Faults

	// Progress is called about once a second, by one goroutine at a time. Default: nothing.
	Progress func(Progress)

	// Switch hands the readers over to the rebuilt table, once what is in it was verified. It may be called again for the same
	// job if that is killed meanwhile; see [Alias.Switch]. Default: nothing.
	Switch func(context.Context, Rebuilt) error
}

const (
	defaultRebuild = "rebuild"
	defaultMemory  = 256 << 20
	wholeRange     = math.MaxUint64
)

// Rebuilt tells what a rebuild did.
type Rebuilt struct {
	Events     int64 // of the history
	Skipped    int64 // events of no rule, of the service itself, for tests, or skipped by their mapper
	Lanes      int64 // lanes of rows that the history makes
	Superseded int64 // writes that were not made, since the history has a newer one of the same row and lane
	Applied    int64 // writes that changed a row
	Stale      int64 // writes that came after a newer one, of the live listener
	Duplicate  int64 // writes that had been made before, by the live listener or before the job was killed
	Withheld   int64 // writes that were not made, since they were about people who were erased
	Resumed    int64 // lanes that the job had written before it was killed
	RolledUp   int64 // totals that were written
	Faults     int64 // events that no rule can apply
	Passes     int   // how often the history was read

	Verified Verification
	Reasons  []string // of the first faults, each with the event's id
	Took     time.Duration
}

// Verification compares the table with what the history makes of it. The digests are over the rows and lanes, with their
// versions and attributes, that no newer event has changed since; they do not depend on the order.
type Verification struct {
	Lanes       int64    // as the history has them
	Newer       int64    // changed since by newer events, of the live listener: not compared
	Withheld    int64    // about people who were erased, and so not to be there: not compared
	Expired     int64    // past their time to live: not compared
	Missing     int64    // not in the table, or older there
	Wrong       int64    // in the table with other attributes
	Unexplained int64    // in the table, older than the rebuild, and made by no event of the history
	Want, Have  string   // digests, in hexadecimal
	First       []string // the first rows that are missing, wrong or unexplained, each with the reason
}

// ErrUnverified is returned by [Rebuild] when the table is not what the history makes of it; there is no switch.
var ErrUnverified = errors.New("views: the rebuilt table is not what the history makes of it")

// ErrTooManyFaults is returned by [Rebuild] when more events than RebuildOptions.MaxFaults cannot be applied; there is no switch.
var ErrTooManyFaults = errors.New("views: too many events of the history cannot be applied")

// Rebuild folds a history of events, such as a lake's, into the rows of a listener's table, by its rules and under its lock,
// verifies the result, and switches over to it.
//
// # Blue and green
//
// The readers are on the blue table. To rebuild a view into a green one while it is live:
//
//  1. Create the green table, and feed a listener on it (its function, its queue) with the live events.
//  2. Rebuild with another listener of the same rules on the green table. The history must reach back to the first event and
//     forward to those that the green listener got first; where the two overlap does not matter, and in what order
//     they write neither: both take the same lock.
//  3. RebuildOptions.Switch hands the readers over; [Alias] is one way.
//  4. Take away the blue listener, and later the table. Until then one can switch back.
//
// In place, with RebuildOptions.InPlace, the changed listener goes live first; then the history is folded into the same table, and
// rows that an older mapper made of the same event are replaced, one after the other, while readers read them. A row that no event of
// the history makes stays as it is, which the result counts as Unexplained. A rule that was moved to other rows or
// lanes is no case for it: what the old rule wrote would stay.
//
// # What it does
//
// Only the newest version of each row and lane is written: the history is mapped and compacted in memory first, as much of it as
// RebuildOptions.Memory allows, by ranges of the hashes of partition keys. If not all of it fits at a time, the history is read
// again for the next range: it must be a sequence that can be ranged over more than once. The totals of roll-ups are made once.
//
// Side effects are off: rows are latched, so that triggers publish nothing, no fault is published unless
// RebuildOptions.Faults is given, and no hook of the listener is called. Mappers are called as ever.
//
// Verification reads the whole table, consistently, once a range, and compares count and digest with what the history makes. The totals
// of roll-ups are not compared: they are made from the rows that the table has.
//
// A job that is killed goes on: under the same name it reads the history again, and writes only what it had not written.
//
// Errors are those of the history and of the table, [ErrTooManyFaults], [ErrUnverified], and what Switch returns. The
// result tells how far it came.
func Rebuild(ctx context.Context, l *Listener, history iter.Seq2[insideout.Event, error], opts *RebuildOptions) (Rebuilt, error) {
	r, err := newRebuild(l, history, opts)
	if err != nil {
		return Rebuilt{}, err
	}
	began := time.Now()
	err = r.run(ctx)
	r.done.Took = time.Since(began)
	return r.done, err
}

// rebuild is one run of the job.
type rebuild struct {
	*Listener
	history iter.Seq2[insideout.Event, error]
	opts    RebuildOptions
	state   *rebuildState
	meter   progressMeter
	began   time.Time
	known   map[*rule]bool  // rules that have written
	kinds   map[string]bool // of the rows and lanes that they write
	refused map[refusal]error
	mapped  int64 // writes that the history asks for
	done    Rebuilt
	digests [2]digestSum // wanted and found
	lost    []*kept      // that an earlier run wrote, and the table does not have

	shapesMu sync.RWMutex // guards shapes
	shapes   map[*rule]*laneShape
}

// refusal is a version that the table does not take, such as one that is too large.
type refusal struct {
	laneKey
	version string
}

func newRebuild(l *Listener, history iter.Seq2[insideout.Event, error], opts *RebuildOptions) (*rebuild, error) {
	if l == nil || history == nil {
		return nil, errors.New("views: Rebuild needs a listener and a history")
	}
	r := &rebuild{history: history, began: time.Now(), refused: map[refusal]error{}, known: map[*rule]bool{}, kinds: map[string]bool{}, shapes: map[*rule]*laneShape{}}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Name == "" {
		r.opts.Name = defaultRebuild
	}
	if r.opts.Memory <= 0 {
		r.opts.Memory = defaultMemory
	}
	if r.opts.State == nil {
		r.opts.State = l.db
	}
	r.Listener = l.quiet(r.opts)
	r.db = r.db.Through(func(c table.Client) table.Client { return watched{c} })
	r.meter = progressMeter{call: r.opts.Progress}
	return r, nil
}

// quiet is the listener without its side effects.
func (l *Listener) quiet(o RebuildOptions) *Listener {
	q := &Listener{db: l.db, opts: l.opts, rules: l.rules, routes: l.routes, rollups: l.rollups, limiter: newLimiter(l.opts.Workers)}
	q.opts.Faults = o.Faults
	q.opts.OnBatch = nil
	if o.InPlace {
		q.db, q.anew = l.db.Replaying(), true
	}
	return q
}

func (r *rebuild) run(ctx context.Context) (err error) {
	if r.state, err = loadState(ctx, r.opts.State, r.opts.Name); err != nil {
		return err
	}
	for from := uint64(0); ; {
		f := newFold(r, from)
		if err := f.read(ctx); err != nil {
			return err
		}
		if err := r.writeRange(ctx, f, f.sorted()); err != nil {
			return err
		}
		if err := r.verify(ctx, f); err != nil {
			return err
		}
		if f.to == wholeRange {
			break
		}
		from = f.to + 1
	}
	return r.finish(ctx)
}

// finish judges the result and switches over.
func (r *rebuild) finish(ctx context.Context) error {
	v := &r.done.Verified
	r.done.Superseded = r.mapped - r.done.Lanes
	v.Want, v.Have = r.digests[0].String(), r.digests[1].String()
	if r.done.Faults > r.opts.MaxFaults {
		return r.fail(ctx, fmt.Errorf("%w: %d, and MaxFaults is %d; the first: %s", ErrTooManyFaults, r.done.Faults, r.opts.MaxFaults, first(r.done.Reasons)))
	}
	if v.Missing+v.Wrong > 0 || v.Want != v.Have || v.Unexplained > 0 && !r.opts.InPlace {
		return r.fail(ctx, fmt.Errorf("%w: of %d lanes %d are missing and %d are wrong, and %d are made by no event; the first: %s",
			ErrUnverified, v.Lanes, v.Missing, v.Wrong, v.Unexplained, first(v.First)))
	}
	if r.opts.Switch != nil {
		if err := r.opts.Switch(ctx, r.done); err != nil {
			return fmt.Errorf("views: the table is rebuilt and verified, but not switched to: %w", err)
		}
	}
	return r.state.delete(ctx)
}

// fail forgets the progress of a job that did not come out right, so that the next run does not take it for done.
func (r *rebuild) fail(ctx context.Context, err error) error {
	return errors.Join(err, r.state.delete(ctx))
}

const maxFirst = 10 // reasons that a result tells

func first(reasons []string) string {
	if len(reasons) == 0 {
		return "unknown"
	}
	return reasons[0]
}

func note(reasons *[]string, text string) {
	if len(*reasons) < maxFirst {
		*reasons = append(*reasons, text)
	}
}
