package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// Faults as aws-lambda-stream writes them: one unit, a batch, a record that was none, one of a table's stream, a claim check.
var javascript = []string{
	`{"id":"f1","partitionKey":"p","type":"fault","timestamp":1700000000000,"tags":{"functionname":"bff-listener","pipeline":"m1"},"err":{"name":"Error","message":"no such thing","stack":"at x"},"uow":{"pipeline":"m1","record":{"eventSource":"aws:kinesis","eventID":"shard-0:1","kinesis":{"data":"eyJpZCI6ImUxIiwidHlwZSI6InRoaW5nLXN1Ym1pdHRlZCIsInRpbWVzdGFtcCI6MTcwMDAwMDAwMDAwMCwicGFydGl0aW9uS2V5IjoidDEiLCJ0aGluZyI6eyJpZCI6InQxIn19"}},"event":{"id":"e1","type":"thing-submitted","thing":{"name":"[REDACTED]"}}}}`,
	`{"id":"f2","type":"fault","timestamp":1700000001000,"tags":{"functionname":"bff-listener","pipeline":"m2"},"err":{"name":"Error","message":"many"},"uow":{"batch":[{"record":{"messageId":"q1","body":"{\"type\":\"a-b\",\"timestamp\":1}","eventSource":"aws:sqs"}},{"record":{"messageId":"q2","body":"{\"version\":\"0\",\"id\":\"bus\",\"detail-type\":\"c-d\",\"detail\":{\"id\":\"e2\",\"type\":\"c-d\",\"timestamp\":2}}"}}]}}`,
	`{"id":"f3","type":"fault","timestamp":1700000002000,"tags":{"functionname":"bff-listener","pipeline":"undefined"},"err":{"name":"SyntaxError","message":"Unexpected token"},"uow":{"messageId":"q3","body":"{broken","eventSource":"aws:sqs"}}`,
	`{"id":"f4","type":"fault","timestamp":1700000003000,"tags":{"functionname":"bff-trigger","pipeline":"t1"},"err":{"name":"Error","message":"trigger"},"uow":{"record":{"eventSource":"aws:dynamodb","eventID":"s1","eventName":"INSERT","dynamodb":{"Keys":{"pk":{"S":"1"}}}}}}`,
	`{"id":"f5","type":"fault","timestamp":1700000004000,"tags":{"functionname":"bff-listener","pipeline":"m1"},"s3":{"bucket":"b","key":"k"}}`,
}

func faultFile(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "faults.jsonl")
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return name
}

// cli runs a command line to its end.
func cli(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"faults"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func ids(t *testing.T, lines string) []string {
	t.Helper()
	list := []string{}
	for line := range strings.Lines(lines) {
		var x struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &x))
		list = append(list, x.ID)
	}
	return list
}

func TestFaultsAreListed(t *testing.T) {
	t.Parallel()
	file := faultFile(t, append(javascript, `{"id":"x","type":"thing-submitted","timestamp":1}`)...)
	code, out, errs := cli(t, "list", "-in", file)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "2023-11-14T22:13:20Z  bff-listener  m1         thing-submitted  f1     no such thing\n")
	require.Equal(t, "5 faults\n", errs)

	for text, tt := range map[string]struct {
		args []string
		want []string
	}{
		"pipeline":  {[]string{"-pipeline", "m1"}, []string{"f1", "f5"}},
		"pipelines": {[]string{"-pipeline", "m1,t1"}, []string{"f1", "f4", "f5"}},
		"function":  {[]string{"-function", "bff-trigger"}, []string{"f4"}},
		"type":      {[]string{"-type", "c-d"}, []string{"f2"}},
		"no part":   {[]string{"-pipeline", "m"}, []string{}},
		"error":     {[]string{"-error", "such"}, []string{"f1"}},
		"time":      {[]string{"-since", "2023-11-14T22:13:21Z", "-until", "2023-11-14T22:13:23Z"}, []string{"f2", "f3"}},
		"id":        {[]string{"-id", "f3", "-id", "f1"}, []string{"f1", "f3"}},
		"limit":     {[]string{"-limit", "2"}, []string{"f1", "f2"}},
	} {
		code, out, errs := cli(t, append([]string{"list", "-in", file, "-json"}, tt.args...)...)
		require.Equal(t, exitOK, code, errs)
		require.Equal(t, tt.want, ids(t, out), text)
	}
	_, out, _ = cli(t, "list", "-in", file, "-json", "-id", "f3")
	require.Contains(t, out, `"where":"`+file+`:3","problem":"the fault \"f3\": its record holds no event`)
}

