package kinesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout/internal/backoff"
	"github.com/insideout-go/insideout/views/internal/poll"
)

// reader reads one shard from its checkpoint to its end.
type reader struct {
	*follower
	shard    string
	at       Checkpoint // how far the shard was applied
	iterator *string
	last     time.Time // the begin of the last read
}

func (f *follower) read(ctx context.Context, shard string) error {
	r := &reader{follower: f, shard: shard}
	err := r.run(ctx)
	switch {
	case err == nil:
		f.end(shard)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return fmt.Errorf("kinesis: shard %q of the stream %q: %w", shard, f.stream, err)
	}
}

func (r *reader) place() Shard {
	return Shard{Consumer: r.opts.Consumer, Stream: r.stream, ID: r.shard}
}

// run returns nil at the end of the shard.
func (r *reader) run(ctx context.Context) error {
	err := r.retry(ctx, "Load", func() (err error) {
		r.at, err = r.opts.Checkpoints.Load(ctx, r.place())
		return err
	})
	if err != nil || r.at.End {
		return err
	}
	for {
		out, err := r.next(ctx)
		if err != nil {
			return err
		}
		if err := r.apply(ctx, out.Records); err != nil {
			return err
		}
		r.iterator = out.NextShardIterator
		progress := Progress{Shard: r.shard, Records: len(out.Records), Sequence: r.at.Sequence, End: r.iterator == nil}
		if out.MillisBehindLatest != nil {
			progress.Lag = time.Duration(*out.MillisBehindLatest) * time.Millisecond
		}
		if progress.End {
			r.at.End = true
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		r.opts.OnProgress(progress)
		if progress.End {
			return nil
		}
		pause := minInterval
		if len(out.Records) == 0 && progress.Lag == 0 {
			pause = max(pause, r.opts.Interval)
		}
		if err := backoff.Sleep(ctx, pause-time.Since(r.last)); err != nil {
			return err
		}
	}
}

// next reads the next records, with a new iterator where there is none or the old one was not used for five minutes.
func (r *reader) next(ctx context.Context) (*kinesis.GetRecordsOutput, error) {
	for {
		if r.iterator == nil {
			if err := r.seek(ctx); err != nil {
				return nil, err
			}
		}
		r.last = time.Now()
		limit := int32(r.opts.Limit)
		var out *kinesis.GetRecordsOutput
		err := r.retry(ctx, "GetRecords", func() (err error) {
			out, err = r.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: r.iterator, Limit: &limit})
			return err
		})
		if _, expired := errors.AsType[*types.ExpiredIteratorException](err); expired {
			r.iterator = nil
			continue
		}
		return out, err
	}
}

// seek gets an iterator for the place behind the checkpoint.
func (r *reader) seek(ctx context.Context) error {
	in := &kinesis.GetShardIteratorInput{ShardId: &r.shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	in.StreamName, in.StreamARN = r.names()
	switch {
	case r.at.Sequence != "":
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &r.at.Sequence
	case !r.opts.From.IsZero():
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, &r.opts.From
	}
	return r.retry(ctx, "GetShardIterator", func() error {
		out, err := r.client.GetShardIterator(ctx, in)
		if err == nil {
			r.iterator = out.ShardIterator
		}
		return err
	})
}

// apply hands the records to the listener until all of them are applied, and moves the checkpoint behind what is. A batch
// that was begun is finished when ctx ends; what failed of it is read again by the next run.
func (r *reader) apply(ctx context.Context, records []types.Record) error {
	pause := poll.Pause()
	for len(records) > 0 {
		done, err := r.handle(ctx, records)
		if done > 0 {
			pause.Reset()
			r.at.Sequence = text(records[done-1].SequenceNumber)
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		if records = records[done:]; len(records) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.opts.Logger.WarnContext(ctx, "kinesis: records are tried again", "stream", r.stream, "shard", r.shard, "records", len(records), "error", err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// handle returns how many of the records, from the first on, are done with.
func (r *reader) handle(ctx context.Context, records []types.Record) (done int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.Timeout)
	defer cancel()
	batch := events.KinesisEvent{Records: make([]events.KinesisEventRecord, len(records))}
	for i := range records {
		batch.Records[i] = r.record(&records[i])
	}
	response, err := r.listener.HandleKinesis(ctx, batch)
	if err != nil {
		return 0, err
	}
	done = len(records)
	for _, failed := range response.BatchItemFailures {
		first := slices.IndexFunc(records, func(k types.Record) bool { return text(k.SequenceNumber) == failed.ItemIdentifier })
		done = min(done, max(first, 0))
	}
	return done, nil
}

// record is a record as Lambda delivers it.
func (r *reader) record(k *types.Record) events.KinesisEventRecord {
	out := events.KinesisEventRecord{
		EventID: r.shard + ":" + text(k.SequenceNumber), EventName: "aws:kinesis:record", EventSource: "aws:kinesis",
		EventVersion: "1.0", AwsRegion: r.region(),
		Kinesis: events.KinesisRecord{
			Data: k.Data, PartitionKey: text(k.PartitionKey), SequenceNumber: text(k.SequenceNumber),
			EncryptionType: string(k.EncryptionType), KinesisSchemaVersion: "1.0",
		},
	}
	if _, arn := r.names(); arn != nil {
		out.EventSourceArn = *arn
	}
	if k.ApproximateArrivalTimestamp != nil {
		out.Kinesis.ApproximateArrivalTimestamp = events.SecondsEpochTime{Time: *k.ApproximateArrivalTimestamp}
	}
	return out
}

const saveTimeout = 5 * time.Second

// save writes the checkpoint, even if ctx has ended meanwhile, since what came before it is applied.
func (r *reader) save(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := r.retry(ctx, "Save", func() error { return r.opts.Checkpoints.Save(ctx, r.place(), r.at) })
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
