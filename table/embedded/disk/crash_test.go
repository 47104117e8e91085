package disk_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

// crashDir tells the test binary, started anew, to be the process that is
// killed.
const crashDir = "INSIDEOUT_CRASH_DIR"

// crashWriters write at the same time; each owns a row and a pair of accounts.
const crashWriters = 8

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled prints a line "writer number" for every answered write.
func writeUntilKilled(dir string) error {
	db, err := disk.Open(dir, nil)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(chan error, crashWriters)
	for w := range crashWriters {
		wg.Go(func() {
			for {
				n, err := step(db, w)
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(w, n)
				mu.Unlock()
			}
		})
	}
	return <-failed
}

// step adds one to the writer's counter, and in the same transaction to its
// two accounts.
func step(db *embedded.DB, w int) (int, error) {
	ctx := context.Background()
	table := new("rows")
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: item{"pk": s(fmt.Sprint("count", w))}})
	if err != nil {
		return 0, err
	}
	next := 1
	if v, ok := out.Item["n"].(*types.AttributeValueMemberN); ok {
		last, err := strconv.Atoi(v.Value)
		if err != nil {
			return 0, err
		}
		next = last + 1
	}
	var items []types.TransactWriteItem
	for _, pk := range []string{"count", "left", "right"} {
		items = append(items, types.TransactWriteItem{Put: &types.Put{
			TableName: table, Item: item{"pk": s(fmt.Sprint(pk, w)), "n": n(next), "pad": s(strings.Repeat("x", 300))},
		}})
	}
	_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return next, err
}

// TestCrash kills a process while it writes. Every write that it announced must
// be there afterwards, whole, and in the stream.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	create(t, db, true)
	require.NoError(t, db.Close())
	answered := make([]int, crashWriters)
	for range 5 {
		killed(t, dir, answered)
		db, err := disk.Open(dir, nil)
		require.NoError(t, err)
		latest := lastImages(t, db)
		for w, want := range answered {
			got := number(t, get(t, db, fmt.Sprint("count", w)))
			require.GreaterOrEqual(t, got, want, "an answered write is gone")
			require.LessOrEqual(t, got, want+1, "a write happened that nobody asked for")
			for _, pk := range []string{"count", "left", "right"} {
				require.Equal(t, got, number(t, get(t, db, fmt.Sprint(pk, w))), "a transaction is torn")
				require.Equal(t, got, latest[fmt.Sprint(pk, w)], "the stream differs from the table")
			}
			answered[w] = got
		}
		for range 2 { // counted after the crash, and remembered after a clean stop
			d, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new("rows")})
			require.NoError(t, err)
			require.EqualValues(t, 3*crashWriters, *d.Table.ItemCount)
			require.NoError(t, db.Close())
			db, err = disk.Open(dir, nil)
			require.NoError(t, err)
		}
		require.NoError(t, db.Close())
	}
}

func number(t *testing.T, it item) int {
	t.Helper()
	if it == nil {
		return 0
	}
	n, err := strconv.Atoi(it["n"].(*types.AttributeValueMemberN).Value)
	require.NoError(t, err)
	return n
}

// killed starts a writing process, kills it at a random moment, and notes the
// newest number that each writer announced.
func killed(t *testing.T, dir string, answered []int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		if timer == nil { // the moment counts from the first write
			after := time.Duration(50+rand.IntN(250)) * time.Millisecond
			timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			_, err := disk.Open(dir, nil)
			require.ErrorIs(t, err, disk.ErrLocked)
		}
		var w, n int
		if _, err := fmt.Sscan(lines.Text(), &w, &n); err != nil {
			break // the last line is cut off
		}
		require.Equal(t, answered[w]+1, n)
		answered[w] = n
	}
	require.NotNil(t, timer, "the process wrote nothing")
	require.ErrorContains(t, cmd.Wait(), "killed")
}

// lastImages reads the whole stream: the last number of each row.
func lastImages(t *testing.T, db *embedded.DB) map[string]int {
	t.Helper()
	ctx := t.Context()
	list, err := db.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	d, err := db.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	require.NoError(t, err)
	it, err := db.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: list.Streams[0].StreamArn, ShardId: d.StreamDescription.Shards[0].ShardId,
		ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	last := map[string]int{}
	for next := it.ShardIterator; ; {
		out, err := db.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: next})
		require.NoError(t, err)
		if len(out.Records) == 0 {
			return last
		}
		for _, r := range out.Records {
			pk := r.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value
			n, err := strconv.Atoi(r.Dynamodb.NewImage["n"].(*streams.AttributeValueMemberN).Value)
			require.NoError(t, err)
			require.Equal(t, last[pk]+1, n, "the stream repeats or misses a change")
			last[pk] = n
		}
		next = out.NextShardIterator
	}
}
