package laketest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// erase drops the events of one partition key, and takes the note out of those of another one.
func erase(drop, redact string) func(e *insideout.Event) (lake.Edit, error) {
	return func(e *insideout.Event) (lake.Edit, error) {
		switch e.PartitionKey {
		case drop:
			return lake.Drop, nil
		case redact:
			return lake.Replace, e.SetBody("order", map[string]any{"erased": true})
		}
		return lake.Keep, nil
	}
}

func rewrites(t *testing.T, b Backend) {
	l := b.open(t, nil)
	for hour := range 2 {
		for batch := range 3 {
			var events []insideout.Event
			for i := range 3 {
				events = append(events, event(fmt.Sprintf("%d%d%d", hour, batch, i), time.Duration(hour)*time.Hour))
			}
			publish(t, l, events...)
		}
	}
	_, err := l.Index(t.Context(), lake.Query{})
	require.NoError(t, err)
	before := map[string]string{}
	for _, o := range objects(t, l, lake.Query{}) {
		before[o.Name] = b.text(t, o.Name)
	}
	q := lake.Query{PartitionKeys: []string{"p-011", "p-012"}}
	dry, err := l.Rewrite(t.Context(), q, erase("p-011", "p-012"), &lake.RewriteOptions{DryRun: true})
	require.NoError(t, err)
	done, err := l.Rewrite(t.Context(), q, erase("p-011", "p-012"), nil)
	require.NoError(t, err)
	require.Equal(t, dry, done, "a dry run tells the same and does nothing")
	require.Equal(t, 1, done.Changed)
	require.Equal(t, 1, done.Dropped)
	require.Equal(t, 1, done.Replaced)
	require.Positive(t, done.Skipped)

	changed := 0
	for name, text := range before {
		want := ""
		for line := range strings.Lines(text) {
			if strings.Contains(line, `"p-011"`) {
				continue
			}
			if strings.Contains(line, `"p-012"`) {
				line = `{"id":"012","order":{"erased":true},"partitionKey":"p-012","tags":{"source":"orders"},"timestamp":1795262400000,"type":"order-placed"}` + "\n"
			}
			want += line
		}
		require.Equal(t, want, b.text(t, name))
		if want != text {
			changed++
		}
	}
	require.Equal(t, 1, changed)
	require.NotContains(t, ids(t, l, lake.Query{}), "011")
	require.Empty(t, objects(t, l, lake.Query{PartitionKeys: []string{"p-011"}}), "the index follows")
	require.Len(t, objects(t, l, lake.Query{PartitionKeys: []string{"p-012"}}), 1)
	again, err := l.Rewrite(t.Context(), q, erase("p-011", "p-012"), nil)
	require.NoError(t, err)
	require.Zero(t, again.Changed, "again finds nothing to do")
	publish(t, l, event("later", 0))
	require.Contains(t, ids(t, l, lake.Query{}), "later")
}

