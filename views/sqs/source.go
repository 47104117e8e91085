// Package sqs serves a listener on an SQS queue, standard or FIFO, outside of Lambda:
//
//	source, err := sqs.New(client, queueURL, nil)
//	err = views.Serve(ctx, source, listener)
//
// It does what Lambda's event source mapping does: it polls, hands batches of up to ten messages to
// [views.Listener.HandleSQS], deletes what was applied, and lets what was not come again, after a pause that grows with each
// time. The messages are events, or envelopes of EventBridge or SNS with events in them.
//
// A message is deleted after its effect, so one that was received by a program that was killed comes again. Of a FIFO queue, all
// messages of a group come again from the first one on that failed, in their order. Give the queue a dead-letter queue: a message that keeps
// failing for a reason that is not its own, such as a table that is gone, ends there.
//
// The identity needs the permissions sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage and
// sqs:ChangeMessageVisibility.
package sqs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/internal/poll"
)

// Client is what a source needs of SQS. *sqs.Client meets it.
type Client interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// Options are the options of [New]. The zero value and nil are fine.
type Options struct {
	// Receivers is how many batches may be in hand at a time. Default: 2.
	Receivers int

	// Wait is how long a request waits for messages where there are none, in whole seconds up to 20. Default: 20 s.
	Wait time.Duration

	// Visibility is how long a received message is hidden from other receivers, in whole seconds up to 12 hours, which is
	// the time that there is to work on a batch. Default: the queue's own, and at least 5 s.
	Visibility time.Duration

	// Pause is after how long a message comes again that failed once. It is doubled each time, up to MaxPause. Both are
	// whole seconds. Default: 1 s, up to 5 minutes.
	Pause, MaxPause time.Duration

	// Logger is told of requests that are tried again. Default: nothing is logged.
	Logger *slog.Logger
}

// Limits of SQS, and the defaults.
const (
	maxBatch      = 10
	maxWait       = 20 * time.Second
	maxVisibility = 12 * time.Hour
	minVisibility = 5 * time.Second

	defaultReceivers = 2
	defaultPause     = time.Second
	defaultMaxPause  = 5 * time.Minute
)

// Source is a queue that feeds a listener; see [views.Serve]. It is safe for concurrent use.
type Source struct {
	client Client
	url    string
	opts   Options
}

var _ views.Source = (*Source)(nil)

// New returns the source for the queue with that URL. It makes no request. The error lists every mistake.
func New(client Client, queueURL string, opts *Options) (*Source, error) {
	s := &Source{client: client, url: queueURL}
	if opts != nil {
		s.opts = *opts
	}
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("sqs: no client"))
	}
	if queueURL == "" {
		faults = append(faults, errors.New("sqs: no queue URL"))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		most  time.Duration
	}{
		{"Wait", s.opts.Wait, maxWait},
		{"Visibility", s.opts.Visibility, maxVisibility},
		{"Pause", s.opts.Pause, maxVisibility},
		{"MaxPause", s.opts.MaxPause, maxVisibility},
	} {
		if d.value < 0 || d.value > d.most || d.value%time.Second != 0 {
			faults = append(faults, fmt.Errorf("sqs: the option %q is %s: give whole seconds up to %s", d.name, d.value, d.most))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s.opts.Receivers = max(s.opts.Receivers, 0)
	s.opts.Receivers = cmp.Or(s.opts.Receivers, defaultReceivers)
	s.opts.Wait = cmp.Or(s.opts.Wait, maxWait)
	s.opts.Pause = cmp.Or(s.opts.Pause, defaultPause)
	s.opts.MaxPause = max(s.opts.Pause, cmp.Or(s.opts.MaxPause, defaultMaxPause))
	s.opts.Logger = cmp.Or(s.opts.Logger, slog.New(slog.DiscardHandler))
	return s, nil
}

// Run polls the queue until ctx ends; see [views.Source]. The error is that of ctx, or one of SQS that a retry does not
// mend, such as a queue that does not exist.
func (s *Source) Run(ctx context.Context, l *views.Listener) error {
	q, err := s.look(ctx)
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var receivers sync.WaitGroup
	for range s.opts.Receivers {
		receivers.Go(func() { cancel(q.receive(inner, l)) })
	}
	receivers.Wait()
	return cmp.Or(ctx.Err(), context.Cause(inner))
}

// queue is a queue of which the attributes are known.
type queue struct {
	*Source
	arn, region string
	visibility  time.Duration
}

// look asks for the queue's attributes.
func (s *Source) look(ctx context.Context) (*queue, error) {
	var out *sqs.GetQueueAttributesOutput
	err := s.retry(ctx, "GetQueueAttributes", func() (err error) {
		out, err = s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl:       &s.url,
			AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn, types.QueueAttributeNameVisibilityTimeout},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	q := &queue{Source: s, arn: out.Attributes["QueueArn"], visibility: s.opts.Visibility}
	if parts := strings.Split(q.arn, ":"); len(parts) > 3 {
		q.region = parts[3]
	}
	if q.visibility == 0 {
		seconds, _ := strconv.Atoi(out.Attributes["VisibilityTimeout"])
		q.visibility = max(minVisibility, time.Duration(seconds)*time.Second)
	}
	return q, nil
}

// receive takes in one batch after the other until ctx ends.
func (q *queue) receive(ctx context.Context, l *views.Listener) error {
	for ctx.Err() == nil {
		var out *sqs.ReceiveMessageOutput
		err := q.retry(ctx, "ReceiveMessage", func() (err error) {
			out, err = q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl: &q.url, MaxNumberOfMessages: maxBatch,
				WaitTimeSeconds: seconds(q.opts.Wait), VisibilityTimeout: seconds(q.visibility),
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
				MessageAttributeNames:       []string{"All"},
			})
			return err
		})
		if err != nil {
			return err
		}
		if len(out.Messages) > 0 {
			q.handle(context.WithoutCancel(ctx), l, out.Messages)
		}
	}
	return ctx.Err()
}

// handle works on a batch for as long as its messages are hidden. It is not stopped with the source: what was received is
// finished.
func (q *queue) handle(ctx context.Context, l *views.Listener, messages []types.Message) {
	work, cancel := context.WithTimeout(ctx, q.visibility)
	defer cancel()
	batch := events.SQSEvent{Records: make([]events.SQSMessage, len(messages))}
	for i, m := range messages {
		batch.Records[i] = q.record(m)
	}
	response, err := l.HandleSQS(work, batch)
	if err != nil {
		q.opts.Logger.WarnContext(ctx, "sqs: the batch comes again", "queue", q.url, "error", err)
		return
	}
	failed := make(map[string]bool, len(response.BatchItemFailures))
	for _, f := range response.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	var done, again []types.Message
	for i, m := range messages {
		if failed[batch.Records[i].MessageId] {
			again = append(again, m)
		} else {
			done = append(done, m)
		}
	}
	q.settle(ctx, done, again)
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
			return fmt.Errorf("sqs: queue %q: %w", s.url, err)
		}
		s.opts.Logger.WarnContext(ctx, "sqs: trying again", "call", what, "queue", s.url, "error", err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

func seconds(d time.Duration) int32 { return int32(d / time.Second) }
