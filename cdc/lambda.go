package cdc

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// HandleDynamoDB is the handler of a Lambda function on a table's stream, which must carry NEW_AND_OLD_IMAGES, and
// whose event source mapping must report batch item failures. When something could not be published, the response names
// the first record that it comes from; Lambda delivers that one and all behind it again. The error is always nil: with
// one, Lambda would ignore the response.
//
// Where ctx has a deadline, the work ends a fifth of the time before it, at most a second, and what was not done by then is reported:
// a function that is stopped reports nothing, and everything is delivered again.
func (t *Trigger) HandleDynamoDB(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	records := make([]record, len(batch.Records))
	for i := range batch.Records {
		records[i] = fromLambda(&batch.Records[i])
	}
	work, cancel := working(ctx)
	defer cancel()
	failed, err := t.handle(work, records)
	if err == nil {
		return events.DynamoDBEventResponse{}, nil
	}
	return events.DynamoDBEventResponse{
		BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: records[failed].sequence}},
	}, nil
}

const (
	maxReserve   = time.Second
	reserveShare = 5
)

var errLate = fmt.Errorf("cdc: not done, since the time of the function is nearly over: %w", context.DeadlineExceeded)

// working is the context of the work: it leaves the time to answer.
func working(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-min(maxReserve, time.Until(deadline)/reserveShare)), errLate)
}
