package laketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

func isChanged(err error) bool { return errors.Is(err, lake.ErrChanged) }

func published(t *testing.T, b Backend) {
	l := b.open(t, nil)
	want := []insideout.Event{event("2", 59*time.Minute), event("1", 0)}
	publish(t, l, want...)
	publish(t, l)
	publish(t, l, event("0", -time.Hour), event("3", time.Hour))
	var got []insideout.Event
	for e, err := range l.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		got = append(got, e)
	}
	require.Equal(t, []insideout.Event{event("0", -time.Hour), want[0], want[1], event("3", time.Hour)}, got)
	all := objects(t, l, lake.Query{From: at(), To: at().Add(time.Hour)})
	require.Len(t, all, 1)
	require.True(t, strings.HasPrefix(all[0].Name, hour), all[0].Name)
	require.Equal(t, 2, strings.Count(b.text(t, all[0].Name), "\n"), "JSON lines")
}

func twice(t *testing.T, b Backend) {
	l, err := lake.New(b.Store, &lake.Options{FileBytes: 2000})
	require.NoError(t, err)
	var batch []insideout.Event
	for i := range 30 {
		batch = append(batch, event(fmt.Sprint(i), time.Duration(i)*5*time.Minute))
	}
	publish(t, l, batch...)
	before := objects(t, l, lake.Query{})
	require.Greater(t, len(before), 2)
	publish(t, l, batch...) // its answer was lost
	require.Equal(t, before, objects(t, l, lake.Query{}))
	require.Len(t, ids(t, l, lake.Query{}), 30)
	require.Len(t, objects(t, l, lake.Query{From: at().Add(time.Hour), To: at().Add(2 * time.Hour)}), 1, "each in the hours of its events")
}

func queries(t *testing.T, b Backend) {
	l := b.open(t, nil)
	for i := range 6 {
		e := event(fmt.Sprint(i), time.Duration(i)*30*time.Minute)
		e.Type = []string{"order-placed", "order-credited"}[i%2]
		e.Tags["stage"] = []string{"prd", "stg", "dev"}[i%3]
		publish(t, l, e)
	}
	for name, tc := range map[string]struct {
		q    lake.Query
		want []string
	}{
		"all":       {lake.Query{}, []string{"0", "1", "2", "3", "4", "5"}},
		"from":      {lake.Query{From: at().Add(30 * time.Minute)}, []string{"1", "2", "3", "4", "5"}},
		"to":        {lake.Query{To: at().Add(time.Hour)}, []string{"0", "1"}},
		"types":     {lake.Query{Types: []string{"order-placed"}}, []string{"0", "2", "4"}},
		"keys":      {lake.Query{PartitionKeys: []string{"p-1", "p-4"}}, []string{"1", "4"}},
		"tags":      {lake.Query{Tags: map[string]string{"stage": "stg", "source": "orders"}}, []string{"1", "4"}},
		"no tag":    {lake.Query{Tags: map[string]string{"stag": ""}}, nil},
		"all kinds": {lake.Query{Types: []string{"order-placed"}, Tags: map[string]string{"stage": "stg"}}, []string{"4"}},
		"region":    {lake.Query{Region: "elsewhere"}, nil},
		"far away":  {lake.Query{From: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)}, []string{"0", "1", "2", "3", "4", "5"}},
		"too far":   {lake.Query{From: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
	} {
		for range 2 { // without an index, and with it
			require.Equal(t, tc.want, ids(t, l, tc.q), name)
		}
	}
	_, err := b.Open(&lake.Options{Region: "a/b", ReadOnly: true})
	require.ErrorContains(t, err, `"a/b"`)
	for e, err := range l.Events(t.Context(), lake.Query{From: at(), To: at()}) {
		require.ErrorContains(t, err, "the query ends at", "%v", e)
	}
}

func resumes(t *testing.T, b Backend) {
	for i, region := range []string{"a", "b", "a", "b", "a"} {
		l := b.open(t, &lake.Options{Region: region})
		publish(t, l, event(fmt.Sprint(i), time.Duration(i/2)*time.Hour))
		require.NoError(t, l.Close())
	}
	l := b.open(t, &lake.Options{ReadOnly: true})
	var done []string
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, ids(t, l, lake.Query{Done: func(o lake.Object) { done = append(done, o.Name) }}))
	require.Len(t, done, 5)
	for i, name := range done {
		require.Equal(t, []string{"0", "1", "2", "3", "4"}[i+1:], append([]string{}, ids(t, l, lake.Query{After: name})...))
	}
	for _, err := range l.Events(t.Context(), lake.Query{After: "a/b"}) {
		require.ErrorContains(t, err, `"a/b", to begin after, is no object`)
	}
}

