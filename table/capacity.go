package table

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// capacityHook is Options.Capacity.
type capacityHook func(ctx context.Context, operation string, used []types.ConsumedCapacity)

// metered asks for the consumed capacity of every call, and hands it to the hook.
type metered struct {
	Client
	hook capacityHook
}

// meter puts the hook between the DB and its client, where there is one. Without one no request asks for capacity.
func meter(client Client, hook capacityHook) Client {
	if hook == nil {
		return client
	}
	return metered{client, hook}
}

const everyCapacity = types.ReturnConsumedCapacityIndexes

func (m metered) one(ctx context.Context, operation string, used *types.ConsumedCapacity) {
	if used != nil {
		m.hook(ctx, operation, []types.ConsumedCapacity{*used})
	}
}

func (m metered) many(ctx context.Context, operation string, used []types.ConsumedCapacity) {
	if len(used) > 0 {
		m.hook(ctx, operation, used)
	}
}

func (m metered) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.GetItem(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "GetItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.PutItem(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "PutItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.UpdateItem(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "UpdateItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.DeleteItem(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "DeleteItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.Query(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "Query", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) Scan(ctx context.Context, in *dynamodb.ScanInput, opts ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.Scan(ctx, in, opts...)
	if err == nil {
		m.one(ctx, "Scan", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.BatchGetItem(ctx, in, opts...)
	if err == nil {
		m.many(ctx, "BatchGetItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.BatchWriteItem(ctx, in, opts...)
	if err == nil {
		m.many(ctx, "BatchWriteItem", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) TransactGetItems(ctx context.Context, in *dynamodb.TransactGetItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactGetItemsOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.TransactGetItems(ctx, in, opts...)
	if err == nil {
		m.many(ctx, "TransactGetItems", out.ConsumedCapacity)
	}
	return out, err
}

func (m metered) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = everyCapacity
	out, err := m.Client.TransactWriteItems(ctx, in, opts...)
	if err == nil {
		m.many(ctx, "TransactWriteItems", out.ConsumedCapacity)
	}
	return out, err
}
