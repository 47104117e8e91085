package table_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Person3 is of the third version: its name was one text in the first one, under another attribute, and its age was a text in the second.
type Person3 struct {
	ID          string
	First, Last string
	Age         int
	Visits      int `dynamo:",omitempty"`
}

func splitName(row table.Item) error {
	first, last, ok := strings.Cut(text(row["name"]), " ")
	if !ok {
		return errors.New("there is no last name")
	}
	delete(row, "name")
	row["First"], row["Last"] = &types.AttributeValueMemberS{Value: first}, &types.AttributeValueMemberS{Value: last}
	return nil
}

func parseAge(row table.Item) error {
	row["Age"] = &types.AttributeValueMemberN{Value: text(row["Age"])}
	return nil
}

func persons(steps ...func(table.Item) error) *table.Node[Person3] {
	return table.DefineNode("person", func(p *Person3, d *table.Def[Person3]) {
		d.ID(&p.ID)
		d.Unique(&p.Last)
		d.Index(ByStatus, table.Key(&p.Last), table.Key(&p.First))
		d.Upgrades(steps...)
	})
}

func TestRowsOfOlderVersionsAreUpgraded(t *testing.T) {
	t.Parallel()
	people := persons(splitName, parseAge)
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, people), t.Context(), people.F
		raw, _ := db.Dynamo()
		old := func(id string, more map[string]any) {
			row := map[string]any{"pk": id, "sk": "person", "discriminator": "person", "timestamp": 1, "name": "Ann " + id, "Age": "41"}
			for k, v := range more {
				row[k] = v
			}
			require.NoError(t, raw.Put(row).Run(ctx))
		}
		old("a", nil)
		old("b", map[string]any{"_sv": 1, "First": "Bob", "Last": "b", "name": "left alone"})
		want := Person3{ID: "a", First: "Ann", Last: "a", Age: 41}
		got, err := people.Get(ctx, db, "a")
		require.NoError(t, err)
		require.Equal(t, want, got)
		list := collect(t, db, people.List())
		require.Equal(t, []Person3{want, {ID: "b", First: "Bob", Last: "b", Age: 41}}, list)
		require.Equal(t, "0", stored(t, db, "a"), "reads leave the row as it is")

		require.NoError(t, people.Delete(ctx, db, "a"))
		require.NoError(t, people.Restore(ctx, db, "a"))
		require.Equal(t, "0", stored(t, db, "a"), "so does what does not know its fields")
		_, meta, err := people.GetMeta(ctx, db, "a")
		require.NoError(t, err)
		require.NoError(t, people.Update(ctx, db, "a", table.Add(&f.Visits, 1), table.IfUnchanged(meta.Timestamp)))
		require.NoError(t, people.Update(ctx, db, "a", table.Add(&f.Visits, 1)))
		want.Visits = 2
		got, err = people.Get(ctx, db, "a")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "2", stored(t, db, "a"))
		require.Len(t, collect(t, db, people.Query(ByStatus, table.Eq(&f.Last, "a"))), 1, "the index keys are those of a full write")

		require.NoError(t, db.Transact(ctx, people.UpdateOp("b", table.Add(&f.Visits, 1), table.Set(&f.Last, "c"), table.Set(&f.First, "Bo"))))
		require.Equal(t, "2", stored(t, db, "b"))
		got, err = people.Get(ctx, db, "b")
		require.NoError(t, err)
		require.Equal(t, Person3{ID: "b", First: "Bo", Last: "c", Age: 41, Visits: 1}, got)
		require.NoError(t, people.Save(ctx, db, want))
		require.NoError(t, people.Create(ctx, db, Person3{ID: "n", Last: "n"}))
		require.Equal(t, "2", stored(t, db, "n"))
	})
}

// stored is the version of a stored row, "0" for none.
func stored(t *testing.T, db *table.DB, id string) string {
	t.Helper()
	raw, _ := db.Dynamo()
	var item table.Item
	require.NoError(t, raw.Get("pk", id).Range("sk", "EQ", "person").Consistent(true).One(t.Context(), &item))
	if n, ok := item["_sv"].(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return "0"
}

func TestRowsOfNewerVersionsAreAnError(t *testing.T) {
	t.Parallel()
	newer, older := persons(splitName, parseAge), persons(splitName)
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, newer), t.Context()
		require.NoError(t, newer.Save(ctx, db, Person3{ID: "a", First: "Ann", Last: "a", Age: 41}))
		for name, err := range map[string]error{
			"get":    second(older.Get(ctx, db, "a")),
			"update": older.Update(ctx, db, "a", table.Set(&older.F.Age, 42)),
			"unique": older.Save(ctx, db, Person3{ID: "a", Last: "b"}),
			"tx":     db.Transact(ctx, older.UpdateOp("a", table.Set(&older.F.Age, 42))),
		} {
			require.ErrorIs(t, err, table.ErrUnknownRow, name)
			require.ErrorContains(t, err, "its schema has version 2, and this program knows 1", name)
			require.False(t, table.Retryable(err))
		}
		unversioned := table.DefineNode("person", func(p *Person3, d *table.Def[Person3]) { d.ID(&p.ID) })
		require.ErrorIs(t, second(unversioned.Get(ctx, db, "a")), table.ErrUnknownRow, "a program from before there were versions")
	})
}

func TestUpgradesRefuse(t *testing.T) {
	t.Parallel()
	people := persons(splitName)
	item := (table.RowKey{PK: "a", SK: "person"}).Item()
	_, err := people.Decode(item)
	require.NoError(t, err, "an image of keys alone has no version")
	item["name"] = &types.AttributeValueMemberS{Value: "Ann"}
	_, err = people.Decode(item)
	require.ErrorContains(t, err, `decode person "a" "person": upgrading the row from version 0: there is no last name`)
	require.Contains(t, item, "name", "the caller's image is left alone")
	item["_sv"] = &types.AttributeValueMemberS{Value: "1"}
	_, err = people.Decode(item)
	require.ErrorContains(t, err, `attribute "_sv" is not the version of a schema`)
	for cause, define := range map[string]func(p *Person3, d *table.Def[Person3]){
		"Upgrades: function 1 is nil":                  func(_ *Person3, d *table.Def[Person3]) { d.Upgrades(splitName, nil) },
		"Upgrades: it is called twice":                 func(_ *Person3, d *table.Def[Person3]) { d.Upgrades(splitName); d.Upgrades(parseAge) },
		"or without functions":                         func(_ *Person3, d *table.Def[Person3]) { d.Upgrades() },
		"Upgrades: a model with lanes has no versions": func(p *Person3, d *table.Def[Person3]) { d.Upgrades(splitName); d.Lane("x", &p.Age) },
	} {
		_, err := table.NewNode("person", func(p *Person3, d *table.Def[Person3]) { d.ID(&p.ID); define(p, d) })
		require.ErrorContains(t, err, cause)
	}
}
