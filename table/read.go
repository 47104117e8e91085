package table

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout"
)

// ReadOption changes one read. An option that means nothing to a read is an error of that read.
type ReadOption struct {
	name  string
	apply func(*reading)
}

type reading struct {
	eventual, deleted, desc bool
	lenient                 bool // sealed fields that cannot be opened are zero
	limit                   int
	after                   string
}

// Eventual reads without consistency, at half the price. Reads through an index are always eventual.
func Eventual() ReadOption { return ReadOption{"Eventual", func(r *reading) { r.eventual = true }} }

// WithDeleted returns deleted and expired rows, too.
func WithDeleted() ReadOption {
	return ReadOption{"WithDeleted", func(r *reading) { r.deleted = true }}
}

// Desc turns the order around.
func Desc() ReadOption { return ReadOption{"Desc", func(r *reading) { r.desc = true }} }

// Limit is the number of entities that a page returns, 1 to 10,000; the default is 100. For an aggregate it is the number of rows that may be
// read, and more are an error.
func Limit(n int) ReadOption { return ReadOption{"Limit", func(r *reading) { r.limit = n }} }

// After starts behind the page that returned the cursor. The empty cursor is the beginning.
func After(cursor string) ReadOption {
	return ReadOption{"After", func(r *reading) { r.after = cursor }}
}

// readingOf applies options, and refuses those that are not among the allowed ones.
func readingOf(opts []ReadOption, allowed ...string) (reading, error) {
	r := reading{}
	for _, o := range opts {
		ok := false
		for _, name := range allowed {
			ok = ok || name == o.name
		}
		switch {
		case o.apply == nil:
			return r, invalid("a ReadOption is empty: make it with Limit and its like")
		case !ok:
			return r, invalid("%s means nothing to this read", o.name)
		}
		o.apply(&r)
		if o.name == "Limit" && (r.limit < 1 || r.limit > maxLimit) {
			return r, invalid("a limit of %d: it must be between 1 and %d", r.limit, maxLimit)
		}
	}
	return r, nil
}

const (
	defaultLimit = 100
	maxLimit     = 10_000
)

func (r reading) shows(item Item, now time.Time) bool {
	if r.deleted {
		return owned(item)
	}
	return shown(item, now)
}

// Get reads one row. See Model.
//
//go:noinline
func (e *entity[T]) Get(ctx context.Context, db *DB, id ID, opts ...ReadOption) (v T, err error) {
	s, _, err := e.m.get(ctx, db, id, opts)
	take(s, &v)
	return v, err
}

func (m *model) get(ctx context.Context, db *DB, id ID, opts []ReadOption) (s *scratch, row decoded, err error) {
	row.model = m
	key, err := m.keyOfID(id)
	if err == nil {
		row.item, err = m.read(ctx, db, key, opts)
	}
	if err == nil {
		s, err = m.decoded(row.item)
	}
	if err == nil && len(m.sealed) > 0 {
		row.rv = s.rv
		rows := []decoded{row}
		err = db.open(ctx, rows, false)
		row = rows[0]
	}
	if err != nil {
		return nil, row, m.fail("get", key, err)
	}
	return s, row, nil
}

// GetMeta is Get with what the library knows of the row: its timestamp for IfUnchanged, who changed it, and so on.
//
//go:noinline
func (e *entity[T]) GetMeta(ctx context.Context, db *DB, id ID, opts ...ReadOption) (v T, meta Meta, err error) {
	s, err := e.m.getMeta(ctx, db, id, opts, &meta)
	take(s, &v)
	return v, meta, err
}

func (m *model) getMeta(ctx context.Context, db *DB, id ID, opts []ReadOption, meta *Meta) (*scratch, error) {
	s, row, err := m.get(ctx, db, id, opts)
	if err != nil {
		return nil, err
	}
	known, err := ReadMeta(row.item)
	if err != nil {
		return nil, m.fail("get", keyOfItem(row.item), err)
	}
	*meta = known
	meta.Shredded, meta.Restricted = row.shut[insideout.ErrShredded], row.shut[insideout.ErrRestricted]
	return s, nil
}

