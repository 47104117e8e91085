package table

import (
	"context"
	"crypto/sha256"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Query is a question about many rows of one model. It is a value: Where returns another one, and a Query may be used again and at
// the same time. Mistakes in its making show when it is read.
type Query[T any] struct{ q *query }

// query is a Query of entities of any type. It does not change.
type query struct {
	model *model
	index *indexKey
	conds []Cond
	where []Cond
	bound func() (RowKey, error) // Of: the partition
	err   error
	into  *projection // what a Project makes of it, or nil
}

// Query asks an index of the model. The conditions are about the fields of its keys: Eq for every field of the partition, then,
// for the fields of the order from the first one on, Eq, and at last one of Gt, Gte, Lt, Lte, Between and BeginsWith.
//
//go:noinline
func (e *entity[T]) Query(index Index, conds ...Cond) Query[T] {
	return Query[T]{e.m.query(index, conds)}
}

//go:noinline
func (m *model) query(index Index, conds []Cond) *query {
	x, err := m.index(index)
	return &query{model: m, index: x, conds: conds, err: err}
}

// List asks for all rows of the model, through gsi1, in the order of their ids (edges: of their owners' ids). The conditions
// are about that id, as in Query.
//
//go:noinline
func (e *entity[T]) List(conds ...Cond) Query[T] {
	return Query[T]{e.m.list(conds)}
}

//go:noinline
func (m *model) list(conds []Cond) *query {
	return &query{model: m, index: m.byName(), conds: conds}
}

// Of asks for the edges of one owner, in the order of their ids. The conditions are about the id, as in Query.
func (e *Edge[T]) Of(owner any, conds ...Cond) Query[T] { return Query[T]{e.m.of(owner, conds)} }

//go:noinline
func (m *model) of(owner any, conds []Cond) *query {
	text, err := m.owner.encodeID(owner)
	bound := func() (RowKey, error) { return RowKey{PK: text}, err }
	return &query{model: m, index: m.base(), conds: conds, bound: bound}
}

// Where filters what the query reads: all of the conditions must hold. DynamoDB reads, and bills, what it filters out.
//
//go:noinline
func (q Query[T]) Where(conds ...Cond) Query[T] { return Query[T]{q.q.filtered(conds)} }

//go:noinline
func (q *query) filtered(conds []Cond) *query {
	if q == nil {
		return nil
	}
	next := *q
	next.where = append(slices.Clip(q.where), conds...)
	return &next
}

// Page is one page of a query. It is full unless it is the last one.
type Page[T any] struct {
	Items []T
	// Next is the cursor for After, or empty if there is nothing more.
	Next string
}

// asked is a query on its way to the endpoint.
type asked struct {
	reading
	in        *dynamodb.QueryInput
	index     *indexKey
	partition string // the placeholder of the partition key
	exclude   string // the sort key that a range does not include
	print     []byte // what a cursor is bound to
}

// ask compiles the query.
func (q *query) ask(db *DB, opts []ReadOption, allowed ...string) (*asked, error) {
	if q == nil {
		return nil, invalid("a Query is empty: make it with Query, List or Of of a model")
	}
	err := q.err
	if err == nil {
		err = db.opened()
	}
	if err != nil {
		return nil, err
	}
	r, err := readingOf(opts, allowed...)
	if err != nil {
		return nil, err
	}
	b := &builder{model: q.model, names: map[string]string{}, values: Item{}}
	a := &asked{reading: r, index: q.index, in: &dynamodb.QueryInput{TableName: &db.name}}
	key, err := q.keyCondition(b, a)
	if err != nil {
		return nil, err
	}
	a.in.KeyConditionExpression = &key
	if len(q.where) > 0 {
		filter, err := b.all(q.where)
		if err != nil {
			return nil, err
		}
		if len(filter) > maxExpression {
			return nil, invalid("the filter has %d bytes as an expression, and DynamoDB takes %d: filter by less here, and by the rest in the program", len(filter), maxExpression)
		}
		a.in.FilterExpression = &filter
	}
	a.in.ExpressionAttributeNames, a.in.ExpressionAttributeValues = b.names, b.values
	if err := a.finish(); err != nil {
		return nil, err
	}
	a.print = a.fingerprint(q.model.name)
	if q.into != nil && q.into.attrs != nil {
		a.project(q.into.attrs)
	}
	return a, nil
}

func (a *asked) finish() error {
	if a.desc {
		forward := false
		a.in.ScanIndexForward = &forward
	}
	if a.index.Name != "" {
		a.in.IndexName = &a.index.Name
		return nil
	}
	consistent := !a.eventual
	a.in.ConsistentRead = &consistent
	return nil
}

// fingerprint is all that decides which rows a query returns, and in which order.
func (a *asked) fingerprint(model string) []byte {
	texts := []string{
		*a.in.TableName, a.index.Name, model, *a.in.KeyConditionExpression, a.exclude,
		strconv.FormatBool(a.desc), strconv.FormatBool(a.deleted),
	}
	if a.in.FilterExpression != nil {
		texts = append(texts, *a.in.FilterExpression)
	}
	if a.index.Shards > 1 {
		texts = append(texts, "shards", strconv.Itoa(a.index.Shards))
	}
	b := appendText(nil, texts...)
	for i := range len(a.in.ExpressionAttributeNames) {
		b = appendText(b, a.in.ExpressionAttributeNames["#"+strconv.Itoa(i)])
	}
	for i := range len(a.in.ExpressionAttributeValues) {
		b = appendValue(b, a.in.ExpressionAttributeValues[":"+strconv.Itoa(i)])
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// read is one request.
func (a *asked) read(ctx context.Context, db *DB) (rows []Item, more bool, err error) {
	in := *a.in
	out, err := db.client.Query(ctx, &in)
	if err != nil {
		return nil, false, err
	}
	now := time.Now()
	for _, item := range out.Items {
		if a.shows(item, now) && (a.exclude == "" || textOf(item[a.index.SK]) != a.exclude) {
			rows = append(rows, item)
		}
	}
	a.in.ExclusiveStartKey = out.LastEvaluatedKey
	return rows, len(out.LastEvaluatedKey) > 0, nil
}

// All returns every entity, page by page as the loop goes on; a break ends the reading. An error comes once, last, with a zero
// entity. The sequence may be ranged over again, and then reads anew. Options: Eventual (Of), WithDeleted, Desc.
//
//go:noinline
func (q Query[T]) All(ctx context.Context, db *DB, opts ...ReadOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { q.q.all(ctx, db, opts, untype(yield)) }
}

// all yields pointers to entities, which are good until the next one.
func (q *query) all(ctx context.Context, db *DB, opts []ReadOption, yield func(any, error) bool) {
	a, err := q.ask(db, opts, "Eventual", "WithDeleted", "Desc")
	if err != nil {
		yield(nil, q.fail(err))
		return
	}
	list := reflect.MakeSlice(q.slice(), q.model.chunk(db), q.model.chunk(db))
	for items, err := range inChunks(a.rows(ctx, db), list.Len()) {
		if err != nil {
			yield(nil, q.fail(err))
			return
		}
		if err := q.decode(ctx, db, items, list); err != nil {
			yield(nil, err)
			return
		}
		for i := range items {
			if !yield(list.Index(i).Addr().Interface(), nil) {
				return
			}
		}
	}
}

// rows are all rows of the query, in order. An error comes last.
func (a *asked) rows(ctx context.Context, db *DB) iter.Seq2[Item, error] {
	if a.index.Shards > 1 {
		return a.split().rows(ctx, db)
	}
	return func(yield func(Item, error) bool) {
		for more := true; more; {
			var rows []Item
			var err error
			if rows, more, err = a.read(ctx, db); err != nil {
				yield(nil, err)
				return
			}
			for _, item := range rows {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Page returns up to Limit entities, and the cursor of the next page. A page is full unless it is the last, even with filters.
// Cursors are sealed and belong to this query and order: any other one is ErrCursor. Options: Limit, After, Eventual (Of),
// WithDeleted, Desc.
//
//go:noinline
func (q Query[T]) Page(ctx context.Context, db *DB, opts ...ReadOption) (Page[T], error) {
	items, next, err := q.q.page(ctx, db, opts)
	list, _ := items.([]T)
	return Page[T]{Items: list, Next: next}, err
}

// page is a []T and the cursor of the next one.
func (q *query) page(ctx context.Context, db *DB, opts []ReadOption) (items any, next string, err error) {
	a, err := q.ask(db, opts, "Eventual", "WithDeleted", "Desc", "Limit", "After")
	if err != nil {
		return nil, "", q.fail(err)
	}
	rows, position, err := a.page(ctx, db)
	if err != nil {
		return nil, "", q.fail(err)
	}
	list := reflect.MakeSlice(q.slice(), len(rows), len(rows))
	if err := q.decode(ctx, db, rows, list); err != nil {
		return nil, "", err
	}
	if position != nil {
		next = db.cursors.seal(position, a.print)
	}
	return list.Interface(), next, nil
}

// page reads up to the limit, and the position behind it if there is more.
func (a *asked) page(ctx context.Context, db *DB) (rows []Item, next []byte, err error) {
	if a.limit == 0 {
		a.limit = defaultLimit
	}
	var position []byte
	if a.after != "" {
		if position, err = db.cursors.open(a.after, a.print); err != nil {
			return nil, nil, err
		}
	}
	if a.index.Shards > 1 {
		return a.split().page(ctx, db, a.limit, position)
	}
	if position != nil {
		if a.in.ExclusiveStartKey, err = a.startKey(position); err != nil {
			return nil, nil, err
		}
	}
	if rows, err = a.readOneMore(ctx, db); err != nil || len(rows) <= a.limit {
		return rows, nil, err
	}
	return rows[:a.limit], a.position(rows[a.limit-1]), nil
}

// readOneMore reads one row more than the limit, if there is one.
func (a *asked) readOneMore(ctx context.Context, db *DB) ([]Item, error) {
	var rows []Item
	for more := true; more && len(rows) <= a.limit; {
		a.readAbout(a.limit + 1 - len(rows))
		var next []Item
		var err error
		if next, more, err = a.read(ctx, db); err != nil {
			return nil, err
		}
		rows = append(rows, next...)
	}
	return rows, nil
}

// readAbout asks for as many rows as are missing, and for more where a filter will drop some.
func (a *asked) readAbout(missing int) {
	n := int32(missing)
	if a.in.FilterExpression != nil {
		n = max(4*n, defaultLimit)
	}
	a.in.Limit = &n
}

// keyAttributes are those that DynamoDB needs to go on behind a row.
func (a *asked) keyAttributes() []keyAttr {
	attrs := []keyAttr{textAttr(attrPK), textAttr(attrSK)}
	for _, attr := range slices.Concat(a.index.hash(), a.index.order()) {
		if !slices.Contains(attrs, attr) {
			attrs = append(attrs, attr)
		}
	}
	return attrs
}

// position is the place behind a row.
func (a *asked) position(item Item) []byte {
	var b []byte
	for _, attr := range a.keyAttributes() {
		b = appendText(b, scalar(item[attr.name]))
	}
	return b
}

func (a *asked) startKey(position []byte) (Item, error) {
	key := Item{}
	for _, attr := range a.keyAttributes() {
		text, rest, ok := cutText(position)
		if !ok {
			return nil, ErrCursor
		}
		key[attr.name], position = attr.value(text), rest
	}
	return key, nil
}

// slice is the type of a list of the query's results.
func (q *query) slice() reflect.Type {
	if q.into != nil {
		return q.into.slice
	}
	return q.model.slice
}

// decode makes the results of rows. It refuses those that are not the model's: an index of this table holds something else under its name.
func (q *query) decode(ctx context.Context, db *DB, items []Item, list reflect.Value) error {
	for _, item := range items {
		if !q.model.matches(item) {
			return q.model.fail("query", keyOfItem(item), unknownRow(item))
		}
	}
	whole := list
	if q.into != nil {
		whole = reflect.MakeSlice(q.model.slice, len(items), len(items))
	}
	if err := q.model.decodeInto(ctx, db, items, whole); err != nil || q.into == nil {
		return q.fail(err)
	}
	for i := range items {
		list.Index(i).SetZero() // All uses it again
		q.into.copy(whole.Index(i), list.Index(i))
	}
	return nil
}

func (q *query) fail(err error) error {
	if q == nil {
		return err
	}
	return q.model.fail("query", RowKey{}, err)
}
