package table_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// request runs an operation without sending it. Time stands at 2000-01-01, since that is where synctest starts.
func requests(t *testing.T, do func(ctx context.Context, db *table.DB) error) string {
	t.Helper()
	return requestsWith(t, &table.Options{Region: "eu-west-1"}, do)
}

func requestsWith(t *testing.T, opts *table.Options, do func(ctx context.Context, db *table.DB) error) string {
	t.Helper()
	var text string
	synctest.Test(t, func(t *testing.T) {
		db, err := table.Open(nobody{}, "shop-entities", opts)
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

func TestRequestsOfSealedWrites(t *testing.T) {
	t.Parallel()
	var carried insideout.Sealed[string]
	origin := insideout.Origin{Subject: "7", Model: "patient", ID: "p1", Field: "email", Class: "contact"}
	require.NoError(t, carried.SetField(insideout.SealedField{Origin: origin, Ciphertext: []byte("\x01" + strings.Repeat("c", 44))}))
	view := Patient{ID: "p2", Person: "8", Phone: "555-1234", Referer: carried}
	for name, do := range map[string]func(context.Context, *table.DB) error{
		"save":  func(ctx context.Context, db *table.DB) error { return Patients.Save(ctx, db, patient()) },
		"batch": func(ctx context.Context, db *table.DB) error { return db.Batch(ctx, Patients.Put(patient())) },
		"upsert": func(ctx context.Context, db *table.DB) error {
			return second(Patients.Upsert(ctx, db, view, version(t)))
		},
		"update": func(ctx context.Context, db *table.DB) error {
			return Note2s.Update(ctx, db, table.Of("p1", "1"), table.Set(&Note2s.F.Text, "555-1234"))
		},
		"transact": func(ctx context.Context, db *table.DB) error {
			return db.Transact(ctx, Patients.CreateOp(patient()), Note2s.Put(Note2{"p1", "1", "555-1234"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := requestsWith(t, &table.Options{Region: "eu-west-1", Sealer: newVault()}, do)
			for _, secret := range secrets {
				require.NotContains(t, text, secret)
			}
			golden(t, "sealed-"+name+".txt", text)
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
