package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// noon is when the events of the tests happen, unless a test says otherwise.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func event(id string, at time.Time) insideout.Event {
	return insideout.Event{
		ID: id, Type: "order-placed", Timestamp: at, PartitionKey: "p-" + id, Tags: insideout.Tags{"source": "orders"},
		Body: map[string]json.RawMessage{"order": json.RawMessage(`{"total":12345678901234567890.50,"note":"a\nb <é>"}`)},
	}
}

func open(t *testing.T, dir string, opts *lake.Options) *lake.Lake {
	t.Helper()
	l, err := lake.Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			require.ErrorIs(t, err, lake.ErrClosed)
		}
	})
	return l
}

func ids(t *testing.T, l *lake.Lake, q lake.Query) []string {
	t.Helper()
	var all []string
	for e, err := range l.Events(t.Context(), q) {
		require.NoError(t, err)
		all = append(all, e.ID)
	}
	return all
}

// files returns the sizes of the lake's files by their names.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "LAKE" || entry.Name() == ".turn" {
			return err
		}
		info, err := entry.Info()
		sizes[filepath.ToSlash(strings.TrimPrefix(name, dir+string(filepath.Separator)))] = info.Size()
		return err
	}))
	return sizes
}

func TestPublishAndRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "lake")
	l := open(t, dir, nil)
	first, second := event("1", noon()), event("2", noon().Add(59*time.Minute+59*time.Second+999*time.Millisecond))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{second, first}))
	require.NoError(t, l.Publish(t.Context(), nil))
	require.Equal(t, []string{"local/2026/11/21/12/000001.jsonl.gz"}, slices.Collect(maps.Keys(files(t, dir))))

	var got []insideout.Event
	for e, err := range l.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		got = append(got, e)
	}
	require.Equal(t, []insideout.Event{second, first}, got, "in the order of publication, whole")

	require.NoError(t, l.Close())
	again := open(t, dir, nil)
	require.Empty(t, again.Torn())
	require.NoError(t, again.Publish(t.Context(), []insideout.Event{event("3", noon())}))
	require.Equal(t, []string{"2", "1", "3"}, ids(t, again, lake.Query{}))
}

func TestEventsInTimeOrderOfFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	west := open(t, dir, &lake.Options{Region: "us-west-2"})
	hours := []int{30, 0, 2, 1, 26, 25}
	for _, h := range hours {
		require.NoError(t, west.Publish(t.Context(), []insideout.Event{event(fmt.Sprintf("w%02d", h), noon().Add(time.Duration(h)*time.Hour))}))
	}
	require.NoError(t, west.Close())
	east := open(t, dir, &lake.Options{Region: "us-east-1"})
	require.NoError(t, east.Publish(t.Context(), []insideout.Event{event("e02", noon().Add(2*time.Hour)), event("e31", noon().Add(31*time.Hour))}))
	require.Equal(t, []string{"w00", "w01", "e02", "w02", "w25", "w26", "w30", "e31"}, ids(t, east, lake.Query{}))
}

func TestQuery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, nil)
	var events []insideout.Event
	for i := range 6 {
		e := event(fmt.Sprint(i), noon().Add(time.Duration(i)*30*time.Minute))
		e.Type = []string{"order-placed", "order-placed-late"}[i%2]
		events = append(events, e)
	}
	require.NoError(t, l.Publish(t.Context(), events))
	for name, tc := range map[string]struct {
		q    lake.Query
		want []string
	}{
		"from":            {lake.Query{From: noon().Add(30 * time.Minute)}, []string{"1", "2", "3", "4", "5"}},
		"from a moment":   {lake.Query{From: noon().Add(30*time.Minute + time.Millisecond)}, []string{"2", "3", "4", "5"}},
		"to":              {lake.Query{To: noon().Add(time.Hour)}, []string{"0", "1"}},
		"to a moment":     {lake.Query{To: noon().Add(time.Hour + time.Millisecond)}, []string{"0", "1", "2"}},
		"range elsewhere": {lake.Query{From: noon().In(time.FixedZone("", 7200)), To: noon().Add(time.Minute)}, []string{"0"}},
		"types":           {lake.Query{Types: []string{"order-placed", "x"}}, []string{"0", "2", "4"}},
		"keys":            {lake.Query{PartitionKeys: []string{"p-3", "p-1"}}, []string{"1", "3"}},
		"region":          {lake.Query{Region: "local"}, []string{"0", "1", "2", "3", "4", "5"}},
		"other region":    {lake.Query{Region: "us-east-1"}, nil},
		"nothing":         {lake.Query{From: noon().Add(9 * time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, ids(t, l, tc.q)) })
	}
}

