package views

import (
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
	deliveries := make([]delivery, len(batch.Records))
	for i, m := range batch.Records {
		deliveries[i] = decodeEvent([]byte(m.Body), m.MessageId)
		deliveries[i].record, deliveries[i].at = m, millisOf(m.Attributes["SentTimestamp"])
		deliveries[i].attempt, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	}
	failed := l.process(ctx, deliveries)
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
	millis, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// HandleKinesis is the handler of a Lambda function on a Kinesis stream. The event source mapping must report batch
// item failures. The response names the first record that must come again; Lambda delivers that one and all behind it,
// which changes nothing for those that were applied. The error is always nil: with one, Lambda would ignore the
// response.
func (l *Listener) HandleKinesis(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	deliveries := make([]delivery, len(batch.Records))
	for i, r := range batch.Records {
		deliveries[i] = decodeEvent(r.Kinesis.Data, r.EventID)
		deliveries[i].record, deliveries[i].at = r, r.Kinesis.ApproximateArrivalTimestamp.Time
		deliveries[i].origin = since(deliveries[i].at, l.opts.MaxAge)
	}
	failed := l.process(ctx, deliveries)
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
	d := decodeEvent(event.Detail, event.ID)
	d.record, d.at, d.origin = event, event.Time, since(event.Time, min(l.opts.MaxAge, directAge))
	if failed := l.process(ctx, []delivery{d}); len(failed) > 0 {
		return &BatchError{Errors: failed}
	}
	return nil
}
