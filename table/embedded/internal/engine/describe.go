package engine

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DescribeTable implements DynamoDB's operation. Unlike DynamoDB's, its counts are
// exact.
func (e *Engine) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput) (*dynamodb.DescribeTableOutput, error) {
	var v violations
	v.table(in.TableName)
	if err := v.err(); err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, namedTableNotFound(tableName(in.TableName))
	}
	defer t.mu.RUnlock()
	if err := e.recount(t); err != nil {
		return nil, err
	}
	return &dynamodb.DescribeTableOutput{Table: t.describe()}, nil
}

// describe renders a table. The caller holds t.mu.
func (t *table) describe() *types.TableDescription {
	m := &t.meta
	d := &types.TableDescription{
		TableName:                 &m.Name,
		TableArn:                  &t.arn,
		TableId:                   &m.UUID,
		TableStatus:               types.TableStatusActive,
		CreationDateTime:          new(m.Created),
		KeySchema:                 describeKeys(m.Hash, m.Range),
		ItemCount:                 new(t.counter.items.Load()),
		TableSizeBytes:            new(t.counter.bytes.Load()),
		ProvisionedThroughput:     describeThroughput(m.Throughput),
		DeletionProtectionEnabled: new(m.DeletionProtection),
	}
	for _, a := range m.Attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: new(a.Name), AttributeType: types.ScalarAttributeType(a.Type),
		})
	}
	if !m.OnDemandSince.IsZero() { // also one that has been on demand
		d.BillingModeSummary = &types.BillingModeSummary{
			BillingMode: types.BillingModeProvisioned, LastUpdateToPayPerRequestDateTime: new(m.OnDemandSince),
		}
		if m.OnDemand {
			d.BillingModeSummary.BillingMode = types.BillingModePayPerRequest
		}
	}
	if m.TableClass != "" {
		d.TableClassSummary = &types.TableClassSummary{TableClass: types.TableClass(m.TableClass)}
	}
	if m.LastStream != "" {
		d.LatestStreamLabel = new(m.LastStream)
		d.LatestStreamArn = new(t.arn + "/stream/" + m.LastStream)
	}
	if t.stream != nil {
		d.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: new(true), StreamViewType: types.StreamViewType(t.stream.meta.View),
		}
	}
	t.describeIndexes(d)
	return d
}

func (t *table) describeIndexes(d *types.TableDescription) {
	for _, x := range t.indexes {
		arn := t.arn + "/index/" + x.Name
		p := &types.Projection{ProjectionType: types.ProjectionType(x.Projection), NonKeyAttributes: x.NonKey}
		if x.Local {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, types.LocalSecondaryIndexDescription{
				IndexName: new(x.Name), IndexArn: &arn, KeySchema: describeKeys(x.Hash, x.Range), Projection: p,
				ItemCount: new(x.counter.items.Load()), IndexSizeBytes: new(x.counter.bytes.Load()),
			})
			continue
		}
		g := types.GlobalSecondaryIndexDescription{
			IndexName: new(x.Name), IndexArn: &arn, KeySchema: describeKeys(x.Hash, x.Range), Projection: p,
			ItemCount: new(x.counter.items.Load()), IndexSizeBytes: new(x.counter.bytes.Load()), IndexStatus: types.IndexStatusActive,
			ProvisionedThroughput: describeThroughput(x.Throughput),
		}
		if x.Creating {
			g.IndexStatus, g.Backfilling = types.IndexStatusCreating, new(true)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
}

func describeKeys(hash, rang []string) []types.KeySchemaElement {
	var keys []types.KeySchemaElement
	for _, n := range hash {
		keys = append(keys, types.KeySchemaElement{AttributeName: new(n), KeyType: types.KeyTypeHash})
	}
	for _, n := range rang {
		keys = append(keys, types.KeySchemaElement{AttributeName: new(n), KeyType: types.KeyTypeRange})
	}
	return keys
}

func describeThroughput(p throughput) *types.ProvisionedThroughputDescription {
	d := &types.ProvisionedThroughputDescription{
		ReadCapacityUnits: new(p.Read), WriteCapacityUnits: new(p.Write), NumberOfDecreasesToday: new(p.decreases(now())),
	}
	if !p.Increased.IsZero() {
		d.LastIncreaseDateTime = new(p.Increased)
	}
	if !p.Decreased.IsZero() {
		d.LastDecreaseDateTime = new(p.Decreased)
	}
	return d
}
