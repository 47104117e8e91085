// Package sqs publishes events to an Amazon SQS queue, standard or FIFO.
//
// [New] makes a publisher of a client and the queue's URL; it meets the port that package cdc publishes to. A message has the event in
// JSON as its body. A request has at most 10 messages, and 1 MiB of them (documentation of the SDK, service/sqs v1.52.9).
//
// # FIFO queues
//
// The queue is one if its URL ends with ".fifo". The message group is the event's partition key, and the deduplication id its id: an
// event that is published again within five minutes is in the queue once. Ids that SQS does not take (longer than 128 characters, or
// with other characters than letters, digits and punctuation) are replaced by their SHA-256. A request has one event of a group at
// most, and the next one is sent when the one before it is out, since SQS takes what is behind a message that it refused.
package sqs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/dispatch"
)

const (
	maxMessages = 10
	maxBytes    = 1 << 20
)

// Client is what a publisher needs of SQS. *sqs.Client meets it.
type Client interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// Options adjust a publisher. Nil and zero values are the defaults.
type Options struct {
	// MaxBytes is the limit of a message and of a request, where the queue's maximum message size is less than 1 MiB. Default: 1 MiB.
	MaxBytes int
	// ClaimChecks keep the bodies of events that are larger. Default: none; such events are refused ([cdc.ErrTooLarge]).
	ClaimChecks cdc.ClaimChecks
	// CompressAbove is the size in bytes from which on a member of an event is compressed. Negative: never. Default: 10,240.
	CompressAbove int
	// InFlight is how many requests are under way at a time. Default: 8.
	InFlight int
	// Attempts is how often a message is tried, with growing, jittered pauses, while the context lasts. Default: 8.
	Attempts int
}

// Publisher publishes to one queue. It is safe for concurrent use; calls at the same time keep the order of a group only if they have
// no group in common.
type Publisher struct {
	client Client
	queue  string
	fifo   bool
	sender *dispatch.Sender
}

// New returns a publisher to the queue of that URL. The error lists every mistake.
func New(client Client, queueURL string, opts *Options) (*Publisher, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, maxBytes)
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("sqs: no client"))
	}
	if queueURL == "" {
		faults = append(faults, errors.New("sqs: no queue URL"))
	}
	if o.MaxBytes < 0 || o.MaxBytes > maxBytes {
		faults = append(faults, fmt.Errorf("sqs: MaxBytes is %d, and must be 1 to %d", o.MaxBytes, maxBytes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p := &Publisher{client: client, queue: queueURL, fifo: strings.HasSuffix(queueURL, ".fifo")}
	p.sender = dispatch.New(dispatch.Destination{
		Name: fmt.Sprintf("sqs: queue %q", queueURL), Entries: maxMessages, Bytes: o.MaxBytes, Entry: o.MaxBytes, Ordered: p.fifo,
		Growth: dispatch.TextOverhead, Send: p.send,
		InFlight: o.InFlight, Attempts: o.Attempts, CompressAbove: o.CompressAbove, ClaimChecks: o.ClaimChecks,
	})
	return p, nil
}

// Publish sends the events to the queue. Its error is a [cdc.PublishError] with the reason for each event that is not out.
func (p *Publisher) Publish(ctx context.Context, events []insideout.Event) error {
	return p.sender.Publish(ctx, events)
}

func (p *Publisher) send(ctx context.Context, entries []dispatch.Entry) ([]error, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &p.queue, Entries: make([]types.SendMessageBatchRequestEntry, len(entries))}
	for i, e := range entries {
		id, text := strconv.Itoa(i), dispatch.Text(e.Data)
		in.Entries[i] = types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &text}
		if p.fifo {
			group, copies := dispatch.Token(e.Key), dispatch.Token(e.Event.ID)
			in.Entries[i].MessageGroupId, in.Entries[i].MessageDeduplicationId = &group, &copies
		}
	}
	out, err := p.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	answers := dispatch.NewAnswers(len(entries))
	for _, m := range out.Successful {
		answers.Set(m.Id, nil)
	}
	for _, m := range out.Failed {
		answers.Set(m.Id, dispatch.Refused(m.Code, m.Message, m.SenderFault))
	}
	return answers, nil
}
