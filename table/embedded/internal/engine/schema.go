package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// keyAttr is one attribute of a key.
type keyAttr struct {
	Name string
	Kind attr.Kind
}

// keySchema is a key: tables have one hash attribute and at most one range
// attribute, global indexes up to four of each.
type keySchema struct {
	Hash, Range []keyAttr
}

func (s keySchema) all() []keyAttr { return slices.Concat(s.Hash, s.Range) }

func (s keySchema) names() []string {
	names := make([]string, 0, len(s.Hash)+len(s.Range))
	for _, k := range s.Hash {
		names = append(names, k.Name)
	}
	for _, k := range s.Range {
		names = append(names, k.Name)
	}
	return names
}

func (s keySchema) has(name string) bool {
	return slices.ContainsFunc(s.Hash, func(k keyAttr) bool { return k.Name == name }) ||
		slices.ContainsFunc(s.Range, func(k keyAttr) bool { return k.Name == name })
}

// in reports whether an item has every attribute of the key in its type, not
// empty, and not too large: rows that were there before an index may have any.
func (s keySchema) in(item attr.Item) bool {
	ok := func(k keyAttr, most int) bool {
		v, found := item[k.Name]
		return found && v.Kind() == k.Kind && !emptyKey(v) && (k.Kind == attr.Num || v.Size() <= most)
	}
	return !slices.ContainsFunc(s.Hash, func(k keyAttr) bool { return !ok(k, maxHashKeySize) }) &&
		!slices.ContainsFunc(s.Range, func(k keyAttr) bool { return !ok(k, maxRangeKeySize) })
}

func emptyKey(v attr.Value) bool {
	switch v.Kind() {
	case attr.String:
		return v.Str() == ""
	case attr.Binary:
		return len(v.Bytes()) == 0
	}
	return false
}

// table is a table at work. Writers of rows hold mu for reading while they
// work, so that nobody changes the description under them.
type table struct {
	mu      sync.RWMutex
	dropped bool
	meta    tableMeta
	arn     string
	keys    keySchema
	indexes []*index
	stream  *stream // nil: off

	counter  counter
	counters map[uint32]*counter // of the indexes, by their numbers
	counted  atomic.Bool
}

// counter is a number of items and their size.
type counter struct{ items, bytes atomic.Int64 }

func (c *counter) add(items, bytes int64) {
	c.items.Add(items)
	c.bytes.Add(bytes)
}

func (c *counter) set(n count) {
	c.items.Store(n.Items)
	c.bytes.Store(n.Bytes)
}

func (c *counter) get() count { return count{Items: c.items.Load(), Bytes: c.bytes.Load()} }

type index struct {
	indexMeta
	keys    keySchema
	project map[string]struct{} // nil: everything
	counter *counter
}

func (t *table) index(name string) *index {
	for _, x := range t.indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

func newTable(meta tableMeta, region string) *table {
	t := &table{meta: meta, arn: tableARN(region, meta.Name)}
	t.rebuild()
	return t
}

// rebuild derives everything from the description. The caller owns t.
func (t *table) rebuild() {
	kinds := map[string]attr.Kind{}
	for _, a := range t.meta.Attributes {
		kinds[a.Name] = keyKind(a.Type)
	}
	t.keys = newKeySchema(t.meta.Hash, t.meta.Range, kinds)
	before := t.counters
	t.indexes, t.counters = nil, map[uint32]*counter{}
	for _, m := range t.meta.Indexes {
		x := newIndex(m, t.keys, kinds)
		if x.counter = before[m.ID]; x.counter == nil {
			x.counter = &counter{}
		}
		t.counters[m.ID] = x.counter
		t.indexes = append(t.indexes, x)
	}
}

func newIndex(m indexMeta, primary keySchema, kinds map[string]attr.Kind) *index {
	x := &index{indexMeta: m, keys: newKeySchema(m.Hash, m.Range, kinds)}
	if m.Projection == string(types.ProjectionTypeAll) {
		return x
	}
	x.project = map[string]struct{}{}
	for _, k := range slices.Concat(primary.all(), x.keys.all()) {
		x.project[k.Name] = struct{}{}
	}
	for _, name := range m.NonKey {
		x.project[name] = struct{}{}
	}
	return x
}

func newKeySchema(hash, rang []string, kinds map[string]attr.Kind) keySchema {
	var s keySchema
	for _, n := range hash {
		s.Hash = append(s.Hash, keyAttr{n, kinds[n]})
	}
	for _, n := range rang {
		s.Range = append(s.Range, keyAttr{n, kinds[n]})
	}
	return s
}

func keyKind(scalar string) attr.Kind {
	switch scalar {
	case "N":
		return attr.Num
	case "B":
		return attr.Binary
	}
	return attr.String
}

// projected returns what the index keeps of an item.
func (x *index) projected(item attr.Item) attr.Item {
	if x.project == nil {
		return item
	}
	r := make(attr.Item, min(len(item), len(x.project)))
	for name := range x.project {
		if v, ok := item[name]; ok {
			r[name] = v
		}
	}
	return r
}

// keyOf returns the key attributes of an item.
func keyOf(item attr.Item, schemas ...keySchema) attr.Item {
	r := make(attr.Item, 4)
	for _, s := range schemas {
		for _, k := range s.Hash {
			r[k.Name] = item[k.Name]
		}
		for _, k := range s.Range {
			r[k.Name] = item[k.Name]
		}
	}
	return r
}

func tableARN(region, name string) string {
	return "arn:aws:dynamodb:" + region + ":" + account + ":table/" + name
}

func sortedNames[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
