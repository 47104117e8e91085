package table_test

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Shelf is identified by three fields, of a kind each; a Box stands on one.
type Shelf struct {
	House string
	Floor int8
	Since time.Time
	Note  string `dynamo:"note"`
}

type Box struct {
	House string
	Floor int8
	Since time.Time
	Row   uint16
	Label string
	Note  string `dynamo:"note"`
}

type ShelfWithBoxes struct {
	Shelf Shelf
	Boxes []Box
}

var (
	shelves = table.DefineNode("shelf", func(s *Shelf, d *table.Def[Shelf]) {
		d.ID(&s.House, &s.Floor, &s.Since)
		d.Index(ByStatus, table.Key(&s.Note))
	})
	boxes = table.DefineEdge("box", "boxes", func(b *Box, d *table.Def[Box]) {
		d.Owner(&b.House, &b.Floor, &b.Since)
		d.ID(&b.Row, &b.Label)
	})
	shelvesWithBoxes = table.DefineAggregate(
		table.Root(shelves, func(v *ShelfWithBoxes) *Shelf { return &v.Shelf }),
		table.Many(boxes, func(v *ShelfWithBoxes) *[]Box { return &v.Boxes }),
	)
)

func TestIdsOfSeveralFields(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, shelves, boxes), t.Context(), boxes.F
		shelf := Shelf{House: "a|b", Floor: -1, Since: day(1), Note: "n"}
		require.NoError(t, shelves.Create(ctx, db, shelf))
		require.NoError(t, shelves.Save(ctx, db, Shelf{House: "a", Floor: 3, Since: day(1), Note: "n"}))
		key, err := shelves.KeyOf(table.Of("a|b", -1, day(1)))
		require.NoError(t, err)
		require.Equal(t, table.RowKey{PK: "a{1b|-127|2026-11-01T00:00:00.000000000Z", SK: "shelf"}, key)
		got, err := shelves.Get(ctx, db, table.Of("a|b", -1, day(1)))
		require.NoError(t, err)
		require.Equal(t, shelf, got)

		var want []Box
		for row := range uint16(3) {
			for _, label := range []string{"x", "y"} {
				want = append(want, Box{"a|b", -1, day(1), row, label, "b"})
				require.NoError(t, boxes.Save(ctx, db, want[len(want)-1]))
			}
		}
		owner := table.Of("a|b", -1, day(1))
		require.Equal(t, want, collect(t, db, boxes.Of(owner)))
		require.Equal(t, want[2:4], collect(t, db, boxes.Of(owner, table.Eq(&f.Row, 1))))
		require.Equal(t, want[4:], collect(t, db, boxes.Of(owner, table.Gt(&f.Row, 1))))
		require.Equal(t, want[3:4], collect(t, db, boxes.Of(owner, table.Eq(&f.Row, 1), table.Eq(&f.Label, "y"))))
		all, err := shelvesWithBoxes.Get(ctx, db, owner)
		require.NoError(t, err)
		require.Equal(t, ShelfWithBoxes{shelf, want}, all)
		require.NoError(t, boxes.Update(ctx, db, table.Of("a|b", -1, day(1), 0, "x"), table.Set(&f.Note, "new")))
		require.NoError(t, boxes.Delete(ctx, db, table.Of("a|b", -1, day(1), 0, "y")))
		listed := collect(t, db, shelves.List(table.Eq(&shelves.F.House, "a|b")))
		require.Equal(t, []Shelf{shelf}, listed)
		require.Len(t, collect(t, db, shelves.Query(ByStatus, table.Eq(&shelves.F.Note, "n"), table.Eq(&shelves.F.House, "a"))), 1, "the order of an index is by id")
	})
}

