package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
)

// lakeRun runs a lake command.
func lakeRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"lake"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func lakeNoon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// newLake has three hours with two events each: ids 0 to 5, types a and b, partition keys p-0 to p-5.
func newLake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	for i := range 6 {
		e := insideout.Event{
			ID: fmt.Sprint(i), Type: "ab"[i%2 : i%2+1], Timestamp: lakeNoon().Add(time.Duration(i) * 30 * time.Minute),
			PartitionKey: fmt.Sprint("p-", i), Tags: insideout.Tags{"stage": []string{"prd", "stg", "dev"}[i%3]},
		}
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{e}))
	}
	require.NoError(t, l.Close())
	return dir
}

// idsOf returns the ids in JSON lines.
func idsOf(t *testing.T, lines string) (ids string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e insideout.Event
		require.NoError(t, e.UnmarshalJSON([]byte(line)), line)
		ids += e.ID
	}
	return ids
}

func TestLakeCat(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	for args, want := range map[string]string{
		"":                            "012345",
		"-since 2026-11-21T12:30:00Z": "12345",
		"-until 2026-11-21T13:00:00Z": "01",
		"-since 2026-11-22":           "",
		"-since 2026-11-21 -type a":   "024",
		"-type a,b":                   "012345",
		"-key p-1,p-4":                "14",
		"-tag stage=stg":              "14",
		"-tag stage=stg -type b":      "1",
		"-region elsewhere":           "",
		"-limit 3":                    "012",
		"-index -key p-5":             "5",
		"-after local/2026/11/21/12/000001.jsonl.gz": "2345",
	} {
		for _, line := range [][]string{append(strings.Fields(args), dir), append([]string{dir}, strings.Fields(args)...)} {
			code, out, errs := lakeRun(t, append([]string{"cat"}, line...)...)
			require.Equal(t, exitOK, code, errs)
			require.Equal(t, want, idsOf(t, out), line)
			require.Empty(t, errs)
		}
	}
	_, out, _ := lakeRun(t, "cat", dir, "-limit", "1")
	require.Equal(t, `{"id":"0","partitionKey":"p-0","tags":{"stage":"prd"},"timestamp":1795262400000,"type":"a"}`+"\n", out)
}

func TestLakeLs(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	code, out, errs := lakeRun(t, "ls", dir)
	require.Equal(t, exitOK, code)
	require.Equal(t, 4, strings.Count(out, "\n"), out)
	require.Regexp(t, `^OBJECT +BYTES +EVENTS +FROM +TO +TYPES\nlocal/2026/11/21/12/000001.jsonl.gz +\d+ +\? *\n`, out)
	require.Regexp(t, `^3 objects, \d+ bytes, 0 events, and those in 3 objects that the index does not know; -index reads them\n$`, errs)
	code, out, errs = lakeRun(t, "ls", "-index", dir)
	require.Equal(t, exitOK, code)
	require.Regexp(t, `local/2026/11/21/14/000001.jsonl.gz +\d+ +2 +2026-11-21T14:00:00Z +2026-11-21T14:30:00Z +a:1 b:1\n$`, out)
	require.Regexp(t, `^3 objects read for the index\n3 objects, \d+ bytes, 6 events\n$`, errs)
	code, out, _ = lakeRun(t, "ls", "-json", "-key", "p-4", dir)
	require.Equal(t, exitOK, code)
	var object struct {
		Object   string
		Events   int
		From, To time.Time
		Types    map[string]int
	}
	require.NoError(t, json.Unmarshal([]byte(out), &object), "one object, since the index knows: %s", out)
	require.Equal(t, "local/2026/11/21/14/000001.jsonl.gz", object.Object)
	require.Equal(t, map[string]int{"a": 1, "b": 1}, object.Types)
	require.True(t, object.From.Equal(lakeNoon().Add(2*time.Hour)))
}

func TestLakeReplay(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	code, out, errs := lakeRun(t, "replay", dir, "-to", "stdout", "-type", "b")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "135", idsOf(t, out))
	require.Regexp(t, `^3 events published, from 3 objects with \d+ bytes, in `, errs)

	copied := t.TempDir()
	code, out, errs = lakeRun(t, "replay", dir, "-to", "lake:"+copied, "-json", "-batch", "4")
	require.Equal(t, exitOK, code, errs)
	var done replayed
	require.NoError(t, json.Unmarshal([]byte(out), &done))
	require.Equal(t, 6, done.Events)
	require.Equal(t, map[string]int{"a": 3, "b": 3}, done.Types)
	require.Equal(t, 3, done.Objects)
	require.Equal(t, "local/2026/11/21/14/000001.jsonl.gz", done.LastObject)
	require.Positive(t, done.Bytes)
	_, out, _ = lakeRun(t, "cat", copied)
	require.Equal(t, "012345", idsOf(t, out))

	code, out, errs = lakeRun(t, "replay", dir, "-dry-run", "-since", "2026-11-21T13:00:00Z")
	require.Equal(t, exitOK, code, errs)
	require.Regexp(t, `^4 events would be published, from 2 objects with \d+ bytes, in .*\na:2 b:2\n$`, out)

	file := filepath.Join(t.TempDir(), "events")
	for range 2 {
		code, _, errs = lakeRun(t, "replay", dir, "-to", "file:"+file)
		require.Equal(t, exitOK, code, errs)
	}
	lines, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "012345012345", idsOf(t, string(lines)))
}

