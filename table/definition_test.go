package table_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// Bad has a mistake in nearly every field.
type Bad struct {
	ID      string `dynamo:"id,omitemtpy"`
	Name    string `dynamo:"name"`
	Again   string `dynamo:"name"`
	TTL     int64  `dynamo:"ttl"`
	Version string `dynamo:"_v_x"`
	Email   string `dynamo:"email" seal:"contact"`
	Hash    string `dynamo:"h,hash"`
	Odd     string `dynamo:"odd,frobnicate"`
	//lint:ignore U1000 an unexported field with a tag is one of the mistakes
	hidden   string                `dynamo:"hidden"`
	Nothing  struct{}              `dynamo:"nothing"`
	Channel  chan int              `dynamo:"channel"`
	BadSet   []bool                `dynamo:"badSet,set"`
	ArraySet map[[2]byte]bool      `dynamo:"arraySet,set"`
	Twice    **int                 `dynamo:"twice"`
	Tags     []string              `dynamo:"tags"`
	Price    float64               `dynamo:"price"`
	Inner    struct{ City string } `dynamo:"inner"`
	Taken    string                `dynamo:"gsi3pk"`
	time.Time
}

func TestDefinitionMistakesComeAllAtOnce(t *testing.T) {
	t.Parallel()
	other := new(Bad)
	_, err := table.NewNode("Bad|Name", func(b *Bad, d *table.Def[Bad]) {
		d.ID(&b.Price)
		d.ID(&other.ID)
		d.Owner(&b.Name)
		d.Subject(b.Name)
		d.Retain(time.Millisecond)
		d.Index(table.Index{Name: "gsi1"}, table.Key(&b.Name))
		d.Index(table.Index{Name: "gsi2"}, table.Key(&b.Tags))
		d.Index(table.Index{Name: "gsi2", PK: "pk"}, table.Key(&b.Name))
		d.Index(table.Index{Name: "gsi3"}, table.Key(&b.Email), table.Key(&b.Hash), table.Key(&b.Odd))
		d.Index(table.Index{Name: "gsi4"})
		d.Lane("", &b.Name)
		d.Lane("x", &b.Odd, &b.Inner.City)
		d.Lane("y", &b.Odd)
		d.Lane("y", &b.Hash)
		d.Lane("z")
		d.Index(table.Index{Name: "gsi5"}, table.Key(&b.Odd))
		d.Index(table.Index{Name: "gsi3"}, table.Key(&b.Name))
	})
	require.ErrorIs(t, err, table.ErrInvalid)
	golden(t, "mistakes.txt", err.Error()+"\n")
}

func TestOtherDefinitionMistakes(t *testing.T) {
	t.Parallel()
	type Person struct {
		ID, Name string
		Friend   *Person
		Home     *Address
	}
	ok := func(p *Person, d *table.Def[Person]) { d.ID(&p.ID) }
	for text, define := range map[string]func() error{
		"there is no ID (call d.ID(&v.Field))": func() error { return second(table.NewNode("p", func(*Person, *table.Def[Person]) {})) },
		"there is no Owner":                    func() error { return second(table.NewEdge("p", "ps", ok)) },
		`"p|q" cannot be the role of an edge`:  func() error { return second(table.NewEdge("p", "p|q", ok)) },
		"there is no definition function":      func() error { return second(table.NewNode[Person]("p", nil)) },
		"int is not a struct":                  func() error { return second(table.NewNode("p", func(*int, *table.Def[int]) {})) },
		"the definition function panicked: runtime error": func() error {
			return second(table.NewNode("p", func(p *Person, d *table.Def[Person]) { d.ID(&p.Friend.Friend.ID) }))
		},
		"ID is called more than once": func() error {
			return second(table.NewNode("p", func(p *Person, d *table.Def[Person]) { d.ID(&p.ID); d.ID(&p.Name) }))
		},
		"both ID and Owner": func() error {
			return second(table.NewEdge("p", "ps", func(p *Person, d *table.Def[Person]) { d.ID(&p.ID); d.Owner(&p.ID) }))
		},
		"ID: the field is nested": func() error {
			return second(table.NewNode("p", func(p *Person, d *table.Def[Person]) { d.ID(&p.Home.City) }))
		},
		`there is no root (make it with table.Root and a model)`: func() error { return second(table.NewAggregate[Basket](table.RootPart[Basket]{})) },
		`"line" is named twice (a row has one place)`:            func() error { return aggregate(table.Many(Lines, lines), table.Many(Lines, lines)) },
		`the owner of "keyed" is a int`:                          func() error { return aggregate(table.Many(keyedByInt(), func(*Basket) *[]Keyed[int] { return nil })) },
		`part 0 is empty`:                                        func() error { return aggregate(table.Part[Basket]{}) },
		`models "line" and "line2" have the same name or role`:   func() error { return schema(Lines, alsoLines()) },
		`models "order" and "order" have the same name`:          func() error { return schema(Orders, Orders) },
		`defines index "gsi2" with keys "data" and "data2"`:      func() error { return schema(Orders, otherKeys()) },
	} {
		require.ErrorContains(t, define(), text)
	}
}

