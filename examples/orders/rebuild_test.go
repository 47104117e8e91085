package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/internal/cpu"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
	"github.com/insideout-go/insideout/views"
)

// TestRebuildFromTheLake: what the lake has kept is folded into another table, verified, and makes the same view.
func TestRebuildFromTheLake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := runJSON(t, "-lake", dir, "-chaos", "5")
	events, err := lake.Open(dir, &lake.Options{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, events.Close()) })
	green, err := greenTable(t, embedded.New(nil), Customers, Purchases)
	require.NoError(t, err)
	listener, err := newListener(green, nil)
	require.NoError(t, err)
	done, err := views.Rebuild(t.Context(), listener, events.Events(t.Context(), lake.Query{}), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, done.Events, int64(r.summary.EventsPublished), "also what was published again")
	require.Equal(t, done.Lanes, done.Applied)
	_, digest, err := dumpView(t.Context(), green, io.Discard)
	require.NoError(t, err)
	require.Equal(t, r.summary.ViewDigest, digest)
}

func greenTable(t testing.TB, engine *embedded.DB, models ...table.Definition) (*table.DB, error) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	if err := table.Create(t.Context(), engine, "green", table.Schema(models...)); err != nil {
		return nil, err
	}
	return table.Open(engine, "green", nil)
}

// note is a row of about 1 KB.
type note struct {
	ID   string `dynamo:"id"`
	Text string `dynamo:"text"`
}

type noteEvent struct {
	Note struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	} `json:"note"`
}

var notes = table.DefineNode("note", func(n *note, d *table.Def[note]) { d.ID(&n.ID) })

const noted = 40_000 // events

// BenchmarkRebuild folds a lake in a folder into a new table: events of 1 KB, each of a row of its own, or four of one.
func BenchmarkRebuild(b *testing.B) {
	for _, share := range []int{1, 4} {
		dir := lakeOfNotes(b, share)
		b.Run(fmt.Sprintf("%d to 1, in memory", share), func(b *testing.B) {
			benchmarkRebuild(b, dir, 16, func() (*embedded.DB, error) { return embedded.New(nil), nil })
		})
		for _, workers := range []int{16, 128} {
			b.Run(fmt.Sprintf("%d to 1, in a folder, %d workers", share, workers), func(b *testing.B) {
				benchmarkRebuild(b, dir, workers, func() (*embedded.DB, error) { return disk.Open(b.TempDir(), nil) })
			})
		}
	}
}

func lakeOfNotes(b *testing.B, share int) string {
	b.Helper()
	dir := b.TempDir()
	l, err := lake.Open(dir, nil)
	require.NoError(b, err)
	began := time.Now().Add(-time.Hour)
	var batch []insideout.Event
	for n := range noted {
		e := insideout.Event{ID: fmt.Sprintf("%08d", n), Type: "note-taken", Timestamp: began.Add(time.Duration(n) * time.Millisecond), PartitionKey: "p"}
		text := strings.Repeat(fmt.Sprintf("line %d of the text ", n), 60)
		require.NoError(b, e.SetBody("note", map[string]string{"id": fmt.Sprint(n % (noted / share)), "text": text[:900]}))
		if batch = append(batch, e); len(batch) == 1000 {
			require.NoError(b, l.Publish(b.Context(), batch))
			batch = nil
		}
	}
	require.NoError(b, l.Close())
	return dir
}

func benchmarkRebuild(b *testing.B, dir string, workers int, open func() (*embedded.DB, error)) {
	events, err := lake.Open(dir, &lake.Options{ReadOnly: true})
	require.NoError(b, err)
	defer events.Close()
	b.ReportAllocs()
	before := cpu.Used()
	for b.Loop() {
		b.StopTimer()
		engine, err := open()
		require.NoError(b, err)
		db, err := greenTable(b, engine, notes)
		require.NoError(b, err)
		listener, err := views.New(db, &views.Options{Workers: workers}, views.Upsert(notes, views.On("note-taken"), func(e noteEvent) (note, error) {
			return note(e.Note), nil
		}))
		require.NoError(b, err)
		b.StartTimer()
		done, err := views.Rebuild(b.Context(), listener, events.Events(b.Context(), lake.Query{}), nil)
		require.NoError(b, err)
		require.EqualValues(b, noted, done.Events)
	}
	b.ReportMetric(noted*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu.Used()-before).Microseconds())/noted/float64(b.N), "cpu-µs/event")
}
