package disk_test

import (
	"context"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
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

// noise is text that no compression shortens.
var noise = func() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}()

// spread puts numbers far apart.
func spread(i, n int) int { return int(uint32(i)*2654435761) % n }

// kilobyte makes an item about 1 KB long.
func kilobyte(i int) item {
	const length = 960
	from := spread(i, len(noise)-length)
	return item{"pk": s(strconv.Itoa(i)), "n": n(i), "text": s(noise[from : from+length])}
}

// load makes a table of n items, 25 at a time, and returns the process's memory at the end.
func load(b *testing.B, db *embedded.DB, n int) float64 {
	b.Helper()
	create(b, db, false)
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
	return resident()
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
// many items of 1 KB: INSIDEOUT_BENCH_ROWS, a list such as "20000 2000000", which
// takes a gigabyte or two for each million and a minute or two to load. The MB are those of the
// whole process once they are loaded. The folder is opened again after that, so that few rows as well as many
// are read from its files rather than from what is still to be written, and a put waits for
// the disk as it does by default.
func BenchmarkGrowth(b *testing.B) {
	sizes := os.Getenv("INSIDEOUT_BENCH_ROWS")
	if sizes == "" {
		sizes = "20000"
	}
	for size := range strings.FieldsSeq(sizes) {
		rows, err := strconv.Atoi(size)
		require.NoError(b, err)
		b.Run("memory/"+size, func(b *testing.B) {
			db := embedded.New(nil)
			loaded := load(b, db, rows)
			grow(b, db, rows, loaded)
		})
		b.Run("folder/"+size, func(b *testing.B) {
			dir := b.TempDir()
			db, err := disk.Open(dir, &embedded.Options{NoSync: true})
			require.NoError(b, err)
			loaded := load(b, db, rows)
			require.NoError(b, db.Close())
			db, err = disk.Open(dir, nil)
			require.NoError(b, err)
			grow(b, db, rows, loaded)
		})
	}
}

// warm is how many rows are read before the measurement.
const warm = 50_000

func grow(b *testing.B, db *embedded.DB, rows int, loaded float64) {
	b.Helper()
	for i := range warm {
		require.Len(b, get(b, db, strconv.Itoa(spread(i, rows))), 3)
	}
	b.Run("GetItem", func(b *testing.B) {
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			start := time.Now()
			it := get(b, db, strconv.Itoa(spread(i, rows)))
			took = append(took, time.Since(start))
			require.Len(b, it, 3)
		}
		b.ReportMetric(median(took), "p50-µs")
		b.ReportMetric(loaded, "MB")
	})
	b.Run("PutItem", func(b *testing.B) {
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			it := kilobyte(spread(i, rows))
			it["n"] = n(-i)
			start := time.Now()
			err := put(db, it)
			took = append(took, time.Since(start))
			require.NoError(b, err)
		}
		b.ReportMetric(median(took), "p50-µs")
		b.ReportMetric(loaded, "MB")
	})
	require.NoError(b, db.Close())
}

func median(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1000
}