func TestFaultsAreShown(t *testing.T) {
	t.Parallel()
	file := faultFile(t, javascript...)
	code, out, _ := cli(t, "show", "-in", file, "f4")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "\n    \"record\": {\n")
	code, out, errs := cli(t, "show", "-in", file, "-json", "f1", "f9")
	require.Equal(t, exitFailed, code)
	require.JSONEq(t, javascript[0], out)
	require.Contains(t, errs, `there is no fault "f9"`)
}

func TestFaultsAreResubmitted(t *testing.T) {
	t.Parallel()
	file := faultFile(t, javascript...)
	code, out, errs := cli(t, "resubmit", "-in", file, "-to", "stdout")
	require.Equal(t, exitFailed, code, "three of them carry no event")
	require.Equal(t, []string{"e1", "q1", "e2"}, ids(t, out))
	require.Contains(t, out, `"thing":{"id":"t1"}`, "of the record, not of what the function had made of it")
	require.Contains(t, errs, file+`:3: the fault "f3": its record holds no event`)
	require.Contains(t, errs, file+`:4: the fault "f4": its record is one of a table's stream`)
	require.Contains(t, errs, file+`:5: the fault "f5" is a claim check`)
	require.Contains(t, errs, "5 faults: 2 sent with 3 events, 0 sent before, 3 failed\n")

	code, out, errs = cli(t, "resubmit", "-in", file, "-to", "stdout", "-as", "records", "-function", "bff-trigger", "-json")
	require.Equal(t, exitOK, code, errs)
	require.JSONEq(t, `{"Records":[{"eventSource":"aws:dynamodb","eventID":"s1","eventName":"INSERT","dynamodb":{"Keys":{"pk":{"S":"1"}}}}]}`, out)
	require.JSONEq(t, `{"faults":1,"sent":1,"events":1,"skipped":0,"failed":0}`, errs)

	code, out, errs = cli(t, "resubmit", "-in", file, "-dry-run", "-type", "thing-submitted")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "f1")
	require.Contains(t, out, "1 faults: 1 would be sent with 1 events")
}

// TestFaultsOfAListenerComeBack: from a listener into the lake, and out of the lake into a listener that is mended.
func TestFaultsOfAListenerComeBack(t *testing.T) {
	t.Parallel()
	type thing struct {
		ID string `dynamo:"id"`
	}
	things := table.DefineNode("thing", func(x *thing, d *table.Def[thing]) { d.ID(&x.ID) })
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "things", table.Schema(things)))
	db, err := table.Open(engine, "things", nil)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "lake")
	events1, err := lake.Open(dir, nil)
	require.NoError(t, err)
	var broken error = errors.New("the mapper is broken")
	listener, err := views.New(db, &views.Options{Name: "things-listener", Faults: events1},
		views.Upsert(things, views.On("thing-submitted"), func(e struct{ Thing struct{ ID string } }) (thing, error) {
			return thing{e.Thing.ID}, broken
		}))
	require.NoError(t, err)
	body := `{"id":"e1","type":"thing-submitted","timestamp":1700000000000,"thing":{"id":"t1"}}`
	response, err := listener.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: body, EventSource: "aws:sqs"}}})
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	require.NoError(t, events1.Close())

	to := filepath.Join(t.TempDir(), "events.jsonl")
	code, out, errs := cli(t, "resubmit", "-lake", dir, "-pipeline", "upsert-thing", "-to", "file:"+to)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "1 faults: 1 sent with 1 events")
	raw, err := os.ReadFile(to)
	require.NoError(t, err)
	require.JSONEq(t, body, string(raw))
	broken = nil
	var e insideout.Event
	require.NoError(t, e.UnmarshalJSON(raw))
	require.NoError(t, listener.Handle(t.Context(), []insideout.Event{e}))
	_, err = things.Get(t.Context(), db, "t1")
	require.NoError(t, err)

	again := filepath.Join(t.TempDir(), "again")
	code, _, errs = cli(t, "resubmit", "-lake", dir, "-to", "lake:"+again)
	require.Equal(t, exitOK, code, errs)
	kept, err := lake.Open(again, &lake.Options{ReadOnly: true})
	require.NoError(t, err)
	for e, err := range kept.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		require.Equal(t, "e1", e.ID)
	}
}

