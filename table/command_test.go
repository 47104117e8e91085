package table_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db := create(t, e, Orders, Lines, Notes)
		ctx := table.WithUser(t.Context(), "jane")
		want := order()

		_, err := Orders.Get(ctx, db, "42")
		require.ErrorIs(t, err, table.ErrNotFound)
		require.ErrorIs(t, Orders.Delete(ctx, db, "42"), table.ErrNotFound)
		require.NoError(t, Orders.Create(ctx, db, want))
		require.ErrorIs(t, Orders.Create(ctx, db, want), table.ErrExists)
		got, err := Orders.Get(ctx, db, "42")
		require.NoError(t, err)
		require.ElementsMatch(t, want.Labels, got.Labels)
		got.Labels = want.Labels
		require.Equal(t, want, got)

		want.Note, want.Address = "fragile", nil
		require.NoError(t, Orders.Save(ctx, db, want))
		got, err = Orders.Get(ctx, db, "42", table.Eventual())
		require.NoError(t, err)
		require.Equal(t, "fragile", got.Note)
		require.Nil(t, got.Address, "what a Save does not have is removed")
	})
}

func TestDeletedRowsAreHiddenAndCanBeRestored(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders), t.Context()
		require.NoError(t, Orders.Save(ctx, db, order()))
		require.NoError(t, Orders.Delete(ctx, db, "42"))
		require.ErrorIs(t, Orders.Delete(ctx, db, "42"), table.ErrNotFound)
		_, err := Orders.Get(ctx, db, "42")
		require.ErrorIs(t, err, table.ErrNotFound)
		require.Empty(t, collect(t, db, Orders.List()))
		got, err := Orders.Get(ctx, db, "42", table.WithDeleted())
		require.NoError(t, err)
		require.Equal(t, "OPEN", got.Status, "a tombstone keeps the last state")
		require.Len(t, collect(t, db, Orders.List(), table.WithDeleted()), 1)

		require.NoError(t, Orders.Restore(ctx, db, "42"))
		require.ErrorIs(t, Orders.Restore(ctx, db, "42"), table.ErrNotFound)
		require.Len(t, collect(t, db, Orders.Query(ByStatus, table.Eq(&Orders.F.Status, "OPEN"))), 1)

		require.NoError(t, Orders.Delete(ctx, db, "42"))
		require.NoError(t, Orders.Create(ctx, db, order()), "a deleted order does not stand in the way of a new one")
		require.NoError(t, Orders.DeletePermanently(ctx, db, "42"))
		_, err = Orders.Get(ctx, db, "42", table.WithDeleted())
		require.ErrorIs(t, err, table.ErrNotFound)
	})
}

// collect reads a query to its end.
func collect[T any](t *testing.T, db *table.DB, q table.Query[T], opts ...table.ReadOption) []T {
	t.Helper()
	var list []T
	for v, err := range q.All(t.Context(), db, opts...) {
		require.NoError(t, err)
		list = append(list, v)
	}
	return list
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders), t.Context(), Orders.F
		require.ErrorIs(t, Orders.Update(ctx, db, "42", table.Set(&f.Note, "x")), table.ErrNotFound)
		require.NoError(t, Orders.Save(ctx, db, order()))
		require.NoError(t, Orders.Update(ctx, db, "42",
			table.Set(&f.Status, "PAID"), table.Set(&f.PlacedAt, day(1)), table.Add(&f.Total, 5), table.SetIfAbsent(&f.Note, "first"),
			table.Append(&f.Stops, "Thun", "Bern"), table.RemoveFromSet(&f.Labels, "vip"), table.Set(&f.Address.City, "Basel"),
			table.Remove(&f.CustomerID), table.If(table.Eq(&f.Status, "OPEN"))))
		require.NoError(t, Orders.Update(ctx, db, "42", table.Add(&f.Total, -2), table.Append(&f.Stops, "Chur"), table.SetIfAbsent(&f.Note, "second")))
		got := collect(t, db, Orders.Query(ByStatus, table.Eq(&f.Status, "PAID")))
		require.Equal(t, []Order{{
			ID: "42", Status: "PAID", PlacedAt: day(1), Note: "first", Total: 3, Labels: []string{"gift"},
			Stops: []string{"Thun", "Bern", "Chur"}, Address: &Address{City: "Basel"},
		}}, got)
		require.Empty(t, collect(t, db, Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN"))))

		err := Orders.Update(ctx, db, "42", table.Set(&f.Note, "x"), table.If(table.Eq(&f.Status, "OPEN")))
		require.ErrorIs(t, err, table.ErrConflict)
		var failed *table.Error
		require.ErrorAs(t, err, &failed)
		current, err := Orders.Decode(failed.Current)
		require.NoError(t, err)
		require.Equal(t, "PAID", current.Status, "the error carries the row that failed the condition")
	})
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	db, f := dry(t), Orders.F
	other := new(Order)
	for text, changes := range map[string][]table.Change{
		`nothing to change`:                      nil,
		`index "gsi2" is made of field PlacedAt`: {table.Set(&f.Status, "PAID")},
		`index "gsi2" is made of field Status`:   {table.Set(&f.PlacedAt, day(1)), table.SetIfAbsent(&f.Status, "OPEN")},
		`part of the key`:                        {table.Set(&f.ID, "43")},
		`does not point to a field`:              {table.Set(&other.Note, "x")},
		`two changes overlap`:                    {table.Remove(&f.Address), table.Set(&f.Address.City, "x")},
		`not a list`:                             {table.Append(&f.Labels, "x")},
		`not a set`:                              {table.AddToSet(&f.Stops, "x")},
		`no elements`:                            {table.Append(&f.Stops)},
	} {
		err := Orders.Update(t.Context(), db, "42", changes...)
		require.ErrorIs(t, err, table.ErrInvalid, text)
		require.ErrorContains(t, err, text)
		require.False(t, table.Retryable(err))
	}
}