func TestBreakAndReadAnew(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), nil)
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon()), event("2", noon()), event("3", noon().Add(time.Hour))}))
	all := l.Events(t.Context(), lake.Query{})
	for range 2 {
		n := 0
		for _, err := range all {
			require.NoError(t, err)
			if n++; n == 2 {
				break
			}
		}
		require.Equal(t, 2, n)
	}
}

func TestFilesRotateAndFewStayOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, &lake.Options{FileBytes: 350})
	var want []string
	for i := range 120 { // 40 hours, more than the lake holds open
		id := fmt.Sprintf("%03d", i)
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{event(id, noon().Add(time.Duration(i%40)*time.Hour))}))
	}
	for h := range 40 {
		for i := h; i < 120; i += 40 {
			want = append(want, fmt.Sprintf("%03d", i))
		}
	}
	require.Equal(t, want, ids(t, l, lake.Query{}))
	sizes := files(t, dir)
	require.Len(t, sizes, 80, "two batches fill a file, the third begins another")
	require.Contains(t, sizes, "local/2026/11/21/12/000002.jsonl.gz")
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		held := 0
		for _, entry := range entries {
			if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(target, dir) {
				held++
			}
		}
		require.LessOrEqual(t, held, 17)
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, nil)
	bad := event("bad", noon())
	bad.Body["order"] = json.RawMessage("{")
	early := event("early", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC))
	err := l.Publish(t.Context(), []insideout.Event{event("good", noon()), bad, {ID: "3"}, early})
	require.EqualError(t, err, `lake: event number 1: insideout: event "bad": member "order": is not valid JSON
lake: event number 2: insideout: event "3": member "type": is missing
insideout: event "3": member "timestamp": is missing
lake: event number 3: event "early" happened in the year -1, outside of 0000 to 9999`)
	require.Empty(t, files(t, dir), "all or none")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Publish(ctx, []insideout.Event{event("1", noon())}), context.Canceled)
	for _, err := range l.Events(ctx, lake.Query{}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Empty(t, files(t, dir))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := lake.Open(file, nil)
	require.ErrorContains(t, err, "lake: mkdir")
	_, err = lake.Open(file, &lake.Options{ReadOnly: true})
	require.ErrorContains(t, err, "is not a folder")
	_, err = lake.Open(filepath.Join(dir, "none"), &lake.Options{ReadOnly: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = lake.Open(dir, &lake.Options{Region: "../up"})
	require.EqualError(t, err, `lake: region "../up" is not made of letters, digits and "-"`)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "LAKE"), []byte("insideout lake 2\n"), 0o600))
	_, err = lake.Open(dir, nil)
	require.ErrorContains(t, err, "of another version")
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, nil)
	_, err := lake.Open(dir, nil)
	require.ErrorIs(t, err, lake.ErrLocked)
	require.EqualError(t, err, fmt.Sprintf("lake: the folder is in use by another writer (folder %q)", dir))

	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}))
	reader := open(t, dir, &lake.Options{ReadOnly: true})
	require.Equal(t, []string{"1"}, ids(t, reader, lake.Query{}))
	require.ErrorIs(t, reader.Publish(t.Context(), nil), lake.ErrReadOnly)

	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Close(), lake.ErrClosed)
	require.ErrorIs(t, l.Publish(t.Context(), []insideout.Event{event("2", noon())}), lake.ErrClosed)
	for _, err := range l.Events(t.Context(), lake.Query{}) {
		require.ErrorIs(t, err, lake.ErrClosed)
	}
	require.NoError(t, open(t, dir, nil).Close())
}

