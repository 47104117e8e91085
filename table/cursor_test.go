package table_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// OrdersOfCustomers are edges that are ordered by their ids.
var OrdersOfCustomers = table.DefineEdge("custorder", "orders", func(o *Order, d *table.Def[Order]) {
	d.Owner(&o.CustomerID)
	d.ID(&o.ID)
})

// path is a query to be walked.
type path struct {
	model interface {
		table.Model[Order]
		table.Definition
	}
	query table.Query[Order]
	has   func(Order) bool
	order func(a, b Order) int
	note  *string
}

func paths() []path {
	isOpen := func(o Order) bool { return o.Status == "OPEN" }
	byID := func(a, b Order) int { return cmp.Compare(a.ID, b.ID) }
	byTime := func(a, b Order) int { return a.PlacedAt.Compare(b.PlacedAt) }
	one, many := spread(1), spread(3)
	return []path{
		{one, openOf(one), isOpen, byTime, &one.F.Note},
		{many, openOf(many), isOpen, byTime, &many.F.Note},
		{one, one.List(), func(Order) bool { return true }, byID, &one.F.Note},
		{OrdersOfCustomers, OrdersOfCustomers.Of("7"), func(o Order) bool { return o.CustomerID == "7" }, byID, &OrdersOfCustomers.F.Note},
	}
}

// TestCursorsWalkEveryItemOnce is the law of cursors: whatever is inserted meanwhile, before, behind or elsewhere, and however often the program is restarted
// with another key, every row that was there comes once, in order, and no other comes twice.
func TestCursorsWalkEveryItemOnce(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	all := paths()
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.SampledFrom(all).Draw(rt, "path")
		db := create(t, e, p.model)
		defer func() {
			_, err := e.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: new(db.Name())})
			require.NoError(rt, err)
		}()
		rows := someOrders(rt)
		cut := rapid.IntRange(0, len(rows)).Draw(rt, "there")
		there, later := rows[:cut], rows[cut:]
		require.NoError(rt, insert(rt.Context(), db, p.model, there))
		between := rapid.IntRange(0, len(later)).Draw(rt, "between")

		done := make(chan error, 1)
		go func() { done <- insert(context.Background(), db, p.model, later[between:]) }()
		w := &walker{rt: rt, client: e, db: db, path: p, later: later[:between], size: rapid.IntRange(1, len(there)+1).Draw(rt, "size")}
		got := w.walk()
		require.NoError(rt, <-done)
		w.check(got, rows, there)
	})
}

// someOrders are orders with ids in no order.
func someOrders(rt *rapid.T) []Order {
	return rapid.SliceOfNDistinct(rapid.Custom(func(rt *rapid.T) Order {
		return Order{
			ID:         fmt.Sprintf("%03d", rapid.IntRange(0, 999).Draw(rt, "id")),
			Status:     rapid.SampledFrom([]string{"OPEN", "OPEN", "PAID"}).Draw(rt, "status"),
			CustomerID: rapid.SampledFrom([]string{"7", "7", "8"}).Draw(rt, "customer"),
			Note:       rapid.SampledFrom([]string{"odd", "even"}).Draw(rt, "note"),
			PlacedAt:   day(rapid.IntRange(1, 28).Draw(rt, "day")),
		}
	}), 0, 40, func(o Order) string { return o.ID }).Draw(rt, "rows")
}

// insert writes rows one by one, so that readers come between.
func insert(ctx context.Context, db *table.DB, m table.Model[Order], rows []Order) error {
	for _, o := range rows {
		if err := m.Save(ctx, db, o); err != nil {
			return err
		}
	}
	return nil
}

// walker reads pages, and does what may happen between two of them.
type walker struct {
	path
	rt       *rapid.T
	client   table.Client
	db       *table.DB
	later    []Order
	size     int
	desc     bool
	filtered bool
	keys     [][]byte
}

