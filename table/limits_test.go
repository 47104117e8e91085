package table_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Big has as many attributes as a listener's write can carry, with those of the library.
type Big struct {
	ID string
	BigFields
}

type BigFields struct {
	A000, A001, A002, A003, A004, A005, A006, A007, A008, A009, A010, A011, A012, A013, A014, A015 int
	A016, A017, A018, A019, A020, A021, A022, A023, A024, A025, A026, A027, A028, A029, A030, A031 int
	A032, A033, A034, A035, A036, A037, A038, A039, A040, A041, A042, A043, A044, A045, A046, A047 int
	A048, A049, A050, A051, A052, A053, A054, A055, A056, A057, A058, A059, A060, A061, A062, A063 int
	A064, A065, A066, A067, A068, A069, A070, A071, A072, A073, A074, A075, A076, A077, A078, A079 int
	A080, A081, A082, A083, A084, A085, A086, A087, A088, A089, A090, A091, A092, A093, A094, A095 int
	A096, A097, A098, A099, A100, A101, A102, A103, A104, A105, A106, A107, A108, A109, A110, A111 int
	A112, A113, A114, A115, A116, A117, A118, A119, A120, A121, A122, A123, A124, A125, A126, A127 int
	A128, A129, A130, A131, A132, A133, A134, A135, A136, A137, A138, A139, A140, A141, A142, A143 int
	A144, A145, A146, A147, A148, A149, A150, A151, A152, A153, A154, A155, A156, A157, A158, A159 int
	A160, A161, A162, A163, A164, A165, A166, A167, A168, A169, A170, A171, A172, A173, A174, A175 int
	A176, A177, A178, A179, A180, A181, A182, A183, A184, A185, A186, A187, A188, A189, A190, A191 int
	A192, A193, A194, A195, A196, A197, A198, A199, A200, A201, A202, A203, A204, A205, A206, A207 int
	A208, A209, A210, A211, A212, A213, A214, A215, A216, A217, A218, A219, A220, A221, A222, A223 int
	A224, A225, A226, A227, A228, A229, A230, A231, A232, A233, A234, A235, A236, A237, A238, A239 int
	A240, A241, A242, A243, A244, A245, A246, A247                                                 int
}

// TooBig has one more.
type TooBig struct {
	Big
	More int
}

func TestRowsOfManyAttributes(t *testing.T) {
	t.Parallel()
	_, err := table.NewNode("big", func(b *TooBig, d *table.Def[TooBig]) { d.ID(&b.ID) })
	require.ErrorContains(t, err, "the row has 257 attributes, and one write can carry 256 (nest fields in structs)")
	big := table.DefineNode("big", func(b *Big, d *table.Def[Big]) { d.ID(&b.ID) })
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, big), t.Context()
		want := Big{ID: "b", BigFields: BigFields{A000: 1, A247: 2}}
		require.NoError(t, big.Save(ctx, db, want))
		_, err := big.Upsert(ctx, db, want, version(t))
		require.NoError(t, err)
		got, err := big.Get(ctx, db, "b")
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestKeysHaveLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders, Notes), t.Context()
		require.NoError(t, Orders.Save(ctx, db, Order{ID: long(1024)}))
		require.NoError(t, Notes.Save(ctx, db, Note{OrderID: long(1024), ID: long(1018)}))
		require.NoError(t, Orders.Save(ctx, db, Order{ID: "s", Status: long(2048 - len("order|")), PlacedAt: day(1)}))
		for text, write := range map[string]error{
			"the partition key has 2049 bytes, and DynamoDB takes 2048":                        Orders.Save(ctx, db, Order{ID: long(2049)}),
			"the partition key has 1025 bytes, and index gsi1, which orders by it, takes 1024": Orders.Save(ctx, db, Order{ID: long(1025)}),
			"the sort key has 1025 bytes, and DynamoDB takes 1024":                             Notes.Save(ctx, db, Note{OrderID: "o", ID: long(1019)}),
			"the partition key has 2050 bytes":                                                 Orders.Delete(ctx, db, "|"+long(2048)), // an escape is two bytes
			`index "gsi2": the partition key has 2049 bytes`:                                   Orders.Save(ctx, db, Order{ID: "s", Status: long(2049 - len("order|")), PlacedAt: day(1)}),
			"a part of a key cannot be empty":                                                  Notes.Save(ctx, db, Note{OrderID: "o"}),
			"the id is nil":                                                                    Orders.Delete(ctx, db, nil),
			"was given, and field ID is a string":                                              Orders.Delete(ctx, db, 4.5),
		} {
			require.ErrorIs(t, write, table.ErrInvalid, text)
			require.ErrorContains(t, write, text)
			require.NotContains(t, write.Error(), long(100), "an error has no room for a long key")
		}
	})
}

