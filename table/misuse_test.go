package table_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Gauge has a field of each kind that a condition may be about.
type Gauge struct {
	ID    string
	Level float64           `dynamo:"level"`
	Raw   []byte            `dynamo:"raw"`
	Unit  string            `dynamo:"unit"`
	Marks []string          `dynamo:"marks"`
	Spot  *Address          `dynamo:"spot"`
	On    bool              `dynamo:"on"`
	Tags  map[string]string `dynamo:"tags"`
}

var gauges = table.DefineNode("gauge", func(g *Gauge, d *table.Def[Gauge]) { d.ID(&g.ID) })

// TestMistakesOfNewcomers: what people get wrong on the first day is told in words, and nothing panics.
func TestMistakesOfNewcomers(t *testing.T) {
	t.Parallel()
	db, ctx, f := dry(t), t.Context(), gauges.F
	filter := func(c table.Cond) error { return all(gauges.List().Where(c))(ctx, db) }
	save := func(opts ...table.WriteOption) error { return gauges.Save(ctx, db, Gauge{ID: "g"}, opts...) }
	copied, mine := *f, Gauge{}
	for text, errs := range map[string][]error{
		"change 1 is nil: make it with Set": {
			gauges.Update(ctx, db, "g", table.Set(&f.Level, 1), nil),
			db.Transact(ctx, gauges.UpdateOp("g", table.Set(&f.Level, 1), nil)),
		},
		"a WriteOption is nil: make it with If": {
			save(nil), gauges.Create(ctx, db, Gauge{ID: "g"}, nil), gauges.Delete(ctx, db, "g", nil), gauges.Restore(ctx, db, "g", nil),
			gauges.Update(ctx, db, "g", table.Set(&f.Level, 1), table.WriteOption(nil)), db.Transact(ctx, gauges.CheckOp("g", nil)),
			second(gauges.Upsert(ctx, db, Gauge{ID: "g"}, version(t), nil)), second(gauges.Remove(ctx, db, "g", version(t), nil)),
		},
		"a ReadOption is empty: make it with Limit": {second(gauges.Get(ctx, db, "g", table.ReadOption{})), second(gauges.List().Page(ctx, db, table.ReadOption{}))},
		"does not point to a field of table_test.Gauge: take it from F": {
			gauges.Update(ctx, db, "g", table.Set(&copied.Level, 1)), gauges.Update(ctx, db, "g", table.Set(&mine.Level, 1)),
			gauges.Update(ctx, db, "g", table.Set[float64](nil, 1)), gauges.Update(ctx, db, "g", table.Set(f, mine)), filter(table.Eq(&copied.Level, 1)),
		},
		"not a filter, and not a condition of a write":   {filter(table.Eq(&f.ID, "g")), save(table.If(table.Eq(&f.ID, "g")))},
		"field Spot: values of type M have no order":     {filter(table.Gt(&f.Spot, &Address{})), save(table.If(table.Lte(&f.Spot, &Address{})))},
		"field Marks: values of type L have no order":    {filter(table.Between(&f.Marks, []string{"a"}, []string{"b"}))},
		"field On: values of type BOOL have no order":    {filter(table.Lt(&f.On, true))},
		"field Level: Between needs the low value first": {filter(table.Between(&f.Level, 10, 9)), save(table.If(table.Between(&f.Level, -1, -2)))},
		"field Unit: Between needs the low value first":  {filter(table.Between(&f.Unit, "b", "a"))},
		"field Raw: Between needs the low value first":   {filter(table.Between(&f.Raw, []byte{1}, []byte{0, 9}))},
		"a part of a key must be UTF-8 text":             {second(gauges.Get(ctx, db, "\xff")), gauges.Save(ctx, db, Gauge{ID: "a\xfe"})},
		"batch get gauge: invalid: id 1: an id of type":  {second(gauges.BatchGet(ctx, db, []table.ID{"g", 1}))},
		"Params needs a function":                        {second(db.Params(nil))},
	} {
		for i, err := range errs {
			require.ErrorIs(t, err, table.ErrInvalid, "%s %d", text, i)
			require.ErrorContains(t, err, text, i)
			require.Equal(t, 1, strings.Count(err.Error(), "table: "), err.Error())
			require.False(t, table.Retryable(err))
		}
	}
}

