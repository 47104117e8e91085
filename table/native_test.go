package table_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Match has an index whose keys are its own attributes.
type Match struct {
	ID     string
	Cup    string    `dynamo:"cup"`
	Region string    `dynamo:"region"`
	Round  int       `dynamo:"round"`
	Odds   float64   `dynamo:"odds"`
	Day    time.Time `dynamo:"day,unixtime"`
	Note   string    `dynamo:"note"`
}

var (
	byRound = table.Index{Name: "byRound", Native: true}
	byCup   = table.Index{Name: "byCup", Native: true}
	matches = table.DefineNode("match", func(m *Match, d *table.Def[Match]) {
		d.ID(&m.ID)
		d.Index(byRound, table.Key(&m.Cup, &m.Region), table.Key(&m.Round, &m.Odds, &m.Day, &m.Note))
		d.Index(byCup, table.Key(&m.Cup))
	})
)

// native skips a test on an endpoint that does not know such indexes.
func native(t *testing.T, e endpoint) *table.DB {
	t.Helper()
	in, err := table.Schema(matches, Orders).CreateTableInput("table-test-" + uuid.NewString())
	require.NoError(t, err)
	if _, err = e.CreateTable(t.Context(), in); err != nil {
		refused, ok := errors.AsType[smithy.APIError](err)
		require.True(t, ok && refused.ErrorCode() == "ValidationException", "%v", err)
		t.Skipf("the endpoint has no indexes with several attributes: %v", err)
	}
	db, err := table.Open(e, *in.TableName, nil)
	require.NoError(t, err)
	return db
}

func TestNativeIndexes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := native(t, e), t.Context(), matches.F
		for i, m := range []Match{
			{Cup: "w", Region: "eu", Round: 2, Odds: 1.5, Day: day(1), Note: "a"},
			{Cup: "w", Region: "eu", Round: 10, Odds: 0.5, Day: day(1), Note: "b"},
			{Cup: "w", Region: "eu", Round: 10, Odds: 2, Day: day(2), Note: "ba"},
			{Cup: "w", Region: "eu", Round: 10, Odds: 2, Day: day(2), Note: "bb"},
			{Cup: "w", Region: "us", Round: 10, Odds: 2, Day: day(2), Note: "c"},
			{Cup: "w", Region: "eu", Round: 11, Odds: 2, Day: day(2)}, // without a note it is not in the index
		} {
			m.ID = fmt.Sprint(i)
			require.NoError(t, matches.Save(ctx, db, m))
		}
		in := []table.Cond{table.Eq(&f.Cup, "w"), table.Eq(&f.Region, "eu")}
		ask := func(conds ...table.Cond) table.Query[Match] {
			return matches.Query(byRound, append(in[:2:2], conds...)...)
		}
		for want, q := range map[string]table.Query[Match]{
			"0123": ask(), "123": ask(table.Eq(&f.Round, 10)), "0": ask(table.Lt(&f.Round, 10)), "1": ask(table.Eq(&f.Round, 10), table.Eq(&f.Odds, 0.5)),
			"23": ask(table.Eq(&f.Round, 10), table.Gt(&f.Odds, 0.5)), "3": ask(table.Eq(&f.Round, 10), table.Eq(&f.Odds, 2), table.Eq(&f.Day, day(2)), table.Gt(&f.Note, "ba")),
			" 23": ask(table.Eq(&f.Round, 10), table.Eq(&f.Odds, 2), table.Eq(&f.Day, day(2)), table.BeginsWith(&f.Note, "b")), "4": matches.Query(byRound, table.Eq(&f.Cup, "w"), table.Eq(&f.Region, "us")),
			"  23": ask(table.Eq(&f.Round, 10), table.Between(&f.Odds, 1, 3)), "012345": matches.Query(byCup, table.Eq(&f.Cup, "w")),
		} {
			got := ""
			for _, m := range collect(t, db, q) {
				got += m.ID
			}
			require.Equal(t, strings.TrimSpace(want), got)
		}
		got := ""
		for _, page := range walk(t, db, ask(), []table.ReadOption{table.Limit(1), table.Desc()}) {
			require.Len(t, page.Items, 1)
			got += page.Items[0].ID
		}
		require.Equal(t, "3210", got)
		n, err := ask().Count(ctx, db)
		require.NoError(t, err)
		require.Equal(t, 4, n)

		require.NoError(t, matches.Update(ctx, db, "0", table.Add(&f.Round, 20)), "an update of any field keeps the index right")
		require.NoError(t, matches.Update(ctx, db, "1", table.Remove(&f.Note)))
		require.Len(t, collect(t, db, ask(table.Gt(&f.Round, 20))), 1)
		require.Len(t, collect(t, db, ask()), 3)
		drift, err := table.Schema(matches, Orders).Verify(ctx, e, db.Name())
		require.NoError(t, err)
		require.Equal(t, []string{`the time to live is off, and the schema has attribute "ttl"`}, drift)
	})
}

// TestNativeIndexesOrderAsTheirFieldsDo: the rows of a partition come in the order of the fields, whatever their values, and pages of any size find each once.
func TestNativeIndexesOrderAsTheirFieldsDo(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	rapid.Check(t, func(rt *rapid.T) {
		db := native(t, e)
		n := rapid.IntRange(1, 12).Draw(rt, "n")
		var ops []table.Op
		for i := range n {
			ops = append(ops, matches.Put(Match{
				ID: fmt.Sprint(i), Cup: "w", Region: "eu", Round: rapid.IntRange(-12, 12).Draw(rt, "round"), Odds: float64(rapid.IntRange(-20, 20).Draw(rt, "odds")) / 8,
				Day: day(rapid.IntRange(1, 3).Draw(rt, "day")), Note: rapid.StringMatching(`[ab|]{1,2}`).Draw(rt, "note"),
			}))
		}
		require.NoError(rt, db.Batch(t.Context(), ops...))
		var list []Match
		for _, page := range walk(t, db, matches.Query(byRound, table.Eq(&matches.F.Cup, "w"), table.Eq(&matches.F.Region, "eu")), []table.ReadOption{table.Limit(rapid.IntRange(1, 5).Draw(rt, "limit"))}) {
			list = append(list, page.Items...)
		}
		require.Len(rt, list, n)
		for i := 1; i < n; i++ {
			a, b := list[i-1], list[i]
			require.False(rt, a.Round > b.Round || a.Round == b.Round && a.Odds > b.Odds, "%v %v", a, b)
		}
	})
}

