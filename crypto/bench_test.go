package crypto_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
)

// bare is AES-256-GCM from the standard library with a cached key: the yardstick.
func bare(b *testing.B) cipher.AEAD {
	b.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	require.NoError(b, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(b, err)
	return aead
}

func BenchmarkSeal64(b *testing.B) {
	plain := bytes.Repeat([]byte{'x'}, 64)
	aad := bytes.Repeat([]byte{'a'}, 100)
	b.Run("bare", func(b *testing.B) {
		aead := bare(b)
		b.ReportAllocs()
		for b.Loop() {
			aead.Seal(nil, nil, plain, aad)
		}
	})
	b.Run("sealer", func(b *testing.B) {
		s := newKit(b).sealer(b, "shop")
		fields := []insideout.SealedField{field("17850", "email", string(plain))}
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Seal(context.Background(), fields)
		}
		b.ReportMetric(float64(len(fields[0].Ciphertext)-64), "overhead-B")
	})
}

func BenchmarkOpen64(b *testing.B) {
	plain := bytes.Repeat([]byte{'x'}, 64)
	aad := bytes.Repeat([]byte{'a'}, 100)
	b.Run("bare", func(b *testing.B) {
		aead := bare(b)
		box := aead.Seal(nil, nil, plain, aad)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = aead.Open(nil, nil, box, aad)
		}
	})
	b.Run("sealer", func(b *testing.B) {
		s := newKit(b).sealer(b, "shop")
		fields := mustSeal(b, s, field("17850", "email", string(plain)))
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Open(context.Background(), fields)
		}
	})
}

// BenchmarkRatio seals and opens by turns with the bare cipher and with a Sealer, so that a busy machine slows both down alike.
func BenchmarkRatio(b *testing.B) {
	plain, aad := bytes.Repeat([]byte{'x'}, 64), bytes.Repeat([]byte{'a'}, 100)
	aead, s := bare(b), newKit(b).sealer(b, "shop")
	box := aead.Seal(nil, nil, plain, aad)
	fields := mustSeal(b, s, field("17850", "email", string(plain)))
	ctx := context.Background()
	ratio := func(b *testing.B, bare, sealer func()) {
		b.Helper()
		best := [2]time.Duration{time.Hour, time.Hour}
		for b.Loop() {
			for i, f := range []func(){bare, sealer} {
				start := time.Now()
				for range 100 {
					f()
				}
				best[i] = min(best[i], time.Since(start))
			}
		}
		b.ReportMetric(float64(best[0].Nanoseconds())/100, "bare-ns")
		b.ReportMetric(float64(best[1].Nanoseconds())/100, "sealer-ns")
		b.ReportMetric(float64(best[1])/float64(best[0]), "times")
	}
	b.Run("open", func(b *testing.B) {
		ratio(b, func() { _, _ = aead.Open(nil, nil, box, aad) }, func() { _ = s.Open(ctx, fields) })
	})
	b.Run("seal", func(b *testing.B) {
		sealing := []insideout.SealedField{field("17850", "email", string(plain))}
		ratio(b, func() { aead.Seal(nil, nil, plain, aad) }, func() { _ = s.Seal(ctx, sealing) })
	})
}

// BenchmarkBulkSeal seals 65,536 fields in one call, and tells how busy it kept the cores.
func BenchmarkBulkSeal(b *testing.B) {
	for _, subjects := range []int{1, 1000} {
		b.Run(fmt.Sprint(subjects, "-subjects"), func(b *testing.B) {
			s := newKit(b).sealer(b, "shop")
			fields := make([]insideout.SealedField, 1<<16)
			for i := range fields {
				fields[i] = field(fmt.Sprint(i%subjects), "email", string(bytes.Repeat([]byte{'x'}, 64)))
			}
			require.NoError(b, s.Seal(b.Context(), fields))
			before := cores(b)
			for b.Loop() {
				_ = s.Seal(context.Background(), fields)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(fields)), "ns/field")
			after := cores(b)
			b.ReportMetric(100*(after.busy-before.busy)/(after.all-before.all), "%cores")
		})
	}
}

// usage is processor time in seconds: that in which the program had something to do on a core, and that of all cores. It is the scheduler's own
// account of when a core had nothing to run, and so does not tell whether other programs kept a core busy meanwhile.
type usage struct{ busy, all float64 }

// cores reads the account, which a garbage collection brings up to date. What collections do only since a core is idle does not count as busy.
func cores(b *testing.B) usage {
	b.Helper()
	samples := []metrics.Sample{
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	runtime.GC()
	metrics.Read(samples)
	all := samples[0].Value.Float64()
	return usage{all - samples[1].Value.Float64() - samples[2].Value.Float64(), all}
}

// 100,000 sealed fields of 1,000 subjects, in 20,000 rows of five, cost one call of the key service, and no more than a thousand reads of the key table as
// table reads them, a hundred rows at a time, whether the rows of a subject lie together or not; and nothing when warm. Whoever gets each row by itself pays a
// read a subject, and one of the namespace.
func TestCostOfManySubjects(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var together, scattered []insideout.SealedField
	for i := range 100_000 {
		together = append(together, field(fmt.Sprint(i/100), fmt.Sprint("f", i%100), "1"))
	}
	mustSeal(t, k.sealer(t, "shop"), together...)
	for i := range 100_000 {
		scattered = append(scattered, together[i%1000*100+i/1000])
	}
	for _, tc := range []struct {
		name   string
		fields []insideout.SealedField
		rows   int // in one call
		reads  int64
	}{{"together", together, 100, 201}, {"scattered", scattered, 100, 1 + 2*5}, {"one by one", together, 1, 1001}} {
		s := k.sealer(t, "shop")
		page := 5 * tc.rows
		for _, want := range []struct{ calls, reads int64 }{{1, tc.reads}, {0, 0}} {
			k.client.reads.Store(0)
			k.master.calls.Store(0)
			start := time.Now()
			for from := 0; from < len(tc.fields); from += page {
				require.NoError(t, s.Open(t.Context(), tc.fields[from:from+page]))
			}
			t.Logf("%s: %d calls of the key service, %d reads of the key table, %s", tc.name, k.master.calls.Load(), k.client.reads.Load(), time.Since(start))
			require.Equal(t, want.calls, k.master.calls.Load())
			require.Equal(t, want.reads, k.client.reads.Load(), tc.name)
		}
	}
}