func bounded(t *testing.T, b Backend) {
	const limit = 20_000
	l := b.open(t, &lake.Options{FileBytes: limit})
	random := rand.New(rand.NewPCG(1, 2))
	var want []string
	for batch := range 30 {
		var events []insideout.Event
		for i := range 10 {
			e := event(fmt.Sprintf("%02d-%d", batch, i), time.Duration(batch)*time.Minute)
			noise := make([]byte, 300)
			for j := range noise {
				noise[j] = byte('a' + random.IntN(26))
			}
			require.NoError(t, e.SetBody("noise", string(noise)))
			events, want = append(events, e), append(want, e.ID)
		}
		publish(t, l, events...)
	}
	require.Equal(t, want, ids(t, l, lake.Query{}))
	all := objects(t, l, lake.Query{})
	require.Greater(t, len(all), 2)
	for _, o := range all {
		require.LessOrEqual(t, o.Bytes, int64(limit))
	}
}

func indexed(t *testing.T, b Backend) {
	w := b.open(t, &lake.Options{FileBytes: 1})
	for i := range 5 {
		publish(t, w, event(fmt.Sprint(i), time.Duration(i)*time.Second))
	}
	require.NoError(t, w.Close())
	l, readOnly := b.open(t, &lake.Options{FileBytes: 1}), b.open(t, &lake.Options{ReadOnly: true})
	read := func(l *lake.Lake, q lake.Query, want ...string) (n int) {
		q.Done = func(o lake.Object) {
			if o.Summary == nil || o.Summary.Events != 1 || o.Summary.Types["order-placed"] != 1 || !o.Summary.From.Equal(o.Summary.To) {
				n++
			}
		}
		require.Equal(t, want, ids(t, l, q))
		return n
	}
	search := lake.Query{PartitionKeys: []string{"p-3"}}
	require.Equal(t, 5, read(readOnly, search, "3"), "nothing is known, and a reader only writes nothing")
	require.Equal(t, 5, read(l, search, "3"))
	require.Zero(t, read(readOnly, search, "3"), "now all is known")
	require.Len(t, objects(t, l, search), 1, "and skipped")
	require.Empty(t, objects(t, l, lake.Query{Types: []string{"no-such"}}))

	text := b.text(t, hour+"_index.jsonl.gz")
	require.True(t, strings.HasPrefix(text, `{"insideoutLakeIndex":1}`+"\n"), text)
	require.NotContains(t, text, "p-", "no partition key in plain")

	require.NoError(t, b.Store.Delete(t.Context(), hour+"_index.jsonl.gz"))
	require.Equal(t, 5, read(l, search, "3"), "it is made again")
	c, err := b.Store.Open(t.Context(), hour+"_index.jsonl.gz")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = b.Store.Put(t.Context(), hour+"_index.jsonl.gz", []byte("garbage"), c.Version)
	require.NoError(t, err)
	require.Equal(t, 5, read(l, search, "3"), "damage of it does not matter")
	require.Zero(t, read(l, search, "3"))
	publish(t, l, event("5", time.Minute))
	n, err := l.Index(t.Context(), lake.Query{})
	require.NoError(t, err)
	require.Equal(t, 1, n, "only what is new is read")
	require.Zero(t, read(l, lake.Query{PartitionKeys: []string{"p-5"}}, "5"))
}

