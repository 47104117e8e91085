package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// maxPageBytes is the size at which a page of a query or scan ends, before
// filters. The item that reaches it is the last one: a full page costs more than the 128 units of 1 MB.
const maxPageBytes = 1 << 20

// reading is a query or scan, ready to run over one range of keys.
type reading struct {
	t       *table
	x       *index // nil: the table itself
	lo, hi  []byte
	hash    uint32 // of the partition, for a query
	reverse bool
	limit   int  // items to read; 0: no limit
	fetch   bool // a local index lacks attributes that are asked for
	counts  bool // only counts are asked for
	filter  *expr.Condition
	project *expr.Projection
	strong  *bool
	usage   *usage
	text    *[]byte // gets the items as JSON; nil: the page gets them
}

// page is what a reading found.
type page struct {
	items   []map[string]types.AttributeValue
	count   int32
	scanned int32
	last    map[string]types.AttributeValue // nil: the range is exhausted
}

// run reads one page.
func (e *Engine) run(ctx context.Context, q *reading) (*page, error) {
	var reader kv.Reader = e.store
	if q.fetch {
		snap, err := e.store.Snapshot()
		if err != nil {
			return nil, internal(err)
		}
		defer snap.Close()
		reader = snap
	}
	pairs, more, err := q.collect(ctx, reader)
	if err != nil {
		return nil, err
	}
	p := &page{scanned: int32(len(pairs))}
	q.open(p, len(pairs))
	size := 0
	for i, pair := range pairs {
		r := row{raw: pair.Value}
		size += r.size()
		if err := q.take(reader, &r, p); err != nil {
			return nil, err
		}
		if more && i == len(pairs)-1 {
			if p.last, err = q.position(&r); err != nil {
				return nil, err
			}
		}
	}
	if q.text != nil && !q.counts {
		*q.text = append(*q.text, ']')
	}
	q.usage.read(q.x, readUnits(size, q.strong))
	return p, nil
}

// open makes a place for n items at most.
func (q *reading) open(p *page, n int) {
	switch {
	case q.counts:
	case q.text != nil:
		*q.text = append(*q.text, '[')
	default:
		p.items = make([]map[string]types.AttributeValue, 0, n)
	}
}

// collect gathers the entries of one page. It holds the store only while it
// copies references.
func (q *reading) collect(ctx context.Context, reader kv.Reader) (pairs []kv.Pair, more bool, err error) {
	size := 0
	for p, err := range reader.Iterate(q.lo, q.hi, q.reverse) {
		if err != nil {
			return nil, false, internal(err)
		}
		r := row{raw: p.Value}
		size += r.size()
		if pairs = append(pairs, p); len(pairs) == q.limit || size >= maxPageBytes {
			return pairs, true, ctx.Err()
		}
	}
	return pairs, false, ctx.Err()
}

// take filters an entry and adds it to the page.
func (q *reading) take(reader kv.Reader, r *row, p *page) error {
	if q.counts && q.filter == nil {
		p.count++
		return nil
	}
	full := r
	if q.fetch {
		fetched, err := q.fetchRow(reader, r)
		if err != nil {
			return err
		}
		full = &fetched
	}
	if q.filter != nil {
		item, err := full.item()
		if err != nil {
			return err
		}
		ok, err := q.filter.Match(item)
		if err != nil {
			return invalid(err)
		}
		if !ok {
			return nil
		}
	}
	p.count++
	if q.counts {
		return nil
	}
	return q.add(full, p)
}

// add puts an item on the page.
func (q *reading) add(r *row, p *page) (err error) {
	if q.text == nil {
		item, err := r.project(q.project)
		p.items = append(p.items, item)
		return err
	}
	if p.count > 1 {
		*q.text = append(*q.text, ',')
	}
	*q.text, err = r.appendJSON(*q.text, q.project)
	return err
}

// fetchRow reads the row of an entry of a local index.
func (q *reading) fetchRow(reader kv.Reader, entry *row) (row, error) {
	item, err := entry.item()
	if err != nil {
		return row{}, err
	}
	k, err := q.t.rowKey(item)
	if err != nil {
		return row{}, err
	}
	r, err := readRow(reader, k.bytes)
	if err == nil {
		q.usage.read(nil, readUnits(r.size(), q.strong))
	}
	return r, err
}

