package table_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// numbers are the ids of lines.
func numbers(lines []Line) []int {
	list := make([]int, len(lines))
	for i, l := range lines {
		list[i] = l.No
	}
	return list
}

func TestRangesOfEdges(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, l := create(t, e, Orders, Lines), t.Context(), Lines.F
		require.NoError(t, Orders.Save(ctx, db, order()))
		var ops []table.Op
		for _, no := range []int{-10, -9, 0, 1, 2, 10, 11, 100} {
			ops = append(ops, Lines.Put(Line{"42", no, "x", 1}))
		}
		require.NoError(t, db.Batch(ctx, append(ops, Lines.Put(Line{"420", 1, "x", 1}))...))
		for name, c := range map[string]struct {
			conds []table.Cond
			want  []int
		}{
			"all":     {nil, []int{-10, -9, 0, 1, 2, 10, 11, 100}},
			"eq":      {[]table.Cond{table.Eq(&l.No, 10)}, []int{10}},
			"gt":      {[]table.Cond{table.Gt(&l.No, 10)}, []int{11, 100}},
			"gte":     {[]table.Cond{table.Gte(&l.No, 10)}, []int{10, 11, 100}},
			"lt":      {[]table.Cond{table.Lt(&l.No, 1)}, []int{-10, -9, 0}},
			"lte":     {[]table.Cond{table.Lte(&l.No, -9)}, []int{-10, -9}},
			"between": {[]table.Cond{table.Between(&l.No, -9, 2)}, []int{-9, 0, 1, 2}},
		} {
			got := collect(t, db, Lines.Of("42", c.conds...))
			require.Equal(t, c.want, numbers(got), name)
			slices.Reverse(c.want)
			require.Equal(t, c.want, numbers(collect(t, db, Lines.Of("42", c.conds...), table.Desc())), name)
		}
		require.Len(t, collect(t, db, Lines.List(table.BeginsWith(&l.OrderID, "42"))), 9)
		require.Len(t, collect(t, db, Lines.List(table.Eq(&l.OrderID, "42"))), 8)
	})
}

func TestPagesAreFullUnlessTheyAreTheLast(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders), t.Context(), Orders.F
		var ops []table.Op
		for i := range 50 {
			o := Order{ID: fmt.Sprintf("%03d", i), Status: "OPEN", PlacedAt: day(1 + i%3), Note: []string{"odd", "even"}[i%2]}
			ops = append(ops, Orders.Put(o))
		}
		require.NoError(t, db.Batch(ctx, ops...))
		for i := range 10 {
			require.NoError(t, Orders.Delete(ctx, db, fmt.Sprintf("%03d", 5*i)))
		}
		q := Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).Where(table.Eq(&f.Note, "odd"))
		want := collect(t, db, q)
		for _, opts := range [][]table.ReadOption{nil, {table.Desc()}} {
			pages := walk(t, db, q, append(opts, table.Limit(7)))
			var got []Order
			for i, p := range pages {
				require.Equal(t, i < len(pages)-1, len(p.Items) == 7 && p.Next != "", "page %d", i)
				got = append(got, p.Items...)
			}
			require.ElementsMatch(t, want, got)
		}
		page, err := q.Page(ctx, db, table.Limit(len(want)))
		require.NoError(t, err)
		require.Empty(t, page.Next, "the last page knows that it is the last")
	})
}

// walk follows cursors to the end.
func walk[T any](t require.TestingT, db *table.DB, q table.Query[T], opts []table.ReadOption) []table.Page[T] {
	var pages []table.Page[T]
	for next := ""; ; {
		page, err := q.Page(context.Background(), db, append(slices.Clone(opts), table.After(next))...)
		require.NoError(t, err)
		pages = append(pages, page)
		if next = page.Next; next == "" {
			return pages
		}
	}
}

// TestPagesCoverTheQueryOnce is the law of cursors: whatever the rows and the size of the pages, they make up the whole query.
func TestPagesCoverTheQueryOnce(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db, n := create(t, e, Orders, Lines), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		owner := fmt.Sprint(n)
		nos := rapid.SliceOfNDistinct(rapid.Int(), 0, 30, rapid.ID).Draw(rt, "ids")
		var ops []table.Op
		for _, no := range nos {
			ops = append(ops, Lines.Put(Line{OrderID: owner, No: no}))
		}
		require.NoError(rt, db.Batch(t.Context(), ops...))
		slices.Sort(nos)
		opts := []table.ReadOption{table.Limit(rapid.IntRange(1, 12).Draw(rt, "limit"))}
		if rapid.Bool().Draw(rt, "desc") {
			slices.Reverse(nos)
			opts = append(opts, table.Desc())
		}
		var got []int
		for _, p := range walk(rt, db, Lines.Of(owner), opts) {
			got = append(got, numbers(p.Items)...)
		}
		require.Equal(rt, append([]int{}, nos...), append([]int{}, got...))
	})
}

