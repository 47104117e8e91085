package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Member has an address of its own, and a name of its own within a club.
type Member struct {
	ID    string
	Email string `dynamo:"email"`
	Club  string `dynamo:"club"`
	No    int    `dynamo:"no"`
	Visit int    `dynamo:"visits,omitempty"`
}

func defineMember(m *Member, d *table.Def[Member]) {
	d.ID(&m.ID)
	d.Unique(&m.Email)
	d.Unique(&m.Club, &m.No)
}

var Members = table.DefineNode("member", defineMember)

func TestUniqueValuesHaveOneHolder(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Members), t.Context(), Members.F
		require.NoError(t, Members.Save(ctx, db, Member{ID: "1", Email: "a@b.c", Club: "x", No: 1}))
		require.NoError(t, Members.Save(ctx, db, Member{ID: "1", Email: "a@b.c", Club: "x", No: 1}), "a row may keep what it has")
		require.NoError(t, Members.Create(ctx, db, Member{ID: "2", Club: "x", No: 2}), "an empty value is not held to it")
		require.NoError(t, Members.Create(ctx, db, Member{ID: "3", Club: "y", No: 1}))
		for name, write := range map[string]func() error{
			"save":   func() error { return Members.Save(ctx, db, Member{ID: "2", Email: "a@b.c", Club: "x", No: 2}) },
			"create": func() error { return Members.Create(ctx, db, Member{ID: "4", Email: "a@b.c"}) },
			"update": func() error { return Members.Update(ctx, db, "2", table.Set(&f.Email, "a@b.c")) },
			"if absent": func() error {
				return Members.Update(ctx, db, "2", table.SetIfAbsent(&f.Email, "a@b.c"))
			},
		} {
			err := write()
			require.ErrorIs(t, err, table.ErrExists, name)
			failed, ok := errors.AsType[*table.Error](err)
			require.True(t, ok)
			require.Equal(t, "email", failed.Field)
			require.Equal(t, table.RowKey{PK: "1", SK: "member"}, failed.Holder)
			require.ErrorContains(t, err, `row "1" "member" has the same "email", which is unique`)
			require.NotContains(t, err.Error(), "a@b.c")
			require.NotContains(t, fmt.Sprintf("%+v", err), "a@b.c")
			require.False(t, table.Retryable(err))
		}
		err := Members.Update(ctx, db, "3", table.Set(&f.Club, "x"))
		failed, ok := errors.AsType[*table.Error](err)
		require.True(t, ok)
		require.Equal(t, "club,no", failed.Field)
		require.NoError(t, Members.Update(ctx, db, "1", table.SetIfAbsent(&f.Email, "other")), "it is not absent")
		require.NoError(t, Members.Update(ctx, db, "1", table.Remove(&f.Email)))
		require.NoError(t, Members.Update(ctx, db, "2", table.Set(&f.Email, "a@b.c")), "what was given up is free")
		require.ErrorIs(t, Members.Create(ctx, db, Member{ID: "2"}), table.ErrExists)
		require.ErrorIs(t, Members.Update(ctx, db, "9", table.Set(&f.Email, "a@b.c")), table.ErrNotFound)
		consistent(ctx, t, db)
		raw, _ := db.Dynamo()
		var item table.Item
		require.NoError(t, raw.Get("pk", "2").Range("sk", "EQ", "member").One(ctx, &item))
		keys, err := Members.Guards(item)
		require.NoError(t, err)
		require.Equal(t, []table.RowKey{{PK: "member|email|a@b.c", SK: "{unique"}, {PK: "member|club,no|x|0000000000000000002", SK: "{unique"}}, keys)
	})
}

