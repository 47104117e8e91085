package kinesis

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
	Consumer string // see Options.Consumer
	Stream   string // as it was given to New
	ID       string
}

// Checkpoint is how far a shard was applied. The zero value is its beginning.
type Checkpoint struct {
	Sequence string // of the last record that was applied, 1 to 129 digits
	End      bool   // the shard is closed, and all of it was applied
}

// Checkpoints keep how far the shards of streams were applied.
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

// checkpointRow is a checkpoint in a table.
type checkpointRow struct {
	ID       string `dynamo:"id"`
	Consumer string `dynamo:"consumer"`
	Stream   string `dynamo:"stream"`
	Shard    string `dynamo:"shard"`
	Sequence string `dynamo:"sequence"`
	End      bool   `dynamo:"end"`
}

// checkpointRows share their name with those of package cdc, which triggers know to be no news.
var checkpointRows = table.DefineNode("checkpoint", func(r *checkpointRow, d *table.Def[checkpointRow]) {
	d.ID(&r.ID)
})

// CheckpointsIn keeps checkpoints in rows of db: one node with the discriminator "checkpoint" for each shard and consumer,
// latched, so that triggers do not publish it, and written under the inverse lock, so that it does not go back. The rows of
// closed shards stay; they are few, and small.
func CheckpointsIn(db *table.DB) Checkpoints { return tableCheckpoints{db} }

type tableCheckpoints struct{ db *table.DB }

func checkpointID(s Shard) string {
	return strings.Join([]string{"kinesis", s.Consumer, s.Stream, s.ID}, " ")
}

func (c tableCheckpoints) Load(ctx context.Context, s Shard) (Checkpoint, error) {
	row, err := checkpointRows.Get(ctx, c.db, checkpointID(s))
	if errors.Is(err, table.ErrNotFound) {
		return Checkpoint{}, nil
	}
	return Checkpoint{Sequence: row.Sequence, End: row.End}, err
}

func (c tableCheckpoints) Save(ctx context.Context, s Shard, at Checkpoint) error {
	version, err := at.version()
	if err != nil {
		return err
	}
	_, err = checkpointRows.Upsert(ctx, c.db, checkpointRow{
		ID: checkpointID(s), Consumer: s.Consumer, Stream: s.Stream, Shard: s.ID, Sequence: at.Sequence, End: at.End,
	}, version)
	return err
}

// maxDigits is the length of the longest sequence number.
const maxDigits = 129

// version grows with the place: sequence numbers grow from record to record, and nothing comes behind the end. The times of
// records do not: Kinesis says that they may go back.
func (c Checkpoint) version() (idempotence.Version, error) {
	place := strings.Repeat("0", max(0, maxDigits-len(c.Sequence))) + c.Sequence
	if c.End {
		place += ".end"
	}
	return idempotence.NewVersion(time.UnixMilli(0), place)
}