func TestCursorsAreBoundToTheirQuery(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db, ctx := create(t, e, Orders, Lines), t.Context()
	require.NoError(t, db.Batch(ctx, Lines.Put(Line{OrderID: "1", No: 1}), Lines.Put(Line{OrderID: "1", No: 2})))
	page, err := Lines.Of("1").Page(ctx, db, table.Limit(1))
	require.NoError(t, err)
	require.NotContains(t, page.Next, "lines")

	closed, err := Lines.Of("1", table.Lte(&Lines.F.No, 9)).Page(ctx, db, table.Limit(1))
	require.NoError(t, err)
	other, err := table.Open(e, db.Name(), &table.Options{CursorKeys: [][]byte{[]byte(strings.Repeat("k", 32))}})
	require.NoError(t, err)
	rotated, err := table.Open(e, db.Name(), &table.Options{CursorKeys: [][]byte{[]byte(strings.Repeat("k", 32)), make([]byte, 32)}})
	require.NoError(t, err)
	_, err = Lines.Of("1").Page(ctx, rotated, table.After(page.Next))
	require.NoError(t, err, "an old key still opens")

	changed := []byte(page.Next)
	changed[len(changed)-5] ^= 1
	for name, try := range map[string]func() error{
		"other owner": func() error { return second(Lines.Of("2").Page(ctx, db, table.After(page.Next))) },
		"other order": func() error { return second(Lines.Of("1").Page(ctx, db, table.Desc(), table.After(page.Next))) },
		"other index": func() error { return second(Lines.List().Page(ctx, db, table.After(page.Next))) },
		"other range": func() error {
			return second(Lines.Of("1", table.Gt(&Lines.F.No, 0)).Page(ctx, db, table.After(page.Next)))
		},
		"other end": func() error {
			return second(Lines.Of("1", table.Lt(&Lines.F.No, 9)).Page(ctx, db, table.After(closed.Next)))
		},
		"filtered": func() error {
			return second(Lines.Of("1").Where(table.Eq(&Lines.F.SKU, "x")).Page(ctx, db, table.After(page.Next)))
		},
		"other key": func() error { return second(Lines.Of("1").Page(ctx, other, table.After(page.Next))) },
		"changed":   func() error { return second(Lines.Of("1").Page(ctx, db, table.After(string(changed)))) },
		"cut":       func() error { return second(Lines.Of("1").Page(ctx, db, table.After(page.Next[:10]))) },
		"made up":   func() error { return second(Lines.Of("1").Page(ctx, db, table.After("no cursor!"))) },
	} {
		err := try()
		require.ErrorIs(t, err, table.ErrCursor, name)
		require.False(t, table.Retryable(err))
	}
}

func TestExpiredRowsAreHidden(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders), t.Context()
		raw, _ := db.Dynamo()
		past := time.Now().Add(-time.Minute).Unix()
		require.NoError(t, raw.Put(map[string]any{"pk": "42", "sk": "order", "discriminator": "order", "timestamp": 1, "ttl": past}).Run(ctx))
		_, err := Orders.Get(ctx, db, "42")
		require.ErrorIs(t, err, table.ErrNotFound)
		require.Empty(t, collect(t, db, Orders.List()))
		require.ErrorIs(t, Orders.Update(ctx, db, "42", table.Set(&Orders.F.Note, "x")), table.ErrNotFound)
		require.NoError(t, Orders.Create(ctx, db, order()))
	})
}

func TestQueriesRefuse(t *testing.T) {
	t.Parallel()
	db, ctx, f, l := dry(t), t.Context(), Orders.F, Lines.F
	for text, q := range map[string]table.Query[Order]{
		`has no index "gsi9"`:                      Orders.Query(table.Index{Name: "gsi9"}),
		`needs table.Eq(&f.Status, …)`:             Orders.Query(ByStatus),
		`does not fit the key`:                     Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Eq(&f.Note, "x")),
		`has two conditions: use Between`:          Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Gt(&f.PlacedAt, day(1)), table.Lt(&f.PlacedAt, day(2))),
		`Between needs the low value first`:        Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Between(&f.PlacedAt, day(2), day(1))),
		`*int does not point to a field`:           Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Eq(&l.No, 1)),
		`a part of a key cannot be empty`:          Orders.Query(ByStatus, table.Eq(&f.Status, "")),
		`not a filter`:                             Orders.List().Where(table.Eq(&f.ID, "1")),
		`a Cond is empty`:                          Orders.List().Where(table.Cond{}),
		`for others use Where`:                     Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN").Not()),
		`In takes 1 to 100 values, and 0 were`:     Orders.List().Where(table.In[string](&f.Note)),
		`an empty value is stored as no attribute`: Orders.List().Where(table.Gt(&f.Note, "")),
	} {
		for _, err := range q.All(ctx, db) {
			require.ErrorIs(t, err, table.ErrInvalid, text)
			require.ErrorContains(t, err, text)
		}
	}
	for _, limit := range []int{0, -1, 10_001} {
		require.ErrorContains(t, second(Orders.List().Page(ctx, db, table.Limit(limit))), "between 1 and 10000")
	}
	require.ErrorContains(t, second(Orders.Get(ctx, db, "1", table.Limit(1))), "Limit means nothing to this read")
	require.ErrorContains(t, second(Orders.Get(ctx, db, 1)), "an id of type int was given, and field ID is a string")
	require.ErrorContains(t, second(Lines.Get(ctx, db, "1")), "line is an edge: its id is table.Of(OrderID, No)")
	require.ErrorContains(t, second(Orders.Get(ctx, db, table.Of("1", 2))), "order is a node")
	require.ErrorContains(t, second(Orders.Get(ctx, db, strings.Repeat("x", 2049))), "2049 bytes, and DynamoDB takes 2048")
}

// FuzzCursor: no text is a cursor but one that the DB made.
func FuzzCursor(f *testing.F) {
	db, err := table.Open(nobody{}, "table", &table.Options{CursorKeys: [][]byte{make([]byte, 32)}})
	require.NoError(f, err)
	for _, seed := range []string{"AQ", "AWZoejaqAAAAAAAAAAAAAAAA", "no cursor!", strings.Repeat("A", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if cursor == "" { // the beginning
			return
		}
		_, err := Lines.Of("1").Page(t.Context(), db, table.After(cursor))
		require.ErrorIs(t, err, table.ErrCursor)
	})
}