func TestDeletedRowsGiveUniqueValuesUp(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Members), t.Context(), Members.F
		one, two := Member{ID: "1", Email: "a@b.c"}, Member{ID: "2", Email: "a@b.c"}
		require.NoError(t, Members.Save(ctx, db, one))
		require.NoError(t, Members.Delete(ctx, db, "1"))
		require.NoError(t, Members.Create(ctx, db, two))
		err := Members.Restore(ctx, db, "1")
		require.ErrorIs(t, err, table.ErrExists)
		require.ErrorContains(t, err, `row "2" "member" has the same "email"`)
		require.ErrorIs(t, Members.Save(ctx, db, one), table.ErrExists)
		require.NoError(t, Members.DeletePermanently(ctx, db, "2"))
		require.NoError(t, Members.DeletePermanently(ctx, db, "2"), "it is not there any more")
		require.NoError(t, Members.Restore(ctx, db, "1"))
		require.ErrorIs(t, Members.Save(ctx, db, two), table.ErrExists)
		require.ErrorIs(t, Members.Restore(ctx, db, "1"), table.ErrNotFound)
		require.NoError(t, Members.Delete(ctx, db, "1"))
		require.ErrorIs(t, Members.Update(ctx, db, "1", table.Set(&f.Email, "d@e.f")), table.ErrNotFound)
		require.NoError(t, Members.Create(ctx, db, one), "a deleted row does not stand in the way of a new one")
		require.NoError(t, Members.DeletePermanently(ctx, db, "1"))
		require.Empty(t, guards(ctx, t, db))
	})
}

// guards are the values that are guarded: the guard's partition key, and the holder's.
func guards(ctx context.Context, t require.TestingT, db *table.DB) map[string]string {
	raw, _ := db.Dynamo()
	var items []table.Item
	require.NoError(t, raw.Scan().Consistent(true).All(ctx, &items))
	found := map[string]string{}
	for _, item := range items {
		if text(item["sk"]) == "{unique" {
			require.Equal(t, &types.AttributeValueMemberBOOL{Value: true}, item["latched"], "no trigger publishes it")
			require.NotContains(t, item, "discriminator", "it is in no list")
			require.Equal(t, "member", text(item["holderSk"]))
			found[text(item["pk"])] = text(item["holderPk"])
		}
	}
	return found
}

func text(av types.AttributeValue) string {
	s, _ := av.(*types.AttributeValueMemberS)
	return s.Value
}

// consistent: the guards are those of the rows that readers see.
func consistent(ctx context.Context, t require.TestingT, db *table.DB) {
	want := map[string]string{}
	for m, err := range Members.Scan(ctx, db, 1) {
		require.NoError(t, err)
		if m.Email != "" {
			want["member|email|"+m.Email] = m.ID
		}
		if m.Club != "" {
			want[fmt.Sprintf("member|club,no|%s|%019d", m.Club, m.No)] = m.ID
		}
	}
	require.Equal(t, want, guards(ctx, t, db))
}

