package cdc

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
)

// HandleDynamoDB is the handler of a Lambda function on a table's stream, which must carry NEW_AND_OLD_IMAGES, and
// whose event source mapping must report batch item failures. When something could not be published, the response names
// the first record that it comes from; Lambda delivers that one and all behind it again. The error is always nil: with
// one, Lambda would ignore the response.
func (t *Trigger) HandleDynamoDB(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	records := make([]record, len(batch.Records))
	for i, r := range batch.Records {
		records[i] = fromLambda(r)
	}
	failed, err := t.handle(ctx, records)
	if err == nil {
		return events.DynamoDBEventResponse{}, nil
	}
	return events.DynamoDBEventResponse{
		BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: records[failed].sequence}},
	}, nil
}
