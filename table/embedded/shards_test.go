package embedded_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

// follower reads a stream as a consumer must: no shard before its parent's end.
type follower struct {
	db    *embedded.DB
	next  map[string]*string // by shard; nil: read to its end
	last  map[string]int     // the newest n of each pk
	count int
}

// turn reads what there is by now.
func (f *follower) turn(t *testing.T) {
	t.Helper()
	for _, sh := range allShards(t, f.db) {
		next, known := f.next[*sh.ShardId]
		if !known {
			if parent := sh.ParentShardId; parent != nil {
				if at, begun := f.next[*parent]; !begun || at != nil {
					continue
				}
			}
			it, err := f.db.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
				StreamArn: firstStream(t, f.db).StreamArn, ShardId: sh.ShardId, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
			})
			require.NoError(t, err)
			next = it.ShardIterator
		}
		for more := true; next != nil && more; {
			out, err := f.db.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: next})
			require.NoError(t, err)
			for _, r := range out.Records {
				f.take(t, r)
			}
			next, more = out.NextShardIterator, len(out.Records) > 0
		}
		f.next[*sh.ShardId] = next
	}
}

func (f *follower) take(t *testing.T, r streams.Record) {
	t.Helper()
	pk := r.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value
	var n int
	_, err := fmt.Sscan(r.Dynamodb.NewImage["n"].(*streams.AttributeValueMemberN).Value, &n)
	require.NoError(t, err)
	require.Equal(t, f.last[pk]+1, n, "the records of %q are out of order", pk)
	f.last[pk] = n
	f.count++
}

// allShards reads all pages of a description.
func allShards(t *testing.T, db *embedded.DB) []streams.Shard {
	t.Helper()
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: firstStream(t, db).StreamArn, Limit: new(int32(10))}
	var all []streams.Shard
	for {
		out, err := db.DescribeStream(t.Context(), in)
		require.NoError(t, err)
		all = append(all, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all
		}
	}
}

// TestReshardUnderLoad splits shards while rows are written, alone and in
// transactions, and a consumer follows. It misses nothing and sees the changes of each row in order.
func TestReshardUnderLoad(t *testing.T) {
	t.Parallel()
	both(t, &embedded.Options{Shards: 2, NoSync: true}, func(t *testing.T, db *embedded.DB) {
		const writers, rounds = 4, 50
		create(t, db, rows("rows"))
		var wg, all sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := 1; i <= rounds; i++ {
					if i%5 == 0 {
						require.NoError(t, transact(t, db, fmt.Sprint("a", w), fmt.Sprint("b", w), i))
						continue
					}
					put(t, db, "rows", item{"pk": s(fmt.Sprint("a", w)), "sk": s("1"), "n": n(i)})
					put(t, db, "rows", item{"pk": s(fmt.Sprint("b", w)), "sk": s("1"), "n": n(i)})
				}
			})
		}
		var written atomic.Bool
		all.Go(func() { wg.Wait(); written.Store(true) })
		all.Go(func() {
			for i := 0; i < 8 && !written.Load(); i++ {
				require.NoError(t, db.Reshard(t.Context(), "rows", 1+i%2))
			}
		})
		f := &follower{db: db, next: map[string]*string{}, last: map[string]int{}}
		for !written.Load() {
			f.turn(t)
		}
		all.Wait()
		for range 2 { // parents stand before their children
			f.turn(t)
		}
		require.Equal(t, writers*2*rounds, f.count)
		require.Len(t, f.last, writers*2)
	})
}

func transact(t *testing.T, db *embedded.DB, a, b string, i int) error {
	t.Helper()
	in := &dynamodb.TransactWriteItemsInput{}
	for _, pk := range []string{a, b} {
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{
			TableName: new("rows"), Item: item{"pk": s(pk), "sk": s("1"), "n": n(i)},
		}})
	}
	_, err := db.TransactWriteItems(t.Context(), in)
	return err
}

// TestShardAge writes every twenty minutes for two days. A shard lasts four
// hours, as DynamoDB's does, and is gone a day after its end.
func TestShardAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, nil)
		create(t, db, rows("rows"))
		f := &follower{db: db, next: map[string]*string{}, last: map[string]int{}}
		for i := 1; i <= 2*24*3; i++ {
			put(t, db, "rows", item{"pk": s("a"), "sk": s("1"), "n": n(i)})
			time.Sleep(20 * time.Minute)
		}
		time.Sleep(time.Minute)
		shards := allShards(t, db)
		require.Len(t, shards, 7)
		for i, sh := range shards[1:] {
			require.Equal(t, shards[i].ShardId, sh.ParentShardId)
			require.Equal(t, i < 5, sh.SequenceNumberRange.EndingSequenceNumber != nil)
		}
		f.next[*shards[0].ParentShardId] = nil // gone
		f.last["a"] = 24*3 + 1
		f.turn(t)
		require.Equal(t, 24*3-1, f.count)
		time.Sleep(4 * time.Hour)
		require.Len(t, allShards(t, db), 7, "a shard ends without a write, too")
		require.NoError(t, db.Close())
	})
}

// TestShardAgeInFolder opens a folder again after its shards have become old.
func TestShardAgeInFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round, age := range []time.Duration{0, time.Nanosecond, -1} {
		db, err := disk.Open(dir, &embedded.Options{ShardAge: age, NoSync: true})
		require.NoError(t, err)
		if round == 0 {
			create(t, db, rows("rows"))
		}
		put(t, db, "rows", item{"pk": s("a"), "sk": s("1"), "n": n(round + 1)})
		if age < 0 {
			require.Len(t, allShards(t, db), 2)
			f := &follower{db: db, next: map[string]*string{}, last: map[string]int{}}
			f.turn(t)
			require.Equal(t, 3, f.count)
		}
		require.NoError(t, db.Close())
	}
}
