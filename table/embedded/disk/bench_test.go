package disk_test

import (
	"context"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

// filler makes an item about 1 KB long.
var filler = strings.Repeat("x", 960)

func kilobyte(i int) item { return item{"pk": s(strconv.Itoa(i)), "n": n(i), "text": s(filler)} }

// load puts n items, 25 at a time.
func load(b *testing.B, db *embedded.DB, n int) {
	b.Helper()
	for i := 0; i < n; i += 25 {
		var writes []types.WriteRequest
		for j := range 25 {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: kilobyte(i + j)}})
		}
		_, err := db.BatchWriteItem(context.Background(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{"rows": writes},
		})
		require.NoError(b, err)
	}
}

// resident is the process's memory in MB, by Linux's account of it; 0 elsewhere.
func resident() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	kb := regexp.MustCompile(`RssAnon:\s*(\d+) kB`).FindSubmatch(status)
	if kb == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(string(kb[1]), 64)
	return n / 1024
}

// BenchmarkGrowth measures reads and writes in memory and in a folder with so
// many items of 1 KB: INSIDEOUT_BENCH_ROWS, a list such as "20000 2000000", which takes a gigabyte for each million. The
// MB are those of the whole process after the load.
func BenchmarkGrowth(b *testing.B) {
	sizes := os.Getenv("INSIDEOUT_BENCH_ROWS")
	if sizes == "" {
		sizes = "20000"
	}
	for size := range strings.FieldsSeq(sizes) {
		rows, err := strconv.Atoi(size)
		require.NoError(b, err)
		b.Run("memory/"+size, func(b *testing.B) { grow(b, embedded.New(nil), rows) })
		b.Run("folder/"+size, func(b *testing.B) {
			db, err := disk.Open(b.TempDir(), &embedded.Options{NoSync: true}) // the disk's flushes are not what grows
			require.NoError(b, err)
			grow(b, db, rows)
		})
	}
}

func grow(b *testing.B, db *embedded.DB, rows int) {
	create(b, db, false)
	load(b, db, rows)
	time.Sleep(time.Duration(rows) * 15 * time.Microsecond) // a folder is put in order meanwhile
	runtime.GC()
	loaded := resident()
	next := func(i int) int { return int(uint32(i)*2654435761) % rows }
	b.Run("GetItem", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			require.Len(b, get(b, db, strconv.Itoa(next(i))), 3)
		}
		b.ReportMetric(loaded, "MB")
	})
	b.Run("PutItem", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			require.NoError(b, put(db, kilobyte(next(i))))
		}
		b.ReportMetric(resident(), "MB")
	})
	require.NoError(b, db.Close())
}
