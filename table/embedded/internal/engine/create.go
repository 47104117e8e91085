package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// CreateTable implements DynamoDB's operation. The table is active at once.
func (e *Engine) CreateTable(ctx context.Context, in *dynamodb.CreateTableInput) (*dynamodb.CreateTableOutput, error) {
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tables[*in.TableName] != nil {
		return nil, inUse("Table already exists: %s", *in.TableName)
	}
	e.counters.Table++
	t := newTable(newTableMeta(in, e.counters.Table), e.opts.Region)
	t.counted.Store(true)
	var b kv.Batch
	if err := putJSON(&b, counterKey, e.counters); err != nil {
		return nil, internal(err)
	}
	if in.StreamSpecification != nil && *in.StreamSpecification.StreamEnabled {
		if err := e.enableStream(&b, t, in.StreamSpecification); err != nil {
			return nil, internal(err)
		}
	}
	if err := putJSON(&b, tableMetaKey(t.meta.Name), t.meta); err != nil {
		return nil, internal(err)
	}
	if err := e.applyDurably(&b); err != nil {
		if t.stream != nil {
			delete(e.streams, t.stream.meta.ARN)
		}
		return nil, err
	}
	e.tables[t.meta.Name] = t
	d := t.describe()
	d.TableStatus = types.TableStatusCreating
	for i := range d.GlobalSecondaryIndexes {
		d.GlobalSecondaryIndexes[i].IndexStatus = types.IndexStatusCreating
	}
	return &dynamodb.CreateTableOutput{TableDescription: d}, nil
}

func newTableMeta(in *dynamodb.CreateTableInput, id uint32) tableMeta {
	m := tableMeta{
		Version:    metaVersion,
		ID:         id,
		UUID:       newUUID(),
		Name:       *in.TableName,
		Created:    now().UTC(),
		Throughput: newThroughput(in.ProvisionedThroughput),
		TableClass: string(in.TableClass),
	}
	m.Hash, m.Range = splitKeys(in.KeySchema)
	if in.BillingMode == types.BillingModePayPerRequest {
		m.OnDemand, m.OnDemandSince = true, m.Created
	}
	if in.DeletionProtectionEnabled != nil {
		m.DeletionProtection = *in.DeletionProtectionEnabled
	}
	for _, d := range in.AttributeDefinitions {
		m.Attributes = append(m.Attributes, keyAttrMeta{*d.AttributeName, string(d.AttributeType)})
	}
	for _, x := range in.LocalSecondaryIndexes {
		m.addIndex(indexMeta{Name: *x.IndexName, Local: true}, x.KeySchema, x.Projection)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		m.addIndex(indexMeta{Name: *x.IndexName, Throughput: newThroughput(x.ProvisionedThroughput)}, x.KeySchema, x.Projection)
	}
	if len(in.Tags) > 0 {
		m.Tags = map[string]string{}
		for _, tag := range in.Tags {
			m.Tags[*tag.Key] = *tag.Value
		}
	}
	return m
}

func (m *tableMeta) addIndex(x indexMeta, keys []types.KeySchemaElement, p *types.Projection) {
	m.NextIndex++
	x.ID = m.NextIndex
	x.Hash, x.Range = splitKeys(keys)
	x.Projection, x.NonKey = string(p.ProjectionType), slices.Clone(p.NonKeyAttributes)
	m.Indexes = append(m.Indexes, x)
}

func newThroughput(p *types.ProvisionedThroughput) throughput {
	if p == nil {
		return throughput{}
	}
	return throughput{Read: *p.ReadCapacityUnits, Write: *p.WriteCapacityUnits}
}

func splitKeys(keys []types.KeySchemaElement) (hash, rang []string) {
	for _, k := range keys {
		if k.KeyType == types.KeyTypeHash {
			hash = append(hash, *k.AttributeName)
		} else {
			rang = append(rang, *k.AttributeName)
		}
	}
	return hash, rang
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// DeleteTable implements DynamoDB's operation. The table is gone at once; its
// stream stays readable for 24 hours.
func (e *Engine) DeleteTable(ctx context.Context, in *dynamodb.DeleteTableInput) (*dynamodb.DeleteTableOutput, error) {
	var v violations
	v.table(in.TableName)
	if err := v.err(); err != nil {
		return nil, err
	}
	name := tableName(in.TableName)
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tables[name]
	if t == nil {
		return nil, namedTableNotFound(name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.meta.DeletionProtection {
		return nil, validation("Resource cannot be deleted as it is currently protected against deletion. " +
			"Disable deletion protection first.")
	}
	var b kv.Batch
	b.Delete(tableMetaKey(name))
	for _, prefix := range [][]byte{rowPrefix(t.meta.ID), indexPrefix(t.meta.ID), expiryPrefix(t.meta.ID), collectionPrefix(t.meta.ID)} {
		b.DeleteRange(prefixRange(prefix))
	}
	d := t.describe()
	if t.stream != nil {
		if err := t.disableStream(&b); err != nil {
			return nil, internal(err)
		}
	}
	t.dropped = true
	delete(e.tables, name)
	if err := e.applyDurably(&b); err != nil {
		return nil, err
	}
	return &dynamodb.DeleteTableOutput{TableDescription: deleting(d)}, nil
}

// deleting keeps what DynamoDB's answer to DeleteTable has.
func deleting(d *types.TableDescription) *types.TableDescription {
	return &types.TableDescription{
		TableName: d.TableName, TableArn: d.TableArn, TableId: d.TableId,
		TableStatus: types.TableStatusDeleting, ItemCount: new(int64(0)), TableSizeBytes: new(int64(0)),
		ProvisionedThroughput: d.ProvisionedThroughput, BillingModeSummary: d.BillingModeSummary,
		DeletionProtectionEnabled: d.DeletionProtectionEnabled, TableClassSummary: d.TableClassSummary,
	}
}

// maxTableNames is how many names one answer has.
const maxTableNames = 100

// ListTables implements DynamoDB's operation.
func (e *Engine) ListTables(ctx context.Context, in *dynamodb.ListTablesInput) (*dynamodb.ListTablesOutput, error) {
	var v violations
	limit := v.limit(in.Limit, maxTableNames)
	if s := in.ExclusiveStartTableName; s != nil {
		v.plainName("exclusiveStartTableName", s, minNameLength, maxNameLength)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	e.mu.RLock()
	names := sortedNames(e.tables)
	e.mu.RUnlock()
	if s := in.ExclusiveStartTableName; s != nil {
		at, found := slices.BinarySearchFunc(names, *s, strings.Compare)
		if found {
			at++
		}
		names = names[at:]
	}
	out := &dynamodb.ListTablesOutput{TableNames: names}
	if names == nil {
		out.TableNames = []string{}
	}
	if len(names) > limit {
		out.TableNames = names[:limit]
		out.LastEvaluatedTableName = new(names[limit-1])
	}
	return out, nil
}
