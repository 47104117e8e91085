package table_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestTransactionsOfEveryOperation(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, f := create(t, e, Orders, Lines, Customers), Orders.F
		ctx := table.WithUser(t.Context(), "jane")
		open := order()
		for _, id := range []string{"saved", "updated", "deleted", "restored", "checked"} {
			open.ID = id
			require.NoError(t, Orders.Save(ctx, db, open))
		}
		require.NoError(t, Orders.Delete(ctx, db, "restored"))
		_, checked, err := Orders.GetMeta(ctx, db, "checked")
		require.NoError(t, err)
		require.NoError(t, db.Transact(ctx,
			Orders.Put(Order{ID: "saved", Status: "PAID"}, table.If(table.Eq(&f.Status, "OPEN"))),
			Orders.CreateOp(Order{ID: "created", Status: "OPEN", PlacedAt: day(1)}),
			Orders.UpdateOp("updated", table.Add(&f.Total, 3), table.Set(&f.Address.City, "Bern"), table.If(table.Eq(&f.Status, "OPEN"))),
			Orders.DeleteOp("deleted", table.If(table.Eq(&f.Status, "OPEN"))),
			Orders.RestoreOp("restored"),
			Orders.CheckOp("checked", table.If(table.Eq(&f.Status, "OPEN"), table.Exists(&f.Address.City)), table.IfUnchanged(checked.Timestamp)),
			Lines.Put(Line{"created", 1, "x", 1}),
		))
		updated, meta, err := Orders.GetMeta(ctx, db, "updated")
		require.NoError(t, err)
		require.Equal(t, int64(3), updated.Total-order().Total)
		require.Equal(t, "Bern", updated.Address.City)
		require.Equal(t, "jane", meta.By)
		_, err = Orders.Get(ctx, db, "deleted")
		require.ErrorIs(t, err, table.ErrNotFound)
		for _, id := range []string{"created", "restored"} {
			_, err = Orders.Get(ctx, db, id)
			require.NoError(t, err)
		}
		_, again, err := Orders.GetMeta(ctx, db, "checked")
		require.NoError(t, err)
		require.Equal(t, checked, again, "a check changes nothing")
		require.NoError(t, db.Transact(ctx, Customers.Put(Customer{ID: "c"})))
		require.NoError(t, db.Transact(ctx, Customers.CheckOp("c"), Lines.Put(Line{"created", 2, "x", 1})), "a model with lanes")
	})
}

func TestTransactionsTellWhatStoodInTheWay(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders, Lines), t.Context(), Orders.F
		require.NoError(t, Orders.Save(ctx, db, order()))
		_, meta, err := Orders.GetMeta(ctx, db, "42")
		require.NoError(t, err)
		for name, c := range map[string]struct {
			op   table.Op
			want error
		}{
			"create":           {Orders.CreateOp(order()), table.ErrExists},
			"save":             {Orders.Put(order(), table.If(table.Eq(&f.Status, "PAID"))), table.ErrConflict},
			"update":           {Orders.UpdateOp("42", table.Set(&f.Note, "x"), table.IfUnchanged(meta.Timestamp.Add(-1e6))), table.ErrConflict},
			"update of none":   {Orders.UpdateOp("43", table.Set(&f.Note, "x")), table.ErrNotFound},
			"delete of none":   {Orders.DeleteOp("43"), table.ErrNotFound},
			"restore of none":  {Orders.RestoreOp("43"), table.ErrNotFound},
			"restore":          {Orders.RestoreOp("42"), table.ErrNotFound},
			"check of none":    {Orders.CheckOp("43"), table.ErrNotFound},
			"check":            {Orders.CheckOp("42", table.If(table.Ne(&f.Status, "OPEN"))), table.ErrConflict},
			"check unchanged":  {Orders.CheckOp("42", table.IfUnchanged(meta.Timestamp.Add(1e6))), table.ErrConflict},
			"check of another": {Lines.CheckOp(table.Of("42", 1)), table.ErrNotFound},
		} {
			other := Lines.Put(Line{"42", 9, "x", 1})
			err := db.Transact(ctx, other, c.op)
			require.ErrorIs(t, c.op.Reason(err), c.want, name)
			require.NoError(t, other.Reason(err), name)
			require.ErrorContains(t, err, "operation 1: ", name)
			canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
			require.True(t, ok, name)
			require.Len(t, canceled.CancellationReasons, 2)
			require.False(t, table.Retryable(err), name)
			if current, _, ok := Orders.Current(err); c.op.Key().PK == "42" && name != "check of another" {
				require.True(t, ok, name)
				require.Equal(t, "OPEN", current.Status, "the row that stood in the way comes decoded")
			}
		}
		first, second := Orders.CreateOp(order()), Lines.CheckOp(table.Of("42", 1))
		err = db.Transact(ctx, first, second)
		require.ErrorIs(t, first.Reason(err), table.ErrExists)
		require.ErrorIs(t, second.Reason(err), table.ErrNotFound)
		_, _, ok := Lines.Current(err)
		require.False(t, ok)
		_, err = Lines.Get(ctx, db, table.Of("42", 9))
		require.ErrorIs(t, err, table.ErrNotFound, "all or none")
	})
}

func TestTransactOnceCountsOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Orders), t.Context(), Orders.F
		require.NoError(t, Orders.Save(ctx, db, Order{ID: "42"}))
		add := func(n int64, conds ...table.Cond) error {
			return db.TransactOnce(ctx, "count", Orders.UpdateOp("42", table.Add(&f.Total, n), table.If(append(conds, table.Gte(&f.Total, 0).Or(table.Exists(&f.Total).Not()))...)))
		}
		for range 3 {
			require.NoError(t, add(1))
		}
		require.NoError(t, add(2), "another delta is another transaction")
		require.NoError(t, add(1, table.Lt(&f.Total, 9)), "and so is another condition")
		got, err := Orders.Get(ctx, db, "42")
		require.NoError(t, err)
		require.EqualValues(t, 4, got.Total)
	})
}

func TestTransactionsRefuse(t *testing.T) {
	t.Parallel()
	db, f := dry(t), Orders.F
	for text, op := range map[string]table.Op{
		"an Op is empty":               {},
		"there is nothing to change":   Orders.UpdateOp("42"),
		"InLane is for listeners":      Orders.CheckOp("42", table.InLane("x")),
		"does not point to a field":    Orders.UpdateOp("42", table.Set(&Lines.F.SKU, "x")),
		"IfUnchanged needs a row":      Orders.CreateOp(order(), table.IfUnchanged(day(1))),
		"is a node: its id is":         Orders.DeleteOp(table.Of("42", 1)),
		"is an edge: its id is":        Lines.CheckOp("42"),
		"a part of a key cannot be":    Orders.Put(Order{}),
		"an id of type int was given":  Orders.RestoreOp(42),
		"field ID is part of the key":  Orders.CheckOp("42", table.If(table.Eq(&f.ID, "42"))),
		"In takes 1 to 100 values":     Orders.CheckOp("42", table.If(table.In(&f.Status))),
		"a Cond is empty: make it":     Orders.CheckOp("42", table.If(table.Cond{})),
		"the partition key has 2049":   Orders.DeleteOp(string(make([]byte, 2049))),
		"and DynamoDB takes 4096":      Orders.CheckOp("42", table.If(many(&f.Note, 300)...)),
		"an empty value is stored as":  Orders.CheckOp("42", table.If(table.Gt(&f.Note, ""))),
		"index \"gsi2\" is made of fi": Orders.UpdateOp("42", table.Set(&f.Status, "x")),
	} {
		err := db.Transact(t.Context(), op)
		require.ErrorIs(t, err, table.ErrInvalid, text)
		require.ErrorContains(t, err, text)
	}
	require.ErrorContains(t, db.TransactOnce(t.Context(), "", Orders.Put(order())), "the token is empty")
	for _, op := range []table.Op{Orders.CreateOp(order()), Orders.DeleteOp("42"), Orders.CheckOp("42"), Orders.Put(order(), table.If(table.Exists(&f.Note)))} {
		require.ErrorContains(t, db.Batch(t.Context(), op), "use Transact")
	}
	require.NoError(t, table.Op{}.Reason(table.ErrInvalid))
}

// many are conditions that no expression has room for.
func many(field *string, n int) []table.Cond {
	conds := make([]table.Cond, n)
	for i := range conds {
		conds[i] = table.Ne(field, "x")
	}
	return conds
}

// busy refuses some transactions since others are under way.
type busy struct {
	table.Client
	times int
}

func (b *busy) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if b.times--; b.times >= 0 {
		code := "TransactionConflict"
		return nil, &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: &code}}}
	}
	return b.Client.TransactWriteItems(ctx, in, opts...)
}

func TestTransactionsWaitForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := embedded.New(nil)
		defer func() { require.NoError(t, e.Close()) }()
		whole := create(t, e, Orders)
		db, err := table.Open(&busy{e, 5}, whole.Name(), nil)
		require.NoError(t, err)
		require.NoError(t, db.TransactOnce(t.Context(), "once", Orders.Put(order())))
		_, err = Orders.Get(t.Context(), db, "42")
		require.NoError(t, err)

		stuck, err := table.Open(&busy{e, 1000}, whole.Name(), nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 1e9)
		defer cancel()
		require.ErrorIs(t, stuck.Transact(ctx, Orders.Put(order())), context.DeadlineExceeded)
	})
}

func TestRequestsOfTransactions(t *testing.T) {
	t.Parallel()
	f := Orders.F
	for name, ops := range map[string][]table.Op{
		"transact-every": {
			Orders.Put(order(), table.If(table.Eq(&f.Status, "OPEN"))), Lines.CreateOp(Line{"42", 7, "a-1", 2}),
			Orders.UpdateOp("43", table.Set(&f.Note, "x"), table.Add(&f.Total, 5), table.Set(&f.Stops[1], "Thun")), Orders.DeleteOp("44"), Orders.RestoreOp("45"),
			Orders.CheckOp("46", table.If(table.Exists(&f.Note)), table.IfUnchanged(day(1))), Customers.CheckOp("c"),
		},
		"transact-unique": {Members.CreateOp(Member{ID: "1", Email: "a@b.c", Club: "x", No: 1})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "write-"+name+".txt", requests(t, func(ctx context.Context, db *table.DB) error { return db.Transact(ctx, ops...) }))
		})
	}
	golden(t, "write-save-subject.txt", requests(t, func(ctx context.Context, db *table.DB) error {
		keyed, err := table.Open(db.Client(), db.Name(), &table.Options{Region: "eu-west-1", SubjectKey: make([]byte, 32)})
		require.NoError(t, err)
		return Orders.Save(ctx, keyed, order())
	}))
}