func TestNativeBlueprintsArePinned(t *testing.T) {
	t.Parallel()
	s := table.Schema(matches)
	in, err := s.CreateTableInput("cup")
	require.NoError(t, err)
	golden(t, "native.txt", readable(t, in))
	for name, write := range map[string]func() (string, error){
		"native.yaml": func() (string, error) { return s.CloudFormation("cup") }, "native.tf": func() (string, error) { return s.Terraform("cup") }, "native.md": s.Markdown,
	} {
		text, err := write()
		require.NoError(t, err)
		golden(t, name, text)
	}
}

func TestNativeIndexesRefuse(t *testing.T) {
	t.Parallel()
	type Odd struct {
		ID     string
		Text   string    `dynamo:"text,allowempty"`
		At     time.Time `dynamo:"at"`
		Done   bool      `dynamo:"done"`
		Name   string    `dynamo:"name"`
		No     int       `dynamo:"no"`
		Nested struct {
			City string `dynamo:"city"`
		} `dynamo:"nested"`
	}
	for cause, define := range map[string]func(o *Odd, d *table.Def[Odd]){
		"Text: Index \"n\": DynamoDB refuses rows with an empty text": func(o *Odd, d *table.Def[Odd]) { d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Text)) },
		"At: Index \"n\": the text of a time does not sort":           func(o *Odd, d *table.Def[Odd]) { d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.At)) },
		"Done: Index \"n\": a bool cannot be part of a native key":    func(o *Odd, d *table.Def[Odd]) { d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Done)) },
		"Nested.City: Index \"n\": the field is nested": func(o *Odd, d *table.Def[Odd]) {
			d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Nested.City))
		},
		"ID: Index \"n\": the field is stored in the row's key alone": func(o *Odd, d *table.Def[Odd]) { d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.ID)) },
		"Name: Index \"n\": the field is named twice": func(o *Odd, d *table.Def[Odd]) {
			d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Name), table.Key(&o.Name))
		},
		"a native index has no PK, no SK and no shards": func(o *Odd, d *table.Def[Odd]) {
			d.Index(table.Index{Name: "n", Native: true, Shards: 2}, table.Key(&o.Name))
		},
		"it has 3 keys": func(o *Odd, d *table.Def[Odd]) {
			d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Name), table.Key(&o.No), table.Key(&o.No))
		},
		"its keys have 4 and 0 fields": func(o *Odd, d *table.Def[Odd]) {
			d.Index(table.Index{Name: "n", Native: true}, table.Key(&o.Name, &o.No, &o.Name, &o.No))
		},
	} {
		_, err := table.NewNode("odd", func(o *Odd, d *table.Def[Odd]) { d.ID(&o.ID); define(o, d) })
		require.ErrorContains(t, err, cause)
	}
}

func TestNativeQueriesRefuse(t *testing.T) {
	t.Parallel()
	db, f := dry(t), matches.F
	for text, q := range map[string]table.Query[Match]{
		`the partition of index "byRound" needs table.Eq(&f.Region, …)`: matches.Query(byRound, table.Eq(&f.Cup, "w")),
		"field Odds: the condition does not fit the key":                matches.Query(byRound, table.Eq(&f.Cup, "w"), table.Eq(&f.Region, "eu"), table.Eq(&f.Odds, 2)),
		"field Note: the condition does not fit the key":                matches.Query(byRound, table.Eq(&f.Cup, "w"), table.Eq(&f.Region, "eu"), table.Gt(&f.Round, 2), table.Eq(&f.Note, "x")),
		`field Cup: rows without a value are not in index "byRound"`:    matches.Query(byRound, table.Eq(&f.Cup, ""), table.Eq(&f.Region, "eu")),
		"a condition on a key is Eq, Gt":                                matches.Query(byRound, table.Ne(&f.Cup, "w")),
		`match has no index "byRound"`:                                  matches.Query(table.Index{Name: "byRound"}),
	} {
		for _, err := range q.All(t.Context(), db) {
			require.ErrorIs(t, err, table.ErrInvalid)
			require.ErrorContains(t, err, text)
		}
	}
}

func TestNativeSchemasRefuse(t *testing.T) {
	t.Parallel()
	other := table.DefineNode("other", func(m *Match, d *table.Def[Match]) {
		d.ID(&m.ID)
		d.Index(byCup, table.Key(&m.Region))
	})
	_, err := table.Schema(matches, other).CreateTableInput("cup")
	require.ErrorContains(t, err, `model "other" defines index "byCup" with keys "discriminator" and "region" and "pk" and "sk", and another one with "discriminator" and "cup"`)
	type Text struct {
		ID    string
		Round string `dynamo:"round"`
	}
	textual := table.DefineNode("textual", func(v *Text, d *table.Def[Text]) {
		d.ID(&v.ID)
		d.Index(table.Index{Name: "t", Native: true}, table.Key(&v.Round))
	})
	_, err = table.Schema(matches, textual).CreateTableInput("cup")
	require.ErrorContains(t, err, `attribute "round" is of type S in index "t", and of type N in another one`)
}