func TestResubmitGoesOn(t *testing.T) {
	t.Parallel()
	file := faultFile(t, javascript[:2]...)
	dir := t.TempDir()
	to, journal := filepath.Join(dir, "out.jsonl"), filepath.Join(dir, "journal")
	code, out, errs := cli(t, "resubmit", "-in", file, "-to", "file:"+to, "-journal", journal, "-limit", "1")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "1 faults: 1 sent with 1 events")
	// A kill while it wrote leaves half a line in both files.
	for _, name := range []string{to, journal} {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(`{"id":"half`)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	code, out, errs = cli(t, "resubmit", "-in", file, "-to", "file:"+to, "-journal", journal)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "2 faults: 1 sent with 2 events, 1 sent before")
	lines, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, []string{"e1", "q1", "e2"}, ids(t, string(lines)))
	code, out, _ = cli(t, "resubmit", "-in", file, "-to", "file:"+to, "-journal", journal)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "0 sent with 0 events, 2 sent before")
}

// TestResubmitKeepsTheRate, and ends with its context: what was not sent is not in the journal.
func TestResubmitKeepsTheRate(t *testing.T) {
	t.Parallel()
	var lines []string
	for range 100 {
		lines = append(lines, javascript[0])
	}
	journal := filepath.Join(t.TempDir(), "journal")
	for i := range lines { // different faults
		lines[i] = strings.Replace(lines[i], `"id":"f1"`, `"id":"f-`+strings.Repeat("x", i+1)+`"`, 1)
	}
	file := faultFile(t, lines...)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"faults", "resubmit", "-in", file, "-to", "stdout", "-rate", "20", "-journal", journal}, &out, &errs)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs.String(), "interrupted; the same command goes on where it stopped")
	sent := len(ids(t, out.String()))
	require.LessOrEqual(t, sent, 7)
	require.Positive(t, sent)
	noted, err := os.ReadFile(journal)
	require.NoError(t, err)
	require.Equal(t, sent, bytes.Count(noted, []byte("\n")))
}

// TestResubmitAtAVerySmallRate sends one fault, and is still waiting for the second one's turn when it is interrupted.
func TestResubmitAtAVerySmallRate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs bytes.Buffer
	out := interrupting{cancel: cancel}
	code := run(ctx, []string{"faults", "resubmit", "-in", faultFile(t, javascript[:2]...), "-to", "stdout", "-rate", "1e-300"}, &out, &errs)
	require.Equal(t, exitFailed, code)
	require.Equal(t, []string{"e1"}, ids(t, out.String()))
}

// interrupting is an output that interrupts the program a moment after the first line.
type interrupting struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (w *interrupting) Write(p []byte) (int, error) {
	time.AfterFunc(50*time.Millisecond, w.cancel)
	return w.Buffer.Write(p)
}

// TestResubmitIsKilled: a process that is killed at any moment has noted nothing that it has not sent.
func TestResubmitIsKilled(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 300 {
		lines = append(lines, strings.Replace(javascript[0], `"id":"f1"`, `"id":"f-`+strings.Repeat("x", i+1)+`"`, 1))
	}
	file, dir := faultFile(t, lines...), t.TempDir()
	to, journal := filepath.Join(dir, "out.jsonl"), filepath.Join(dir, "journal")
	args := []string{"faults", "resubmit", "-in", file, "-to", "file:" + to, "-journal", journal}
	for kills := 0; ; kills++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), "INSIDEOUT_TEST_PROGRAM=1")
		require.NoError(t, cmd.Start())
		if kills < 3 {
			time.Sleep(time.Duration(30+20*kills) * time.Millisecond)
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
			continue
		}
		require.NoError(t, cmd.Wait())
		break
	}
	raw, err := os.ReadFile(to)
	require.NoError(t, err)
	noted, err := os.ReadFile(journal)
	require.NoError(t, err)
	require.Equal(t, 300, bytes.Count(noted, []byte("\n")))
	sent := len(ids(t, string(raw)))
	require.GreaterOrEqual(t, sent, 300, "nothing is lost")
	require.LessOrEqual(t, sent, 303, "and only what was under way is sent twice")
}

func TestFaultsReadWhatIsDamaged(t *testing.T) {
	t.Parallel()
	file := faultFile(t, javascript[0], `{"type":"fault"`, `{"id":"f6","type":"fault","timestamp":1,"uow":7}`, javascript[1])
	code, out, errs := cli(t, "list", "-in", file, "-json")
	require.Equal(t, exitFailed, code)
	require.Equal(t, []string{"f1", "f2"}, ids(t, out), "the others are read")
	require.Contains(t, errs, file+":2: ")
	require.Contains(t, errs, file+`:3: the fault "f6": its member "uow" is no unit of work`)

	packed := filepath.Join(t.TempDir(), "faults.jsonl.gz")
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write([]byte(javascript[0]))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(packed, buf.Bytes(), 0o600))
	code, out, errs = cli(t, "list", "-in", packed, "-json")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, []string{"f1"}, ids(t, out))
}