// TestKeysOfSeveralFieldsAreInjective: two ids have one key only if they are equal, and the id comes back from the key. Where the fields
// in front have a fixed width, keys sort as ids do.
func TestKeysOfSeveralFieldsAreInjective(t *testing.T) {
	t.Parallel()
	label := rapid.StringOfN(rapid.RuneFrom([]rune("ab|{}01~é")), 1, 4, -1)
	box := rapid.Custom(func(rt *rapid.T) Box {
		return Box{House: label.Draw(rt, "house"), Floor: rapid.Int8Range(-1, 1).Draw(rt, "floor"), Since: day(1), Row: rapid.Uint16Range(0, 12).Draw(rt, "row"), Label: label.Draw(rt, "label")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		a, b := box.Draw(rt, "a"), box.Draw(rt, "b")
		ka, err := boxes.RowKey(a)
		require.NoError(rt, err)
		kb, err := boxes.RowKey(b)
		require.NoError(rt, err)
		require.Equal(rt, a == b, ka == kb)
		again, err := boxes.Decode(ka.Item())
		require.NoError(rt, err)
		require.Equal(rt, a, again)
		id, err := boxes.KeyOf(table.Of(a.House, a.Floor, a.Since, a.Row, a.Label))
		require.NoError(rt, err)
		require.Equal(rt, ka, id)
		require.Equal(rt, cmp.Or(cmp.Compare(a.Row, b.Row), strings.Compare(a.Label, b.Label)), strings.Compare(ka.SK, kb.SK))
	})
}

func TestIdsOfSeveralFieldsRefuse(t *testing.T) {
	t.Parallel()
	db, ctx := dry(t), t.Context()
	for text, id := range map[string]table.ID{
		"an id of 1 values was given, and it has 3: House, Floor, Since":       "a",
		"an id of 2 values was given":                                          table.Of("a", 1),
		"an id of 8 values was given":                                          table.Of(1, 2, 3, 4, 5, 6, 7, 8, 9),
		"an id of type string was given, and field Floor is a int8":            table.Of("a", "1", day(1)),
		"the id 300 does not fit into int8":                                    table.Of("a", 300, day(1)),
		"an id of type table_test.Shelf was given, and field House is a strin": table.Of(Shelf{}, 1, day(1)),
	} {
		_, err := shelves.Get(ctx, db, id)
		require.ErrorIs(t, err, table.ErrInvalid, text)
		require.ErrorContains(t, err, text)
	}
	_, err := boxes.Get(ctx, db, table.Of("a", 1, day(1), 1))
	require.ErrorContains(t, err, "box is an edge: its id is table.Of(House, Floor, Since, Row, Label)")
	require.ErrorContains(t, shelves.Save(ctx, db, Shelf{House: "a", Floor: 1}), "field Since: a part of a key cannot be empty")
	_, err = shelves.Decode(table.RowKey{PK: "a|b", SK: "shelf"}.Item())
	require.ErrorContains(t, err, `the key "a|b" has 2 segments, and the model has 3`)
	_, err = shelves.Decode(table.RowKey{PK: "a|b|c", SK: "shelf"}.Item())
	require.ErrorContains(t, err, "field Floor: the key does not hold a int8")
	for cause, define := range map[string]func(b *Box, d *table.Def[Box]){
		"Row: the field is named twice": func(b *Box, d *table.Def[Box]) { d.Owner(&b.House); d.ID(&b.Row, &b.Row) },
		"or is both ID and Owner":       func(b *Box, d *table.Def[Box]) { d.Owner(&b.House); d.ID(&b.Row, &b.House) },
		"there is no ID":                func(b *Box, d *table.Def[Box]) { d.Owner(&b.House); d.ID() },
		"ID is called more than once":   func(b *Box, d *table.Def[Box]) { d.Owner(&b.House); d.ID(&b.Row); d.ID(&b.Label) },
		"there is no Owner":             func(b *Box, d *table.Def[Box]) { d.ID(&b.Row) },
		"KeyFunc takes the place of ID ": func(_ *Box, d *table.Def[Box]) {
			d.KeyFunc(func(Box) (table.RowKey, error) { return table.RowKey{}, nil }, nil)
		},
	} {
		_, err := table.NewEdge("box", "boxes", define)
		require.ErrorContains(t, err, cause)
	}
	_, err = table.NewNode("wide", func(w *Wide, d *table.Def[Wide]) { d.ID(&w.A, &w.B, &w.C, &w.D, &w.E, &w.F, &w.G, &w.H, &w.I) })
	require.ErrorContains(t, err, "ID and Owner have 9 fields (up to 8 make a key)")
	other := table.DefineEdge("other", "others", func(b *Box, d *table.Def[Box]) { d.Owner(&b.House, &b.Row); d.ID(&b.Label) })
	_, err = table.NewAggregate(table.Root(shelves, func(v *ShelfWithBoxes) *Shelf { return &v.Shelf }), table.Many(other, func(v *ShelfWithBoxes) *[]Box { return &v.Boxes }))
	require.ErrorContains(t, err, `the owner of "other" is a string, uint16, and the id of "shelf" is a string, int8, time.Time`)
}

// Wide has more fields than an id.
type Wide struct{ A, B, C, D, E, F, G, H, I int }

// Reading is a row of somebody else's table: the keys are theirs.
type Reading struct {
	Device string `dynamo:"device"`
	Seq    int    `dynamo:"seq"`
	Hidden string `dynamo:"-"` // in the key alone
	Value  int    `dynamo:"value"`
}

var readings = table.DefineNode("reading", func(r *Reading, d *table.Def[Reading]) {
	d.KeyFunc(func(r Reading) (table.RowKey, error) {
		if r.Seq < 0 {
			return table.RowKey{}, fmt.Errorf("the sequence is negative")
		}
		return table.RowKey{PK: "DEVICE#" + r.Device, SK: fmt.Sprintf("READING#%d#%s", r.Seq, r.Hidden)}, nil
	}, func(key table.RowKey, r *Reading) error {
		parts := strings.Split(key.SK, "#")
		if len(parts) != 3 {
			return fmt.Errorf("the sort key has %d parts", len(parts))
		}
		r.Hidden = parts[2]
		return nil
	})
	d.Unique(&r.Value)
	d.Index(ByStatus, table.Key(&r.Device), table.Key(&r.Seq))
})

func TestKeysMadeByAFunction(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, readings, Orders), t.Context(), readings.F
		one, two := Reading{"d", 1, "x", 10}, Reading{"d", 2, "y", 20}
		id := table.RowKey{PK: "DEVICE#d", SK: "READING#1#x"}
		require.NoError(t, readings.Create(ctx, db, one))
		require.NoError(t, readings.Save(ctx, db, two))
		require.ErrorIs(t, readings.Create(ctx, db, one), table.ErrExists)
		require.ErrorIs(t, readings.Save(ctx, db, Reading{"d", 3, "z", 20}), table.ErrExists)
		got, err := readings.Get(ctx, db, id)
		require.NoError(t, err)
		require.Equal(t, one, got)
		require.Equal(t, []Reading{one, two}, collect(t, db, readings.List()))
		require.Equal(t, []Reading{two}, collect(t, db, readings.Query(ByStatus, table.Eq(&f.Device, "d"), table.Gt(&f.Seq, 1))))
		require.NoError(t, readings.Update(ctx, db, id, table.Set(&f.Value, 11)))
		require.NoError(t, readings.Delete(ctx, db, id))
		require.NoError(t, readings.Restore(ctx, db, id))
		require.NoError(t, readings.DeletePermanently(ctx, db, id))
		var scanned []Reading
		for v, err := range readings.Scan(ctx, db, 2) {
			require.NoError(t, err)
			scanned = append(scanned, v)
		}
		require.Equal(t, []Reading{two}, scanned)
		require.NoError(t, Orders.Save(ctx, db, order()))
		_, err = readings.Get(ctx, db, table.RowKey{PK: "42", SK: "order"})
		require.ErrorIs(t, err, table.ErrUnknownRow)

		free := table.DefineNode("free", func(v *Reading, d *table.Def[Reading]) {
			d.KeyFunc(func(r Reading) (table.RowKey, error) { return table.RowKey{PK: "f", SK: strconv.Itoa(r.Seq)}, nil }, nil)
		})
		out, err := free.Upsert(ctx, db, one, version(t))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out)
		got, err = free.Get(ctx, db, table.RowKey{PK: "f", SK: "1"})
		require.NoError(t, err)
		require.Equal(t, Reading{Device: "d", Seq: 1, Value: 10}, got)
	})
}