// A replay keeps to its rate, and tells how far it is and when it will be done.
func TestLakeReplayRate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	for hour := range 6 {
		var events []insideout.Event
		for i := range 100 {
			events = append(events, insideout.Event{ID: fmt.Sprint(hour, "-", i), Type: "a", Timestamp: lakeNoon().Add(time.Duration(hour) * time.Hour)})
		}
		require.NoError(t, l.Publish(t.Context(), events))
	}
	require.NoError(t, l.Close())
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		code, _, errs := lakeRun(t, "replay", dir, "-to", "file:"+filepath.Join(t.TempDir(), "events"), "-rate", "20")
		require.Equal(t, exitOK, code, errs)
		took := time.Since(began)
		require.InDelta(t, 30, took.Seconds(), 1, "600 events at 20 a second")
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		require.Len(t, lines, 2, errs)
		require.Regexp(t, `^20\d events, \d+ of \d+ bytes \((33|50) %\), 20 events/s, (1|2)\ds left$`, lines[0])
	})
}

// What was not taken is told, with where to go on; and so it goes on.
func TestLakeReplayGoesOn(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs bytes.Buffer
	out := &stopping{after: 2, stop: cancel}
	code := run(ctx, []string{"lake", "replay", dir, "-to", "stdout", "-batch", "2"}, out, &errs)
	require.Equal(t, exitFailed, code)
	require.Equal(t, "0123", idsOf(t, out.String()))
	require.Contains(t, errs.String(), "insideout lake replay: interrupted; -after local/2026/11/21/12/000001.jsonl.gz goes on")
	_, rest, _ := lakeRun(t, "replay", dir, "-to", "stdout", "-after", "local/2026/11/21/12/000001.jsonl.gz")
	require.Equal(t, "2345", idsOf(t, rest))

	failing := &stopping{after: 2, stop: func() {}, err: os.ErrClosed}
	errs.Reset()
	code = run(t.Context(), []string{"lake", "replay", dir, "-to", "stdout", "-batch", "2"}, failing, &errs)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs.String(), "events were not taken: file already closed")
}

// stopping is an output that ends the program with the second write, or breaks then.
type stopping struct {
	bytes.Buffer
	n, after int
	stop     func()
	err      error
}

func (s *stopping) Write(p []byte) (int, error) {
	if s.n++; s.n == s.after {
		s.stop()
		if s.err != nil {
			return 0, s.err
		}
	}
	return s.Buffer.Write(p)
}

// picky takes no event of type b, for good or for now.
type picky struct {
	reason error
	got    string
}

func (p *picky) Publish(_ context.Context, events []insideout.Event) error {
	failed := &cdc.PublishError{Errors: map[int]error{}}
	for i, e := range events {
		if e.Type == "b" {
			failed.Errors[i] = p.reason
			continue
		}
		p.got += e.ID
	}
	if len(failed.Errors) == 0 {
		return nil
	}
	return failed
}

func TestLakeReplayPassesOverWhatIsRefused(t *testing.T) {
	t.Parallel()
	l, err := lake.Open(newLake(t), &lake.Options{ReadOnly: true})
	require.NoError(t, err)
	var errs bytes.Buffer
	to := &picky{reason: cdc.ErrTooLarge}
	r := &replay{lakeSettings: &lakeSettings{batch: 4, errors: &errs}, to: to, done: replayed{Types: map[string]int{}}}
	require.NoError(t, r.run(t.Context(), l))
	require.Equal(t, "024", to.got)
	require.Equal(t, 3, r.done.Events)
	require.Equal(t, 3, r.done.Refused)
	require.Equal(t, map[string]int{"a": 3}, r.done.Types)
	require.Contains(t, errs.String(), `insideout lake replay: event "1" was refused: cdc: the destination refuses the event: it is too large`)

	r = &replay{lakeSettings: &lakeSettings{batch: 4, errors: &errs}, to: &picky{reason: os.ErrDeadlineExceeded}, done: replayed{Types: map[string]int{}}}
	require.ErrorIs(t, r.run(t.Context(), l), os.ErrDeadlineExceeded)
	require.Empty(t, r.done.LastObject)
}