// position renders the key from which the next page goes on.
func (q *reading) position(r *row) (map[string]types.AttributeValue, error) {
	item, err := r.item()
	if err != nil {
		return nil, err
	}
	return attr.ItemToSDK(keyOf(item, q.startSchemas()...)), nil
}

func (q *reading) startSchemas() []keySchema {
	if q.x == nil {
		return []keySchema{q.t.keys}
	}
	return []keySchema{q.t.keys, q.x.keys}
}

// checkStart checks the values of an ExclusiveStartKey, which comes before the table is looked for. DynamoDB tells where a
// value stands, but for numbers.
func checkStart(key map[string]types.AttributeValue) error {
	_, err := attr.ItemFromSDK(key)
	if _, number := errors.AsType[num.Error](err); err == nil || number {
		return invalid(err)
	}
	return validation("The provided starting key is invalid: %s", err.Error())
}

// start returns the storage key of an ExclusiveStartKey.
func (q *reading) start(key map[string]types.AttributeValue) ([]byte, error) {
	item, err := attr.ItemFromSDK(key)
	if err != nil {
		return nil, invalid(err)
	}
	want := map[string]attr.Kind{}
	for _, s := range q.startSchemas() {
		for _, k := range s.all() {
			want[k.Name] = k.Kind
		}
	}
	if len(item) != len(want) {
		return nil, validation("The provided starting key is invalid")
	}
	for name, kind := range want {
		if v, ok := item[name]; !ok || v.Kind() != kind || emptyKey(v) {
			return nil, validation("The provided starting key is invalid: " +
				"The provided key element does not match the schema")
		}
	}
	if q.x != nil {
		return q.t.entryKey(q.x, item)
	}
	k, err := q.t.rowKey(item)
	return k.bytes, err
}

// continueAfter narrows the range to what follows a starting key.
func (q *reading) continueAfter(key []byte) {
	if q.reverse {
		q.hi = key
	} else {
		q.lo = after(key)
	}
}

// index finds the index of a read and checks that it may be read so.
func (t *table) readIndex(name *string, strong *bool) (*index, error) {
	if name == nil {
		return nil, nil
	}
	x := t.index(*name)
	if x == nil {
		return nil, validation("The table does not have the specified index: %s", *name)
	}
	if x.Creating {
		return nil, validation("Cannot read from backfilling global secondary index: %s", x.Name)
	}
	if !x.Local && strong != nil && *strong {
		return nil, validation("Consistent reads are not supported on global secondary indexes")
	}
	return x, nil
}

// choose applies Select and the projection, whose top-level names are given.
func (q *reading) choose(sel types.Select, names []string) error {
	switch sel {
	case types.SelectAllProjectedAttributes:
		if q.x == nil {
			return invalidParameter("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	case types.SelectCount:
		q.counts = true
	case types.SelectAllAttributes:
		if q.x != nil && !q.x.Local && q.x.project != nil {
			return invalidParameter("Select type ALL_ATTRIBUTES is not supported for global secondary index %s "+
				"because its projection type is not ALL", q.x.Name)
		}
		q.fetch = q.x != nil && q.x.project != nil
	}
	if q.x == nil || q.x.project == nil {
		return nil
	}
	missing := slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool {
		_, ok := q.x.project[name]
		return ok
	})
	if len(missing) == 0 {
		return nil
	}
	if !q.x.Local {
		return invalidParameter("Global secondary index %s does not project [%s]",
			q.x.Name, strings.Join(slices.Compact(missing), ", "))
	}
	q.fetch = true
	return nil
}

// checkSelect checks that Select and the projection, in its older or newer
// form, go together.
func checkSelect(sel types.Select, older, newer bool) error {
	name := "ProjectionExpression"
	if older {
		name = "AttributesToGet"
	}
	projection := older || newer
	switch {
	case sel == types.SelectSpecificAttributes && !projection:
		return validation("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case !projection || sel == "" || sel == types.SelectSpecificAttributes:
		return nil
	case sel == types.SelectCount:
		return validation("Cannot specify the %s when choosing to get only the Count", name)
	}
	return validation("Cannot specify the %s when choosing to get %s", name, sel)
}
