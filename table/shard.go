package table

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

const (
	maxShards    = 64
	shardReaders = 8
)

// shardOf is what the partition key of a row's shard ends with: nothing for shard 0, so that an index without shards is one with a
// single shard, and "|n" for the others. The partition of a model always has the same number of segments, so that no other one ends like this.
// The number is a function of the row's key; it is in stored keys, and so is fixed.
func (x *indexKey) shardOf(key RowKey) string {
	if x.Shards < 2 {
		return ""
	}
	h := key.hash()
	h = (h ^ h>>16) * 0x85ebca6b // MurmurHash3's finalizer: the low bits of FNV-1a alone are poor
	h = (h ^ h>>13) * 0xc2b2ae35
	return shardSuffix(int((h ^ h>>16) % uint32(x.Shards)))
}

func shardSuffix(n int) string {
	if n == 0 {
		return ""
	}
	return delimiter + strconv.Itoa(n)
}

// spread says in a chart how many shards there are.
func (x *indexKey) spread() string {
	if x.Shards < 2 {
		return ""
	}
	return " in " + strconv.Itoa(x.Shards) + " shards"
}

// shard is the query of one shard, with the rows that were read but not taken yet.
type shard struct {
	*asked
	queue []Item
	more  bool
	taken []byte // the position behind the last row that was taken; empty if there is none
}

// merge takes the rows of all shards in order.
type merge struct {
	shards []*shard
	last   string // the sort key that the cursor was made at
	resume bool
}

// split makes a query for each shard.
func (a *asked) split() *merge {
	m := &merge{}
	base := textOf(a.in.ExpressionAttributeValues[a.partition])
	for n := range a.index.Shards {
		one, in := *a, *a.in
		in.ExpressionAttributeValues = maps.Clone(in.ExpressionAttributeValues)
		in.ExpressionAttributeValues[a.partition] = &types.AttributeValueMemberS{Value: base + shardSuffix(n)}
		one.in = &in
		m.shards = append(m.shards, &shard{asked: &one, more: true})
	}
	return m
}

func (m *merge) rows(ctx context.Context, db *DB) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for {
			if err := m.fill(ctx, db, 0); err != nil {
				yield(nil, err)
				return
			}
			s := m.first()
			if s == nil || !yield(s.take(), nil) {
				return
			}
		}
	}
}

func (m *merge) page(ctx context.Context, db *DB, limit int, position []byte) (rows []Item, next []byte, err error) {
	if err := m.goOn(position); err != nil {
		return nil, nil, err
	}
	for {
		if err := m.fill(ctx, db, limit/len(m.shards)+1); err != nil {
			return nil, nil, err
		}
		s := m.first()
		switch {
		case s == nil:
			return rows, nil, nil
		case len(rows) == limit:
			return rows, m.position(rows[limit-1]), nil
		}
		rows = append(rows, s.take())
	}
}

// fill reads on in every shard of which all rows were taken, several at a time: about n rows each, or as many as DynamoDB gives for zero.
func (m *merge) fill(ctx context.Context, db *DB, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(db.readers)
	for _, s := range m.shards {
		if len(s.queue) > 0 || !s.more {
			continue
		}
		group.Go(func() (err error) {
			for err == nil && s.more && len(s.queue) == 0 {
				if n > 0 {
					s.readAbout(n)
				}
				s.queue, s.more, err = s.read(ctx, db)
				s.queue = slices.DeleteFunc(s.queue, m.passed)
			}
			return err
		})
	}
	return group.Wait()
}

// passed says that a row was written before the place of the cursor since the cursor was made. Queries without shards do not see
// it either.
func (m *merge) passed(item Item) bool {
	return m.resume && m.shards[0].before(textOf(item[m.sk()]), m.last)
}

func (m *merge) sk() string { return m.shards[0].index.SK }

// before is the order of the query.
func (a *asked) before(x, y string) bool {
	if a.desc {
		return x > y
	}
	return x < y
}

// first is the shard with the first row, or nil. Rows with the same sort key come in the order of their shards.
func (m *merge) first() *shard {
	var first *shard
	for _, s := range m.shards {
		if len(s.queue) > 0 && (first == nil || s.before(textOf(s.queue[0][m.sk()]), textOf(first.queue[0][m.sk()]))) {
			first = s
		}
	}
	return first
}

func (s *shard) take() Item {
	item := s.queue[0]
	s.queue = s.queue[1:]
	s.taken = s.asked.position(item)
	return item
}

// position is the place behind the last row in every shard.
func (m *merge) position(last Item) []byte {
	b := appendText(nil, textOf(last[m.sk()]))
	for _, s := range m.shards {
		b = appendText(b, string(s.taken))
	}
	return b
}

// goOn puts every shard where the cursor left it.
func (m *merge) goOn(position []byte) error {
	if position == nil {
		return nil
	}
	last, rest, ok := cutText(position)
	m.last, m.resume = last, true
	for _, s := range m.shards {
		var taken string
		if ok {
			taken, rest, ok = cutText(rest)
		}
		if !ok {
			return ErrCursor
		}
		if s.taken = []byte(taken); taken == "" {
			continue
		}
		var err error
		if s.in.ExclusiveStartKey, err = s.startKey(s.taken); err != nil {
			return err
		}
	}
	return nil
}
