package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout/internal/backoff"
)

// reader reads one shard from its checkpoint to its end.
type reader struct {
	*follower
	lease    *lease
	shard    string
	at       Checkpoint // how far the shard was published
	iterator *string
	oldest   backoff.Backoff // between two looks for the oldest record
}

// read reads a shard until it ends, or is another run's to read, or the work is over.
func (f *follower) read(ctx context.Context, l *lease) error {
	r := &reader{follower: f, lease: l, shard: l.shard.ID, at: l.kept, oldest: newPause()}
	work, stop := l.keep(ctx)
	err := r.run(work)
	if cause := context.Cause(work); err != nil && cause != nil {
		err = cause // what the end of the lease was, not what it led to
	}
	stop()
	taken := errors.Is(err, errTaken)
	if err != nil && !taken {
		l.release(ctx)
	}
	switch {
	case err == nil:
		f.leave(r.shard, true)
		return nil
	case errors.Is(err, errDrained):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case l.opts.Lease > 0 && (taken || errors.Is(err, errAsked)):
		f.opts.Logger.InfoContext(ctx, "cdc: left a shard to another run", "shard", r.shard, "run", f.me, "taken", taken)
		f.leave(r.shard, false)
		return nil
	}
	return fmt.Errorf("cdc: shard %q: %w", r.shard, err)
}

// run returns nil at the end of the shard, errDrained at the end of a drain, and errAsked where another run asks for the shard.
func (r *reader) run(ctx context.Context) error {
	for {
		if closed(r.lease.asked) {
			return errAsked
		}
		begun := r.begin()
		out, err := r.next(ctx)
		if err != nil {
			return err
		}
		if err := r.publish(ctx, out.Records); err != nil {
			return err
		}
		r.iterator = out.NextShardIterator
		if r.iterator == nil {
			return r.finish(ctx)
		}
		if len(out.Records) == 0 {
			if err := r.pause(ctx, begun); err != nil {
				return err
			}
		}
	}
}

// next reads the next records, with a new iterator where there is none or the old one was not used for 15 minutes.
func (r *reader) next(ctx context.Context) (*dynamodbstreams.GetRecordsOutput, error) {
	for {
		if r.iterator == nil {
			if err := r.seek(ctx); err != nil {
				return nil, err
			}
		}
		limit := int32(r.opts.Limit)
		var out *dynamodbstreams.GetRecordsOutput
		err := r.retry(ctx, "GetRecords", func() (err error) {
			out, err = r.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: r.iterator, Limit: &limit})
			return err
		})
		if err == nil {
			return out, nil
		}
		if _, expired := errors.AsType[*streams.ExpiredIteratorException](err); expired {
			r.iterator = nil
			continue
		}
		if err := r.trimmed(ctx, err); err != nil {
			return nil, err
		}
	}
}

// seek gets an iterator for the place behind the checkpoint.
func (r *reader) seek(ctx context.Context) error {
	for {
		in := &dynamodbstreams.GetShardIteratorInput{
			StreamArn: &r.arn, ShardId: &r.shard, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
		}
		if r.at.Sequence != "" {
			in.ShardIteratorType, in.SequenceNumber = streams.ShardIteratorTypeAfterSequenceNumber, &r.at.Sequence
		}
		err := r.retry(ctx, "GetShardIterator", func() error {
			out, err := r.streams.GetShardIterator(ctx, in)
			if err == nil {
				r.iterator = out.ShardIterator
			}
			return err
		})
		if err == nil {
			return nil
		}
		if err := r.trimmed(ctx, err); err != nil {
			return err
		}
	}
}

// trimmed returns nil if err says that records are gone and the run may go on without them.
func (r *reader) trimmed(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*streams.TrimmedDataAccessException](err); !ok {
		return err
	}
	if r.at.Sequence == "" { // the oldest record went while it was asked for: another one is the oldest now
		r.iterator = nil
		return r.oldest.Wait(ctx)
	}
	if !r.opts.SkipTrimmed {
		return fmt.Errorf("%w (%q)", ErrTrimmed, r.at.Sequence)
	}
	r.opts.Logger.WarnContext(ctx, "cdc: records were trimmed before they were read", "shard", r.shard, "checkpoint", r.at.Sequence)
	r.at.Sequence, r.iterator = "", nil
	return nil
}

// publish hands the records to the trigger until all of them are out, and moves the checkpoint.
func (r *reader) publish(ctx context.Context, batch []streams.Record) error {
	if len(batch) == 0 {
		return nil
	}
	r.busy()
	defer r.busy()
	records := make([]record, len(batch))
	for i := range batch {
		records[i] = fromStream(&batch[i], r.arn)
	}
	pause := newPause()
	for len(records) > 0 {
		done, err := r.trigger.handle(ctx, records)
		if saveErr := r.move(ctx, records[:done]); saveErr != nil {
			return saveErr
		}
		records = records[done:]
		if err == nil {
			break
		}
		if done > 0 {
			pause.Reset()
		}
		if ctx.Err() == nil {
			r.opts.Logger.WarnContext(ctx, "cdc: publishing again", "shard", r.shard, "records", len(records), "error", err)
		}
		if closed(r.lease.asked) {
			return errAsked
		}
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
	r.opts.OnProgress(Progress{Shard: r.shard, Records: len(batch), Sequence: r.at.Sequence, At: r.at.At, Lag: max(0, time.Since(r.at.At))})
	return nil
}

// move writes the checkpoint behind the records. It does so even if the context has ended meanwhile, since they are
// out.
//
// Records that are nothing but checkpoints move the place in memory only: a checkpoint for them would itself be a
// record, and so on for ever.
func (r *reader) move(ctx context.Context, records []record) error {
	if len(records) == 0 {
		return nil
	}
	last := records[len(records)-1]
	r.at.Sequence = last.sequence
	if last.at.After(r.at.At) {
		r.at.At = last.at
	}
	for i := range records {
		if !isCheckpoint(&records[i]) {
			return r.save(ctx)
		}
	}
	return nil
}

// saveTimeout is how long a checkpoint of records that are out may take when the work is over already.
const saveTimeout = 5 * time.Second

func (r *reader) save(ctx context.Context) error {
	outlive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = backoff.Sleep(outlive, saveTimeout)
		cancel()
	})()
	return r.lease.save(outlive, r.at)
}

// finish notes that the shard is closed and was read to its end.
func (r *reader) finish(ctx context.Context) error {
	r.at.End = true
	if err := r.save(ctx); err != nil {
		return err
	}
	r.opts.OnProgress(Progress{Shard: r.shard, Sequence: r.at.Sequence, At: r.at.At, End: true})
	return nil
}

// pause waits at the tip of the shard.
func (r *reader) pause(ctx context.Context, begun int) error {
	if r.tip(r.shard, begun) {
		return errDrained
	}
	r.opts.OnProgress(Progress{Shard: r.shard, Sequence: r.at.Sequence, At: r.at.At, Tip: true})
	interval, drain := r.opts.Interval, r.drain
	if closed(drain) {
		interval, drain = min(interval, r.opts.Idle), nil
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.drained:
		return errDrained
	case <-r.lease.asked:
		return errAsked
	case <-drain:
		return nil
	case <-timer.C:
		return nil
	}
}
