package engine

import (
	"context"
	"slices"
	"time"

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
	before := t.describe()
	err := e.changeTable(t, in)
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d := t.describe()
	d.TableStatus = types.TableStatusUpdating
	for _, x := range before.GlobalSecondaryIndexes {
		if t.index(*x.IndexName) == nil {
			x.IndexStatus = types.IndexStatusDeleting
			d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, x)
			d.AttributeDefinitions = before.AttributeDefinitions
		}
	}
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
	oneOf(&v, "tableClass", in.TableClass, types.TableClass("").Values())
	for i, u := range in.GlobalSecondaryIndexUpdates {
		v.indexUpdate(member("globalSecondaryIndexUpdates", i), u)
	}
	if err := v.err(); err != nil {
		return err
	}
	if len(in.ReplicaUpdates)+len(in.VectorIndexUpdates)+len(in.GlobalTableWitnessUpdates) > 0 || in.MultiRegionConsistency != "" {
		return Unsupported("UpdateTable with ReplicaUpdates, VectorIndexUpdates, GlobalTableWitnessUpdates or MultiRegionConsistency")
	}
	if in.SSESpecification != nil || in.OnDemandThroughput != nil || in.WarmThroughput != nil {
		return Unsupported("UpdateTable with SSESpecification, OnDemandThroughput or WarmThroughput")
	}
	if in.BillingMode == "" && in.ProvisionedThroughput == nil && in.StreamSpecification == nil &&
		len(in.GlobalSecondaryIndexUpdates) == 0 && in.DeletionProtectionEnabled == nil && in.TableClass == "" {
		return validation("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, " +
			"GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if in.BillingMode == types.BillingModeProvisioned && in.ProvisionedThroughput == nil {
		return invalidParameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if in.ProvisionedThroughput != nil && in.StreamSpecification != nil {
		return validation("Cannot change IOPS and Streams at the same time.")
	}
	if err := checkThroughput(in.ProvisionedThroughput); err != nil {
		return err
	}
	if err := checkIndexUpdates(in.GlobalSecondaryIndexUpdates); err != nil {
		return err
	}
	return checkStreamSpec(in.StreamSpecification)
}

func (v *violations) indexUpdate(path string, u types.GlobalSecondaryIndexUpdate) {
	if c := u.Create; c != nil {
		v.index(path+".create", c.IndexName, c.KeySchema, 2*maxIndexKeyParts, c.Projection)
		v.throughput(path+".create.provisionedThroughput", c.ProvisionedThroughput)
	}
	if u.Delete != nil {
		v.plainName(path+".delete.indexName", u.Delete.IndexName, minNameLength, maxNameLength)
	}
	if u.Update == nil {
		return
	}
	v.plainName(path+".update.indexName", u.Update.IndexName, minNameLength, maxNameLength)
	if u.Update.ProvisionedThroughput == nil {
		v.add(nil, path+".update.provisionedThroughput", notNull)
	}
	v.throughput(path+".update.provisionedThroughput", u.Update.ProvisionedThroughput)
}

// checkIndexUpdates asks for one change of each index that is named.
func checkIndexUpdates(updates []types.GlobalSecondaryIndexUpdate) error {
	seen := map[string]bool{}
	for _, u := range updates {
		var names []string
		if u.Create != nil {
			if u.Create.OnDemandThroughput != nil || u.Create.WarmThroughput != nil {
				return Unsupported("UpdateTable with OnDemandThroughput or WarmThroughput")
			}
			names = append(names, *u.Create.IndexName)
		}
		if u.Update != nil {
			if u.Update.OnDemandThroughput != nil || u.Update.WarmThroughput != nil {
				return Unsupported("UpdateTable with OnDemandThroughput or WarmThroughput")
			}
			names = append(names, *u.Update.IndexName)
			if err := checkThroughput(u.Update.ProvisionedThroughput); err != nil {
				return err
			}
		}
		if u.Delete != nil {
			names = append(names, *u.Delete.IndexName)
		}
		if len(names) == 0 {
			return invalidParameter("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, " +
				"GlobalSecondaryIndexUpdate.Delete must not be null")
		}
		if len(names) > 1 || seen[names[0]] {
			return invalidParameter("Only one global secondary index update per index is allowed simultaneously. Index: %s", names[0])
		}
		seen[names[0]] = true
	}
	return nil
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
	if err := m.changeBilling(in); err != nil {
		return err
	}
	if in.DeletionProtectionEnabled != nil {
		m.DeletionProtection = *in.DeletionProtectionEnabled
	}
	if in.TableClass != "" {
		m.TableClass = string(in.TableClass)
	}
	return nil
}

// changeBilling changes the mode and the throughput of the table. A table that
// becomes provisioned needs the throughput of each index too.
func (m *tableMeta) changeBilling(in *dynamodb.UpdateTableInput) error {
	was := m.OnDemand
	if in.BillingMode != "" {
		m.OnDemand = in.BillingMode == types.BillingModePayPerRequest
	}
	if m.OnDemand {
		if in.ProvisionedThroughput != nil {
			return checkBilling(types.BillingModePayPerRequest, in.ProvisionedThroughput)
		}
		if !was {
			m.OnDemandSince, m.Throughput = now().UTC(), throughput{}
			for i := range m.Indexes {
				m.Indexes[i].Throughput = throughput{}
			}
		}
		return nil
	}
	if was {
		for _, x := range m.Indexes {
			named := func(u types.GlobalSecondaryIndexUpdate) bool { return u.Update != nil && *u.Update.IndexName == x.Name }
			if !x.Local && !slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, named) {
				return invalidParameter("ProvisionedThroughput must be specified for index: %s", x.Name)
			}
		}
	}
	if in.ProvisionedThroughput == nil {
		return nil
	}
	return m.Throughput.change(in.ProvisionedThroughput)
}

func (t *throughput) change(p *types.ProvisionedThroughput) error {
	read, write := *p.ReadCapacityUnits, *p.WriteCapacityUnits
	if t.Read == read && t.Write == write {
		return validation("The provisioned throughput for the table will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
			"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
			t.Read, read, t.Write, write)
	}
	at := now().UTC()
	if read > t.Read || write > t.Write {
		t.Increased = at
	}
	if read < t.Read || write < t.Write {
		t.Decreases, t.Decreased = t.decreases(at)+1, at
	}
	t.Read, t.Write = read, write
	return nil
}

// decreases counts those of the day.
func (t *throughput) decreases(at time.Time) int64 {
	if t.Decreased.Format(time.DateOnly) != at.UTC().Format(time.DateOnly) {
		return 0
	}
	return t.Decreases
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
	if t.meta.OnDemand {
		return invalidParameter("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", *u.IndexName)
	}
	return t.meta.Indexes[at].Throughput.change(u.ProvisionedThroughput)
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
	for _, d := range defs {
		for _, a := range m.Attributes {
			if a.Name == *d.AttributeName && a.Type != string(d.AttributeType) {
				return invalidParameter("Attribute %s has type %s in the table and %s in the request", a.Name, a.Type, d.AttributeType)
			}
		}
	}
	for _, name := range names {
		at := slices.IndexFunc(defs, func(d types.AttributeDefinition) bool { return *d.AttributeName == name })
		have := slices.IndexFunc(m.Attributes, func(a keyAttrMeta) bool { return a.Name == name })
		switch {
		case at < 0 && have < 0:
			var defined []string
			for _, d := range defs {
				defined = append(defined, *d.AttributeName)
			}
			return undefinedKeys(names, defined)
		case have < 0:
			m.Attributes = append(m.Attributes, keyAttrMeta{name, string(defs[at].AttributeType)})
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