func TestFaultsRefuse(t *testing.T) {
	t.Parallel()
	file := faultFile(t, javascript...)
	notes := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(notes, []byte("my notes\nand more"), 0o600))
	for want, args := range map[string][]string{
		`no command "lost"`:                       {"lost"},
		"one of -lake LAKE and -in FILE":          {"list"},
		"one of -lake LAKE and":                   {"list", "-in", file, "-lake", "x"},
		"no such file":                            {"list", "-in", file + "x"},
		"a lake goes to -lake":                    {"list", "-in", filepath.Dir(file)},
		"-lake: ":                                 {"list", "-lake", file + "x"},
		`unexpected argument "f1"`:                {"list", "-in", file, "f1"},
		"name their ids":                          {"show", "-in", file},
		"-to must say":                            {"resubmit", "-in", file},
		`"pigeon:x" is none of`:                   {"resubmit", "-in", file, "-to", "pigeon:x"},
		`does not take records`:                   {"resubmit", "-in", file, "-to", "lake:x", "-as", "records"},
		`-as "x" is neither`:                      {"resubmit", "-in", file, "-to", "stdout", "-as", "x"},
		"neither a time such as":                  {"list", "-in", file, "-since", "yesterday"},
		notes + ":1: it is no journal":            {"resubmit", "-in", file, "-to", "stdout", "-journal", notes},
		"ends in the middle of a line that is no": {"resubmit", "-in", file, "-to", "file:" + notes},
		"cannot be negative":                      {"resubmit", "-in", file, "-to", "stdout", "-rate", "-1"},
		"-limit and -rate":                        {"list", "-in", file, "-limit", "-1"},
		"must be a number":                        {"resubmit", "-in", file, "-to", "stdout", "-rate", "NaN"},
		"for flag -rate":                          {"resubmit", "-in", file, "-to", "stdout", "-rate", "fast"},
		"for flag -limit":                         {"list", "-in", file, "-limit", "few"},
		"for flag -until":                         {"list", "-in", file, "-until", "21.11.2026"},
		"-since must be before -until":            {"list", "-in", file, "-since", "1h", "-until", "2h"},
		"not defined: -rate":                      {"list", "-in", file, "-rate", "1"},
		"-endpoint is for lakes":                  {"list", "-in", file, "-endpoint", "http://127.0.0.1:1"},
		"-lake: lake: stat":                       {"list", "-lake", file + "x", "-json"},
		`"file:" is none of`:                      {"resubmit", "-in", file, "-to", "file:"},
		"-to: open ":                              {"resubmit", "-in", file, "-to", "file:" + file + "/x"},
		"-journal: ":                              {"resubmit", "-in", file, "-to", "stdout", "-journal", file + "/x"},
	} {
		code, out, errs := cli(t, args...)
		require.Equal(t, exitUsage, code, want)
		require.Empty(t, out)
		require.Contains(t, errs, want)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	left, err := os.ReadFile(notes)
	require.NoError(t, err)
	require.Equal(t, "my notes\nand more", string(left))
	for _, args := range [][]string{{}, {"-h"}, {"list", "-h"}, {"resubmit", "-h"}} {
		code, out, _ := cli(t, args...)
		require.Equal(t, exitOK, code)
		require.Contains(t, out, "Usage:")
	}
}

// A fault that was too large for the bus has its body in the lake, from where it is fetched.
func TestFaultsAreRedeemed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lake.Open(dir, nil)
	require.NoError(t, err)
	key := "local/claimchecks/2026/11/21/10/f1"
	bucket, err := l.Keep(t.Context(), key, []byte(javascript[0]))
	require.NoError(t, err)
	var e insideout.Event
	require.NoError(t, e.UnmarshalJSON([]byte(javascript[0])))
	delete(e.Body, "uow")
	require.NoError(t, e.SetBody("s3", map[string]string{"bucket": bucket, "key": key}))
	gone := e.Clone()
	gone.ID = "f0"
	require.NoError(t, gone.SetBody("s3", map[string]string{"bucket": bucket, "key": key + "0"}))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{gone, e}))
	require.NoError(t, l.Close())
	code, out, errs := cli(t, "resubmit", "-lake", dir, "-to", "stdout")
	require.Equal(t, exitFailed, code, "of one the body is gone")
	require.Equal(t, []string{"e1"}, ids(t, out))
	require.Contains(t, errs, `the body of the event "f0"`)
}
