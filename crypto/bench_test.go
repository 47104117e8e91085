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

// BenchmarkBulkSeal seals 65,536 fields of a row walk in one call, and tells how many cores were busy.
func BenchmarkBulkSeal(b *testing.B) {
	s := newKit(b).sealer(b, "shop")
	fields := make([]insideout.SealedField, 1<<16)
	for i := range fields {
		fields[i] = field("17850", "email", string(bytes.Repeat([]byte{'x'}, 64)))
	}
	before := cpuTime(b)
	for b.Loop() {
		_ = s.Seal(context.Background(), fields)
	}
	used := cpuTime(b) - before
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(fields)), "ns/field")
	b.ReportMetric(100*float64(used)/float64(b.Elapsed())/float64(runtime.NumCPU()), "%cores")
}

// cpuTime is what the process has used of all cores.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	samples := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	runtime.GC() // which updates them
	metrics.Read(samples)
	return time.Duration((samples[0].Value.Float64() - samples[1].Value.Float64()) * float64(time.Second))
}

// 100,000 sealed fields of 1,000 subjects cost one call of the key service and a read a subject, one by one; a read for a hundred subjects, in
// pages; and nothing when warm.
func TestCostOfManySubjects(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var fields []insideout.SealedField
	for i := range 100_000 {
		fields = append(fields, field(fmt.Sprint(i/100), fmt.Sprint("f", i%100), "1"))
	}
	mustSeal(t, k.sealer(t, "shop"), fields...)
	for _, tc := range []struct {
		page  int
		reads int64
	}{{100, 1001}, {2500, 41}} {
		s := k.sealer(t, "shop")
		for _, want := range []struct{ calls, reads int64 }{{1, tc.reads}, {0, 0}} {
			k.client.reads.Store(0)
			k.master.calls.Store(0)
			start := time.Now()
			for from := 0; from < len(fields); from += tc.page {
				require.NoError(t, s.Open(t.Context(), fields[from:from+tc.page]))
			}
			t.Logf("%d fields in calls of %d: %d calls of the key service, %d reads of the key table, %s",
				len(fields), tc.page, k.master.calls.Load(), k.client.reads.Load(), time.Since(start))
			require.Equal(t, want.calls, k.master.calls.Load())
			require.Equal(t, want.reads, k.client.reads.Load(), "the subjects' rows, and the namespace's")
		}
	}
}