func lines(b *Basket) *[]Line            { return &b.Lines }
func schema(m ...table.Definition) error { return second(table.Schema(m...).CreateTableInput("table")) }

func aggregate(parts ...table.Part[Basket]) error {
	return second(table.NewAggregate(table.Root(Orders, func(b *Basket) *Order { return &b.Order }), parts...))
}

func keyedByInt() *table.Edge[Keyed[int]] {
	return table.DefineEdge("keyed", "keyed", func(k *Keyed[int], d *table.Def[Keyed[int]]) {
		d.Owner(&k.Owner)
		d.ID(&k.ID)
	})
}

func alsoLines() *table.Edge[Line] {
	return table.DefineEdge("line2", "lines", func(l *Line, d *table.Def[Line]) {
		d.Owner(&l.OrderID)
		d.ID(&l.No)
	})
}

func otherKeys() *table.Node[Order] {
	return table.DefineNode("order2", func(o *Order, d *table.Def[Order]) {
		d.ID(&o.ID)
		d.Index(table.Index{Name: "gsi2", PK: "data", SK: "data2"}, table.Key(&o.Status))
	})
}

func TestDefinePanicsWithTheMistakes(t *testing.T) {
	t.Parallel()
	require.PanicsWithError(t, `table: the definition of "p" (table_test.Note) has a mistake:`+"\n\tthere is no ID (call d.ID(&v.Field))",
		func() { table.DefineNode("p", func(*Note, *table.Def[Note]) {}) })
}

func TestOpenTellsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := table.Open(nil, "x", &table.Options{CursorKeys: [][]byte{make([]byte, 32), make([]byte, 16)}})
	require.ErrorIs(t, err, table.ErrInvalid)
	for _, text := range []string{"no client", `"x" has 1`, "CursorKeys[1] has 16 bytes, and must have 32"} {
		require.ErrorContains(t, err, text)
	}
}

func TestSchemaIsPinned(t *testing.T) {
	t.Parallel()
	in, err := table.Schema(Orders, Lines, Notes).CreateTableInput("shop-entities")
	require.NoError(t, err)
	golden(t, "schema.txt", readable(t, in))
	require.Equal(t, "ttl", table.Schema().TTLAttribute())
}

func TestModelsAreTold(t *testing.T) {
	t.Parallel()
	key := func(v table.RowKey, err error) table.Item {
		require.NoError(t, err)
		return v.Item()
	}
	line, note := key(Lines.KeyOf(table.Of("42", 7))), key(Notes.RowKey(Note{"42", "n", ""}))
	require.True(t, Lines.Matches(line))
	require.False(t, Lines.Matches(note))
	require.True(t, Baskets.Matches(note))
	require.False(t, Baskets.Matches(key(Customers.KeyOf("42"))))
	meta, err := table.ReadMeta(line)
	require.NoError(t, err)
	require.Equal(t, table.Meta{Key: table.RowKey{PK: "42", SK: "lines|0000000000000000007"}, Discriminator: "lines"}, meta)
	require.Equal(t, "order", strings.ToLower(Baskets.Name()))
}
