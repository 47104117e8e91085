package table_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Thing and Element are what the JavaScript templates keep.
type Thing struct {
	ID   string
	Name string `dynamo:"name"`
	Kind string `dynamo:"kind"`
}

type Element struct {
	ThingID, ID string
	Text        string `dynamo:"text"`
}

type Things struct {
	Thing    Thing
	Elements []Element
}

var ByData = table.Index{Name: "gsi2", PK: "discriminator", SK: "data"}

var (
	things = table.DefineNode("thing", func(v *Thing, d *table.Def[Thing]) {
		d.ID(&v.ID)
		d.Index(ByData, table.Key(&v.Kind, &v.Name))
	})
	elements = table.DefineEdge("element", "elements", func(v *Element, d *table.Def[Element]) {
		d.Owner(&v.ThingID)
		d.ID(&v.ID)
	})
	thingsWithElements = table.DefineAggregate(
		table.Root(things, func(v *Things) *Thing { return &v.Thing }),
		table.Many(elements, func(v *Things) *[]Element { return &v.Elements }),
	)
)

func TestRowsOfTheTemplatesAreRead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, things, elements), t.Context()
		raw, ok := db.Dynamo()
		require.True(t, ok)
		for _, row := range []map[string]any{
			{
				"pk": "5e1a", "sk": "thing", "discriminator": "thing", "timestamp": 1700000000000, "lastModifiedBy": "joe", "awsregion": "us-east-1",
				"name": "one", "kind": "a", "data": "a|one", "unknown": 1,
			},
			{"pk": "5e1a", "sk": "elements|1", "discriminator": "element", "timestamp": 1700000000001, "text": "first"},
			{"pk": "5e1a", "sk": "elements|2", "discriminator": "element", "timestamp": 1700000000002, "text": "gone", "deleted": true},
		} {
			require.NoError(t, raw.Put(row).Run(ctx))
		}
		want := Thing{ID: "5e1a", Name: "one", Kind: "a"}
		got, meta, err := thingsWithElements.Load(ctx, db, "5e1a")
		require.NoError(t, err)
		require.Equal(t, Things{want, []Element{{"5e1a", "1", "first"}}}, got)
		require.Equal(t, "joe", meta.By)
		require.EqualValues(t, 1700000000002, meta.Newest.UnixMilli())
		require.Equal(t, []Thing{want}, collect(t, db, things.Query(ByData, table.Eq(&things.F.Kind, "a"))))

		require.NoError(t, things.Save(ctx, db, want))
		require.Len(t, collect(t, db, things.Query(ByData, table.Eq(&things.F.Kind, "a"), table.BeginsWith(&things.F.Name, "o"))), 1)
		var item table.Item
		require.NoError(t, raw.Get("pk", "5e1a").Range("sk", "EQ", "thing").One(ctx, &item))
		require.Equal(t, &types.AttributeValueMemberN{Value: "1"}, item["unknown"], "what the model does not know is left as it is")
	})
}

func TestARangeInFrontOfOtherFieldsNeedsAFixedWidth(t *testing.T) {
	t.Parallel()
	f := things.F
	for _, err := range things.Query(ByData, table.Gt(&f.Kind, "a")).All(t.Context(), dry(t)) {
		require.ErrorContains(t, err, "field Kind: a range of strings works on the last field of a key only")
	}
	for _, err := range things.Query(ByData, table.Eq(&f.Name, "one")).All(t.Context(), dry(t)) {
		require.ErrorContains(t, err, "field Name: the condition does not fit the key")
	}
}

// Stay has an order of two fields, the first of fixed width.
type Stay struct {
	ID    string
	House string `dynamo:"house"`
	Floor int8   `dynamo:"floor"`
	Room  string `dynamo:"room"`
}

func TestRangesOverKeysOfSeveralFields(t *testing.T) {
	t.Parallel()
	byFloor := table.Index{Name: "byFloor"}
	stays := table.DefineNode("stay", func(s *Stay, d *table.Def[Stay]) {
		d.ID(&s.ID)
		d.Index(byFloor, table.Key(&s.House), table.Key(&s.Floor, &s.Room))
	})
	everywhere(t, func(t *testing.T, e endpoint) {
		db, f := create(t, e, stays), stays.F
		var ops []table.Op
		for i, floor := range []int8{-2, -1, 0, 1, 10} {
			for _, room := range []string{"a", "ab", "b|c", ""} { // no room: not in the index
				ops = append(ops, stays.Put(Stay{ID: string(rune('A'+i)) + room, House: "h", Floor: floor, Room: room}))
			}
		}
		require.NoError(t, db.Batch(t.Context(), ops...))
		in := table.Eq(&f.House, "h")
		for name, c := range map[string]struct {
			conds []table.Cond
			want  int
		}{
			"all": {[]table.Cond{in}, 15}, "eq": {[]table.Cond{in, table.Eq(&f.Floor, 1)}, 3}, "gt": {[]table.Cond{in, table.Gt(&f.Floor, -1)}, 9},
			"gte": {[]table.Cond{in, table.Gte(&f.Floor, -1)}, 12}, "lt": {[]table.Cond{in, table.Lt(&f.Floor, 0)}, 6},
			"lte": {[]table.Cond{in, table.Lte(&f.Floor, 0)}, 9}, "between": {[]table.Cond{in, table.Between(&f.Floor, -1, 1)}, 9},
			"room gt":  {[]table.Cond{in, table.Eq(&f.Floor, 1), table.Gt(&f.Room, "a")}, 2},
			"room lte": {[]table.Cond{in, table.Eq(&f.Floor, 1), table.Lte(&f.Room, "ab")}, 2},
			"room":     {[]table.Cond{in, table.Eq(&f.Floor, 1), table.BeginsWith(&f.Room, "b|")}, 1},
		} {
			require.Len(t, collect(t, db, stays.Query(byFloor, c.conds...)), c.want, name)
		}
		var got []Stay
		for _, page := range walk(t, db, stays.List(), []table.ReadOption{table.Limit(6), table.Desc()}) {
			got = append(got, page.Items...)
		}
		require.Len(t, got, 20)
		require.Equal(t, "Eb|c", got[0].ID)
	})
}
