package engine

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// DynamoDB's limits on batches.
const (
	maxBatchWrites = 25
	maxBatchGets   = 100
	maxBatchBytes  = 16 << 20
)

// BatchWriteItem implements DynamoDB's operation. All writes happen at once,
// which is more than DynamoDB promises and costs one wait for the disk.
func (e *Engine) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
	if err := checkBatchWrite(in); err != nil {
		return nil, err
	}
	items, err := batchItems(in)
	if err != nil {
		return nil, err
	}
	tables, unlock, err := e.lockTables(sortedNames(in.RequestItems))
	if err != nil {
		return nil, err
	}
	defer unlock()
	actions, err := batchActions(in, items, tables)
	if err != nil {
		return nil, err
	}
	left, err := leave(ctx, len(actions))
	if err != nil {
		return nil, err
	}
	actions = actions[:len(actions)-left]
	if err := e.write(ctx, actions, nil, nil); err != nil {
		return nil, err
	}
	out := &dynamodb.BatchWriteItemOutput{
		UnprocessedItems:      lastWrites(in, left),
		ItemCollectionMetrics: collections(actions, in.ReturnItemCollectionMetrics),
	}
	out.ConsumedCapacity, err = usages(actions, in.ReturnConsumedCapacity, 1, bothSides)
	return out, err
}

// usages reports what actions have consumed, table by table.
func usages(actions []*action, how types.ReturnConsumedCapacity, factor float64,
	side func(float64) types.Capacity,
) ([]types.ConsumedCapacity, error) {
	if how == "" || how == types.ReturnConsumedCapacityNone {
		return nil, nil
	}
	var order []*usage
	byTable := map[*table]*usage{}
	for _, a := range actions {
		u := byTable[a.t]
		if u == nil {
			u = newUsage(a.t)
			u.side = side
			byTable[a.t] = u
			order = append(order, u)
		}
		if err := a.consumed(u, factor); err != nil {
			return nil, err
		}
	}
	var all []types.ConsumedCapacity
	for _, u := range order {
		all = append(all, *u.report(how))
	}
	return all, nil
}