func TestKeysMadeByAFunctionRefuse(t *testing.T) {
	t.Parallel()
	db, ctx := dry(t), t.Context()
	keyed := func(key table.RowKey) *table.Node[Reading] {
		return table.DefineNode("keyed", func(_ *Reading, d *table.Def[Reading]) {
			d.KeyFunc(func(Reading) (table.RowKey, error) { return key, nil }, nil)
		})
	}
	for text, err := range map[string]error{
		"the sequence is negative":                         readings.Save(ctx, db, Reading{Seq: -1}),
		"its id is a table.RowKey, not a string":           second(readings.Get(ctx, db, "d")),
		`the key is "" "a", and neither part may be empty`: keyed(table.RowKey{SK: "a"}).Save(ctx, db, Reading{}),
		`the key is "a" "", and neither part may be empty`: readings.Delete(ctx, db, table.RowKey{PK: "a"}),
		`the sort key "{unique" is that of guards`:         keyed(table.RowKey{PK: "a", SK: "{unique"}).Save(ctx, db, Reading{}),
		"the sort key has 1025 bytes":                      keyed(table.RowKey{PK: "a", SK: strings.Repeat("x", 1025)}).Save(ctx, db, Reading{}),
		"the sort key has 1 parts":                         second(readings.Decode(table.RowKey{PK: "a", SK: "b"}.Item())),
		`the keys of "keyed" are made by a function`:       second(table.NewAggregate(table.Root(keyed(table.RowKey{}), func(r *Reading) *Reading { return r }))),
		`Index "gsi2": there is no order`: second(table.NewNode("p", func(r *Reading, d *table.Def[Reading]) {
			d.KeyFunc(func(Reading) (table.RowKey, error) { return table.RowKey{}, nil }, nil)
			d.Index(ByStatus, table.Key(&r.Device))
		})),
		"KeyFunc: it is called twice, or without": second(table.NewNode("p", func(_ *Reading, d *table.Def[Reading]) { d.KeyFunc(nil, nil) })),
		"KeyFunc takes the place of ID": second(table.NewNode("p", func(r *Reading, d *table.Def[Reading]) {
			d.ID(&r.Seq)
			d.KeyFunc(func(Reading) (table.RowKey, error) { return table.RowKey{}, nil }, nil)
		})),
	} {
		require.ErrorContains(t, err, text)
	}
}