// read is one row of the model.
func (m *model) read(ctx context.Context, db *DB, key RowKey, opts []ReadOption) (Item, error) {
	r, err := readingOf(opts, "Eventual", "WithDeleted")
	if err != nil {
		return nil, err
	}
	if err := db.opened(); err != nil {
		return nil, err
	}
	consistent := !r.eventual
	out, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &db.name, Key: key.Item(), ConsistentRead: &consistent})
	if err != nil {
		return nil, err
	}
	if len(out.Item) == 0 || !r.shows(out.Item, time.Now()) {
		return nil, ErrNotFound
	}
	if !m.matches(out.Item) {
		return nil, unknownRow(out.Item)
	}
	return out.Item, nil
}

// BatchGet reads rows by their ids, in the order asked, up to 100 a request. A row that is not there, or is deleted or expired, is nil
// in the result. Reads that DynamoDB leaves unprocessed are repeated with a growing, jittered pause until the context ends.
//
//go:noinline
func (e *entity[T]) BatchGet(ctx context.Context, db *DB, ids []ID, opts ...ReadOption) ([]*T, error) {
	list, err := e.m.batchGet(ctx, db, ids, opts)
	pointers, _ := list.([]*T)
	return pointers, err
}

// batchGet is a []*T.
func (m *model) batchGet(ctx context.Context, db *DB, ids []ID, opts []ReadOption) (any, error) {
	r, err := readingOf(opts, "Eventual", "WithDeleted")
	if err != nil {
		return nil, m.fail("batch get", RowKey{}, err)
	}
	keys := make([]RowKey, len(ids))
	for i, id := range ids {
		if keys[i], err = m.keyOfID(id); err != nil {
			return nil, m.fail("batch get", RowKey{}, atIndex(i, err))
		}
	}
	rows, err := db.batchGet(ctx, keys, !r.eventual)
	if err != nil {
		return nil, m.fail("batch get", RowKey{}, err)
	}
	var items []Item
	var places []int
	now := time.Now()
	for i, key := range keys {
		item, ok := rows[key]
		if !ok || !r.shows(item, now) {
			continue
		}
		if !m.matches(item) {
			return nil, m.fail("batch get", key, unknownRow(item))
		}
		items, places = append(items, item), append(places, i)
	}
	found := reflect.MakeSlice(m.slice, len(items), len(items))
	if err := m.decodeInto(ctx, db, items, found); err != nil {
		return nil, m.fail("batch get", RowKey{}, err)
	}
	list := reflect.MakeSlice(reflect.SliceOf(reflect.PointerTo(m.goType)), len(ids), len(ids))
	for i, at := range places {
		list.Index(at).Set(found.Index(i).Addr())
	}
	return list.Interface(), nil
}

func unknownRow(item Item) error {
	return fmt.Errorf("%w: the row's discriminator is %q", ErrUnknownRow, textOf(item[attrDiscriminator]))
}

// maxBatchGet is DynamoDB's limit.
const maxBatchGet = 100

func (db *DB) batchGet(ctx context.Context, keys []RowKey, consistent bool) (map[RowKey]Item, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	rows := make(map[RowKey]Item, len(keys))
	asked := make(map[RowKey]bool, len(keys))
	var queue []Item
	for _, key := range keys {
		if !asked[key] {
			asked[key] = true
			queue = append(queue, key.Item())
		}
	}
	for pause := newPause(); len(queue) > 0; {
		n := min(len(queue), maxBatchGet)
		out, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{db.name: {Keys: queue[:n], ConsistentRead: &consistent}},
		})
		if err != nil {
			return nil, err
		}
		for _, item := range out.Responses[db.name] {
			rows[keyOfItem(item)] = item
		}
		left := out.UnprocessedKeys[db.name].Keys
		queue = append(queue[n:], left...)
		if len(left) > 0 {
			if err := pause.Wait(ctx); err != nil {
				return nil, fmt.Errorf("%d keys were not read: %w", len(queue), err)
			}
		}
	}
	return rows, nil
}
