package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Admin is what Create needs. *dynamodb.Client meets it, and so does the embedded engine.
type Admin interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
}

// Create makes the table of a schema where it is missing, waits until it and its indexes are active, and switches on its time to live. A table that
// exists stays as it is, but for the time to live. It is for development, tests and examples; production tables belong in
// infrastructure code.
func Create(ctx context.Context, admin Admin, name string, schema *TableSchema) error {
	in, err := schema.CreateTableInput(name)
	if err != nil {
		return err
	}
	if admin == nil {
		return invalid("there is no client to create %q with", name)
	}
	if err := create(ctx, admin, in); err != nil {
		return fmt.Errorf("table: cannot create %q: %w", name, err)
	}
	return nil
}

func create(ctx context.Context, admin Admin, in *dynamodb.CreateTableInput) error {
	_, err := admin.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: in.TableName})
	if isMissing(err) {
		_, err = admin.CreateTable(ctx, in)
		if _, raced := errors.AsType[*types.ResourceInUseException](err); raced {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if err := waitActive(ctx, admin, *in.TableName); err != nil {
		return err
	}
	return expire(ctx, admin, *in.TableName)
}

func isMissing(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

func waitActive(ctx context.Context, admin Admin, name string) error {
	for pause := newPause(); ; {
		out, err := admin.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil && !isMissing(err) { // a new table may not be known everywhere yet
			return err
		}
		if err == nil && active(out.Table) {
			return nil
		}
		if err := pause.Wait(ctx); err != nil {
			return fmt.Errorf("it is not active yet: %w", err)
		}
	}
}

// active: some endpoints leave out the status of indexes.
func active(t *types.TableDescription) bool {
	if t == nil || t.TableStatus != types.TableStatusActive {
		return false
	}
	for _, x := range t.GlobalSecondaryIndexes {
		if x.IndexStatus != "" && x.IndexStatus != types.IndexStatusActive {
			return false
		}
	}
	return true
}

// expire switches the time to live on, once: DynamoDB refuses to switch on what is on.
func expire(ctx context.Context, admin Admin, name string) error {
	out, err := admin.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return err
	}
	if d := out.TimeToLiveDescription; d != nil &&
		(d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	attr, enabled := attrTTL, true
	_, err = admin.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attr, Enabled: &enabled},
	})
	return err
}
