package engine

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type unprocessedKey struct{}

// LeaveUnprocessed makes a batch leave its last n entries, as DynamoDB does
// where a table is throttled.
func LeaveUnprocessed(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, unprocessedKey{}, n)
}

// Throttled is DynamoDB's answer where the throughput is used up.
func Throttled() error {
	return &types.ProvisionedThroughputExceededException{
		Message: new("The level of configured provisioned throughput for the table was exceeded. " +
			"Consider increasing your provisioning level with the UpdateTable API."),
	}
}

// leave returns how many of n entries stay unprocessed. DynamoDB never leaves
// all of them: then it throttles.
func leave(ctx context.Context, n int) (int, error) {
	left, _ := ctx.Value(unprocessedKey{}).(int)
	if left > 0 && left >= n {
		return 0, Throttled()
	}
	return max(left, 0), nil
}

// lastWrites are the last entries of a batch, in the order in which it is done.
func lastWrites(in *dynamodb.BatchWriteItemInput, n int) map[string][]types.WriteRequest {
	last := map[string][]types.WriteRequest{}
	for _, name := range slices.Backward(sortedNames(in.RequestItems)) {
		all := in.RequestItems[name]
		if k := min(n, len(all)); k > 0 {
			last[name] = slices.Clone(all[len(all)-k:])
			n -= k
		}
	}
	return last
}

// leaveKeys takes the last keys off the requests of a batch, and gives them back.
func leaveKeys(ctx context.Context, in *dynamodb.BatchGetItemInput, requests []gets, out *dynamodb.BatchGetItemOutput) error {
	all := 0
	for _, g := range requests {
		all += len(g.keys)
	}
	n, err := leave(ctx, all)
	if err != nil {
		return err
	}
	for i := range slices.Backward(requests) {
		g := &requests[i]
		if k := min(n, len(g.keys)); k > 0 {
			rest := in.RequestItems[g.name]
			rest.Keys = slices.Clone(rest.Keys[len(g.keys)-k:])
			out.UnprocessedKeys[g.name] = rest
			g.keys = g.keys[:len(g.keys)-k]
			n -= k
		}
	}
	return nil
}
