package table_test

import (
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Tour has a key part of each kind, and an index of two.
type Tour struct {
	ID    string
	Day   time.Time `dynamo:"day"`
	Ward  string    `dynamo:"ward"`
	Count int       `dynamo:"count"`
	Steps []string  `dynamo:"steps,omitemptyelem"`
}

var (
	byWard = table.Index{Name: "byWard"}
	tours  = table.DefineNode("tour", func(v *Tour, d *table.Def[Tour]) {
		d.ID(&v.ID)
		d.Lane("count", &v.Count)
		d.Index(byWard, table.Key(&v.Ward), table.Key(&v.Day, &v.Ward))
	})
)

// TestEveryCallRefusesABadKey: whatever takes an id, or a value with one, says what is wrong with it before anything is sent.
func TestEveryCallRefusesABadKey(t *testing.T) {
	t.Parallel()
	db, ctx, ver, far := dry(t), t.Context(), version(t), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	ward, text := func(c ...table.Cond) error {
		return all(tours.Query(byWard, append(c, table.Eq(&tours.F.Ward, "w"))...))(ctx, db)
	}, strings.Repeat("w", 1020)
	for what, err := range map[string]error{
		"update tour: invalid: an id of type int":                      tours.Update(ctx, db, 1, table.Set(&tours.F.Count, 1)),
		"delete tour: invalid: an id of type int":                      tours.Delete(ctx, db, 1),
		"restore tour: invalid: an id of type int":                     tours.Restore(ctx, db, 1),
		"delete permanently tour: invalid: an id of type int":          tours.DeletePermanently(ctx, db, 1),
		"remove tour: invalid: an id of type int":                      second(tours.Remove(ctx, db, 1, ver)),
		"upsert tour: invalid: field ID: a part of a key cannot be":    second(tours.Upsert(ctx, db, Tour{}, ver)),
		"create tour: invalid: field ID: a part of a key cannot be":    tours.Create(ctx, db, Tour{}),
		"get aggregate order: invalid: an id of type int":              second(Baskets.Get(ctx, db, 1)),
		"get aggregate order \"1\" \"order\": invalid: Desc means":     second(Baskets.Get(ctx, db, "1", table.Desc())),
		"batch get tour: invalid: Desc means nothing":                  second(tours.BatchGet(ctx, db, nil, table.Desc())),
		"scan tour: invalid: Limit means nothing":                      lastOf(tours.Scan(ctx, db, 1, table.Limit(1))),
		"save tour: invalid: field Day: ":                              tours.Save(ctx, db, Tour{ID: "1", Ward: "w", Day: far}),
		"field Ward: a part of a key must be UTF-8 text":               tours.Save(ctx, db, Tour{ID: "1", Ward: "\xff", Day: day(1)}),
		"invalid: index \"byWard\": the sort key has":                  tours.Save(ctx, db, Tour{ID: "1", Ward: text, Day: day(1)}),
		"query tour: invalid: field Day: the year 10000":               ward(table.Gt(&tours.F.Day, far)),
		"query tour: invalid: field Day: the year":                     ward(table.Between(&tours.F.Day, day(1), far)),
		"query tour: invalid: field Day: a part of a key cannot be":    ward(table.Lt(&tours.F.Day, time.Time{})),
		"field Steps[0]: an empty element is left out of the list: Re": tours.Update(ctx, db, "1", table.Set(&tours.F.Steps[0], "")),
	} {
		t.Run(what, func(t *testing.T) {
			require.ErrorIs(t, err, table.ErrInvalid)
			require.ErrorContains(t, err, what)
			require.Equal(t, 1, strings.Count(err.Error(), "table: "))
			require.False(t, table.Retryable(err))
		})
	}
}

func TestLanesRefuse(t *testing.T) {
	t.Parallel()
	db, ctx, ver := dry(t), t.Context(), version(t)
	swap := func(lane idempotence.Lane, stored, next idempotence.Version, fill func(*Tour)) error {
		return second(tours.SwapLane(ctx, db, "1", lane, stored, next, fill))
	}
	fill := func(*Tour) {}
	numbered := keyedNode[int]()
	for text, err := range map[string]error{
		"it takes a named lane and a version greater than the stored one":           swap("", "", ver, fill),
		"swap lane tour \"1\" \"tour\": invalid: it takes a named lane and a versi": swap("count", ver, ver, fill),

		"tour has no lane \"other\"":               swap("other", "", ver, fill),
		"is not 13 digits":                         swap("count", "", "junk", fill),
		"there is no function that fills the lane": swap("count", "", ver, nil),
		"the key does not hold a int":              second(numbered.SwapLane(ctx, db, "x", "l", "", ver, func(*Keyed[int]) {})),
	} {
		t.Run(text, func(t *testing.T) {
			require.ErrorIs(t, err, table.ErrInvalid)
			require.ErrorContains(t, err, text)
		})
	}
}

func keyedNode[K any]() *table.Node[Keyed[K]] {
	return table.DefineNode("node", func(v *Keyed[K], d *table.Def[Keyed[K]]) { d.ID(&v.ID) })
}

// TestRowsOfOthersAreNotGuessedAt: a row that another program wrote, and that does not fit, is an error with the field or attribute.
func TestRowsOfOthersAreNotGuessedAt(t *testing.T) {
	t.Parallel()
	s := func(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
	item := func(pk string) table.Item { return table.Item{"pk": s(pk), "sk": s("node")} }
	for text, err := range map[string]error{
		"field ID: the key does not hold a int8":   second(keyedNode[int8]().Decode(item("300"))),
		"field ID: the key does not hold a int":    second(keyedNode[int]().Decode(item("x"))),
		"field ID: the key does not hold a uint16": second(keyedNode[uint16]().Decode(item("-1"))),
		"field ID: the key does not hold a time":   second(keyedNode[time.Time]().Decode(item("yesterday"))),
		"field ID: the key does not hold a bool":   second(keyedNode[bool]().Decode(item("maybe"))),
		`the sort key "other" does not start with`: second(Lines.Decode(table.Item{"pk": s("1"), "sk": s("other")})),
		`attribute "timestamp" is of type S`:       second(table.ReadMeta(table.Item{"timestamp": s("now")})),
		`attribute "timestamp" is not a whole`:     second(table.ReadMeta(table.Item{"timestamp": &types.AttributeValueMemberN{Value: "1.5"}})),
		`attribute "lastModifiedBy" is of type N`:  second(table.ReadMeta(table.Item{"lastModifiedBy": &types.AttributeValueMemberN{Value: "1"}})),
	} {
		require.ErrorContains(t, err, text)
	}
	_, err := Zoos.Decode(table.Item{"pk": s("1"), "sk": s("zoo"), "text": &types.AttributeValueMemberBS{Value: [][]byte{{1}}}})
	require.ErrorContains(t, err, "BS")
}

type hiddenBase struct{ Name string }

// TestMoreDefinitionMistakes: those that few make.
func TestMoreDefinitionMistakes(t *testing.T) {
	t.Parallel()
	type Loop struct {
		ID string
		*Address
		*hiddenBase
	}
	type Sealing struct {
		ID, Person string
		Phone      string                   `dynamo:"phone" seal:"Not a class"`
		Fax        insideout.Sealed[string] `dynamo:"fax"`
		Odd        string                   `dynamo:"odd" seal:"contact,later"`
	}
	_, err := table.NewNode("sealing", func(v *Sealing, d *table.Def[Sealing]) { d.ID(&v.ID); d.Subject(&v.Person) })
	require.ErrorContains(t, err, `Phone: "Not a class" in `)
	require.ErrorContains(t, err, "Fax: a insideout.Sealed[string] has no seal tag")
	require.ErrorContains(t, err, `Odd: option "later" in `)
	_, err = table.NewNode("loop", func(v *Loop, d *table.Def[Loop]) { d.ID(&v.ID) })
	require.ErrorContains(t, err, "hiddenBase: a pointer to an unexported struct is embedded")
	_, err = table.NewNode("tour", func(v *Tour, d *table.Def[Tour]) {
		d.ID(&v.ID)
		d.Lane("a", &v.ID)
		d.Lane("b", &v.Count)
		d.Lane("c", &v.Count)
	})
	require.ErrorContains(t, err, `ID: lane "a": the field is part of the key`)
	require.ErrorContains(t, err, `Count: lane "c": the field belongs to lane "b"`)
}

func TestWhatIsLeftOfABatchIsTold(t *testing.T) {
	t.Parallel()
	cause := errors.New("it rains")
	err := error(&table.UnprocessedError{Ops: puts(3), Err: cause})
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "table: 3 operations of the batch were not processed: it rains")
}

// lastOf is the error that a sequence ends with.
func lastOf[T any](seq iter.Seq2[T, error]) error {
	var last error
	for _, err := range seq {
		last = err
	}
	return last
}
