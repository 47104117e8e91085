package table_test

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Poll has numbers and lists within others.
type Poll struct {
	ID    string
	Total struct {
		Votes int `dynamo:"votes"`
	} `dynamo:"total"`
	Rounds []struct {
		Votes int `dynamo:"votes"`
	} `dynamo:"rounds"`
	Tags  []string `dynamo:"tags,set"`
	Notes []string `dynamo:"notes"`
	First string   `dynamo:"first"`
}

var Polls = table.DefineNode("poll", func(v *Poll, d *table.Def[Poll]) { d.ID(&v.ID) })

func TestRequestsOfRareWrites(t *testing.T) {
	t.Parallel()
	ver, people, poll := version(t), persons(splitName, parseAge), Polls.F
	member := Member{ID: "1", Email: "a@b.c", Club: "x", No: 1}
	for name, do := range map[string]func(context.Context, *table.DB) error{
		"update-nested": func(ctx context.Context, db *table.DB) error {
			return Polls.Update(ctx, db, "1", table.Add(&poll.Total.Votes, 3), table.Set(&poll.Rounds[1].Votes, 2), table.Remove(&poll.Rounds[4]),
				table.RemoveFromSet(&poll.Tags, "late", "lost"), table.Append(&poll.Notes, "a", "b"), table.SetIfAbsent(&poll.First, "Ann"))
		},
		"upsert-adopting": func(ctx context.Context, db *table.DB) error {
			return second(adopted.Upsert(ctx, db, Thing{ID: "1"}, ver))
		},
		"upsert-replaying": func(ctx context.Context, db *table.DB) error {
			return second(Orders.Upsert(ctx, db.Replaying(), order(), ver))
		},
		"save-versioned": func(ctx context.Context, db *table.DB) error { return Annals.Save(ctx, db, Annal{"1", 1291}) },
		"update-versioned": func(ctx context.Context, db *table.DB) error {
			return people.Update(ctx, db, "1", table.Set(&people.F.Age, 7))
		},
		"save-unique": func(ctx context.Context, db *table.DB) error { return Members.Save(ctx, db, member) },
		"update-unique": func(ctx context.Context, db *table.DB) error {
			return Members.Update(ctx, db, "1", table.Set(&Members.F.Email, "x"))
		},
		"delete-unique": func(ctx context.Context, db *table.DB) error { return Members.Delete(ctx, db, "1") },
		"purge-unique":  func(ctx context.Context, db *table.DB) error { return Members.DeletePermanently(ctx, db, "1") },
		"transact-once": func(ctx context.Context, db *table.DB) error {
			return db.TransactOnce(ctx, "paid 42", Lines.Put(Line{"42", 7, "a-1", 2}))
		},
		"swap-lane":         func(ctx context.Context, db *table.DB) error { return second(swap(ctx, db, "1600000000123#a", ver)) },
		"swap-lane-initial": func(ctx context.Context, db *table.DB) error { return second(swap(ctx, db, "", ver)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "write-"+name+".txt", requests(t, do))
		})
	}
	golden(t, "sealed-save-empty.txt", requestsWith(t, &table.Options{Sealer: newVault(), Opener: shutOpener{insideout.ErrRestricted}},
		func(ctx context.Context, db *table.DB) error {
			return Sheets.Save(ctx, db, Sheet{ID: "1", Person: "7"})
		}))
}

func TestRequestsOfRareReads(t *testing.T) {
	t.Parallel()
	m := matches.F
	for name, do := range map[string]func(context.Context, *table.DB) error{
		"get-meta": func(ctx context.Context, db *table.DB) error { _, _, err := Orders.GetMeta(ctx, db, "42"); return err },
		"load":     func(ctx context.Context, db *table.DB) error { _, _, err := Baskets.Load(ctx, db, "42"); return err },
		"lane-version": func(ctx context.Context, db *table.DB) error {
			return second(Customers.LaneVersion(ctx, db, "c", "totals"))
		},
		"collection": func(ctx context.Context, db *table.DB) error {
			for _, err := range Lines.Collection(ctx, db, "42") {
				return err
			}
			return nil
		},
		"native": all(matches.Query(byRound, table.Eq(&m.Cup, "w"), table.Eq(&m.Region, "eu"), table.Eq(&m.Round, 2), table.Gte(&m.Odds, 1.5)), table.Desc()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "read-"+name+".txt", requests(t, do))
		})
	}
}

