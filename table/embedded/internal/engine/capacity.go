package engine

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// The sizes of DynamoDB's units, in bytes.
const (
	readUnit  = 4096
	writeUnit = 1024
)

// readUnits counts eventually consistent reads half.
func readUnits(size int, consistent *bool) float64 {
	u := float64(max((size+readUnit-1)/readUnit, 1))
	if consistent == nil || !*consistent {
		return u / 2
	}
	return u
}

func writeUnits(size int) float64 {
	return float64(max((size+writeUnit-1)/writeUnit, 1))
}

// usage is what a call has consumed of one table.
type usage struct {
	t             *table
	table         float64
	local, global map[string]float64
	side          func(units float64) types.Capacity
}

func newUsage(t *table) *usage { return &usage{t: t, side: bothSides} }

// bothSides does not tell reads and writes apart; only transactions do.
func bothSides(units float64) types.Capacity { return types.Capacity{CapacityUnits: &units} }

func readSide(units float64) types.Capacity {
	return types.Capacity{CapacityUnits: &units, ReadCapacityUnits: &units}
}

func writeSide(units float64) types.Capacity {
	return types.Capacity{CapacityUnits: &units, WriteCapacityUnits: &units}
}

// read adds units to an index, or to the table if there is none.
func (u *usage) read(x *index, units float64) *usage {
	if x == nil {
		u.table += units
		return u
	}
	u.addIndex(x, units)
	return u
}

func (u *usage) addIndex(x *index, units float64) {
	m := &u.global
	if x.Local {
		m = &u.local
	}
	if *m == nil {
		*m = map[string]float64{}
	}
	(*m)[x.Name] += units
}

// sides renders the units of indexes; nil if there are none.
func (u *usage) sides(indexes map[string]float64) map[string]types.Capacity {
	var all map[string]types.Capacity
	for name, units := range indexes {
		if all == nil {
			all = map[string]types.Capacity{}
		}
		all[name] = u.side(units)
	}
	return all
}

func (u *usage) total() float64 {
	sum := u.table
	for _, m := range []map[string]float64{u.local, u.global} {
		for _, units := range m {
			sum += units
		}
	}
	return sum
}

// report renders the usage as asked for; nil if it was not.
func (u *usage) report(how types.ReturnConsumedCapacity) *types.ConsumedCapacity {
	if how == "" || how == types.ReturnConsumedCapacityNone {
		return nil
	}
	total := u.side(u.total())
	c := &types.ConsumedCapacity{
		TableName: new(u.t.meta.Name), CapacityUnits: total.CapacityUnits,
		ReadCapacityUnits: total.ReadCapacityUnits, WriteCapacityUnits: total.WriteCapacityUnits,
	}
	if how == types.ReturnConsumedCapacityIndexes {
		c.Table = new(u.side(u.table))
		c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes = u.sides(u.local), u.sides(u.global)
	}
	return c
}

// report renders what a single write has consumed.
func (a *action) report(how types.ReturnConsumedCapacity) (*types.ConsumedCapacity, error) {
	if how == "" || how == types.ReturnConsumedCapacityNone {
		return nil, nil
	}
	u := newUsage(a.t)
	if err := a.consumed(u, 1); err != nil {
		return nil, err
	}
	return u.report(how), nil
}

// consumed adds what a write has consumed; factor multiplies the table's part.
func (a *action) consumed(u *usage, factor float64) error {
	u.table += factor * writeUnits(max(a.old.size(), a.new.size()))
	if len(a.t.indexes) == 0 || !a.changed() {
		return nil
	}
	old, err := a.old.item()
	if err != nil {
		return err
	}
	item, err := a.new.item()
	if err != nil {
		return err
	}
	for _, x := range a.t.indexes {
		units, err := a.t.indexUnits(x, old, item)
		if err != nil {
			return err
		}
		if units > 0 {
			u.addIndex(x, units)
		}
	}
	return nil
}

// indexUnits counts a changed entry once, and a moved one as a removal and an
// insertion.
func (t *table) indexUnits(x *index, old, item attr.Item) (float64, error) {
	was, is := old != nil && x.keys.in(old), item != nil && x.keys.in(item)
	var before, after attr.Item
	if was {
		before = x.projected(old)
	}
	if is {
		after = x.projected(item)
	}
	switch {
	case !was && !is:
		return 0, nil
	case !was:
		return writeUnits(attr.ItemSize(after)), nil
	case !is:
		return writeUnits(attr.ItemSize(before)), nil
	case attr.EqualItems(before, after):
		return 0, nil
	}
	oldKey, err := t.entryKey(x, old)
	if err != nil {
		return 0, err
	}
	newKey, err := t.entryKey(x, item)
	if err != nil {
		return 0, err
	}
	if bytes.Equal(oldKey, newKey) {
		return writeUnits(max(attr.ItemSize(before), attr.ItemSize(after))), nil
	}
	return writeUnits(attr.ItemSize(before)) + writeUnits(attr.ItemSize(after)), nil
}

// collection renders the item collection metrics: only tables with local
// indexes have any.
func (a *action) collection(how types.ReturnItemCollectionMetrics) *types.ItemCollectionMetrics {
	if how != types.ReturnItemCollectionMetricsSize || !a.t.hasLocal() {
		return nil
	}
	return &types.ItemCollectionMetrics{
		SizeEstimateRangeGB: estimate(a.collected),
		ItemCollectionKey:   attr.ItemToSDK(attr.Item{a.t.keys.Hash[0].Name: a.key.partition}),
	}
}

// collections renders the item collection metrics of several writes, by table.
func collections(actions []*action, how types.ReturnItemCollectionMetrics) map[string][]types.ItemCollectionMetrics {
	var all map[string][]types.ItemCollectionMetrics
	seen := map[string]bool{}
	for _, a := range actions {
		m := a.collection(how)
		if m == nil {
			continue
		}
		id := a.t.meta.Name + "\x00" + a.key.partition.Text()
		if seen[id] {
			continue
		}
		seen[id] = true
		if all == nil {
			all = map[string][]types.ItemCollectionMetrics{}
		}
		all[a.t.meta.Name] = append(all[a.t.meta.Name], *m)
	}
	return all
}

func (t *table) hasLocal() bool {
	for _, x := range t.indexes {
		if x.Local {
			return true
		}
	}
	return false
}