// A file that does not take the batch is left as it was, and the next batch goes on behind what is whole.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, nil)
	folder := filepath.Join(dir, "local", "2026", "11", "21", "12")
	require.NoError(t, os.MkdirAll(filepath.Dir(folder), 0o700))
	require.NoError(t, os.WriteFile(folder, nil, 0o600), "a file where the folder must be")
	err := l.Publish(t.Context(), []insideout.Event{event("1", noon())})
	require.ErrorContains(t, err, "not a directory")
	require.NoError(t, os.Remove(folder))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}))
	require.Equal(t, []string{"1"}, ids(t, l, lake.Query{}))
}

// What lies in the lake's own folders is read, or named; what lies elsewhere belongs to others.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"local/notes/a.txt":                   {"not ours", ""},
		"x.jsonl.gz":                          {"not ours", ""},
		"a_b/2026/11/21/12/x":                 {"not ours", ""},
		"local/2026/11/21/12/_SUCCESS":        {"not ours", ""},
		"local/2026/11/21/12/.hidden":         {"not ours", ""},
		"local/2026/11/21/12/empty":           {"", ""},
		"local/2026/13/01/01/000001.jsonl.gz": {"x", `lake: damaged object: "local/2026/13/01/01/000001.jsonl.gz" is not of the form REGION/yyyy/mm/dd/hh/NAME`},
		"local/2026/11/events.gz":             {"x", `lake: damaged object: "local/2026/11/events.gz" is not of the form REGION/yyyy/mm/dd/hh/NAME`},
		"local/2026/11/21/12/deep/x":          {"x", `lake: damaged object: "local/2026/11/21/12/deep/x" is not of the form REGION/yyyy/mm/dd/hh/NAME`},
		"local/2026/11/21/12/readme.txt":      {"not ours", `lake: damaged object: "local/2026/11/21/12/readme.txt", line 1: is no JSON object`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			full := filepath.Join(dir, filepath.FromSlash(name))
			require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o700))
			require.NoError(t, os.WriteFile(full, []byte(tc.text), 0o600))
			l := open(t, dir, nil)
			require.NoError(t, l.Publish(t.Context(), []insideout.Event{event("1", noon())}))
			var damaged []string
			got := ids(t, l, lake.Query{Damaged: func(err error) error {
				require.ErrorIs(t, err, lake.ErrDamaged)
				damaged = append(damaged, err.Error())
				return nil
			}})
			require.Equal(t, []string{"1"}, got, "the rest is read where the caller lets damage pass")
			if tc.want == "" {
				require.Empty(t, damaged)
				return
			}
			require.Equal(t, []string{tc.want}, damaged)
			_, err := all(t, l, lake.Query{})
			require.EqualError(t, err, tc.want)
		})
	}
}

// all reads until an error, if there is one.
func all(t *testing.T, l *lake.Lake, q lake.Query) (events []insideout.Event, failed error) {
	t.Helper()
	for e, err := range l.Events(t.Context(), q) {
		if err != nil {
			require.NoError(t, failed, "an error is the last element")
			failed = err
			continue
		}
		events = append(events, e)
	}
	return events, failed
}

func TestTornIsLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := "local/2026/11/21/12/000001.jsonl.gz"
	full := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o700))
	require.NoError(t, os.WriteFile(full, make([]byte, 100), 0o600), "zeros, as after a power failure")
	var log bytes.Buffer
	l := open(t, dir, &lake.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Equal(t, []lake.Torn{{File: name, At: 0, Bytes: 100}}, l.Torn())
	require.Contains(t, log.String(), `msg="lake: cut off an unfinished batch" file=`+name+` at=0 bytes=100`)
	require.Equal(t, map[string]int64{name: 0}, files(t, dir))
}

func isDamaged(err error) bool { return errors.Is(err, lake.ErrDamaged) }
