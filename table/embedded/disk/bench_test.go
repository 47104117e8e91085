package disk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
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
	"github.com/insideout-go/insideout/table/embedded/local"
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

// grown is a database and what the process took once it was loaded.
type grown struct {
	db   *embedded.DB
	rows int
	mb   float64
}

// BenchmarkGrowth measures reads and writes, in process and by the SDK's client, in memory and in a folder with so
// many items of 1 KB: INSIDEOUT_BENCH_ROWS, a list such as "20000 2000000", which
// takes a gigabyte or two for each million and a minute or two to load. The sizes take turns, three
// times each. The MB are those of the
// whole process once they are loaded. A folder is opened again after that, so that few rows as well as many
// are read from its files rather than from what is still to be written, and a put waits for
// the disk as it does by default.
func BenchmarkGrowth(b *testing.B) {
	sizes := os.Getenv("INSIDEOUT_BENCH_ROWS")
	if sizes == "" {
		sizes = "20000"
	}
	for name, open := range map[string]func(b *testing.B, rows int) grown{"memory": inMemory, "folder": inFolder} {
		b.Run(name, func(b *testing.B) {
			var all []grown
			for size := range strings.FieldsSeq(sizes) {
				rows, err := strconv.Atoi(size)
				require.NoError(b, err)
				all = append(all, open(b, rows))
			}
			for _, g := range all {
				g.warm(b)
			}
			for range 3 {
				for _, of := range []struct {
					name    string
					measure func(grown, *testing.B, client)
				}{{"GetItem", grown.gets}, {"PutItem", grown.puts}} {
					for _, g := range all {
						b.Run(fmt.Sprint(of.name, "/in process/", g.rows), func(b *testing.B) { of.measure(g, b, g.db) })
					}
					for _, g := range all {
						b.Run(fmt.Sprint(of.name, "/over HTTP/", g.rows), func(b *testing.B) { of.measure(g, b, overHTTP(b, g.db)) })
					}
				}
			}
			for _, g := range all {
				require.NoError(b, g.db.Close())
			}
		})
	}
}

func inMemory(b *testing.B, rows int) grown {
	b.Helper()
	db := embedded.New(nil)
	return grown{db, rows, load(b, db, rows)}
}

func inFolder(b *testing.B, rows int) grown {
	b.Helper()
	dir := b.TempDir()
	db, err := disk.Open(dir, &embedded.Options{NoSync: true})
	require.NoError(b, err)
	mb := load(b, db, rows)
	require.NoError(b, db.Close())
	db, err = disk.Open(dir, nil)
	require.NoError(b, err)
	return grown{db, rows, mb}
}

// warm fills the caches.
func (g grown) warm(b *testing.B) {
	b.Helper()
	for i := range 50_000 {
		require.Len(b, get(b, g.db, strconv.Itoa(spread(i, g.rows))), 3)
	}
}

// overHTTP is the SDK's client of a server.
func overHTTP(b *testing.B, db *embedded.DB) client {
	server := httptest.NewServer(db.Handler())
	b.Cleanup(server.Close)
	client, _ := local.Clients(server.URL)
	return client
}

func (g grown) gets(b *testing.B, db client) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		it := get(b, db, strconv.Itoa(spread(i, g.rows)))
		took = append(took, time.Since(start))
		require.Len(b, it, 3)
	}
	g.report(b, took)
}

func (g grown) puts(b *testing.B, db client) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		it := kilobyte(spread(i, g.rows))
		it["n"] = n(rand.Int64())
		start := time.Now()
		err := put(db, it)
		took = append(took, time.Since(start))
		require.NoError(b, err)
	}
	g.report(b, took)
}

func (g grown) report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(g.mb, "MB")
}
