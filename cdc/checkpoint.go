package cdc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Shard names a shard as one consumer reads it.
type Shard struct {
	Consumer string // see TailOptions.Consumer
	Stream   string // the ARN of the stream
	ID       string
}

// Checkpoint is how far a shard was published. The zero value is its beginning.
type Checkpoint struct {
	Sequence string    // of the last record that is out
	At       time.Time // the greatest time of a record so far, in whole seconds
	End      bool      // the shard is closed, and all of it is out
}

// Checkpoints keep how far the shards of streams were published.
type Checkpoints interface {
	// Load returns the checkpoint of a shard, the zero value if there is none.
	Load(ctx context.Context, s Shard) (Checkpoint, error)

	// Save keeps the checkpoint of a shard in the place of the one before. It must not go back: of two, the one that is
	// further stays.
	Save(ctx context.Context, s Shard, c Checkpoint) error
}

// forgetful keeps nothing.
type forgetful struct{}

func (forgetful) Load(context.Context, Shard) (Checkpoint, error) { return Checkpoint{}, nil }
func (forgetful) Save(context.Context, Shard, Checkpoint) error   { return nil }

// checkpointName is the discriminator of checkpoint rows.
const checkpointName = "checkpoint"

// checkpointRow is a checkpoint in a table.
type checkpointRow struct {
	ID       string    `dynamo:"id"`
	Consumer string    `dynamo:"consumer"`
	Stream   string    `dynamo:"stream"`
	Shard    string    `dynamo:"shard"`
	Sequence string    `dynamo:"sequence"`
	At       time.Time `dynamo:"at"`
	End      bool      `dynamo:"end"`
}

// checkpointRetention outlives the 24 hours of a stream by far, and lets the rows of closed shards go.
const checkpointRetention = 33 * table.Day

var checkpointRows = table.DefineNode(checkpointName, func(r *checkpointRow, d *table.Def[checkpointRow]) {
	d.ID(&r.ID)
	d.Retain(checkpointRetention)
})

// CheckpointsIn keeps checkpoints in rows of db: one node with the
// discriminator "checkpoint" for each shard and consumer, latched, so that triggers do not publish it, and written
// under the inverse lock, so that it does not go back. The rows go 33 days after they were last written.
//
// db may be the very table that is followed, as long as it is never silent for a day: the last checkpoint is then itself the last record, and
// 24 hours later the stream has trimmed it, so that a run says [ErrTrimmed] although nothing is lost. A table of its own has no such end.
func CheckpointsIn(db *table.DB) Checkpoints { return tableCheckpoints{db} }

type tableCheckpoints struct{ db *table.DB }

func checkpointID(s Shard) string {
	return strings.Join([]string{"cdc", s.Consumer, s.Stream, s.ID}, " ")
}

func (c tableCheckpoints) Load(ctx context.Context, s Shard) (Checkpoint, error) {
	row, err := checkpointRows.Get(ctx, c.db, checkpointID(s))
	if errors.Is(err, table.ErrNotFound) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Sequence: row.Sequence, At: row.At, End: row.End}, nil
}

func (c tableCheckpoints) Save(ctx context.Context, s Shard, at Checkpoint) error {
	version, err := at.version()
	if err != nil {
		return err
	}
	_, err = checkpointRows.Upsert(ctx, c.db, checkpointRow{
		ID: checkpointID(s), Consumer: s.Consumer, Stream: s.Stream, Shard: s.ID,
		Sequence: at.Sequence, At: at.At, End: at.End,
	}, version)
	return err
}

// version grows with the place: the time of the records never falls within a run, the sequence number grows from record
// to record, and nothing comes behind the end.
func (c Checkpoint) version() (idempotence.Version, error) {
	at := c.At
	if at.Before(time.UnixMilli(0)) {
		at = time.UnixMilli(0)
	}
	place := padSequence(c.Sequence)
	if c.End {
		place += ".end"
	}
	return idempotence.NewVersion(at, place)
}

// isCheckpoint reports whether the record is the trace of a checkpoint.
func isCheckpoint(r *record) bool {
	return text(r.image()["discriminator"]) == checkpointName
}
