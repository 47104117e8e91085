package table_test

import (
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

type (
	level  uint8
	person struct {
		First, Last string
		Born        *time.Time        `json:"born,omitempty"`
		Notes       map[string]string `dynamo:"n" json:"n,omitempty"`
		Kin         []person          `json:"kin,omitempty"`
		//lint:ignore U1000 what is not exported is no part of what is sealed
		hidden int
	}
	inner struct {
		City string `dynamo:"city" seal:"contact"`
	}
)

// Everything has a sealed field of every type that a model can have.
type Everything struct {
	ID string
	inner
	*Note2s2
	Text     string                   `seal:"a"`
	Yes      bool                     `seal:"a"`
	Int      int64                    `seal:"a"`
	Uint     uint64                   `seal:"a"`
	Level    level                    `seal:"a"`
	Float    float64                  `seal:"a"`
	Small    float32                  `seal:"a"`
	When     time.Time                `seal:"a"`
	Unix     time.Time                `dynamo:"unix,unixtime" seal:"a"`
	Long     time.Duration            `seal:"a"`
	Bytes    []byte                   `seal:"a"`
	Array    [3]int                   `seal:"a"`
	List     []string                 `seal:"a"`
	Set      []string                 `dynamo:"set,set" seal:"a"`
	Lists    [][]int                  `seal:"a"`
	Times    []time.Time              `seal:"a"`
	Map      map[string]int           `seal:"a"`
	Numbered map[int]person           `seal:"a"`
	Struct   person                   `seal:"a"`
	Pointer  *person                  `seal:"a"`
	PInt     *int                     `seal:"a"`
	People   []*person                `seal:"a"`
	Address  netip.Addr               `seal:"a"`
	Big      *big.Int                 `seal:"a"`
	URL      url.URL                  `seal:"a"`
	Any      any                      `seal:"a"`
	Held     insideout.Sealed[person] `seal:"a"`
}

type Note2s2 struct {
	Deep string `dynamo:"deep" seal:"b"`
}

var Everythings = table.DefineNode("everything", func(e *Everything, d *table.Def[Everything]) {
	d.ID(&e.ID)
	d.Subject(&e.ID)
})

func everything() Everything {
	when := time.Date(1969, 7, 20, 20, 17, 40, 123456789, time.FixedZone("", 3600))
	born := when.UTC()
	kin := person{First: "Zoë <&>", Last: "\u2028\x00\"", Born: &born, Notes: map[string]string{"ü": ""}, Kin: []person{{First: "x"}}}
	return Everything{
		ID: "1", inner: inner{"Köln"}, Note2s2: &Note2s2{"d"}, Text: "a\nb", Yes: true, Int: math.MinInt64, Uint: math.MaxUint64, Level: 255, Float: 0.1, Small: 1e-7,
		When: when, Unix: when, Long: time.Hour, Bytes: []byte{0, 255}, Array: [3]int{1, 2, 3}, List: []string{"", "b"}, Set: []string{"x"},
		Lists: [][]int{{1}, {}}, Times: []time.Time{when}, Map: map[string]int{"": 1}, Numbered: map[int]person{-1: kin}, Struct: kin, Pointer: &kin,
		PInt: new(0), People: []*person{&kin, nil}, Address: netip.MustParseAddr("::1"), Big: big.NewInt(math.MaxInt64),
		URL: url.URL{Scheme: "https", Host: "example.com", Path: "/a b"}, Any: map[string]any{"a": []any{1.5, nil, true}}, Held: insideout.Seal(kin),
	}
}

func TestFieldsOfEveryTypeAreSealed(t *testing.T) {
	t.Parallel()
	e, v := embedded.New(nil), newVault()
	db := withVault(t, e, create(t, e, Everythings).Name(), v, v)
	for name, want := range map[string]Everything{"full": everything(), "zero": {ID: "1"}} {
		require.NoError(t, Everythings.Save(t.Context(), db, want), name)
		for attr, av := range rawRow(t, e, db, table.RowKey{PK: "1", SK: "everything"}) {
			switch attr {
			case "pk", "sk", "discriminator", "timestamp", "awsregion":
			default:
				require.IsType(t, &types.AttributeValueMemberB{}, av, attr)
			}
		}
		got, err := Everythings.Get(t.Context(), db, "1")
		require.NoError(t, err, name)
		held, err := got.Held.Reveal()
		require.NoError(t, err)
		requireEqual(t, want.Held.RevealOr(person{}), held)
		got.Held, want.Held = insideout.Sealed[person]{}, insideout.Sealed[person]{}
		a, b := reflect.ValueOf(want), reflect.ValueOf(got)
		for i := range a.NumField() {
			if f := a.Type().Field(i); f.IsExported() {
				requireEqual(t, a.Field(i).Interface(), b.Field(i).Interface(), name+" "+f.Name)
			}
		}
		require.Equal(t, want.City, got.City)
	}
	for _, spoil := range []func(*Everything){
		func(e *Everything) { e.Float = math.NaN() }, func(e *Everything) { e.Any = func() {} }, func(e *Everything) { e.Small = float32(math.Inf(1)) },
	} {
		bad := everything()
		spoil(&bad)
		err := Everythings.Save(t.Context(), db, bad)
		require.ErrorIs(t, err, table.ErrInvalid)
		require.ErrorContains(t, err, "the value has no JSON form")
	}
}

// requireEqual is about values: the same instant is the same time, and nothing is an empty list.
func requireEqual(t *testing.T, want, got any, what ...any) {
	t.Helper()
	if times, ok := want.([]time.Time); ok && len(times) > 0 {
		list, _ := got.([]time.Time)
		want, got = times[0], list[0]
	}
	if when, ok := want.(time.Time); ok {
		at, _ := got.(time.Time)
		require.True(t, when.Equal(at), what...)
		return
	}
	if v := reflect.ValueOf(want); want != nil && (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		require.Empty(t, got, what...)
		return
	}
	require.Equal(t, want, got, what...)
}

// coded has an encoding for rows alone.
type coded struct{ text string }

func (c coded) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return &types.AttributeValueMemberS{Value: c.text}, nil
}

// What JSON would drop cannot be sealed without being lost.
func TestSealedTypesLoseNothing(t *testing.T) {
	t.Parallel()
	type half struct {
		Kept string
		Lost string `json:"-"`
	}
	type twice struct {
		X string
		B string `json:"X"`
	}
	type fine struct {
		A    string `json:"a"`
		Temp string `dynamo:"-" json:"-"`
	}
	type model struct {
		ID    string
		Half  []half           `seal:"a"`
		Twice map[string]twice `seal:"a"`
		Coded *coded           `seal:"a"`
		Fine  fine             `seal:"a"`
	}
	_, err := table.NewNode("model", func(m *model, d *table.Def[model]) {
		d.ID(&m.ID)
		d.Subject(&m.ID)
	})
	require.ErrorIs(t, err, table.ErrInvalid)
	for _, text := range []string{
		"JSON leaves out table_test.half.Lost", "JSON has one name for table_test.twice.X and B, and leaves out one or both",
		"a *table_test.coded has an encoding of its own for rows, and none for JSON",
	} {
		require.ErrorContains(t, err, text)
	}
	require.NotContains(t, err.Error(), "Fine")
}
