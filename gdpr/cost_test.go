package gdpr_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// meter counts capacity by operation.
type meter struct {
	mu    sync.Mutex
	units map[string]float64
}

func (m *meter) count(_ context.Context, operation string, used []types.ConsumedCapacity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range used {
		m.units[operation] += *u.CapacityUnits
	}
}

// eraseAmong erases a subject with so many rows among so many of others, and returns what that consumed.
func eraseAmong(t testing.TB, rows, others int, opts gdpr.Options) map[string]float64 {
	e := embedded.New(&embedded.Options{TTLInterval: -1})
	defer func() { require.NoError(t, e.Close()) }()
	m := &meter{units: map[string]float64{}}
	require.NoError(t, table.Create(context.Background(), e, "shop", table.Schema(visits)))
	require.NoError(t, table.Create(context.Background(), e, "jobs", gdpr.Schema()))
	db, err := table.Open(e, "shop", &table.Options{SubjectKey: refKey, Capacity: m.count})
	require.NoError(t, err)
	own, err := table.Open(e, "jobs", nil)
	require.NoError(t, err)
	var ops []table.Op
	for i := range rows {
		ops = append(ops, visits.Put(visit{Customer: "anna", No: i, Page: "/"}))
	}
	for i := range others {
		ops = append(ops, visits.Put(visit{Customer: fmt.Sprint("customer ", i%1000), No: i, Page: strings.Repeat("/", 100)}))
		if len(ops) == 10_000 {
			require.NoError(t, db.Batch(context.Background(), ops...))
			ops = ops[:0]
		}
	}
	require.NoError(t, db.Batch(context.Background(), ops...))
	opts.Signer = signer
	c, err := gdpr.New(own, []gdpr.Place{gdpr.Table("shop", db, []gdpr.Model{visits}, nil)}, &opts)
	require.NoError(t, err)
	plan, err := c.Plan(context.Background(), "anna")
	require.NoError(t, err)
	clear(m.units)
	_, err = c.Erase(context.Background(), plan, "DPO-7")
	require.NoError(t, err)
	return m.units
}

func TestErasureCostsWhatTheSubjectsRowsCost(t *testing.T) {
	t.Parallel()
	few, many := eraseAmong(t, 200, 100, gdpr.Options{}), eraseAmong(t, 200, 20_000, gdpr.Options{})
	require.Greater(t, many["Scan"], 20*few["Scan"], "the verification reads everything")
	delete(few, "Scan")
	delete(many, "Scan")
	require.InDelta(t, 200, few["GetItem"], 60, "a read a row, and the sample of others")
	require.Equal(t, few["UpdateItem"], many["UpdateItem"])
	require.Equal(t, few["Query"], many["Query"])
	require.InDelta(t, few["GetItem"], many["GetItem"], 60)
}

// Virtual time: what the job takes is what its budget makes it wait.
func TestErasureKeepsToItsBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		units := eraseAmong(t, 500, 2000, gdpr.Options{Budget: gdpr.Budget{Reads: 1000, Writes: 50}})
		rate := units["UpdateItem"] / time.Since(began).Seconds()
		require.InDelta(t, 50, rate, 5)
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		units := eraseAmong(t, 10, 20_000, gdpr.Options{Budget: gdpr.Budget{Reads: 20}})
		require.InDelta(t, 20, (units["Scan"]+units["GetItem"]+units["Query"])/time.Since(began).Seconds(), 2)
	})
}

// BenchmarkErase erases a subject with 1,000 rows among 100,000 others, or as many as ERASE_AMONG says; the verification reads them all. A million takes about
// 3 GB of memory.
func BenchmarkErase(b *testing.B) {
	others := 100_000
	if n, err := strconv.Atoi(os.Getenv("ERASE_AMONG")); err == nil {
		others = n
	}
	b.ReportAllocs()
	for b.Loop() {
		units := eraseAmong(b, 1000, others, gdpr.Options{})
		b.ReportMetric(units["UpdateItem"], "write-units/erasure")
		b.ReportMetric(units["GetItem"]+units["Query"], "read-units/erasure")
		b.ReportMetric(units["Scan"], "read-units/verification")
	}
}
