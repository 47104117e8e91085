package table

import (
	"context"
	"iter"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

// maxSegments bounds the requests that one Scan has under way.
const maxSegments = 256

// Scan reads the whole table for the rows of the model, in 1 to 256 segments at a time, in no order: for backfills and exports. DynamoDB reads, and
// bills, every row of every model; List reads those of this model, eventually consistent. A break ends the reading. An error comes once,
// last, with a zero entity. Options: Eventual, WithDeleted.
//
//go:noinline
func (e *entity[T]) Scan(ctx context.Context, db *DB, segments int, opts ...ReadOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { e.m.scanned(ctx, db, segments, opts, untype(yield)) }
}

// scanned yields pointers to entities, which are good until the next one.
func (m *model) scanned(ctx context.Context, db *DB, segments int, opts []ReadOption, yield func(any, error) bool) {
	r, err := readingOf(opts, "Eventual", "WithDeleted")
	if err == nil && (segments < 1 || segments > maxSegments) {
		err = invalid("a scan has 1 to %d segments, and %d were asked for", maxSegments, segments)
	}
	if err != nil {
		yield(nil, m.fail("scan", RowKey{}, err))
		return
	}
	list := reflect.MakeSlice(m.slice, m.chunk(db), m.chunk(db))
	for items, err := range inChunks(m.scan(ctx, db, segments, r), list.Len()) {
		if err == nil {
			err = m.decodeInto(ctx, db, items, list)
		}
		if err != nil {
			yield(nil, m.fail("scan", RowKey{}, err))
			return
		}
		for i := range items {
			if !yield(list.Index(i).Addr().Interface(), nil) {
				return
			}
		}
	}
}

// scan are the rows that readers see. All of its goroutines have ended when it returns.
func (m *model) scan(ctx context.Context, db *DB, segments int, r reading) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := db.opened(); err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		pages, done := make(chan []Item), make(chan error, 1)
		group, ctx := errgroup.WithContext(ctx)
		for n := range segments {
			group.Go(func() error { return m.scanSegment(ctx, db, m.scanInput(db, n, segments, r), pages) })
		}
		go func() {
			done <- group.Wait()
			close(pages)
		}()
		defer func() {
			cancel()
			for range pages { // until every segment has noticed
			}
		}()
		for page := range pages {
			now := time.Now()
			for _, item := range page {
				if m.matches(item) && r.shows(item, now) && !yield(item, nil) {
					return
				}
			}
		}
		if err := <-done; err != nil {
			yield(nil, err)
		}
	}
}

// scanInput leaves out the rows of other models where the rows say whose they are.
func (m *model) scanInput(db *DB, n, segments int, r reading) *dynamodb.ScanInput {
	segment, total := int32(n), int32(segments)
	filter, consistent := "#0 = :0 OR attribute_not_exists(#0)", !r.eventual
	return &dynamodb.ScanInput{
		TableName:                 &db.name,
		Segment:                   &segment,
		TotalSegments:             &total,
		ConsistentRead:            &consistent,
		FilterExpression:          &filter,
		ExpressionAttributeNames:  map[string]string{"#0": attrDiscriminator},
		ExpressionAttributeValues: Item{":0": &types.AttributeValueMemberS{Value: m.name}},
	}
}

func (m *model) scanSegment(ctx context.Context, db *DB, in *dynamodb.ScanInput, pages chan<- []Item) error {
	for {
		next := *in
		out, err := db.client.Scan(ctx, &next)
		if err != nil {
			return err
		}
		select {
		case pages <- out.Items:
		case <-ctx.Done():
			return ctx.Err()
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// Count is the number of entities that All would return. Only the attributes that decide about it are sent; DynamoDB reads, and bills, the rows
// in full. Options: Eventual (Of), WithDeleted.
//
//go:noinline
func (q Query[T]) Count(ctx context.Context, db *DB, opts ...ReadOption) (int, error) {
	return q.q.count(ctx, db, opts)
}

func (q *query) count(ctx context.Context, db *DB, opts []ReadOption) (int, error) {
	if q != nil {
		whole := *q
		whole.into = nil
		q = &whole
	}
	a, err := q.ask(db, opts, "Eventual", "WithDeleted")
	if err != nil {
		return 0, q.fail(err)
	}
	a.project(append([]string{attrDiscriminator, attrDeleted, attrTTL}, q.model.versions()...)) // what decides, and nothing else
	n := 0
	for item, err := range a.rows(ctx, db) {
		if err != nil {
			return 0, q.fail(err)
		}
		if !q.model.matches(item) {
			return 0, q.model.fail("query", keyOfItem(item), ErrUnknownRow)
		}
		n++
	}
	return n, nil
}

// project asks for these attributes and those of the keys alone.
func (a *asked) project(attrs []string) {
	b := &builder{names: a.in.ExpressionAttributeNames, prefix: "p"}
	text := ""
	var names []string
	for _, key := range a.keyAttributes() {
		names = append(names, key.name)
	}
	for _, attr := range append(names, attrs...) {
		if text != "" && b.named[attr] == "" {
			text += ", "
		}
		if b.named[attr] == "" {
			text += b.name(attr)
		}
	}
	a.in.ProjectionExpression = &text
}