func firehose(t *testing.T, b Backend) {
	wrap := func(id, detail string) string {
		return `{"version":"0","id":"` + id + `","detail-type":"order-placed","source":"custom","account":"1","time":"2026-11-21T12:34:56Z","region":"r","resources":[],"detail":` + detail + `}`
	}
	line := func(e insideout.Event) string {
		text, err := e.MarshalJSON()
		require.NoError(t, err)
		return string(text)
	}
	one, two := event("1", -5*time.Minute), event("2", 0)
	b.put(t, hour+"stream-1-2026-11-21-12-00-00-uuid", []byte(wrap("env-1", line(one))+wrap("env-2", line(two))))
	b.put(t, hour+"stream-1-2026-11-21-12-01-00-uuid.gz", zip(t, wrap("env-3", line(event("3", 0)))+"\n"+wrap("env-4", `{"of":"others"}`)+"\n"))
	b.put(t, hour+"stream-1-2026-11-21-12-02-00-uuid.gz", zip(t, "{\n \"id\": \"5\",\n \"x\": [\n {}\n ]\n}\n", line(event("6", 0))+line(event("7", 0))))
	l := b.open(t, nil)
	require.Equal(t, []string{"1", "2", "3", "env-4", "5", "6", "7"}, ids(t, l, lake.Query{}))
	var got []insideout.Event
	for e, err := range l.Events(t.Context(), lake.Query{Types: []string{"order-placed"}, To: at().Add(time.Hour)}) {
		require.NoError(t, err)
		got = append(got, e)
	}
	require.Equal(t, one, got[0], "what is in the envelope")
	require.Equal(t, insideout.Event{
		ID: "env-4", Type: "order-placed", Timestamp: at().Add(34*time.Minute + 56*time.Second), Body: map[string]json.RawMessage{"of": json.RawMessage(`"others"`)},
	}, got[3])
	require.Equal(t, []string{"1"}, ids(t, l, lake.Query{From: at().Add(-time.Hour), To: at()}), "an event lies where it arrived, not where it happened")
	require.Equal(t, []string{"2", "6"}, ids(t, l, lake.Query{PartitionKeys: []string{"p-2", "p-6"}}))
}

func damaged(t *testing.T, b Backend) {
	good := zip(t, `{"id":"2"}`+"\n")
	broken := append([]byte{}, good...)
	broken[len(broken)-6] ^= 1 // of the checksum
	b.put(t, hour+"a.gz", zip(t, `{"id":"1"}`+"\ngarbage\n"+`{"id":3}`+"\n"+`{"id":"4"}`+"\n"))
	b.put(t, hour+"b.gz", append(append([]byte{}, good...), broken...))
	b.put(t, hour+"c.gz", good[:len(good)-3])
	b.put(t, hour+"d", []byte(`{"id":"5"}`))
	l := b.open(t, nil)
	var got []string
	for e, err := range l.Events(t.Context(), lake.Query{}) {
		if err != nil {
			require.ErrorIs(t, err, lake.ErrDamaged)
			require.EqualError(t, err, `lake: damaged object: "`+hour+`a.gz", line 2: is no JSON object`)
		} else {
			got = append(got, e.ID)
		}
	}
	require.Equal(t, []string{"1"}, got, "it ends there")

	want := []string{
		hour + `a.gz", line 2: is no JSON object`,
		hour + `a.gz", line 3: insideout: event: member "id": want a string, got a number`,
		hour + fmt.Sprintf(`b.gz", at byte %d: gzip: invalid checksum`, len(good)),
		hour + `c.gz", at byte 0: unexpected EOF`,
	}
	for range 2 { // also with an index of the rest
		var told []string
		q := lake.Query{Types: []string{""}, Damaged: func(err error) error {
			told = append(told, strings.TrimPrefix(err.Error(), `lake: damaged object: "`))
			return nil
		}}
		require.Equal(t, []string{"1", "4", "2", "5"}, ids(t, l, q))
		require.Equal(t, want, told)
	}
	stop := errors.New("enough")
	for _, err := range l.Events(t.Context(), lake.Query{Damaged: func(error) error { return stop }}) {
		if err != nil {
			require.ErrorIs(t, err, stop)
		}
	}
}
