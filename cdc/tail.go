package cdc

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

var (
	// ErrNoStream is the cause when the table has no stream to follow: enable one with NEW_AND_OLD_IMAGES.
	ErrNoStream = errors.New("cdc: the table has no stream")

	// ErrTrimmed is the cause when records were removed from the stream before they were read: streams keep them for 24
	// hours. What they said was not published. TailOptions.SkipTrimmed goes on with the oldest record that is left.
	ErrTrimmed = errors.New("cdc: the stream no longer has the records behind the checkpoint")
)

// Streams is what [Tail] needs of DynamoDB Streams. *dynamodbstreams.Client meets it, and so does the embedded engine.
type Streams interface {
	ListStreams(context.Context, *dynamodbstreams.ListStreamsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// TailOptions are the options of [Tail]. The zero value and nil are fine.
type TailOptions struct {
	// Checkpoints keep how far each shard was read; see [CheckpointsIn]. Default: none are kept, so that every run
	// starts with the oldest record that the stream still has.
	Checkpoints Checkpoints

	// Consumer tells this run's checkpoints from those of others that follow the same stream. Default: "tail".
	Consumer string

	// Lease lets several runs, in as many processes, share the shards: those with the same Consumer, Lease and Checkpoints, which must be
	// kept where all of them see them. Each shard is read by one of them, as evenly as they can be spread. A run that gives no sign
	// for this long loses its shards to the others; one that ends, and one that has more than others, hands them over in between two
	// batches. A sign is a checkpoint, or a write for itself every third of this time. At least 100 ms; 10 seconds or more for runs on
	// different machines. Default: the run reads every shard, and there should be no other.
	Lease time.Duration

	// Worker is the name of this run in logs and checkpoints; runs may have the same one. Default: "worker".
	Worker string

	// Limit is how many records are read at a time, 1 to 1000. Default: 1000.
	Limit int

	// Interval is the pause after a read that found nothing. Default: 250 ms, as Lambda does it.
	Interval time.Duration

	// Discover is the pause between two looks for new shards; the end of a shard is such a look, too. Default: 10 s.
	Discover time.Duration

	// Drain ends the run without an error once the channel is closed, every shard was read to its tip, and Idle has
	// passed without a record in any of them. A run that shares the shards looks at those that it holds. Default: the run ends with
	// its context.
	Drain <-chan struct{}

	// Idle is how long all shards must have been silent before a drained run ends. DynamoDB's streams may be a second
	// behind the table; the embedded engine's are not. Default: 100 ms.
	Idle time.Duration

	// SkipTrimmed goes on with the oldest record that is left when the records behind a checkpoint are gone. Default:
	// the run ends with [ErrTrimmed].
	SkipTrimmed bool

	// OnProgress is called after every read and must be safe for concurrent use. Default: nothing.
	OnProgress func(Progress)

	// Logger is told of retries and of skipped records. Default: nothing is logged.
	Logger *slog.Logger
}

// Progress tells how far a shard was read.
type Progress struct {
	Shard    string
	Records  int           // of this read
	Sequence string        // of the last record that was published; empty before the first
	At       time.Time     // when that record came into the stream, in whole seconds
	Lag      time.Duration // how long ago that was; zero at the tip
	Tip      bool          // there was nothing to read
	End      bool          // the shard is closed, and was read to its end
}

// Tail follows the table's stream and hands every record to t, until ctx ends or the stream is drained. Each shard is
// read in order; the shards that come from one that was split are read after it, so that the records of one item stay
// in order. A batch of records that could not be published is tried again, with growing pauses, until ctx ends.
//
// Every record is published at least once: the checkpoint of a shard is written after the batch is out, and a run that
// is killed in between publishes it again, with the same ids. Several runs share the shards if they have a TailOptions.Lease; without,
// run one Tail for a set of checkpoints: a second one publishes everything twice.
//
// A run that has lost its lease without knowing it may still publish the batch that it is at, which its successor publishes, too. It
// cannot move the checkpoint. Each event of a partition key is published for the first time after those before it.
//
// The error is that of ctx, [ErrNoStream], [ErrTrimmed], one of the streams client that a retry does not mend, or of
// the checkpoints.
func Tail(ctx context.Context, streams Streams, tableName string, t *Trigger, opts *TailOptions) error {
	if streams == nil || t == nil {
		return errors.New("cdc: Tail needs a streams client and a trigger")
	}
	f := &follower{streams: streams, trigger: t, opts: tailDefaults(opts)}
	f.me = f.opts.Worker + "/" + rand.Text()
	if f.opts.Lease < 0 || f.opts.Lease > 0 && f.opts.Lease < minLease {
		return fmt.Errorf("cdc: a lease of %v: it must be %v or more", f.opts.Lease, minLease)
	}
	if f.opts.Lease > 0 && opts.Checkpoints == nil {
		return errors.New("cdc: runs that share the shards (TailOptions.Lease) need Checkpoints that all of them see")
	}
	arn, err := f.findStream(ctx, tableName)
	if err != nil {
		return err
	}
	f.arn = arn
	return f.run(ctx)
}

const minLease = 100 * time.Millisecond

func tailDefaults(opts *TailOptions) TailOptions {
	var o TailOptions
	if opts != nil {
		o = *opts
	}
	if o.Checkpoints == nil {
		o.Checkpoints = &forgetful{at: map[Shard]Checkpoint{}}
	}
	o.Consumer = cmp.Or(o.Consumer, "tail")
	o.Worker = cmp.Or(o.Worker, "worker")
	if o.Limit <= 0 || o.Limit > 1000 {
		o.Limit = 1000
	}
	o.Interval = orDefault(o.Interval, 250*time.Millisecond)
	o.Discover = orDefault(o.Discover, 10*time.Second)
	o.Idle = orDefault(o.Idle, 100*time.Millisecond)
	if o.OnProgress == nil {
		o.OnProgress = func(Progress) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// findStream returns the newest of the table's streams: a table that had its stream switched off and on has several,
// and the older ones get no records any more.
func (f *follower) findStream(ctx context.Context, tableName string) (string, error) {
	var arn, label string
	in := &dynamodbstreams.ListStreamsInput{TableName: &tableName}
	for {
		var out *dynamodbstreams.ListStreamsOutput
		err := f.retry(ctx, "ListStreams", func() (err error) {
			out, err = f.streams.ListStreams(ctx, in)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("cdc: streams of table %q: %w", tableName, err)
		}
		for _, s := range out.Streams {
			if l := deref(s.StreamLabel); deref(s.TableName) == tableName && (arn == "" || l > label) {
				arn, label = deref(s.StreamArn), l
			}
		}
		if in.ExclusiveStartStreamArn = out.LastEvaluatedStreamArn; in.ExclusiveStartStreamArn == nil {
			break
		}
	}
	if arn == "" {
		return "", fmt.Errorf("%w: %q", ErrNoStream, tableName)
	}
	return arn, nil
}