func TestLakeDamage(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	var data bytes.Buffer
	w := gzip.NewWriter(&data)
	_, err := w.Write([]byte(`{"id":"x","type":"a","timestamp":1}` + "\ngarbage\n" + `{"id":"y","type":"a","timestamp":1}` + "\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	name := "local/2026/11/21/13/other.gz"
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "local", "2026", "stray"), nil, 0o600))
	for verb, want := range map[string]string{"cat": "0123x", "replay -to stdout": "0123x"} {
		code, out, errs := lakeRun(t, append(strings.Fields(verb), dir)...)
		require.Equal(t, exitFailed, code)
		if verb == "cat" {
			require.Equal(t, want, idsOf(t, out))
		}
		require.Contains(t, errs, `"`)
		code, out, errs = lakeRun(t, append(strings.Fields(verb), dir, "-skip-damaged")...)
		require.Equal(t, exitFailed, code, "damage is never silent")
		require.Equal(t, "0123xy45", idsOf(t, out))
		require.Contains(t, errs, `passed over: lake: damaged object: "`+name+`", line 2: is no JSON object`)
		require.Contains(t, errs, `passed over: lake: damaged object: "local/2026/stray" is not of the form REGION/yyyy/mm/dd/hh/NAME`)
	}
	code, _, errs := lakeRun(t, "ls", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `"local/2026/stray"`)
}

func TestLakeRefuses(t *testing.T) {
	t.Parallel()
	dir := newLake(t)
	for args, want := range map[string]string{
		"rm":                                 `no command "rm"; there are ls, cat and replay`,
		"cat":                                "which lake? insideout lake cat [FLAG…] FOLDER, or s3://BUCKET/PREFIX",
		"cat DIR more":                       `unexpected argument "more"; insideout lake cat -h lists the flags`,
		"cat DIR -x":                         "flag provided but not defined: -x; insideout lake cat -h lists the flags",
		"cat DIR/none":                       "no such file or directory",
		"cat DIR -endpoint http://127.0.0.1": "-endpoint is for lakes of the form s3://BUCKET/PREFIX",
		"cat s3://":                          `s3: "s3://" is not of the form s3://BUCKET/PREFIX`,
		"cat DIR -since x":                   "it is neither a time such as 2026-11-21T10:00:00Z nor a duration such as 36h",
		"cat DIR -since 1h -until 2h":        "-since must be before -until",
		"cat DIR -limit -1":                  "-limit and -rate cannot be negative",
		"cat DIR -tag x":                     "it is not of the form name=value",
		"cat DIR -tag x=1 -tag x=2":          `the tag "x" is given twice`,
		"replay DIR":                         "-to must say where the events go: stdout, file:FILE, lake:DIR, sqs:URL, kinesis:STREAM, or eventbridge:BUS; -dry-run only counts them",
		"replay DIR -to nowhere":             `-to: "nowhere" is none of stdout, file:FILE, `,
		"replay DIR -to mail:x":              `-to: "mail:x" is none of stdout, file:FILE, `,
		"replay DIR -to file:DIR":            "is a directory",
		"replay DIR -to stdout -batch 0":     "-batch must be 1 or more",
	} {
		code, out, errs := lakeRun(t, strings.Fields(strings.ReplaceAll(args, "DIR", dir))...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, out)
		require.Contains(t, errs, want)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	for _, args := range []string{"", "help", "-h", "cat -h", "replay -h"} {
		code, out, errs := lakeRun(t, strings.Fields(args)...)
		require.Equal(t, exitOK, code)
		require.Contains(t, out, "Usage:")
		require.Empty(t, errs)
	}
	code, _, errs := lakeRun(t, "cat", dir, "-after", "x")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `"x", to begin after, is no object`)
}

func TestLakeRedeem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	whole := insideout.Event{ID: "1", Type: "a", Timestamp: lakeNoon(), PartitionKey: "p"}
	require.NoError(t, whole.SetBody("order", "large"))
	body, err := whole.MarshalJSON()
	require.NoError(t, err)
	const key = "local/claimchecks/2026/11/21/12/1"
	bucket, err := l.Keep(t.Context(), key, body)
	require.NoError(t, err)
	small := insideout.Event{ID: "1", Type: "a", Timestamp: lakeNoon(), PartitionKey: "p"}
	require.NoError(t, small.SetBody("s3", map[string]string{"bucket": bucket, "key": key}))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{small}))
	require.NoError(t, l.Close())
	_, out, _ := lakeRun(t, "cat", dir)
	require.Contains(t, out, key)
	_, out, _ = lakeRun(t, "cat", "-redeem", dir)
	require.Equal(t, string(body)+"\n", out)
	require.NoError(t, os.Remove(filepath.Join(dir, filepath.FromSlash(key))))
	code, _, errs := lakeRun(t, "cat", "-redeem", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `the body of the event "1": lake: `)
}