// dry is a DB for calls that fail before anything is sent.
func dry(t *testing.T) *table.DB {
	t.Helper()
	db, err := table.Open(nobody{}, "nowhere", nil)
	require.NoError(t, err)
	return db
}

func TestTimestampsGrowWithEveryCommand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Orders), t.Context()
		raw, ok := db.Dynamo()
		require.True(t, ok)
		ahead := time.Now().Add(time.Hour).UnixMilli() // by a clock that is wrong
		require.NoError(t, raw.Put(map[string]any{"pk": "42", "sk": "order", "discriminator": "order", "timestamp": ahead, "status": "OPEN"}).Run(ctx))
		require.NoError(t, Orders.Save(ctx, db, order()))
		require.Equal(t, ahead+1, timestamp(t, db))
		require.NoError(t, Orders.Delete(ctx, db, "42"))
		require.Equal(t, ahead+2, timestamp(t, db))
		require.NoError(t, db.Transact(ctx, Orders.Put(order())))
		require.Equal(t, ahead+3, timestamp(t, db))
	})
}

func timestamp(t *testing.T, db *table.DB) int64 {
	t.Helper()
	raw, _ := db.Dynamo()
	var row struct {
		Timestamp int64 `dynamo:"timestamp"`
	}
	require.NoError(t, raw.Get("pk", "42").Range("sk", "EQ", "order").Consistent(true).One(t.Context(), &row))
	return row.Timestamp
}

func TestCommandsInOneMillisecondAreNoConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time stands still
		e := embedded.New(nil)
		defer func() { require.NoError(t, e.Close()) }()
		db, sent := create(t, e, Orders), &counting{Client: e}
		counted, err := table.Open(sent, db.Name(), nil)
		require.NoError(t, err)
		for range 5 {
			require.NoError(t, Orders.Save(t.Context(), counted, order()))
		}
		require.Equal(t, 5, sent.updates)
		require.Equal(t, time.Now().UnixMilli()+4, timestamp(t, db))
	})
}

// counting counts updates.
type counting struct {
	table.Client
	updates int
}

func (c *counting) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.updates++
	return c.Client.UpdateItem(ctx, in, opts...)
}

// losing loses the answer to the first update, and sends it again as the SDK does.
type losing struct{ table.Client }

func (c losing) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if _, err := c.Client.UpdateItem(ctx, in, opts...); err != nil {
		return nil, err
	}
	return c.Client.UpdateItem(ctx, in, opts...)
}

func TestALostAnswerDoesNotWriteTwice(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	whole := create(t, e, Orders)
	db, err := table.Open(losing{e}, whole.Name(), nil)
	require.NoError(t, err)
	before := time.Now()
	require.NoError(t, Orders.Save(t.Context(), db, order()))
	require.LessOrEqual(t, timestamp(t, whole), time.Now().UnixMilli())
	require.GreaterOrEqual(t, timestamp(t, whole), before.UnixMilli())
	require.NoError(t, Orders.Delete(t.Context(), db, "42"))
	require.NoError(t, Orders.Restore(t.Context(), db, "42"))
}

func TestConcurrentAddsAllCount(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders), t.Context(), Orders.F
		require.NoError(t, Orders.Save(ctx, db, order()))
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := int64(0)
		for range 4 {
			wg.Go(func() {
				for range 10 {
					if err := Orders.Update(ctx, db, "42", table.Add(&f.Total, 1)); err == nil {
						mu.Lock()
						made++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		got, err := Orders.Get(ctx, db, "42")
		require.NoError(t, err)
		require.Equal(t, made, got.Total)
		require.Positive(t, made)
	})
}

// overtaken always has a later row than the one that is written.
type overtaken struct {
	table.Client
	tries int
	opts  []func(*dynamodb.Options)
}

func (o *overtaken) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	o.tries, o.opts = o.tries+1, opts
	later := in.ExpressionAttributeValues[":1"].(*types.AttributeValueMemberN).Value + "0"
	return nil, &types.ConditionalCheckFailedException{Item: table.Item{
		"discriminator": &types.AttributeValueMemberS{Value: "order"}, "timestamp": &types.AttributeValueMemberN{Value: later},
	}}
}

func TestCommandsGiveUpInTheEnd(t *testing.T) {
	t.Parallel()
	client := &overtaken{}
	db, err := table.Open(client, "table", nil)
	require.NoError(t, err)
	err = Lines.Save(t.Context(), db, Line{"42", 1, "x", 1})
	require.ErrorIs(t, err, table.ErrConflict)
	require.True(t, table.Retryable(err), "others kept winning, and may stop")
	require.Equal(t, 10, client.tries)
	require.Empty(t, client.opts)
	err = Lines.Update(t.Context(), db, table.Of("42", 1), table.Add(&Lines.F.Quantity, 1))
	require.ErrorIs(t, err, table.ErrConflict)
	opts := dynamodb.Options{RetryMaxAttempts: 3}
	client.opts[0](&opts)
	require.Equal(t, 1, opts.RetryMaxAttempts, "the SDK must not repeat a sum")
}