func rewriteResumes(t *testing.T, b Backend) {
	w := b.open(t, &lake.Options{FileBytes: 1})
	for i := range 5 {
		publish(t, w, event(fmt.Sprint(i), 0))
	}
	require.NoError(t, w.Close())
	l := b.open(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	n := 0
	drop := func(*insideout.Event) (lake.Edit, error) { return lake.Drop, nil }
	_, err := l.Rewrite(ctx, lake.Query{Done: func(lake.Object) {
		if n++; n == 2 {
			stop()
		}
	}}, drop, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, ids(t, l, lake.Query{}), 3)
	var last lake.Object
	done, err := l.Rewrite(t.Context(), lake.Query{Done: func(o lake.Object) { last = o }}, drop, nil)
	require.NoError(t, err)
	require.Equal(t, 3, done.Dropped)
	require.Equal(t, last.Name, done.LastDone)
	require.Empty(t, ids(t, l, lake.Query{}))
	done, err = l.Rewrite(t.Context(), lake.Query{After: done.LastDone}, drop, nil)
	require.NoError(t, err)
	require.Zero(t, done.Objects)
	if _, folder := b.Store.(*lake.Folder); !folder {
		publish(t, l, event("0", 0))
		require.Empty(t, ids(t, l, lake.Query{}), "what was erased does not come back with a batch that is tried again")
	}
}

func rewriteRefuses(t *testing.T, b Backend) {
	l := b.open(t, nil)
	publish(t, l, event("1", 0))
	for name, edit := range map[string]func(*insideout.Event){
		"id":   func(e *insideout.Event) { e.ID = "2" },
		"time": func(e *insideout.Event) { e.Timestamp = e.Timestamp.Add(1) },
		"type": func(e *insideout.Event) { e.Type = "x" },
		"key":  func(e *insideout.Event) { e.PartitionKey = "x" },
	} {
		_, err := l.Rewrite(t.Context(), lake.Query{}, func(e *insideout.Event) (lake.Edit, error) {
			edit(e)
			return lake.Replace, nil
		}, nil)
		require.EqualError(t, err, `lake: event "1": its id, timestamp, type and partition key must stay`, name)
	}
	broken := errors.New("broken")
	_, err := l.Rewrite(t.Context(), lake.Query{}, func(e *insideout.Event) (lake.Edit, error) { return lake.Drop, broken }, nil)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, `event "1"`)
	require.Equal(t, []string{"1"}, ids(t, l, lake.Query{}))
	b.put(t, hour+"zzz", []byte("x"))
	_, err = l.Rewrite(t.Context(), lake.Query{}, erase("p-1", ""), nil)
	require.ErrorIs(t, err, lake.ErrDamaged)
	done, err := l.Rewrite(t.Context(), lake.Query{Damaged: func(error) error { return nil }}, erase("p-1", ""), nil)
	require.NoError(t, err)
	require.Equal(t, hour+"zzz", done.LastDone)
	require.Equal(t, "x", string(b.get(t, hour+"zzz")))
	reader := b.open(t, &lake.Options{ReadOnly: true})
	_, err = reader.Rewrite(t.Context(), lake.Query{}, erase("", ""), nil)
	require.ErrorIs(t, err, lake.ErrReadOnly)
}

func rewriteEnvelope(t *testing.T, b Backend) {
	one := `{"detail-type":"t","detail" : {"id":"1","partitionKey":"p-1","order":"secret"} ,"time":"2026-11-21T12:00:00Z","id":"e1"}`
	two := `{"id":"e2","detail-type":"t","detail":{"id":"2","partitionKey":"p-2","order":"secret"}}`
	for _, name := range []string{"plain", "packed.gz"} {
		data := []byte(" " + one + two + "\n" + two + one + "garbage")
		if name == "packed.gz" {
			data = zip(t, string(data))
		}
		b.put(t, hour+name, data)
	}
	l := b.open(t, nil)
	edit := erase("p-2", "p-1")
	done, err := l.Rewrite(t.Context(), lake.Query{Damaged: func(error) error { return nil }}, edit, nil)
	require.NoError(t, err)
	require.Equal(t, 4, done.Dropped)
	require.Equal(t, 4, done.Replaced)
	redacted := strings.Replace(one, `{"id":"1","partitionKey":"p-1","order":"secret"}`,
		`{"id":"1","order":{"erased":true},"partitionKey":"p-1","timestamp":1795262400000,"type":"t"}`, 1)
	want := " " + redacted + redacted + "garbage"
	require.Equal(t, want, string(b.get(t, hour+"plain")))
	require.Equal(t, want, b.text(t, hour+"packed.gz"))
}

const batches, size = 12, 5 // of events that are written during a rewrite