// TestRequestOfASecondPage: what a cursor becomes. It is bound to the table's name.
func TestRequestOfASecondPage(t *testing.T) {
	t.Parallel()
	e, ctx := embedded.New(nil), t.Context()
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.NoError(t, table.Create(ctx, e, "shop-entities", table.Schema(Orders)))
	db, err := table.Open(e, "shop-entities", nil)
	require.NoError(t, err)
	for _, id := range []string{"41", "42"} {
		o := order()
		o.ID = id
		require.NoError(t, Orders.Save(ctx, db, o))
	}
	q := Orders.Query(ByStatus, table.Eq(&Orders.F.Status, "OPEN"))
	page, err := q.Page(ctx, db, table.Limit(1))
	require.NoError(t, err)
	sent, err := db.Params(func(db *table.DB) error { return second(q.Page(ctx, db, table.Limit(1), table.After(page.Next))) })
	require.NoError(t, err)
	require.Len(t, sent, 1)
	golden(t, "read-page-after.txt", readable(t, sent[0]))
}

// TestEveryOperationHasAGoldenRequest: whatever takes a context talks to DynamoDB, and what it says is in a file.
func TestEveryOperationHasAGoldenRequest(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"Node.Save": "write-save", "Node.Create": "write-create", "Node.Update": "write-update", "Node.Delete": "write-delete", "Node.Restore": "write-restore",
		"Node.DeletePermanently": "write-purge", "Node.Upsert": "write-upsert", "Node.Remove": "write-remove", "Node.SwapLane": "write-swap-lane",
		"Node.Get": "read-get", "Node.GetMeta": "read-get-meta", "Node.BatchGet": "read-batch-get", "Node.Scan": "read-scan", "Node.LaneVersion": "read-lane-version",
		"Edge.Collection": "read-collection", "Aggregate.Get": "read-aggregate", "Aggregate.Load": "read-load",
		"Query.All": "read-partition", "Query.Page": "read-page", "Query.Count": "read-count",
		"DB.Batch": "write-batch", "DB.Transact": "write-transact-every", "DB.TransactOnce": "write-transact-once",
	}
	var operations []string
	seen := map[string]bool{} // edges have what nodes have, and more
	for _, of := range []struct {
		name string
		typ  reflect.Type
	}{
		{"Node", reflect.TypeFor[*table.Node[Order]]()},
		{"Edge", reflect.TypeFor[*table.Edge[Line]]()},
		{"Aggregate", reflect.TypeFor[*table.Aggregate[Basket]]()},
		{"Query", reflect.TypeFor[table.Query[Order]]()},
		{"DB", reflect.TypeFor[*table.DB]()},
	} {
		for i := range of.typ.NumMethod() {
			m := of.typ.Method(i)
			if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() || of.name == "Edge" && seen[m.Name] {
				continue
			}
			if m.Name == "Rewritten" || m.Name == "DecodeOpen" { // they ask the Opener and the Sealer alone
				continue
			}
			seen[m.Name] = seen[m.Name] || of.name == "Node"
			operations = append(operations, of.name+"."+m.Name)
		}
	}
	require.Greater(t, len(operations), 20)
	for _, op := range operations {
		require.FileExists(t, filepath.Join("testdata", files[op]+".txt"), op)
	}
	for op := range files {
		require.True(t, slices.Contains(operations, op), "%s is no operation any more", op)
	}
}

// Annal has a version, and nothing else that makes its requests long.
type Annal struct {
	ID   string
	Year int `dynamo:"year"`
}

var Annals = table.DefineNode("annal", func(v *Annal, d *table.Def[Annal]) {
	d.ID(&v.ID)
	d.Upgrades(func(table.Item) error { return nil })
})

// swap writes the totals of a customer, if they are still of the version that was read.
func swap(ctx context.Context, db *table.DB, stored, next idempotence.Version) (bool, error) {
	return Customers.SwapLane(ctx, db, "c", "totals", stored, next, func(c *Customer) { c.Orders, c.Units = 3, 12 })
}