func TestOfManyWritersOneGetsTheValue(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, Members), t.Context()
		var won, lost atomic.Int32
		var g errgroup.Group
		for i := range 12 {
			g.Go(func() error {
				err := Members.Create(ctx, db, Member{ID: fmt.Sprint(i), Email: "a@b.c"})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, table.ErrExists):
					lost.Add(1)
				case !table.Retryable(err):
					return err
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.EqualValues(t, 1, won.Load())
		require.Positive(t, lost.Load())
		for i := range 4 { // several writers of one row
			g.Go(func() error {
				for j := range 5 {
					err := Members.Save(ctx, db, Member{ID: "row", Email: fmt.Sprint(i, j), Club: "x", No: i})
					if err != nil && !table.Retryable(err) {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		consistent(ctx, t, db)
	})
}

// TestGuardsFollowEveryCommand: after any commands the guards are those of the rows that readers see, and the commands that fail are those that a
// map of values says.
func TestGuardsFollowEveryCommand(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	rapid.Check(t, func(rt *rapid.T) {
		ctx, f := t.Context(), Members.F
		db := create(t, e, Members)
		holder := map[string]string{}
		for range rapid.IntRange(1, 15).Draw(rt, "commands") {
			id, mail := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "id"), rapid.SampledFrom([]string{"", "a", "b|c"}).Draw(rt, "mail")
			var err error
			taken := mail != "" && holder[mail] != "" && holder[mail] != id
			row, stored := Members.Get(ctx, db, id, table.WithDeleted())
			_, live := Members.Get(ctx, db, id)
			gone := live != nil && stored == nil
			switch rapid.IntRange(0, 5).Draw(rt, "command") {
			case 0:
				err = Members.Save(ctx, db, Member{ID: id, Email: mail})
				require.Equal(rt, taken, errors.Is(err, table.ErrExists))
			case 1:
				err = Members.Create(ctx, db, Member{ID: id, Email: mail})
				require.Equal(rt, taken || live == nil, errors.Is(err, table.ErrExists))
			case 2:
				err = Members.Update(ctx, db, id, table.Set(&f.Email, mail))
				require.Equal(rt, live != nil, errors.Is(err, table.ErrNotFound))
				require.Equal(rt, taken && live == nil, errors.Is(err, table.ErrExists))
			case 3:
				err, mail = Members.Delete(ctx, db, id), ""
				require.Equal(rt, live != nil, errors.Is(err, table.ErrNotFound))
			case 4:
				err, mail = Members.Restore(ctx, db, id), row.Email
				require.Equal(rt, !gone, errors.Is(err, table.ErrNotFound))
			default:
				err, mail = Members.DeletePermanently(ctx, db, id), ""
				require.NoError(rt, err)
			}
			if err == nil {
				for k, v := range holder {
					if v == id {
						delete(holder, k)
					}
				}
				if mail != "" {
					holder[mail] = id
				}
			}
			want := map[string]string{}
			for k, v := range holder {
				want["member|email|"+strings.ReplaceAll(k, "|", "{1")] = v
			}
			require.Equal(rt, want, guards(ctx, rt, db))
		}
	})
}

func TestGuardsExpireWithTheirRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := embedded.New(nil)
		defer func() { require.NoError(t, e.Close()) }()
		brief := table.DefineNode("member", func(m *Member, d *table.Def[Member]) {
			defineMember(m, d)
			d.Retain(table.Day)
		})
		db, ctx := create(t, e, brief), t.Context()
		require.NoError(t, brief.Save(ctx, db, Member{ID: "1", Email: "a"}))
		time.Sleep(12 * time.Hour)
		require.NoError(t, brief.Update(ctx, db, "1", table.Add(&brief.F.Visit, 1)))
		time.Sleep(18 * time.Hour)
		require.ErrorIs(t, brief.Save(ctx, db, Member{ID: "2", Email: "a"}), table.ErrExists, "the update prolonged the row, and its guard")
		time.Sleep(12 * time.Hour)
		require.NoError(t, brief.Save(ctx, db, Member{ID: "2", Email: "a"}), "the row has expired, and what is left of its guard is no holder's")
		require.ErrorIs(t, brief.Create(ctx, db, Member{ID: "1", Email: "a"}), table.ErrExists)
		require.NoError(t, brief.Create(ctx, db, Member{ID: "1", Email: "b"}))
		require.Equal(t, map[string]string{"member|email|a": "2", "member|email|b": "1"}, guards(ctx, t, db))
	})
}

func TestRowsFromBeforeTheConstraint(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Members), t.Context(), Members.F
		raw, _ := db.Dynamo()
		for _, id := range []string{"1", "2"} {
			require.NoError(t, raw.Put(map[string]any{"pk": id, "sk": "member", "discriminator": "member", "timestamp": 1, "email": "a"}).Run(ctx))
		}
		require.NoError(t, Members.Update(ctx, db, "1", table.Add(&f.Visit, 1)), "an update of other fields does not look")
		require.Empty(t, guards(ctx, t, db))
		require.NoError(t, Members.Save(ctx, db, Member{ID: "1", Email: "a"}))
		require.ErrorIs(t, Members.Save(ctx, db, Member{ID: "2", Email: "a"}), table.ErrExists)
		require.NoError(t, Members.Save(ctx, db, Member{ID: "2", Email: "b"}), "it does not take with it what another row holds by now")
		require.Equal(t, map[string]string{"member|email|a": "1", "member|email|b": "2"}, guards(ctx, t, db))
	})
}

