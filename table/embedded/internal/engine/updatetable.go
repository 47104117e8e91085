package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// backfillChunk is how many entries of a new index go into one batch.
const backfillChunk = 1000

// UpdateTable implements DynamoDB's operation. The change is complete when it
// returns, a new index back-filled; other calls on the table wait meanwhile.
func (e *Engine) UpdateTable(ctx context.Context, in *dynamodb.UpdateTableInput) (*dynamodb.UpdateTableOutput, error) {
	if err := checkUpdateTable(in); err != nil {
		return nil, err
	}
	name := tableName(in.TableName)
	e.mu.Lock()
	t := e.tables[name]
	if t == nil {
		e.mu.Unlock()
		return nil, namedTableNotFound(name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := e.changeTable(t, in)
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d := t.describe()
	d.TableStatus = types.TableStatusUpdating
	if err := e.finishBackfills(t); err != nil {
		return nil, err
	}
	return &dynamodb.UpdateTableOutput{TableDescription: d}, nil
}

func checkUpdateTable(in *dynamodb.UpdateTableInput) error {
	var v violations
	v.table(in.TableName)
	oneOf(&v, "billingMode", in.BillingMode, types.BillingMode("").Values())
	v.throughput("provisionedThroughput", in.ProvisionedThroughput)
	for i, d := range in.AttributeDefinitions {
		v.definition(i, d)
	}
	for i, u := range in.GlobalSecondaryIndexUpdates {
		path := member("globalSecondaryIndexUpdates", i)
		if u.Create != nil {
			v.index(path+".create", u.Create.IndexName, u.Create.KeySchema, u.Create.Projection)
			v.throughput(path+".create.provisionedThroughput", u.Create.ProvisionedThroughput)
		}
		if u.Delete != nil && u.Delete.IndexName == nil {
			v.add(nil, path+".delete.indexName", notNull)
		}
		if u.Update != nil && (u.Update.IndexName == nil || u.Update.ProvisionedThroughput == nil) {
			v.add(nil, path+".update", notNull)
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	if len(in.ReplicaUpdates)+len(in.VectorIndexUpdates)+len(in.GlobalTableWitnessUpdates) > 0 || in.MultiRegionConsistency != "" {
		return Unsupported("UpdateTable with ReplicaUpdates, VectorIndexUpdates, GlobalTableWitnessUpdates or MultiRegionConsistency")
	}
	if in.BillingMode == "" && in.ProvisionedThroughput == nil && in.StreamSpecification == nil &&
		len(in.GlobalSecondaryIndexUpdates) == 0 && in.DeletionProtectionEnabled == nil && in.TableClass == "" &&
		in.SSESpecification == nil && in.OnDemandThroughput == nil && in.WarmThroughput == nil {
		return validation("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, " +
			"GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	return checkStreamSpec(in.StreamSpecification)
}

// changeTable changes the description and stores it. Both e.mu and t.mu are
// held for writing; a failure leaves everything as it was.
func (e *Engine) changeTable(t *table, in *dynamodb.UpdateTableInput) error {
	var b kv.Batch
	before, stream := t.meta, t.stream
	t.meta.Indexes = slices.Clone(before.Indexes)
	t.meta.Attributes = slices.Clone(before.Attributes)
	err := t.changeSettings(in)
	if err == nil {
		err = t.changeIndexes(&b, in)
	}
	if err == nil {
		err = e.changeStream(&b, t, in.StreamSpecification)
	}
	if err == nil {
		err = internal(putJSON(&b, tableMetaKey(t.meta.Name), t.meta))
	}
	if err == nil {
		err = e.applyDurably(&b)
	}
	if err != nil {
		if t.stream != nil && t.stream != stream {
			delete(e.streams, t.stream.meta.ARN)
		}
		t.meta, t.stream = before, stream
	}
	t.rebuild()
	return err
}

func (t *table) changeSettings(in *dynamodb.UpdateTableInput) error {
	m := &t.meta
	switch {
	case in.BillingMode == types.BillingModePayPerRequest:
		if in.ProvisionedThroughput != nil {
			return checkBilling(in.BillingMode, in.ProvisionedThroughput)
		}
		if !m.OnDemand {
			m.OnDemand, m.OnDemandSince, m.Throughput = true, now().UTC(), throughput{}
		}
	case in.BillingMode == types.BillingModeProvisioned && in.ProvisionedThroughput == nil && m.OnDemand:
		return checkBilling(in.BillingMode, nil)
	case in.ProvisionedThroughput != nil:
		if m.OnDemand && in.BillingMode == "" {
			return checkBilling(types.BillingModePayPerRequest, in.ProvisionedThroughput)
		}
		m.OnDemand, m.Throughput = false, newThroughput(in.ProvisionedThroughput)
	}
	if in.DeletionProtectionEnabled != nil {
		m.DeletionProtection = *in.DeletionProtectionEnabled
	}
	if in.TableClass != "" {
		m.TableClass = string(in.TableClass)
	}
	return nil
}

func (e *Engine) changeStream(b *kv.Batch, t *table, spec *types.StreamSpecification) error {
	switch {
	case spec == nil:
		return nil
	case *spec.StreamEnabled && t.stream != nil:
		return validation("Table already has an enabled stream: TableName: %s", t.meta.Name)
	case *spec.StreamEnabled:
		return internal(e.enableStream(b, t, spec))
	case t.stream == nil:
		return validation("Table has no stream to disable: TableName: %s", t.meta.Name)
	}
	return internal(t.disableStream(b))
}

func (t *table) changeIndexes(b *kv.Batch, in *dynamodb.UpdateTableInput) error {
	online := 0
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Create != nil || u.Delete != nil {
			online++
		}
	}
	if online > 1 {
		return &types.LimitExceededException{Message: new("Subscriber limit exceeded: " +
			"Only 1 online index can be created or deleted simultaneously per table")}
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		var err error
		switch {
		case u.Create != nil:
			err = t.createIndex(u.Create, in.AttributeDefinitions)
		case u.Delete != nil:
			err = t.deleteIndex(b, *u.Delete.IndexName)
		case u.Update != nil:
			err = t.updateIndex(u.Update)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *table) indexAt(name string) (int, error) {
	at := slices.IndexFunc(t.meta.Indexes, func(x indexMeta) bool { return x.Name == name && !x.Local })
	if at < 0 {
		return 0, notFound("Requested resource not found")
	}
	return at, nil
}

func (t *table) deleteIndex(b *kv.Batch, name string) error {
	at, err := t.indexAt(name)
	if err != nil {
		return err
	}
	b.DeleteRange(prefixRange(oneIndexPrefix(t.meta.ID, t.meta.Indexes[at].ID)))
	t.meta.Indexes = slices.Delete(t.meta.Indexes, at, at+1)
	used := map[string]bool{}
	for _, names := range t.meta.keyNames() {
		used[names] = true
	}
	t.meta.Attributes = slices.DeleteFunc(t.meta.Attributes, func(a keyAttrMeta) bool { return !used[a.Name] })
	return nil
}

func (t *table) updateIndex(u *types.UpdateGlobalSecondaryIndexAction) error {
	at, err := t.indexAt(*u.IndexName)
	if err != nil {
		return err
	}
	t.meta.Indexes[at].Throughput = newThroughput(u.ProvisionedThroughput)
	return nil
}

// keyNames lists every attribute that is part of a key, with repetitions.
func (m *tableMeta) keyNames() []string {
	names := slices.Concat(m.Hash, m.Range)
	for _, x := range m.Indexes {
		names = slices.Concat(names, x.Hash, x.Range)
	}
	return names
}

func (t *table) createIndex(c *types.CreateGlobalSecondaryIndexAction, defs []types.AttributeDefinition) error {
	m := &t.meta
	if slices.ContainsFunc(m.Indexes, func(x indexMeta) bool { return x.Name == *c.IndexName }) {
		return validation("Attempting to create an index which already exists: %s", *c.IndexName)
	}
	globals := 0
	for _, x := range m.Indexes {
		if !x.Local {
			globals++
		}
	}
	if globals >= maxGlobalIndexes {
		return &types.LimitExceededException{Message: new("Subscriber limit exceeded: GlobalSecondaryIndex count exceeds the per-table limit of 20")}
	}
	mode := types.BillingModeProvisioned
	if m.OnDemand {
		mode = types.BillingModePayPerRequest
	}
	if err := checkGlobalIndex(*c.IndexName, c.KeySchema, c.Projection, mode, c.ProvisionedThroughput); err != nil {
		return err
	}
	projected := len(c.Projection.NonKeyAttributes)
	for _, x := range m.Indexes {
		projected += len(x.NonKey)
	}
	if err := checkProjected(projected); err != nil {
		return err
	}
	if err := m.define(keyNames(c.KeySchema), defs); err != nil {
		return err
	}
	m.addIndex(indexMeta{Name: *c.IndexName, Throughput: newThroughput(c.ProvisionedThroughput), Creating: true},
		c.KeySchema, c.Projection)
	return nil
}

// define takes over the definitions of the attributes of a new key.
func (m *tableMeta) define(names []string, defs []types.AttributeDefinition) error {
	for _, name := range names {
		at := slices.IndexFunc(defs, func(d types.AttributeDefinition) bool { return *d.AttributeName == name })
		have := slices.IndexFunc(m.Attributes, func(a keyAttrMeta) bool { return a.Name == name })
		switch {
		case at < 0 && have < 0:
			var defined []string
			for _, d := range defs {
				defined = append(defined, *d.AttributeName)
			}
			return invalidParameter("Some index key attributes are not defined in AttributeDefinitions. "+
				"Keys: [%s], AttributeDefinitions: [%s]", strings.Join(names, ", "), strings.Join(defined, ", "))
		case at < 0:
		case have < 0:
			m.Attributes = append(m.Attributes, keyAttrMeta{name, string(defs[at].AttributeType)})
		case m.Attributes[have].Type != string(defs[at].AttributeType):
			return invalidParameter("Attribute %s has type %s in the table and %s in the request",
				name, m.Attributes[have].Type, defs[at].AttributeType)
		}
	}
	return nil
}

// finishBackfills fills the indexes that are not active yet. The caller holds
// the table for writing.
func (e *Engine) finishBackfills(t *table) error {
	for i, x := range t.indexes {
		if !x.Creating {
			continue
		}
		if err := e.backfill(t, x); err != nil {
			return err
		}
		t.meta.Indexes[i].Creating = false
		var b kv.Batch
		if err := putJSON(&b, tableMetaKey(t.meta.Name), t.meta); err != nil {
			return internal(err)
		}
		if err := e.applyDurably(&b); err != nil {
			return err
		}
		x.Creating = false
	}
	return nil
}

// backfill writes the entries of an index. Rows whose key attributes are
// missing or of another type have none.
func (e *Engine) backfill(t *table, x *index) error {
	var n count
	err := e.eachRow(t, func(b *kv.Batch, key []byte, item attr.Item, r row) error {
		if !x.keys.in(item) {
			return nil
		}
		k, err := t.entryKey(x, item)
		if err != nil {
			return err
		}
		entry := x.entry(item, r)
		b.Set(k, entry.raw)
		n.Items++
		n.Bytes += int64(entry.size())
		return nil
	})
	x.counter.set(n)
	return err
}

// eachRow calls a function for every row of a table and applies what it
// collects in chunks. The caller holds the table for writing.
func (e *Engine) eachRow(t *table, f func(b *kv.Batch, key []byte, item attr.Item, r row) error) error {
	snap, err := e.store.Snapshot()
	if err != nil {
		return internal(err)
	}
	defer snap.Close()
	lo, hi := prefixRange(rowPrefix(t.meta.ID))
	b := &kv.Batch{}
	for p, err := range snap.Iterate(lo, hi, false) {
		if err != nil {
			return internal(err)
		}
		r := row{raw: p.Value}
		item, err := r.item()
		if err != nil {
			return err
		}
		if err := f(b, p.Key, item, r); err != nil {
			return err
		}
		if b.Len() >= backfillChunk {
			if err := e.applyDurably(b); err != nil {
				return err
			}
			b = &kv.Batch{}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return e.applyDurably(b)
}
