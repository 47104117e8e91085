// Package kinesis publishes events to an Amazon Kinesis data stream.
//
// [New] makes a publisher of a client and the ARN or name of the stream; it meets the port that package cdc publishes to. A record has
// the event in JSON as its data and the event's partition key as its own, so that the events of one key are in one shard.
//
// A request has at most 500 records and 10 MiB, keys included (documentation of the SDK, service/kinesis v1.56.10). A record has at
// most 1 MiB, which is what a stream takes unless its maximum record size was raised; see [Options].
//
// # Order
//
// Kinesis keeps the order in which it takes records, but PutRecords takes those of one request in any order, and goes on behind one
// that failed. So a request has one record of a partition key at most, and the next one is sent when the one before it is out: the
// events of a key are in the stream in their order. A batch with many events of one key takes as many requests, one after the other;
// listeners under the inverse lock do without it ([Options].Unordered).
package kinesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/dispatch"
)

const (
	maxRecords = 500
	maxBytes   = 10 << 20 // of a request, and of a record at most
	safeRecord = 1 << 20
	maxKey     = 256 // characters
)

// Client is what a publisher needs of Kinesis. *kinesis.Client meets it.
type Client interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Options adjust a publisher. Nil and zero values are the defaults.
type Options struct {
	// Unordered lets events of one partition key overtake each other, and fills requests in return.
	Unordered bool
	// MaxBytes is the limit of a record with its key, up to 10 MiB where the stream's maximum record size was raised. Default: 1 MiB.
	MaxBytes int
	// ClaimChecks keep the bodies of events that are larger. Default: none; such events are refused ([cdc.ErrTooLarge]).
	ClaimChecks cdc.ClaimChecks
	// CompressAbove is the size in bytes from which on a member of an event is compressed. Negative: never. Default: 10,240.
	CompressAbove int
	// InFlight is how many requests are under way at a time. Default: 8.
	InFlight int
	// Attempts is how often an entry is tried, with growing, jittered pauses, while the context lasts. Default: 8.
	Attempts int
}

// Publisher publishes to one stream. It is safe for concurrent use; calls at the same time keep the order of a key only if they have
// no key in common.
type Publisher struct {
	client    Client
	arn, name *string
	sender    *dispatch.Sender
}

// New returns a publisher to the stream of that ARN or name. The error lists every mistake.
func New(client Client, stream string, opts *Options) (*Publisher, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, safeRecord)
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("kinesis: no client"))
	}
	if stream == "" {
		faults = append(faults, errors.New("kinesis: no stream"))
	}
	if o.MaxBytes < 0 || o.MaxBytes > maxBytes {
		faults = append(faults, fmt.Errorf("kinesis: MaxBytes is %d, and must be 1 to %d", o.MaxBytes, maxBytes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p := &Publisher{client: client, name: &stream}
	if strings.HasPrefix(stream, "arn:") {
		p.arn, p.name = &stream, nil
	}
	p.sender = dispatch.New(dispatch.Destination{
		Name: fmt.Sprintf("kinesis: stream %q", stream), Entries: maxRecords, Bytes: maxBytes, Entry: o.MaxBytes, Ordered: !o.Unordered,
		Overhead: func(e *insideout.Event) int { return len(partitionKey(cmp.Or(e.PartitionKey, e.ID))) }, Send: p.put,
		InFlight: o.InFlight, Attempts: o.Attempts, CompressAbove: o.CompressAbove, ClaimChecks: o.ClaimChecks,
	})
	return p, nil
}

// partitionKey is the key of the record: the event's own, or the SHA-256 of one that is too long.
func partitionKey(key string) string {
	if utf8.RuneCountInString(key) > maxKey || !utf8.ValidString(key) {
		return dispatch.Hash(key)
	}
	return key
}

// Publish puts the events into the stream. Its error is a [cdc.PublishError] with the reason for each event that is not out.
func (p *Publisher) Publish(ctx context.Context, events []insideout.Event) error {
	return p.sender.Publish(ctx, events)
}

func (p *Publisher) put(ctx context.Context, entries []dispatch.Entry) ([]error, error) {
	in := &kinesis.PutRecordsInput{StreamARN: p.arn, StreamName: p.name, Records: make([]types.PutRecordsRequestEntry, len(entries))}
	for i, e := range entries {
		key := partitionKey(e.Key)
		in.Records[i] = types.PutRecordsRequestEntry{PartitionKey: &key, Data: e.Data}
	}
	out, err := p.client.PutRecords(ctx, in)
	if err != nil {
		return nil, err
	}
	reasons := make([]error, len(out.Records))
	for i, r := range out.Records {
		if r.SequenceNumber == nil || r.ErrorCode != nil {
			reasons[i] = dispatch.Refused(r.ErrorCode, r.ErrorMessage, false)
		}
	}
	return reasons, nil
}