func (w *walker) walk() []Order {
	w.keys = [][]byte{make([]byte, 32)} // that of create
	opts := []table.ReadOption{table.Limit(w.size)}
	if w.desc = rapid.Bool().Draw(w.rt, "desc"); w.desc {
		opts = append(opts, table.Desc())
	}
	q := w.query
	if w.filtered = rapid.Bool().Draw(w.rt, "filtered"); w.filtered {
		q = q.Where(table.Eq(w.note, "odd"))
	}
	var got []Order
	for next := ""; ; {
		page, err := q.Page(w.rt.Context(), w.db, append(slices.Clone(opts), table.After(next))...)
		require.NoError(w.rt, err)
		got = append(got, page.Items...)
		if next = page.Next; next == "" {
			return got
		}
		require.Len(w.rt, page.Items, w.size)
		w.between()
	}
}

// between inserts a row, and restarts the program with a new key; of the old ones the last two are kept.
func (w *walker) between() {
	if len(w.later) > 0 {
		require.NoError(w.rt, insert(w.rt.Context(), w.db, w.model, w.later[:1]))
		w.later = w.later[1:]
	}
	if !rapid.Bool().Draw(w.rt, "restart") {
		return
	}
	key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(w.rt, "key")
	w.keys = append([][]byte{key}, w.keys[:min(2, len(w.keys))]...)
	var err error
	w.db, err = table.Open(w.client, w.db.Name(), &table.Options{CursorKeys: w.keys})
	require.NoError(w.rt, err)
}

func (w *walker) check(got, rows, there []Order) {
	order := w.order
	if w.desc {
		order = func(a, b Order) int { return w.order(b, a) }
	}
	require.True(w.rt, slices.IsSortedFunc(got, order))
	times := map[string]int{}
	for _, o := range got {
		require.True(w.rt, w.shows(o), o)
		times[o.ID]++
	}
	for _, o := range rows {
		require.LessOrEqual(w.rt, times[o.ID], 1, o.ID)
	}
	for _, o := range there {
		require.Equal(w.rt, w.shows(o), times[o.ID] == 1, o.ID)
	}
}

func (w *walker) shows(o Order) bool { return w.has(o) && (!w.filtered || o.Note == "odd") }

// cursors are those behind the first of two rows, of a plain and of a sharded query.
func cursors(t *testing.T, db *table.DB, m *table.Node[Order]) map[string]func(*table.DB, string) error {
	t.Helper()
	for i := range 2 {
		require.NoError(t, m.Save(t.Context(), db, Order{ID: fmt.Sprint(i), Status: "OPEN", PlacedAt: day(1 + i)}))
	}
	tries := map[string]func(*table.DB, string) error{}
	for _, q := range []table.Query[Order]{m.List(), openOf(m)} {
		page, err := q.Page(t.Context(), db, table.Limit(1))
		require.NoError(t, err)
		tries[page.Next] = func(db *table.DB, cursor string) error { return second(q.Page(t.Context(), db, table.After(cursor))) }
	}
	return tries
}