func TestUniqueValuesInTransactions(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx, f := create(t, e, Members, Orders), t.Context(), Members.F
		require.NoError(t, db.Transact(ctx, Members.CreateOp(Member{ID: "1", Email: "a"}), Members.Put(Member{ID: "2", Email: "b"}), Orders.Put(order())))
		require.NoError(t, db.Transact(ctx, Members.UpdateOp("1", table.Set(&f.Email, "b")), Members.UpdateOp("2", table.Set(&f.Email, "a"))), "they swap")
		require.Equal(t, map[string]string{"member|email|a": "2", "member|email|b": "1"}, guards(ctx, t, db))
		require.NoError(t, db.Transact(ctx, Members.DeleteOp("1"), Members.CreateOp(Member{ID: "3", Email: "b"})), "one leaves, one comes")

		taker := Members.CreateOp(Member{ID: "4", Email: "b"})
		other := Orders.UpdateOp("42", table.Set(&Orders.F.Note, "x"))
		err := db.Transact(ctx, other, taker)
		require.ErrorIs(t, taker.Reason(err), table.ErrExists)
		require.NoError(t, other.Reason(err))
		require.ErrorContains(t, err, `operation 1: already exists: row "3" "member" has the same "email"`)
		err = db.Transact(ctx, Members.Put(Member{ID: "5", Email: "c"}), Members.Put(Member{ID: "6", Email: "c"}))
		require.ErrorIs(t, err, table.ErrExists, "two of one transaction")
		require.ErrorContains(t, err, `operation 1`)
		require.Equal(t, map[string]string{"member|email|a": "2", "member|email|b": "3"}, guards(ctx, t, db))

		for range 2 { // the second time it has been done
			require.NoError(t, db.TransactOnce(ctx, "join", Members.Put(Member{ID: "7", Email: "g"}), Members.UpdateOp("2", table.Add(&f.Visit, 1))))
		}
		two, err := Members.Get(ctx, db, "2")
		require.NoError(t, err)
		require.Equal(t, 1, two.Visit)

		var many []table.Op
		for i := range 51 {
			many = append(many, Members.Put(Member{ID: fmt.Sprint("m", i), Email: fmt.Sprint("m", i)}))
		}
		require.ErrorContains(t, db.Transact(ctx, many...), "write 102 rows with the guards")
		require.NoError(t, db.Transact(ctx, many[:50]...))
	})
}

func TestUniqueRefuses(t *testing.T) {
	t.Parallel()
	db, ctx, f := dry(t), t.Context(), Members.F
	require.ErrorContains(t, db.Batch(ctx, Members.Put(Member{ID: "1"})), "use Transact")
	for _, err := range []error{
		second(Members.Upsert(ctx, db, Member{ID: "1"}, version(t))), second(Members.Remove(ctx, db, "1", version(t))),
	} {
		require.ErrorContains(t, err, "unique fields are for commands")
	}
	require.ErrorContains(t, Members.Update(ctx, db, "1", table.Add(&f.No, 1)), "field No is unique: Set it")
	huge := strings.Repeat("x", 2040)
	require.ErrorContains(t, Members.Save(ctx, db, Member{ID: "1", Email: huge}), `the value of "email", which is unique, has 2053 bytes`)
	require.NotContains(t, Members.Save(ctx, db, Member{ID: "1", Email: huge}).Error(), "xx")
	for cause, define := range map[string]func(m *Order, d *table.Def[Order]){
		"Unique: there are no fields":       func(_ *Order, d *table.Def[Order]) { d.Unique() },
		"Unique: a []string cannot be part": func(o *Order, d *table.Def[Order]) { d.Unique(&o.Labels) },
		"Unique: it is named twice":         func(o *Order, d *table.Def[Order]) { d.Unique(&o.Note); d.Unique(&o.Note) },
		"Unique: the field belongs to lane": func(o *Order, d *table.Def[Order]) { d.Unique(&o.Note); d.Lane("notes", &o.Note) },
		"not point to a stored field":       func(_ *Order, d *table.Def[Order]) { d.Unique(new(string)) },
	} {
		_, err := table.NewNode("order", func(o *Order, d *table.Def[Order]) { d.ID(&o.ID); define(o, d) })
		require.ErrorContains(t, err, cause)
	}
}