func TestRangesOfFilters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, gauges), t.Context(), gauges.F
		require.NoError(t, gauges.Save(ctx, db, Gauge{ID: "g", Level: 9, Unit: "m", Raw: []byte{1}}))
		for _, c := range []table.Cond{
			table.Between(&f.Level, 9, 10), table.Between(&f.Level, 9, 9), table.Between(&f.Unit, "a", "n"), table.Between(&f.Raw, []byte{0}, []byte{1}), table.Gt(&f.Raw, []byte{0}),
		} {
			require.Len(t, collect(t, db, gauges.List().Where(c)), 1)
		}
	})
}

// TestDefinitionsWithoutModels: what is nil in a definition is a mistake like others.
func TestDefinitionsWithoutModels(t *testing.T) {
	t.Parallel()
	order := func(b *Basket) *Order { return &b.Order }
	root := table.Root(Orders, order)
	type Nested struct{ Basket *Basket }
	for text, err := range map[string]error{
		"there is no root (make it with table.Root and a model)":             second(table.NewAggregate(table.Root[Basket, Order](nil, order))),
		`"order": there is no function for its place`:                        second(table.NewAggregate(table.Root[Basket](Orders, nil))),
		`"order": the function for its place returns nil`:                    second(table.NewAggregate(table.Root(Orders, func(*Basket) *Order { return nil }))),
		`"order": the function for its place panicked: runtime error`:        second(table.NewAggregate(table.Root(Orders, func(n *Nested) *Order { return &n.Basket.Order }))),
		"part 0 is empty (make it with table.Many or table.One and a model)": second(table.NewAggregate(root, table.Many(nil, lines))),
		"part 1 is empty": second(table.NewAggregate(root, table.Many(Lines, lines), table.One[Basket, Note](nil, nil))),
		`"line": there is no function for its place (func(a *A) …`: second(table.NewAggregate(root, table.Many[Basket](Lines, nil))),
		`"note": the function for its place returns nil`:           second(table.NewAggregate(root, table.One(Notes, func(*Basket) **Note { return nil }))),
		"model 1 is nil": schema(Orders, nil),
		"model 0 is nil": schema((*table.Edge[Line])(nil)),
		"there is no schema: make it with Schema":   table.Create(t.Context(), nil, "table", nil),
		`there is no client to create "table" with`: table.Create(t.Context(), nil, "table", table.Schema(Orders)),
		`there is no client to verify "table" with`: second(table.Schema(Orders).Verify(t.Context(), nil, "table")),
	} {
		require.ErrorIs(t, err, table.ErrInvalid, text)
		require.ErrorContains(t, err, text)
	}
	require.NotPanics(t, func() { table.DefineAggregate(root).Skip(nil, (*table.Edge[Line])(nil)).Rest(nil) })
}

// TestFaultsOfRowsNameTheField: where DynamoDB refuses a request for what a row is like, the answer says what to do.
func TestFaultsOfRowsNameTheField(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, gauges), t.Context(), gauges.F
		require.NoError(t, gauges.Save(ctx, db, Gauge{ID: "g"}))
		err := gauges.Update(ctx, db, "g", table.Set(&f.Level, 1), table.Set(&f.Spot.City, "Rome"))
		require.ErrorContains(t, err, `update gauge "g" "gauge": field Spot.City: the struct or list that it is in is not there: Set that one as a whole`)
		require.False(t, table.Retryable(err))
		err = db.Transact(ctx, gauges.Put(Gauge{ID: "g", Unit: strings.Repeat("x", 410_000)}))
		require.ErrorContains(t, err, "size", "DynamoDB says what it is")
	})
}

// wordy gives its reasons.
type wordy struct{ table.Client }

func (wordy) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	code, message := "ValidationError", "Item size has exceeded"
	return nil, &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: &code, Message: &message}}}
}

func TestTransactionsPassOnWhatDynamoDBSays(t *testing.T) {
	t.Parallel()
	db, err := table.Open(wordy{}, "nowhere", nil)
	require.NoError(t, err)
	require.ErrorContains(t, db.Transact(t.Context(), puts(1)...), `transact line "42" "lines|0000000000000000000": operation 0: ValidationError: Item size has exceeded`)

	everywhere(t, func(t *testing.T, e endpoint) {
		db := create(t, e, Lines)
		ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		err := db.Transact(ctx, puts(1)...)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "table: transact: ")
	})
}

