package table_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// request runs an operation without sending it. Time stands at 2000-01-01, since that is where synctest starts.
func requests(t *testing.T, do func(ctx context.Context, db *table.DB) error) string {
	t.Helper()
	var text string
	synctest.Test(t, func(t *testing.T) {
		db, err := table.Open(nobody{}, "shop-entities", &table.Options{Region: "eu-west-1"})
		require.NoError(t, err)
		ctx := table.WithUser(t.Context(), "jane")
		sent, err := db.Params(func(db *table.DB) error { return do(ctx, db) })
		require.NoError(t, err)
		for _, r := range sent {
			text += readable(t, r)
		}
	})
	return text
}

// nobody is a client that is never called.
type nobody struct{ table.Client }

func order() Order {
	return Order{
		ID: "42", CustomerID: "c|1", Status: "OPEN", PlacedAt: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
		Labels: []string{"gift", "vip"}, Address: &Address{City: "Bern"},
	}
}

func version(t *testing.T) idempotence.Version {
	v, err := idempotence.NewVersion(time.UnixMilli(1700000000123), "4bb1b7a3")
	require.NoError(t, err)
	return v
}

func TestRequestsOfWrites(t *testing.T) {
	t.Parallel()
	f := Orders.F
	ver := version(t)
	outcome := func(_ idempotence.Outcome, err error) error { return err }
	for name, do := range map[string]func(context.Context, *table.DB) error{
		"save": func(ctx context.Context, db *table.DB) error { return Orders.Save(ctx, db, order()) },
		"save-if": func(ctx context.Context, db *table.DB) error {
			return Orders.Save(ctx, db, order(), table.If(table.Ne(&f.Status, "SHIPPED"), table.Exists(&f.Address.City)))
		},
		"save-unchanged": func(ctx context.Context, db *table.DB) error {
			return Orders.Save(ctx, db, order(), table.IfUnchanged(order().PlacedAt), table.If(table.Eq(&f.Status, "OPEN")))
		},
		"save-edge":   func(ctx context.Context, db *table.DB) error { return Lines.Save(ctx, db, Line{"42", 7, "a-1", 2}) },
		"create":      func(ctx context.Context, db *table.DB) error { return Orders.Create(ctx, db, order()) },
		"create-lane": func(ctx context.Context, db *table.DB) error { return Customers.Create(ctx, db, Customer{ID: "c"}) },
		"delete":      func(ctx context.Context, db *table.DB) error { return Orders.Delete(ctx, db, "42") },
		"restore":     func(ctx context.Context, db *table.DB) error { return Orders.Restore(ctx, db, "42") },
		"purge":       func(ctx context.Context, db *table.DB) error { return Orders.DeletePermanently(ctx, db, "42") },
		"update": func(ctx context.Context, db *table.DB) error {
			return Orders.Update(ctx, db, "42", table.Set(&f.Status, "PAID"), table.Set(&f.PlacedAt, order().PlacedAt), table.Add(&f.Total, 5),
				table.Remove(&f.Note), table.Append(&f.Stops, "Thun"), table.AddToSet(&f.Labels, "late"), table.Set(&f.Address.City, "Basel"),
				table.If(table.Eq(&f.Status, "OPEN")))
		},
		"upsert": func(ctx context.Context, db *table.DB) error { return outcome(Orders.Upsert(ctx, db, order(), ver)) },
		"upsert-edge": func(ctx context.Context, db *table.DB) error {
			return outcome(Lines.Upsert(ctx, db, Line{"42", 7, "a-1", 2}, ver))
		},
		"upsert-lane": func(ctx context.Context, db *table.DB) error {
			return outcome(Customers.Upsert(ctx, db, Customer{ID: "c", Name: "not of this lane", Orders: 3}, ver, table.InLane("totals")))
		},
		"remove": func(ctx context.Context, db *table.DB) error { return outcome(Orders.Remove(ctx, db, "42", ver)) },
		"remove-lane": func(ctx context.Context, db *table.DB) error {
			return outcome(Customers.Remove(ctx, db, "c", ver, table.InLane("totals")))
		},
		"batch": func(ctx context.Context, db *table.DB) error {
			return db.Batch(ctx, Orders.Put(order()), Lines.Put(Line{"42", 7, "a-1", 2}))
		},
		"transact": func(ctx context.Context, db *table.DB) error {
			return db.Transact(ctx, Lines.Put(Line{"42", 7, "a-1", 2}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "write-"+name+".txt", requests(t, do))
		})
	}
}

func TestRequestsOfReads(t *testing.T) {
	t.Parallel()
	f, l := Orders.F, Lines.F
	at := order().PlacedAt
	for name, q := range map[string]func(context.Context, *table.DB) error{
		"get": func(ctx context.Context, db *table.DB) error { return second(Orders.Get(ctx, db, "42")) },
		"get-eventual": func(ctx context.Context, db *table.DB) error {
			return second(Orders.Get(ctx, db, "42", table.Eventual()))
		},
		"batch-get": func(ctx context.Context, db *table.DB) error {
			return second(Orders.BatchGet(ctx, db, []table.ID{"1", "2", "1"}))
		},
		"aggregate": func(ctx context.Context, db *table.DB) error { return second(Baskets.Get(ctx, db, "42")) },
		"partition": all(Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"))),
		"gt":        all(Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Gt(&f.PlacedAt, at))),
		"lte-desc":  all(Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Lte(&f.PlacedAt, at)), table.Desc()),
		"between":   all(Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"), table.Between(&f.PlacedAt, at, at.Add(time.Hour)))),
		"shards":    all(openOf(spread(3))),
		"list":      all(Orders.List()),
		"project":   all(table.Project[Card](Orders.List())),
		"count": func(ctx context.Context, db *table.DB) error {
			return second(Lines.Of("42", table.Lt(&l.No, 3)).Where(table.Eq(&l.SKU, "a-1")).Count(ctx, db))
		},
		"scan": func(ctx context.Context, db *table.DB) error {
			for _, err := range Orders.Scan(ctx, db, 1) {
				return err
			}
			return nil
		},
		"list-prefix": all(Orders.List(table.BeginsWith(&f.ID, "4"))),
		"of":          all(Lines.Of("42")),
		"of-gt":       all(Lines.Of("42", table.Gt(&l.No, 3))),
		"of-lt":       all(Lines.Of("42", table.Lt(&l.No, 3)), table.Eventual()),
		"of-eq":       all(Lines.Of("42", table.Eq(&l.No, 3))),
		"where": all(Orders.List().Where(table.Eq(&f.Status, "OPEN").Or(table.In(&f.Status, "PAID", "SENT")),
			table.Contains(&f.Labels, "vip").Not(), table.Eq(&f.Note, ""), table.BeginsWith(&f.Address.City, "B"))),
		"page": func(ctx context.Context, db *table.DB) error {
			return second(Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).Page(ctx, db, table.Limit(25)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "read-"+name+".txt", requests(t, q))
		})
	}
}

func second[T any](_ T, err error) error { return err }

func all[T any](q table.Query[T], opts ...table.ReadOption) func(context.Context, *table.DB) error {
	return func(ctx context.Context, db *table.DB) error {
		for _, err := range q.All(ctx, db, opts...) {
			if err != nil {
				return err
			}
		}
		return nil
	}
}
