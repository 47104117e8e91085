package cdc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

// load writes changes of things into the shards of a fake stream, and splits shards on the way. A thing's changes are in one shard
// at a time: those after a split are in a child.
type load struct {
	f       *fakeStreams
	random  *rand.Rand
	leaf    map[string]string // by thing
	counts  map[string]int
	written int
}

func newLoad(seed uint64) *load {
	l := &load{f: &fakeStreams{}, random: rand.New(rand.NewPCG(seed, 1)), leaf: map[string]string{}, counts: map[string]int{}}
	for n := range 3 {
		l.f.shards = append(l.f.shards, &fakeShard{id: fmt.Sprint("s", n)})
	}
	for n := range 12 {
		l.leaf[fmt.Sprint("t", n)] = fmt.Sprint("s", n%3)
	}
	return l
}

// run writes for a while.
func (l *load) run(changes, splits int) {
	for n := range changes {
		id := fmt.Sprint("t", l.random.IntN(12))
		l.counts[id]++
		l.written++
		r := streamRecord(l.written, "thing")
		for _, image := range []map[string]streams.AttributeValue{r.Dynamodb.Keys, r.Dynamodb.NewImage} {
			image["pk"] = &streams.AttributeValueMemberS{Value: id}
		}
		r.Dynamodb.NewImage["count"] = &streams.AttributeValueMemberN{Value: fmt.Sprint(l.counts[id])}
		l.f.mu.Lock()
		s := l.f.shards[l.f.index(l.leaf[id])]
		s.records = append(s.records, r)
		l.f.mu.Unlock()
		if n%(changes/splits) == changes/splits-1 {
			l.split(l.leaf[id])
		}
		time.Sleep(time.Duration(l.random.IntN(400)) * time.Millisecond)
	}
}

// split closes a shard and spreads its things over two children, in either order of the list.
func (l *load) split(shard string) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.shards[l.f.index(shard)].closed = true
	children := []*fakeShard{{id: shard + "0", parent: shard}, {id: shard + "1", parent: shard}}
	l.f.shards = slices.Insert(l.f.shards, l.random.IntN(len(l.f.shards)+1), children...)
	for id, leaf := range l.leaf {
		if leaf == shard {
			l.leaf[id] = children[l.random.IntN(2)].id
		}
	}
}

// unsteady is a publisher that takes its time, fails in part, and now and then hangs for longer than a lease before it goes on.
func unsteady(random *rand.Rand, out *sink) cdc.Publisher {
	return publisherFunc(func(ctx context.Context, events []insideout.Event) error {
		out.mu.Lock()
		d, stop := time.Duration(random.IntN(300))*time.Millisecond, random.IntN(4*len(events))
		if random.IntN(60) == 0 {
			d = lease + time.Duration(random.IntN(int(lease)))
		}
		out.mu.Unlock()
		time.Sleep(d)
		failed := map[int]error{}
		for n := stop; n < len(events); n++ {
			failed[n] = errDead
		}
		if err := out.Publish(ctx, events[:min(stop, len(events))]); err != nil || len(failed) == 0 {
			return err
		}
		return &cdc.PublishError{Errors: failed}
	})
}

// TestKill kills runs at random, some of them with their last word, under load, while shards split, checkpoints are out of reach for
// some and the publisher is unsteady: every change is published, the first time in the order of its thing, and a view of them is right.
func TestKill(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { killing(t, seed) })
		})
	}
}

func killing(t *testing.T, seed uint64) {
	l, out := newLoad(seed), &sink{}
	random := rand.New(rand.NewPCG(seed, 2))
	c := newCrew(t, unsteady(rand.New(rand.NewPCG(seed, 3)), out))
	c.streams = l.f
	begun := time.Now()
	c.cut = func(name string) bool { // each run is cut off for some time
		return (int(time.Since(begun)/time.Second)+7*len(name))%50 < 12 && strings.HasSuffix(name, "3")
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.run(600, 10)
	}()
	var ends []func()
	start := func() {
		leave, kill := c.start(fmt.Sprint("w", len(out.all())%10))
		ends = append(ends, []func(){leave, kill}[random.IntN(2)])
	}
	for !isClosed(written) {
		if len(ends) < 4 && random.IntN(2) == 0 {
			start()
		} else if len(ends) > 0 {
			n := random.IntN(len(ends))
			ends[n]()
			ends = slices.Delete(ends, n, n+1)
		}
		time.Sleep(time.Duration(random.IntN(6000)) * time.Millisecond)
	}
	c.cut = func(string) bool { return false }
	leave, _ := c.start("last")
	ends = append(ends, leave)
	time.Sleep(5 * time.Minute)
	for _, end := range ends {
		end()
	}
	requireAll(t, l, out.all())
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// requireAll: each change came, for the first time after those before it; what a view makes of the events, in any order, is the last
// state.
func requireAll(t *testing.T, l *load, events []insideout.Event) {
	t.Helper()
	require.GreaterOrEqual(t, len(events), l.written)
	seen := map[string]int{}
	view, versions := map[string]int{}, map[string]string{}
	for _, e := range events {
		v, err := insideout.Body[thing](e, "thing")
		require.NoError(t, err)
		require.LessOrEqual(t, v.Count, seen[v.ID]+1, "%s: %d came before %d", v.ID, v.Count, seen[v.ID]+1)
		seen[v.ID] = max(seen[v.ID], v.Count)
		if version := fmt.Sprintf("%013d#%s", e.Timestamp.UnixMilli(), e.ID); version > versions[v.ID] {
			view[v.ID], versions[v.ID] = v.Count, version
		}
	}
	require.Equal(t, l.counts, seen)
	require.Equal(t, l.counts, view)
}