func rewriteConcurrent(t *testing.T, b Backend) {
	l := b.open(t, nil)
	var wg sync.WaitGroup
	written := make(chan struct{})
	wg.Go(func() {
		defer close(written)
		for batch := range batches {
			var events []insideout.Event
			for i := range size {
				events = append(events, event(fmt.Sprintf("%02d-%d", batch, i), 0))
			}
			if err := l.Publish(t.Context(), events); err != nil {
				t.Error(err)
			}
		}
	})
	for _, suffix := range []string{"-1", "-3"} {
		wg.Go(func() {
			until(written, func() {
				if _, err := l.Rewrite(t.Context(), lake.Query{}, dropSuffix(t, l, suffix), nil); err != nil && !isChanged(err) {
					t.Error(err)
				}
			})
		})
	}
	until(written, func() {
		seen := map[string]int{}
		for _, id := range ids(t, l, lake.Query{PartitionKeys: []string{"p-00-0", "p-01-0", "p-02-2"}}) {
			seen[id]++
		}
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
	wg.Wait()
	for _, suffix := range []string{"-1", "-3"} {
		_, err := l.Rewrite(t.Context(), lake.Query{}, dropSuffix(t, l, suffix), nil)
		require.NoError(t, err)
	}
	got := ids(t, l, lake.Query{})
	slices.Sort(got)
	var want []string
	for batch := range batches {
		for _, i := range []int{0, 2, 4} {
			want = append(want, fmt.Sprintf("%02d-%d", batch, i))
		}
	}
	require.Equal(t, want, got, "nothing is lost, nothing comes back")
}

// until calls f again and again until done is closed, and once more.
func until(done <-chan struct{}, f func()) {
	for {
		select {
		case <-done:
			f()
			return
		default:
			f()
		}
	}
}

// dropSuffix drops events by their ids, and what their claim checks would stand for.
func dropSuffix(t *testing.T, l *lake.Lake, suffix string) func(e *insideout.Event) (lake.Edit, error) {
	bucket, err := l.Keep(t.Context(), "local/claimchecks/"+suffix, []byte("{}"))
	require.NoError(t, err)
	return func(e *insideout.Event) (lake.Edit, error) {
		if strings.HasSuffix(e.ID, suffix) {
			return lake.Drop, l.Discard(t.Context(), bucket, "local/claimchecks/"+suffix)
		}
		return lake.Keep, nil
	}
}

func claims(t *testing.T, b Backend) {
	l := b.open(t, nil)
	body := []byte(`{"id":"1","type":"a"}`)
	const key = "us-east-1/claimchecks/2026/11/21/12/1"
	bucket, err := l.Keep(t.Context(), key, body)
	require.NoError(t, err)
	again, err := l.Keep(t.Context(), key, body)
	require.NoError(t, err)
	require.Equal(t, bucket, again)
	var e insideout.Event
	require.NoError(t, e.SetBody("s3", map[string]string{"bucket": bucket, "key": key}))
	gotBucket, gotKey, ok := lake.ClaimOf(e)
	require.True(t, ok)
	require.Equal(t, []string{bucket, key}, []string{gotBucket, gotKey})
	got, err := l.Redeem(t.Context(), bucket, key)
	require.NoError(t, err)
	require.Equal(t, string(body), string(got))
	require.Empty(t, ids(t, l, lake.Query{}), "it is no event of its own")

	require.NoError(t, l.Discard(t.Context(), bucket, key))
	require.NoError(t, l.Discard(t.Context(), bucket, key))
	_, err = l.Redeem(t.Context(), bucket, key)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, key := range []string{"", "claimchecks", "local/2026/11/21/12/x", "a/claimchecks/../x", "/claimchecks/x", `a/claimchecks/..\x`} {
		_, err := l.Redeem(t.Context(), bucket, key)
		require.ErrorContains(t, err, "is not the key of a claim check", key)
	}
	for _, e := range []insideout.Event{{}, {Body: map[string]json.RawMessage{"s3": json.RawMessage(`"x"`)}}, {Body: map[string]json.RawMessage{"s3": json.RawMessage(`{"bucket":"b"}`)}}} {
		_, _, ok := lake.ClaimOf(e)
		require.False(t, ok)
	}
}
