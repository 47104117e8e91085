// Package sns publishes events to an Amazon SNS topic, standard or FIFO.
//
// [New] makes a publisher of a client and the topic's ARN; it meets the port that package cdc publishes to. A message has the event in
// JSON as its text: queues that subscribe with raw message delivery get what package sqs would send them, and filter policies on the
// body see the event.
//
// A request has at most 10 messages, and 256 KiB of them unless [Options] say otherwise: that is what a topic takes unless its
// MaximumMessageSize was raised, to 1 MiB at most (documentation of the SDK, service/sns v1.47.8).
//
// # FIFO topics
//
// The topic is one if its ARN ends with ".fifo". The message group is the event's partition key, and the deduplication id its id: an
// event that is published again within five minutes is delivered once. Ids that SNS does not take (longer than 128 characters, or
// with other characters than letters, digits and punctuation) are replaced by their SHA-256. A request has one event of a group at
// most, and the next one is sent when the one before it is out, since SNS takes what is behind a message that it refused.
package sns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/dispatch"
)

const (
	maxMessages = 10
	safeBytes   = 256 << 10
	maxBytes    = 1 << 20
)

// Client is what a publisher needs of SNS. *sns.Client meets it.
type Client interface {
	PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

// Options adjust a publisher. Nil and zero values are the defaults.
type Options struct {
	// MaxBytes is the limit of a message and of a request, up to 1 MiB where the topic's MaximumMessageSize was raised. Default: 256 KiB.
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

// Publisher publishes to one topic. It is safe for concurrent use; calls at the same time keep the order of a group only if they have
// no group in common.
type Publisher struct {
	client Client
	topic  string
	fifo   bool
	sender *dispatch.Sender
}

// New returns a publisher to the topic of that ARN. The error lists every mistake.
func New(client Client, topicARN string, opts *Options) (*Publisher, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, safeBytes)
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("sns: no client"))
	}
	if !strings.HasPrefix(topicARN, "arn:") {
		faults = append(faults, fmt.Errorf("sns: the topic %q is no ARN", topicARN))
	}
	if o.MaxBytes < 0 || o.MaxBytes > maxBytes {
		faults = append(faults, fmt.Errorf("sns: MaxBytes is %d, and must be 1 to %d", o.MaxBytes, maxBytes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p := &Publisher{client: client, topic: topicARN, fifo: strings.HasSuffix(topicARN, ".fifo")}
	p.sender = dispatch.New(dispatch.Destination{
		Name: fmt.Sprintf("sns: topic %q", topicARN), Entries: maxMessages, Bytes: o.MaxBytes, Entry: o.MaxBytes, Ordered: p.fifo,
		Growth: dispatch.TextOverhead, Send: p.send,
		InFlight: o.InFlight, Attempts: o.Attempts, CompressAbove: o.CompressAbove, ClaimChecks: o.ClaimChecks,
	})
	return p, nil
}

// Publish publishes the events on the topic. Its error is a [cdc.PublishError] with the reason for each event that is not out.
func (p *Publisher) Publish(ctx context.Context, events []insideout.Event) error {
	return p.sender.Publish(ctx, events)
}

func (p *Publisher) send(ctx context.Context, entries []dispatch.Entry) ([]error, error) {
	in := &sns.PublishBatchInput{TopicArn: &p.topic, PublishBatchRequestEntries: make([]types.PublishBatchRequestEntry, len(entries))}
	for i, e := range entries {
		id, text := strconv.Itoa(i), dispatch.Text(e.Data)
		in.PublishBatchRequestEntries[i] = types.PublishBatchRequestEntry{Id: &id, Message: &text}
		if p.fifo {
			group, copies := dispatch.Token(e.Key), dispatch.Token(e.Event.ID)
			in.PublishBatchRequestEntries[i].MessageGroupId, in.PublishBatchRequestEntries[i].MessageDeduplicationId = &group, &copies
		}
	}
	out, err := p.client.PublishBatch(ctx, in)
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
