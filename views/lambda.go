package views

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// HandleSQS is the handler of a Lambda function on a queue, with events, or EventBridge's envelopes of them, as
// messages. The event source mapping must report batch item failures. The response names the messages that must come
// again; of a FIFO queue, all messages of a group from the first failed one on. The error is always nil: with one,
// Lambda would ignore the response.
func (l *Listener) HandleSQS(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	failed := l.process(ctx, fromSQS, len(batch.Records), func(i int, d *delivery) {
		m := &batch.Records[i]
		l.decodeEvent(d, m.Body, m.MessageId)
		d.record, d.at = m, millisOf(m.Attributes["SentTimestamp"])
		d.attempt, _ = strconv.Atoi(cmp.Or(m.Attributes["ApproximateReceiveCount"], "0"))
	})
	var response events.SQSEventResponse
	stopped := map[string]bool{}
	for i, m := range batch.Records {
		group, fifo := m.Attributes["MessageGroupId"]
		fifo = fifo && strings.HasSuffix(m.EventSourceARN, ".fifo")
		if failed[i] == nil && !(fifo && stopped[group]) {
			continue
		}
		stopped[group] = true
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return response, nil
}

// millisOf reads the time of a message attribute, which is the zero time if there is none.
func millisOf(text string) time.Time {
	millis, err := strconv.ParseInt(cmp.Or(text, "0"), 10, 64)
	if err != nil || millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// HandleKinesis is the handler of a Lambda function on a Kinesis stream. The event source mapping must report batch
// item failures. The response names the first record that must come again; Lambda delivers that one and all behind it,
// which changes nothing for those that were applied. The error is always nil: with one, Lambda would ignore the
// response.
func (l *Listener) HandleKinesis(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	failed := l.process(ctx, fromKinesis, len(batch.Records), func(i int, d *delivery) {
		r := &batch.Records[i]
		l.decodeEvent(d, string(r.Kinesis.Data), r.EventID)
		d.record, d.at = r, r.Kinesis.ApproximateArrivalTimestamp.Time
		d.origin = since(d.at, l.opts.MaxAge)
	})
	for i, r := range batch.Records {
		if failed[i] != nil {
			return events.KinesisEventResponse{
				BatchItemFailures: []events.KinesisBatchItemFailure{{ItemIdentifier: r.Kinesis.SequenceNumber}},
			}, nil
		}
	}
	return events.KinesisEventResponse{}, nil
}

// HandleEventBridge is the handler of a Lambda function that is a target of an EventBridge rule. An error makes
// EventBridge deliver the event again.
func (l *Listener) HandleEventBridge(ctx context.Context, event events.EventBridgeEvent) error {
	failed := l.process(ctx, fromEventBridge, 1, func(_ int, d *delivery) {
		l.decodeEvent(d, string(event.Detail), event.ID)
		d.record, d.at, d.origin = event, event.Time, since(event.Time, min(l.opts.MaxAge, directAge))
	})
	if len(failed) > 0 {
		return &BatchError{Errors: failed}
	}
	return nil
}

// HandleSNS is the handler of a Lambda function that subscribes to an SNS topic, with events, or EventBridge's envelopes of
// them, as messages. An error makes Lambda deliver the message again.
func (l *Listener) HandleSNS(ctx context.Context, batch events.SNSEvent) error {
	failed := l.process(ctx, fromSNS, len(batch.Records), func(i int, d *delivery) {
		r := &batch.Records[i]
		l.decodeEvent(d, r.SNS.Message, r.SNS.MessageID)
		d.record, d.at = r, r.SNS.Timestamp
		d.origin = since(d.at, min(l.opts.MaxAge, directAge))
	})
	if len(failed) > 0 {
		return &BatchError{Errors: failed}
	}
	return nil
}

// HandleDynamoDB is the handler of a Lambda function on a table's stream: of a view that this service keeps of its own rows,
// or of the events that it has collected in a table. The stream must carry NEW_AND_OLD_IMAGES, and the event source mapping
// must report batch item failures. The response names the first record that must come again; Lambda delivers that one and all
// behind it. The error is always nil: with one, Lambda would ignore the response.
//
// A record of a row is an event of the type "order-created", "order-updated", "order-deleted", "order-undeleted" or
// "order-expired", where order is the row's discriminator in lower case. Its id is the record's, its partition key the
// row's pk, its timestamp the row's. The member "raw" has the images of the row before and after as JSON, by the names of
// their attributes: {"new": {…}, "old": {…}}; sets are arrays, binary values base64. This is what the function fromDynamodb
// of the JavaScript library makes of it, but for removals: one that ends a time to live is "expired", and one that
// deletes is dated right after the row's last update.
//
// A row that was collected, with the sort key EVENT, is the event that it holds, once, when it is inserted.
//
// Rows that a listener wrote, which are latched, are skipped, and so are those that another region wrote, and what happens to a
// tombstone.
func (l *Listener) HandleDynamoDB(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	failed := l.process(ctx, fromDynamoDB, len(batch.Records), func(i int, d *delivery) {
		r := &batch.Records[i]
		l.decodeRecord(d, *r)
		d.record, d.at = r, r.Change.ApproximateCreationDateTime.Time
		d.origin = since(d.at, l.opts.MaxAge)
	})
	for i, r := range batch.Records {
		if failed[i] == nil {
			continue
		}
		return events.DynamoDBEventResponse{
			BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: r.Change.SequenceNumber}},
		}, nil
	}
	return events.DynamoDBEventResponse{}, nil
}