func TestForgedCursorsAreRefused(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	m := spread(3)
	db := create(t, e, m)
	for cursor, try := range cursors(t, db, m) {
		require.NoError(t, try(db, cursor))
		require.NoError(t, try(db, ""), "no cursor is the beginning")
		for i := range cursor {
			require.ErrorIs(t, try(db, cursor[:max(1, i)]), table.ErrCursor, "cut at %d", i)
			for _, c := range []byte("AZaz09-_=+ \n\x00\xff") {
				if cursor[i] != c {
					require.ErrorIs(t, try(db, cursor[:i]+string(c)+cursor[i+1:]), table.ErrCursor, "%q at %d", c, i)
				}
				require.ErrorIs(t, try(db, cursor[:i]+string(c)+cursor[i:]), table.ErrCursor, "%q before %d", c, i)
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		require.NoError(t, err)
		for i := range 8 * len(raw) {
			changed := slices.Clone(raw)
			changed[i/8] ^= 1 << (i % 8)
			require.ErrorIs(t, try(db, base64.RawURLEncoding.EncodeToString(changed)), table.ErrCursor, "bit %d", i)
		}
	}
}

func TestCursorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	m := spread(3)
	db, other := create(t, e, m), create(t, e, m)
	rotated, err := table.Open(e, db.Name(), &table.Options{CursorKeys: [][]byte{[]byte(strings.Repeat("k", 32))}})
	require.NoError(t, err)
	var all []string
	tries := cursors(t, db, m)
	for cursor := range tries {
		all = append(all, cursor)
	}
	for i, cursor := range all {
		try := tries[cursor]
		for text, errs := range map[string][]error{
			"it belongs to another query, or was changed":         {try(other, cursor), try(db, all[1-i]), try(db, cursor+"AAAA")},
			"it was sealed with a key that this DB does not have": {try(rotated, cursor), try(db, "AQ"+strings.Repeat("A", 40))},
			"it is not base64url text":                            {try(db, "no cursor!"), try(db, cursor+"\n"), try(db, cursor+"="), try(db, "A")},
			"it is not one of this version's":                     {try(db, "AQ"), try(db, "Ag"+cursor[2:]), try(db, cursor[:20]), try(db, strings.Repeat("z", 1<<16))},
		} {
			for n, err := range errs {
				require.ErrorIs(t, err, table.ErrCursor, "%s %d", text, n)
				require.ErrorContains(t, err, text, n)
				require.False(t, table.Retryable(err))
				require.NotContains(t, err.Error(), cursor)
			}
		}
	}
	require.ErrorContains(t, second(m.List().Page(t.Context(), db, table.Desc(), table.After(all[0]))), "another query")
}

func TestSizesOfPages(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		for _, m := range []*table.Node[Order]{spread(1), spread(3)} {
			db := create(t, e, m)
			require.NoError(t, m.Save(t.Context(), db, Order{ID: "1", Status: "OPEN", PlacedAt: day(1)}))
			for _, size := range []int{math.MinInt, -1, 0, 10_001, math.MaxInt} {
				err := second(openOf(m).Page(t.Context(), db, table.Limit(size)))
				require.ErrorIs(t, err, table.ErrInvalid)
				require.ErrorContains(t, err, fmt.Sprintf("a limit of %d: it must be between 1 and 10000", size))
			}
			for _, size := range []int{1, 10_000} {
				page, err := openOf(m).Page(t.Context(), db, table.Limit(size))
				require.NoError(t, err)
				require.Len(t, page.Items, 1)
				require.Empty(t, page.Next)
			}
		}
	})
}

func TestReadsHaveLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	everywhere(t, func(t *testing.T, e endpoint) {
		m := spread(3)
		db, ctx, f := create(t, e, m, Notes), t.Context(), m.F
		require.NoError(t, m.Save(ctx, db, Order{ID: "1", Status: "OPEN", PlacedAt: day(1)}))
		status := func(s string) table.Query[Order] { return m.Query(ByShard, table.Eq(&f.Status, s)) }
		for text, q := range map[string]table.Query[Order]{
			"In takes 1 to 100 values, and 101 were given": openOf(m).Where(table.In(&f.Note, make101()...)),
			"and DynamoDB takes 4096":                      openOf(m).Where(many(&f.Note, 290)...),
			"2049 bytes, and DynamoDB takes 2048":          status(long(2049 - len("order|"))),
			"1025 bytes, and DynamoDB takes 1024":          m.List(table.BeginsWith(&f.ID, long(1025))),
			"Between needs the low value first":            openOf(m, table.Between(&f.PlacedAt, day(2), day(1))),
		} {
			for name, err := range map[string]error{
				"all": all(q)(ctx, db), "page": second(q.Page(ctx, db)), "count": second(q.Count(ctx, db)), "project": all(table.Project[Card](q))(ctx, db),
			} {
				require.ErrorIs(t, err, table.ErrInvalid, "%s: %s", name, text)
				require.ErrorContains(t, err, text, name)
				require.NotContains(t, err.Error(), long(100))
			}
		}
		require.ErrorContains(t, all(Notes.Of(long(2049)))(ctx, db), "2049 bytes, and DynamoDB takes 2048")
		require.NoError(t, all(openOf(m).Where(table.In(&f.Note, make101()[:100]...)))(ctx, db))
		require.NoError(t, all(openOf(m).Where(many(&f.Note, 100)...))(ctx, db))
		err := all(openOf(m).Where(many(&f.Note, 200)...))(ctx, db)
		require.ErrorContains(t, err, "operator", "DynamoDB counts them, and says so")
		require.False(t, table.Retryable(err))
		require.NoError(t, all(openOf(m, table.Between(&f.PlacedAt, day(1), day(1).Add(time.Hour))))(ctx, db))
	})
}