func TestConditionsHaveLimits(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders), t.Context(), Orders.F
		require.NoError(t, Orders.Save(ctx, db, Order{ID: "42", Status: "OPEN"}))
		save := func(conds ...table.Cond) error {
			return Orders.Save(ctx, db, Order{ID: "42", Status: "OPEN"}, table.If(conds...))
		}
		require.NoError(t, save(table.In(&f.Status, append(make101()[:99], "OPEN")...)))
		for text, conds := range map[string][]table.Cond{
			"In takes 1 to 100 values, and 101 were given": {table.In(&f.Status, make101()...)},
			"In takes 1 to 100 values, and 0 were given":   {table.In(&f.Status)},
			"and DynamoDB takes 4096":                      many(&f.Note, 290),
			"a Cond is empty":                              {table.Cond{}},
			"an empty value is stored as no attribute":     {table.BeginsWith(&f.Note, "")},
		} {
			err := save(conds...)
			require.ErrorIs(t, err, table.ErrInvalid, text)
			require.ErrorContains(t, err, text)
		}
		err := save(many(&f.Note, 200)...)
		require.ErrorContains(t, err, "operator", "DynamoDB counts them, and says so")
		require.False(t, table.Retryable(err))
		require.NoError(t, save(many(&f.Note, 100)...))
	})
}

func make101() []string {
	values := make([]string, 101)
	for i := range values {
		values[i] = "x"
	}
	return values
}

// Parcel is in three indexes, and about a person.
type Parcel struct {
	ID      string
	City    string `dynamo:"city"`
	Zone    int8   `dynamo:"zone"`
	State   string `dynamo:"state"`
	Person  string `dynamo:"person"`
	Remarks string `dynamo:"remarks"`
}

var parcels = table.DefineNode("parcel", func(p *Parcel, d *table.Def[Parcel]) {
	d.ID(&p.ID)
	d.Subject(&p.Person)
	d.Index(table.Index{Name: "byCity", Shards: 4}, table.Key(&p.City, &p.Zone), table.Key(&p.State))
	d.Index(table.Index{Name: "byState"}, table.Key(&p.State))
	d.Index(table.Index{Name: "data", PK: "discriminator", SK: "data"}, table.Key(&p.City, &p.ID))
})

// TestPartialUpdatesLeaveWhatAFullWriteWould: an update that goes through leaves the row, with its index keys and its subject, as a Save of the changed entity
// does; it is refused only if an index has a field that it touches and one that it does not give.
func TestPartialUpdatesLeaveWhatAFullWriteWould(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db, n := marking(t, e, create(t, e, parcels)), 0
	f := parcels.F
	text := rapid.SampledFrom([]string{"", "a", "b|c", "{"})
	rapid.Check(t, func(rt *rapid.T) {
		n++
		ctx, id := t.Context(), string(rune('A'+n%26))+strings.Repeat("x", n/26)
		p := Parcel{id, text.Draw(rt, "city"), rapid.Int8().Draw(rt, "zone"), text.Draw(rt, "state"), text.Draw(rt, "person"), text.Draw(rt, "remarks")}
		require.NoError(rt, parcels.Save(ctx, db, p))
		before := bare(ctx, rt, db, id)
		var changes []table.Change
		set := map[string]bool{}
		change := func(name string, field *string, to *string) {
			if !rapid.Bool().Draw(rt, name) {
				return
			}
			set[name] = true
			if *to = text.Draw(rt, "new "+name); rapid.Bool().Draw(rt, "remove "+name) {
				*to = ""
				changes = append(changes, table.Remove(field))
				return
			}
			changes = append(changes, table.Set(field, *to))
		}
		change("city", &f.City, &p.City)
		change("state", &f.State, &p.State)
		change("person", &f.Person, &p.Person)
		change("remarks", &f.Remarks, &p.Remarks)
		if rapid.Bool().Draw(rt, "zone changes") {
			set["zone"], p.Zone = true, rapid.Int8().Draw(rt, "new zone")
			changes = append(changes, table.Set(&f.Zone, p.Zone))
		}
		err := parcels.Update(ctx, db, id, changes...)
		byCity := set["city"] || set["zone"] || set["state"]
		if refused := len(changes) == 0 || byCity && !(set["city"] && set["zone"] && set["state"]); refused {
			require.ErrorIs(rt, err, table.ErrInvalid)
			require.Equal(rt, before, bare(ctx, rt, db, id))
			return
		}
		require.NoError(rt, err)
		updated := bare(ctx, rt, db, id)
		require.NoError(rt, parcels.Save(ctx, db, p))
		require.Equal(rt, bare(ctx, rt, db, id), updated)
	})
}

// bare is a stored row without its timestamp.
func bare(ctx context.Context, t require.TestingT, db *table.DB, id string) table.Item {
	raw, _ := db.Dynamo()
	var item table.Item
	require.NoError(t, raw.Get("pk", id).Range("sk", "EQ", "parcel").Consistent(true).One(ctx, &item))
	delete(item, "timestamp")
	require.False(t, reflect.DeepEqual(item, table.Item{}))
	return item
}