// TestGuardsAreKeptWithLanes: a listener may write a lane of its own beside unique fields.
func TestGuardsAreKeptWithLanes(t *testing.T) {
	t.Parallel()
	laned := table.DefineNode("member", func(m *Member, d *table.Def[Member]) {
		defineMember(m, d)
		d.Lane("visits", &m.Visit)
	})
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, laned), t.Context()
		out, err := laned.Upsert(ctx, db, Member{ID: "1", Visit: 3}, version(t), table.InLane("visits"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out)
		require.NoError(t, laned.Create(ctx, db, Member{ID: "1", Email: "a", Visit: 3}))
		require.ErrorIs(t, laned.Create(ctx, db, Member{ID: "2", Email: "a"}), table.ErrExists)
		require.Equal(t, map[string]string{"member|email|a": "1"}, guards(ctx, t, db))
	})
}

// interloper is a client behind which somebody else acts once, between the read of a row and the transaction.
type interloper struct {
	table.Client
	act func()
}

func (i *interloper) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if act := i.act; act != nil {
		i.act = nil
		act()
	}
	return i.Client.TransactWriteItems(ctx, in, opts...)
}

// between is a command, and what somebody else does after it has read its row.
type between struct {
	meanwhile func(ctx context.Context, db *table.DB) error
	command   func(ctx context.Context, db *table.DB) error
	want      map[string]string
}

func writesInBetween() map[string]between {
	f := Members.F
	return map[string]between{
		"its own value moved": {
			func(ctx context.Context, db *table.DB) error {
				return Members.Save(ctx, db, Member{ID: "1", Email: "b"})
			},
			func(ctx context.Context, db *table.DB) error {
				return Members.Save(ctx, db, Member{ID: "1", Email: "c"})
			},
			map[string]string{"member|email|c": "1"},
		},
		"it was deleted": {
			func(ctx context.Context, db *table.DB) error { return Members.Delete(ctx, db, "1") },
			func(ctx context.Context, db *table.DB) error {
				return Members.Save(ctx, db, Member{ID: "1", Email: "a"})
			},
			map[string]string{"member|email|a": "1"},
		},
		"it was deleted, and its value taken": {
			func(ctx context.Context, db *table.DB) error {
				return errors.Join(Members.Delete(ctx, db, "1"), Members.Save(ctx, db, Member{ID: "2", Email: "a"}))
			},
			func(ctx context.Context, db *table.DB) error {
				return Members.Save(ctx, db, Member{ID: "1", Email: "c"})
			},
			map[string]string{"member|email|a": "2", "member|email|c": "1"},
		},
		"it was removed": {
			func(ctx context.Context, db *table.DB) error { return Members.DeletePermanently(ctx, db, "1") },
			func(ctx context.Context, db *table.DB) error { return Members.DeletePermanently(ctx, db, "1") },
			map[string]string{},
		},
		"its value moved before it is removed": {
			func(ctx context.Context, db *table.DB) error {
				return Members.Update(ctx, db, "1", table.Set(&f.Email, "b"))
			},
			func(ctx context.Context, db *table.DB) error { return Members.DeletePermanently(ctx, db, "1") },
			map[string]string{},
		},
		"its value moved before it is deleted": {
			func(ctx context.Context, db *table.DB) error {
				return Members.Update(ctx, db, "1", table.Set(&f.Email, "b"))
			},
			func(ctx context.Context, db *table.DB) error { return Members.Delete(ctx, db, "1") },
			map[string]string{},
		},
		"the value came before it was absent": {
			func(ctx context.Context, db *table.DB) error {
				return Members.Update(ctx, db, "1", table.Remove(&f.Email))
			},
			func(ctx context.Context, db *table.DB) error {
				return Members.Update(ctx, db, "1", table.SetIfAbsent(&f.Email, "b"))
			},
			map[string]string{"member|email|b": "1"},
		},
	}
}

// TestGuardsHoldAgainstWritesInBetween: what a command read of its row has changed by the time that it writes.
func TestGuardsHoldAgainstWritesInBetween(t *testing.T) {
	t.Parallel()
	for name, c := range writesInBetween() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := embedded.New(nil)
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			whole, ctx := create(t, e, Members), t.Context()
			require.NoError(t, Members.Save(ctx, whole, Member{ID: "1", Email: "a"}))
			db, err := table.Open(&interloper{e, func() { require.NoError(t, c.meanwhile(ctx, whole)) }}, whole.Name(), nil)
			require.NoError(t, err)
			require.NoError(t, c.command(ctx, db))
			require.Equal(t, c.want, guards(ctx, t, whole))
		})
	}
}