func checkBatchWrite(in *dynamodb.BatchWriteItemInput) error {
	var v violations
	v.capacity(in.ReturnConsumedCapacity)
	oneOf(&v, "returnItemCollectionMetrics", in.ReturnItemCollectionMetrics, in.ReturnItemCollectionMetrics.Values())
	names := v.requestItems(in.RequestItems == nil, sortedNames(in.RequestItems))
	n := 0
	for _, name := range names {
		requests := in.RequestItems[name]
		if n += len(requests); len(requests) == 0 || len(requests) > maxBatchWrites {
			v.add("{"+name+"=[...]}", requestItems, "Map value must satisfy constraint: "+
				"[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
		}
		for i, w := range requests {
			path := member(requestItems+"."+name, i)
			if w.DeleteRequest != nil && w.DeleteRequest.Key == nil {
				v.add(nil, path+".deleteRequest.key", notNull)
			}
			if w.PutRequest != nil && w.PutRequest.Item == nil {
				v.add(nil, path+".putRequest.item", notNull)
			}
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	if n > maxBatchWrites {
		return validation("Too many items requested for the BatchWriteItem call")
	}
	return nil
}

const requestItems = "requestItems"

// requestItems checks the names of the tables of a batch, and gives them back.
func (v *violations) requestItems(null bool, names []string) []string {
	switch {
	case null:
		v.add(nil, requestItems, notNull)
	case len(names) == 0:
		v.add("{}", requestItems, "Member must have length greater than or equal to 1")
	}
	for _, name := range names {
		var one violations
		if one.table(&name); len(one) > 0 {
			v.add("{"+name+"=[...]}", requestItems, "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "+
				"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]")
		}
	}
	return names
}

// batchItems converts the items and keys of a batch, in the order of the tables' names.
func batchItems(in *dynamodb.BatchWriteItemInput) (map[string][]attr.Item, error) {
	items := make(map[string][]attr.Item, len(in.RequestItems))
	size := 0
	for _, name := range sortedNames(in.RequestItems) {
		for _, w := range in.RequestItems[name] {
			var raw map[string]types.AttributeValue
			switch {
			case w.PutRequest != nil && w.DeleteRequest != nil, w.PutRequest == nil && w.DeleteRequest == nil:
				return nil, validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			case w.PutRequest != nil:
				raw = w.PutRequest.Item
			default:
				raw = w.DeleteRequest.Key
			}
			item, err := attr.ItemFromSDK(raw)
			if err != nil {
				return nil, invalid(err)
			}
			size += attr.ItemSize(item)
			items[name] = append(items[name], item)
		}
	}
	if size > maxBatchBytes {
		return nil, validation("The request is too large: a batch has at most 16 MB")
	}
	return items, nil
}

func batchActions(in *dynamodb.BatchWriteItemInput, items map[string][]attr.Item, tables map[string]*table) ([]*action, error) {
	var actions []*action
	keys := map[string]bool{}
	for _, name := range sortedNames(items) {
		t := tables[name]
		for i, item := range items[name] {
			action := t.remove
			if in.RequestItems[name][i].PutRequest != nil {
				action = t.put
			}
			a, err := action(item, nil)
			if err != nil {
				return nil, err
			}
			if keys[string(a.key.bytes)] {
				return nil, validation("Provided list of item keys contains duplicates")
			}
			keys[string(a.key.bytes)] = true
			actions = append(actions, a)
		}
	}
	return actions, nil
}

// lockTables finds tables and locks their descriptions for reading, in the
// order of their names, so that two callers never wait for each other. The map
// has them under the names given, which may be ARNs.
func (e *Engine) lockTables(names []string) (map[string]*table, func(), error) {
	byName := make(map[string]*table, len(names))
	found := make(map[string]*table, len(names))
	e.mu.RLock()
	for _, n := range names {
		plain := tableName(&n)
		t := e.tables[plain]
		if t == nil {
			e.mu.RUnlock()
			return nil, nil, tableNotFound()
		}
		found[n], byName[plain] = t, t
	}
	e.mu.RUnlock()
	var held []*table
	unlock := func() {
		for _, t := range held {
			t.mu.RUnlock()
		}
	}
	for _, n := range sortedNames(byName) {
		t := byName[n]
		t.mu.RLock()
		held = append(held, t)
		if t.dropped {
			unlock()
			return nil, nil, tableNotFound()
		}
	}
	return found, unlock, nil
}

// BatchGetItem implements DynamoDB's operation. What does not fit into 16 MB
// comes back as unprocessed.
func (e *Engine) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
	if err := checkBatchGet(in); err != nil {
		return nil, err
	}
	requests, err := e.batchGets(in)
	if err != nil {
		return nil, err
	}
	tables, unlock, err := e.lockTables(sortedNames(in.RequestItems))
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, g := range requests {
		if err := g.checkKeys(tables[g.name]); err != nil {
			return nil, err
		}
	}
	out := &dynamodb.BatchGetItemOutput{
		Responses: map[string][]map[string]types.AttributeValue{}, UnprocessedKeys: map[string]types.KeysAndAttributes{},
	}
	if err := leaveKeys(ctx, in, requests, out); err != nil {
		return nil, err
	}
	size := 0
	for _, g := range requests {
		if err := e.batchGet(ctx, in, tables[g.name], g, out, &size); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// gets are the keys of one table of a batch.
type gets struct {
	name string
	keys []attr.Item
	p    *expr.Projection
}

func checkBatchGet(in *dynamodb.BatchGetItemInput) error {
	var v violations
	v.capacity(in.ReturnConsumedCapacity)
	names := v.requestItems(in.RequestItems == nil, sortedNames(in.RequestItems))
	n := 0
	for _, name := range names {
		keys, path := in.RequestItems[name].Keys, requestItems+"."+name+".member.keys"
		v.attributes(requestItems+"."+name+".member.attributesToGet", in.RequestItems[name].AttributesToGet)
		n += len(keys)
		switch {
		case keys == nil:
			v.add(nil, path, notNull)
		case len(keys) == 0:
			v.length(path, "[]", 0, 1, maxBatchGets)
		default:
			v.length(path, "[...]", len(keys), 1, maxBatchGets)
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	if n > maxBatchGets {
		return validation("Too many items requested for the BatchGetItem call")
	}
	return nil
}

func (e *Engine) batchGets(in *dynamodb.BatchGetItemInput) ([]gets, error) {
	var all []gets
	for _, name := range sortedNames(in.RequestItems) {
		ka := in.RequestItems[name]
		g := gets{name: name}
		for _, k := range ka.Keys {
			key, err := attr.ItemFromSDK(k)
			if err != nil {
				return nil, invalid(err)
			}
			g.keys = append(g.keys, key)
		}
		var err error
		if g.p, err = e.selected(ka.AttributesToGet, ka.ProjectionExpression, ka.ExpressionAttributeNames); err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

func (g *gets) checkKeys(t *table) error {
	if err := t.checkScalars(g.p); err != nil {
		return err
	}
	seen := make(map[string]bool, len(g.keys))
	for _, key := range g.keys {
		if err := t.checkLookup(key); err != nil {
			return err
		}
		k, err := t.rowKey(key)
		if err != nil {
			return err
		}
		if seen[string(k.bytes)] {
			return validation("Provided list of item keys contains duplicates")
		}
		seen[string(k.bytes)] = true
	}
	return nil
}

func (e *Engine) batchGet(ctx context.Context, in *dynamodb.BatchGetItemInput, t *table, g gets,
	out *dynamodb.BatchGetItemOutput, size *int,
) error {
	ka := in.RequestItems[g.name]
	u := newUsage(t)
	found := []map[string]types.AttributeValue{}
	for i, key := range g.keys {
		r, err := e.get(ctx, t, key)
		if err != nil {
			return err
		}
		if *size += r.size(); *size > maxBatchBytes {
			rest := ka
			rest.Keys = ka.Keys[i:]
			out.UnprocessedKeys[g.name] = rest
			break
		}
		u.read(nil, readUnits(r.size(), ka.ConsistentRead))
		item, err := r.project(g.p)
		if err != nil {
			return err
		}
		if item != nil {
			found = append(found, item)
		}
	}
	out.Responses[g.name] = found
	if c := u.report(in.ReturnConsumedCapacity); c != nil {
		out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
	}
	return nil
}
