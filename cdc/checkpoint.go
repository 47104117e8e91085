package cdc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/insideout-go/insideout/table"
)

// Shard names a shard as one consumer reads it.
type Shard struct {
	Consumer string // see TailOptions.Consumer
	Stream   string // the ARN of the stream
	ID       string
}

// Checkpoint is how far a shard was published, and who reads it. The zero value is the beginning of a shard that nobody reads.
type Checkpoint struct {
	Sequence string    // of the last record that is out
	At       time.Time // the greatest time of a record so far, in whole seconds
	End      bool      // the shard is closed, and all of it is out

	// What follows is for runs that share the shards of a stream: see TailOptions.Lease.
	Holder string        // the run that reads the shard
	Wanted string        // the run that asks for it
	Lease  time.Duration // how long the holder may give no sign
	Beat   int64         // grows by one with each write: the sign
}

// same compares what two checkpoints say.
func (c Checkpoint) same(d Checkpoint) bool {
	at := c.At.Equal(d.At)
	c.At, d.At = time.Time{}, time.Time{}
	return at && c == d
}

// behind tells whether d is further than c. Sequence numbers grow within a shard; they differ in length.
func (c Checkpoint) behind(d Checkpoint) bool {
	return d.End || !c.End && padSequence(c.Sequence) < padSequence(d.Sequence)
}

// Checkpoints keep how far the shards of streams were published.
type Checkpoints interface {
	// Load returns the checkpoints of shards, in their order: the zero value where there is none. It must see every Swap that was done
	// before.
	Load(ctx context.Context, shards []Shard) ([]Checkpoint, error)

	// Swap keeps next in the place of seen, in one step: if what is kept has another Beat than seen, it stays, and is returned with
	// false. A swap that was done already, and is tried again since its answer was lost, is done.
	Swap(ctx context.Context, s Shard, seen, next Checkpoint) (kept Checkpoint, swapped bool, err error)
}

// forgetful keeps checkpoints as long as the run lasts.
type forgetful struct {
	mu sync.Mutex
	at map[Shard]Checkpoint
}

func (f *forgetful) Load(_ context.Context, shards []Shard) ([]Checkpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Checkpoint, len(shards))
	for i, s := range shards {
		list[i] = f.at[s]
	}
	return list, nil
}

func (f *forgetful) Swap(_ context.Context, s Shard, seen, next Checkpoint) (Checkpoint, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept := f.at[s]; kept.Beat != seen.Beat {
		return kept, kept.same(next), nil
	}
	f.at[s] = next
	return next, true, nil
}

// checkpointName is the discriminator of checkpoint rows, and checkpointPrefix what their ids start with.
const (
	checkpointName   = "checkpoint"
	checkpointPrefix = "cdc "
)

// checkpointRow is a checkpoint in a table.
type checkpointRow struct {
	ID       string    `dynamo:"id"`
	Consumer string    `dynamo:"consumer"`
	Stream   string    `dynamo:"stream"`
	Shard    string    `dynamo:"shard"`
	Sequence string    `dynamo:"sequence"`
	At       time.Time `dynamo:"at"`
	End      bool      `dynamo:"end"`
	Holder   string    `dynamo:"holder"`
	Wanted   string    `dynamo:"wanted"`
	LeaseMS  int64     `dynamo:"leaseMs"`
	Beat     int64     `dynamo:"beat"`
}

// checkpointRetention outlives the 24 hours of a stream by far, and lets the rows of closed shards go.
const checkpointRetention = 33 * table.Day

var checkpointRows = table.DefineNode(checkpointName, func(r *checkpointRow, d *table.Def[checkpointRow]) {
	d.ID(&r.ID)
	d.Retain(checkpointRetention)
})

// CheckpointsIn keeps checkpoints in rows of db: one node with the discriminator "checkpoint" for each shard and consumer, of which each
// write is conditional on the one before it. The rows go 33 days after they were last written.
//
// db may be the very table that is followed, as long as it is never silent for a day: the last checkpoint is then itself the last record, and
// 24 hours later the stream has trimmed it, so that a run says [ErrTrimmed] although nothing is lost. A table of its own has no such end.
// In a table that is followed the rows are records too, but no rule is for them.
func CheckpointsIn(db *table.DB) Checkpoints { return tableCheckpoints{db} }

type tableCheckpoints struct{ db *table.DB }

func checkpointID(s Shard) string {
	return checkpointPrefix + strings.Join([]string{s.Consumer, s.Stream, s.ID}, " ")
}

func (c tableCheckpoints) Load(ctx context.Context, shards []Shard) ([]Checkpoint, error) {
	ids := make([]table.ID, len(shards))
	for i, s := range shards {
		ids[i] = checkpointID(s)
	}
	rows, err := checkpointRows.BatchGet(ctx, c.db, ids)
	if err != nil {
		return nil, err
	}
	list := make([]Checkpoint, len(rows))
	for i, row := range rows {
		if row != nil {
			list[i] = row.checkpoint()
		}
	}
	return list, nil
}

func (r *checkpointRow) checkpoint() Checkpoint {
	return Checkpoint{
		Sequence: r.Sequence, At: r.At, End: r.End,
		Holder: r.Holder, Wanted: r.Wanted, Lease: time.Duration(r.LeaseMS) * time.Millisecond, Beat: r.Beat,
	}
}

func (c tableCheckpoints) Swap(ctx context.Context, s Shard, seen, next Checkpoint) (Checkpoint, bool, error) {
	row := checkpointRow{
		ID: checkpointID(s), Consumer: s.Consumer, Stream: s.Stream, Shard: s.ID, Sequence: next.Sequence, At: next.At, End: next.End,
		Holder: next.Holder, Wanted: next.Wanted, LeaseMS: next.Lease.Milliseconds(), Beat: next.Beat,
	}
	var err error
	if seen.Beat == 0 {
		err = checkpointRows.Create(ctx, c.db, row)
	} else {
		err = checkpointRows.Save(ctx, c.db, row, table.If(table.Eq(&checkpointRows.F.Beat, seen.Beat)))
	}
	switch {
	case err == nil:
		return next, true, nil
	case !errors.Is(err, table.ErrConflict) && !errors.Is(err, table.ErrExists):
		return Checkpoint{}, false, err
	}
	list, err := c.Load(ctx, []Shard{s})
	if err != nil {
		return Checkpoint{}, false, err
	}
	return list[0], list[0].same(next), nil
}

// isCheckpoint reports whether the record is the trace of a checkpoint, of which a stream may carry the keys alone.
func isCheckpoint(r *record) bool {
	return r.key.SK == checkpointName && strings.HasPrefix(r.key.PK, checkpointPrefix)
}
