package sqs

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout/views/internal/poll"
)

// settleTimeout bounds the time for the answer to the queue. What is not answered comes again when it is visible.
const (
	settleTimeout  = 10 * time.Second
	settleAttempts = 4
)

// settle deletes what is done with, and sets after how long the others come again.
func (q *queue) settle(ctx context.Context, done, again []types.Message) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if len(done) > 0 {
		q.answer(ctx, "DeleteMessageBatch", len(done), func(which []int) ([]types.BatchResultErrorEntry, error) {
			in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
			for _, i := range which {
				id := strconv.Itoa(i)
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: done[i].ReceiptHandle})
			}
			out, err := q.client.DeleteMessageBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.Failed, nil
		})
	}
	if len(again) > 0 {
		q.answer(ctx, "ChangeMessageVisibilityBatch", len(again), func(which []int) ([]types.BatchResultErrorEntry, error) {
			in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url}
			for _, i := range which {
				id := strconv.Itoa(i)
				in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
					Id: &id, ReceiptHandle: again[i].ReceiptHandle, VisibilityTimeout: seconds(q.pause(again[i])),
				})
			}
			out, err := q.client.ChangeMessageVisibilityBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.Failed, nil
		})
	}
}

// answer makes a request about n messages, again for those that failed through no fault of ours.
func (q *queue) answer(ctx context.Context, what string, n int, call func(which []int) ([]types.BatchResultErrorEntry, error)) {
	which := make([]int, n)
	for i := range which {
		which[i] = i
	}
	pause := poll.Pause()
	for range settleAttempts {
		failed, err := call(which)
		if err == nil {
			which = which[:0]
		}
		for _, f := range failed {
			q.opts.Logger.WarnContext(ctx, "sqs: an answer was refused", "call", what, "queue", q.url, "code", text(f.Code), "message", text(f.Message))
			if i, bad := strconv.Atoi(text(f.Id)); bad == nil && i < n && !f.SenderFault {
				which = append(which, i)
			}
		}
		if len(which) == 0 || err != nil && !poll.Transient(err) || pause.Wait(ctx) != nil {
			if err != nil {
				q.opts.Logger.WarnContext(ctx, "sqs: messages come again", "call", what, "queue", q.url, "messages", len(which), "error", err)
			}
			return
		}
	}
}

// pause tells after how long a message comes again. Those behind it in a group of a FIFO queue wait for it, whatever theirs is.
func (q *queue) pause(m types.Message) time.Duration {
	received, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	pause := q.opts.Pause
	for range received - 1 {
		if pause *= 2; pause >= q.opts.MaxPause {
			return q.opts.MaxPause
		}
	}
	return pause
}

// record is a message as Lambda delivers it.
func (q *queue) record(m types.Message) events.SQSMessage {
	r := events.SQSMessage{
		MessageId: text(m.MessageId), ReceiptHandle: text(m.ReceiptHandle), Body: text(m.Body),
		Md5OfBody: text(m.MD5OfBody), Md5OfMessageAttributes: text(m.MD5OfMessageAttributes),
		Attributes: m.Attributes, EventSource: "aws:sqs", EventSourceARN: q.arn, AWSRegion: q.region,
		MessageAttributes: make(map[string]events.SQSMessageAttribute, len(m.MessageAttributes)),
	}
	for name, a := range m.MessageAttributes {
		r.MessageAttributes[name] = events.SQSMessageAttribute{
			StringValue: a.StringValue, BinaryValue: a.BinaryValue, DataType: text(a.DataType),
			StringListValues: a.StringListValues, BinaryListValues: a.BinaryListValues,
		}
	}
	return r
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