// TestWithoutADB: whatever takes a DB says so where there is none, be it nil or one that Open did not make.
func TestWithoutADB(t *testing.T) {
	t.Parallel()
	type card struct {
		ID string `dynamo:"id"`
	}
	for _, db := range []*table.DB{nil, {}} {
		taken := 0
		for _, of := range []any{Orders, Lines, Sheets, Baskets, Orders.List(), Sheets.List(), table.Project[card](Orders.List())} {
			v, id := reflect.ValueOf(of), table.ID("1")
			if of == any(Lines) {
				id = table.Of("1", 1)
			}
			for i := range v.NumMethod() {
				if err, takes := withDB(t, v.Method(i), db, id); takes {
					taken++
					require.ErrorIs(t, err, table.ErrInvalid, "%T %s", of, v.Type().Method(i).Name)
					require.ErrorContains(t, err, "there is no DB: make it with table.Open", "%T %s", of, v.Type().Method(i).Name)
				}
			}
		}
		require.Greater(t, taken, 40)
		rows := db.Sealed(Sheets)
		_, _, paged := rows.Page(t.Context(), "")
		for what, err := range map[string]error{
			"Batch": db.Batch(t.Context()), "Transact": db.Transact(t.Context(), puts(1)...), "TransactOnce": db.TransactOnce(t.Context(), "token", puts(1)...),
			"Params": second(db.Params(func(*table.DB) error { return nil })), "SubjectRef": second(db.SubjectRef("1")),
			"Page": paged, "Replace": second(rows.Replace(t.Context(), insideout.SealedRow{})),
			"Replaying": Orders.Save(t.Context(), db.Replaying(), order()),
		} {
			require.ErrorContains(t, err, "there is no DB", what)
		}
		require.Empty(t, db.Name())
		require.Nil(t, db.Client())
		_, ok := db.Dynamo()
		require.False(t, ok)
	}
	require.Nil(t, (*table.DB)(nil).Through(nil))
	_, _, err := dry(t).Sealed((*table.Node[Sheet])(nil)).Page(t.Context(), "")
	require.ErrorContains(t, err, "Sealed: a model that is nil has no sealed fields")
}

// withDB calls a method with a DB, if it takes one, and with what it can do with otherwise.
func withDB(t *testing.T, method reflect.Value, db *table.DB, id table.ID) (err error, takes bool) {
	known := map[reflect.Type]any{
		reflect.TypeFor[context.Context](): t.Context(), reflect.TypeFor[*table.DB](): db, reflect.TypeFor[table.ID](): id,
		reflect.TypeFor[idempotence.Lane](): idempotence.Lane("lane"), reflect.TypeFor[string](): "1", reflect.TypeFor[int](): 1,
		reflect.TypeFor[Order](): order(), reflect.TypeFor[Line](): Line{OrderID: "1"}, reflect.TypeFor[Sheet](): Sheet{ID: "1", Person: "7"},
	}
	var in []reflect.Value
	for i := range method.Type().NumIn() {
		of := method.Type().In(i)
		takes = takes || of == reflect.TypeFor[*table.DB]()
		switch v, ok := known[of]; {
		case method.Type().IsVariadic() && i == method.Type().NumIn()-1:
		case of == reflect.TypeFor[idempotence.Version](): // each greater than the one before
			in = append(in, reflect.ValueOf(version(t)+idempotence.Version(rune('0'+i))))
		case ok:
			in = append(in, reflect.ValueOf(v))
		case of.Kind() == reflect.Func:
			in = append(in, reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { return nil }))
		default:
			in = append(in, reflect.Zero(of))
		}
	}
	if !takes {
		return nil, false
	}
	out := method.Call(in)
	last := out[len(out)-1]
	if last.Kind() == reflect.Func { // a sequence, with its error last
		for _, v := range last.Seq2() {
			last = v
		}
	}
	err, _ = last.Interface().(error)
	return err, true
}
