// Package kinesis serves a listener on a Kinesis data stream, outside of Lambda:
//
//	source, err := kinesis.New(client, "events", &kinesis.Options{Checkpoints: kinesis.CheckpointsIn(db)})
//	err = views.Serve(ctx, source, listener)
//
// It reads every shard in order, and the shards that come from a split or a merge after their parents, so that the events of
// one partition key stay in order. Batches go to [views.Listener.HandleKinesis]. A checkpoint is written after what came
// before it was applied: a run that is killed in between reads the rest again, which changes nothing.
//
// Records are events, or EventBridge's envelopes of them. Records that the Kinesis Producer Library has aggregated are not
// taken apart: each becomes a fault.
//
// Run one source for a set of checkpoints; a second one does everything twice. The identity needs the permissions
// kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords.
package kinesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/internal/poll"
)

// Client is what a source needs of Kinesis. *kinesis.Client meets it.
type Client interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// Options are the options of [New]. The zero value and nil are fine.
type Options struct {
	// Checkpoints keep how far each shard was read; see [CheckpointsIn]. Default: none are kept, so that every run starts
	// anew.
	Checkpoints Checkpoints

	// Consumer tells this source's checkpoints from those of others that read the same stream. Default: "views".
	Consumer string

	// From is when a shard without a checkpoint is begun: with the first record that came into the stream then or later.
	// Default: with the oldest record that the stream still has.
	From time.Time

	// Limit is how many records are read at a time, 1 to 10,000. Default: 1,000.
	Limit int

	// Interval is the pause after a read that found nothing. Default: 1 s, as Lambda does it.
	Interval time.Duration

	// Discover is the pause between two looks for new shards; the end of a shard is such a look, too. Default: 30 s.
	Discover time.Duration

	// Timeout is the time that there is for one batch. What was not done by then is tried again. Default: 1 minute.
	Timeout time.Duration

	// OnProgress is called after every read and must be safe for concurrent use. Default: nothing.
	OnProgress func(Progress)

	// Logger is told of what is tried again. Default: nothing is logged.
	Logger *slog.Logger
}

// Progress tells how far a shard was read.
type Progress struct {
	Shard    string
	Records  int           // of this read
	Sequence string        // of the last record that was applied; empty before the first
	Lag      time.Duration // how far the read was behind the newest record of the shard; zero at its tip
	End      bool          // the shard is closed, and was read to its end
}

const (
	maxLimit     = 10_000
	defaultLimit = 1_000

	// minInterval keeps the reads of a shard below the five a second that Kinesis allows for all readers together.
	minInterval = 250 * time.Millisecond
)

// Source is a stream that feeds a listener; see [views.Serve].
type Source struct {
	client Client
	stream string
	opts   Options
}

var _ views.Source = (*Source)(nil)

// New returns the source for a stream, by its name or its ARN. It makes no request. The error lists every mistake.
func New(client Client, stream string, opts *Options) (*Source, error) {
	s := &Source{client: client, stream: stream}
	if opts != nil {
		s.opts = *opts
	}
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("kinesis: no client"))
	}
	if stream == "" {
		faults = append(faults, errors.New("kinesis: no stream"))
	}
	if s.opts.Limit < 0 || s.opts.Limit > maxLimit {
		faults = append(faults, fmt.Errorf("kinesis: the option \"Limit\" is %d: give 1 to %d", s.opts.Limit, maxLimit))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s.opts.setDefaults()
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Checkpoints == nil {
		o.Checkpoints = forgetful{}
	}
	o.Consumer = cmp.Or(o.Consumer, "views")
	o.Limit = cmp.Or(o.Limit, defaultLimit)
	o.Interval = orDefault(o.Interval, time.Second)
	o.Discover = orDefault(o.Discover, 30*time.Second)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.OnProgress == nil {
		o.OnProgress = func(Progress) {}
	}
}

func orDefault(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// Run reads the stream until ctx ends; see [views.Source]. The error is that of ctx, or one of Kinesis or of the checkpoints
// that a retry does not mend, such as a stream that does not exist.
func (s *Source) Run(ctx context.Context, l *views.Listener) error {
	f := &follower{Source: s, listener: l, shards: map[string]state{}, changed: make(chan struct{}, 1)}
	return f.run(ctx)
}

// names are the stream's name, and its ARN where that is known. Kinesis takes both.
func (s *Source) names() (name, arn *string) {
	if rest, ok := strings.CutPrefix(s.stream, "arn:"); ok {
		_, after, _ := strings.Cut(rest, "/")
		return &after, &s.stream
	}
	return &s.stream, nil
}

// region is that of the stream, as far as its ARN says.
func (s *Source) region() string {
	if parts := strings.Split(s.stream, ":"); parts[0] == "arn" && len(parts) > 3 {
		return parts[3]
	}
	return ""
}

func (s *Source) retry(ctx context.Context, what string, call func() error) error {
	pause := poll.Pause()
	for {
		err := call()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !poll.Transient(err):
			return err
		}
		s.opts.Logger.WarnContext(ctx, "kinesis: trying again", "call", what, "stream", s.stream, "error", err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
