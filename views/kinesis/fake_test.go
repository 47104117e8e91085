package kinesis_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// stream is a Kinesis stream in memory.
type stream struct {
	mu     sync.Mutex
	shards []*shard
	number int // of the next record
	page   int // how many shards a list has at a time
	broken func(op string) error
	reads  map[string]int
}

type shard struct {
	id      string
	parents []string
	records []types.Record
	closed  bool
	lo, hi  uint32 // the hashes of its keys: lo and greater, less than hi
}

func newStream(shards int) *stream {
	s := &stream{page: 2, reads: map[string]int{}, number: 1}
	for i := range uint32(shards) {
		s.open(i*hashes/uint32(shards), (i+1)*hashes/uint32(shards))
	}
	return s
}

const hashes = 1 << 16

// open adds a shard. The caller holds mu, or is the only one.
func (s *stream) open(lo, hi uint32, parents ...*shard) {
	n := &shard{id: fmt.Sprintf("shardId-%03d", len(s.shards)), lo: lo, hi: hi}
	for _, p := range parents {
		p.closed = true
		n.parents = append(n.parents, p.id)
	}
	s.shards = append(s.shards, n)
}

// split closes a shard and opens two in its place; merge does the opposite with two neighbours.
func (s *stream) split(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.shards[i]
	middle := (p.lo + p.hi) / 2
	s.open(p.lo, middle, p)
	s.open(middle, p.hi, p)
}

func (s *stream) merge(left, right int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(s.shards[left].lo, s.shards[right].hi, s.shards[left], s.shards[right])
}

// put adds an event to the open shard of the key.
func (s *stream) put(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(key + "!"))
	at := h.Sum32() % hashes
	i := slices.IndexFunc(s.shards, func(sh *shard) bool { return !sh.closed && sh.lo <= at && at < sh.hi })
	sh := s.shards[i]
	sh.records = append(sh.records, types.Record{
		Data: data, PartitionKey: &key, SequenceNumber: aws.String(strconv.Itoa(s.number)), ApproximateArrivalTimestamp: aws.Time(time.Now()),
	})
	s.number++
}

// fail is asked before each call.
func (s *stream) fail(op string) error {
	s.reads[op]++
	if s.broken == nil {
		return nil
	}
	return s.broken(op)
}

func (s *stream) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("ListShards"); err != nil {
		return nil, err
	}
	if (in.NextToken == nil) == (in.StreamName == nil && in.StreamARN == nil) {
		return nil, &types.InvalidArgumentException{Message: aws.String("a stream or a token")}
	}
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	out := &kinesis.ListShardsOutput{}
	for i := from; i < len(s.shards) && i < from+s.page; i++ {
		sh := types.Shard{ShardId: &s.shards[i].id}
		for n, p := range s.shards[i].parents {
			*[]**string{&sh.ParentShardId, &sh.AdjacentParentShardId}[n] = aws.String(p)
		}
		out.Shards = append(out.Shards, sh)
	}
	if from+s.page < len(s.shards) {
		out.NextToken = aws.String(strconv.Itoa(from + s.page))
	}
	return out, nil
}

func (s *stream) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("GetShardIterator"); err != nil {
		return nil, err
	}
	sh := s.find(*in.ShardId)
	at := 0
	for at < len(sh.records) {
		r := sh.records[at]
		number, _ := strconv.Atoi(*r.SequenceNumber)
		start, _ := strconv.Atoi(aws.ToString(in.StartingSequenceNumber))
		behind := in.ShardIteratorType == types.ShardIteratorTypeAfterSequenceNumber && number <= start
		early := in.ShardIteratorType == types.ShardIteratorTypeAtTimestamp && r.ApproximateArrivalTimestamp.Before(*in.Timestamp)
		if !behind && !early {
			break
		}
		at++
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprint(sh.id, " ", at))}, nil
}

func (s *stream) find(id string) *shard {
	for _, sh := range s.shards {
		if sh.id == id {
			return sh
		}
	}
	return nil
}

func (s *stream) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("GetRecords"); err != nil {
		return nil, err
	}
	id, place, _ := strings.Cut(*in.ShardIterator, " ")
	sh := s.find(id)
	at, _ := strconv.Atoi(place)
	next := min(len(sh.records), at+int(*in.Limit))
	out := &kinesis.GetRecordsOutput{Records: sh.records[at:next], MillisBehindLatest: aws.Int64(int64(len(sh.records)-next) * 1000)}
	if next < len(sh.records) || !sh.closed {
		out.NextShardIterator = aws.String(fmt.Sprint(id, " ", next))
	}
	return out, nil
}

// account is the view of the tests: the last value of each key.
type account struct {
	ID    string `dynamo:"id"`
	Value int    `dynamo:"value"`
}

var accounts = table.DefineNode("account", func(a *account, d *table.Def[account]) { d.ID(&a.ID) })

func newTable(t testing.TB) *table.DB {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	in, err := table.Schema(accounts).CreateTableInput("accounts")
	require.NoError(t, err)
	_, err = engine.CreateTable(context.Background(), in)
	require.NoError(t, err)
	db, err := table.Open(engine, "accounts", nil)
	require.NoError(t, err)
	return db
}

// seen keeps the values of each key in the order in which the listener got them.
type seen struct {
	mu      sync.Mutex
	values  map[string][]int
	verdict func(key string, value int) error
}

func (s *seen) listener(t testing.TB, db *table.DB, opts *views.Options) *views.Listener {
	t.Helper()
	s.values = map[string][]int{}
	l, err := views.New(db, opts, views.Upsert(accounts, views.On("account-changed"), func(e insideout.Event) (account, error) {
		v, err := insideout.Body[int](e, "value")
		if err != nil {
			return account{}, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.verdict != nil {
			if err := s.verdict(e.PartitionKey, v); err != nil {
				return account{}, err
			}
		}
		s.values[e.PartitionKey] = append(s.values[e.PartitionKey], v)
		return account{ID: e.PartitionKey, Value: v}, nil
	}))
	require.NoError(t, err)
	return l
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.values {
		n += len(v)
	}
	return n
}

// changed is the n-th event of a key. Its time lies behind all clocks, those of bubbles included.
func changed(key string, n int) []byte {
	e := insideout.Event{ID: fmt.Sprint(key, ".", n), Type: "account-changed", PartitionKey: key, Timestamp: time.UnixMilli(900_000_000_000 + int64(n))}
	if err := e.SetBody("value", n); err != nil {
		panic(err)
	}
	raw, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return raw
}
