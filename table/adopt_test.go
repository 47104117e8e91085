package table_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// adopted are things that the JavaScript library keeps as well.
var adopted = table.DefineNode("thing", func(v *Thing, d *table.Def[Thing]) {
	d.ID(&v.ID)
	d.Lane("kinds", &v.Kind)
	d.Adopt()
})

// foreign puts a row as the JavaScript library leaves it, with more attributes where given.
func foreign(ctx context.Context, t require.TestingT, db *table.DB, id string, ms int64, more map[string]any) {
	raw, _ := db.Dynamo()
	row := map[string]any{
		"pk": id, "sk": "thing", "discriminator": "thing", "timestamp": ms, "latched": true, "name": "theirs", "awsregion": "us-east-1",
	}
	for attr, v := range more {
		row[attr] = v
	}
	require.NoError(t, raw.Put(row).Run(ctx))
}

func TestRowsWithATimestampAloneAreAdopted(t *testing.T) {
	t.Parallel()
	const now = 1700000000000
	cases := map[string]struct {
		stored  int64
		version idempotence.Version
		ms      int64
		id      string
		want    idempotence.Outcome
	}{
		"a later event":                                  {now, "", now + 1, "e", idempotence.Applied},
		"an earlier event":                               {now, "", now - 1, "e", idempotence.Stale},
		"an event of the row's millisecond":              {now, "", now, "e", idempotence.Duplicate},
		"a later event on a version":                     {now, at(t, now, "e"), now + 1, "a", idempotence.Applied},
		"an earlier event on a version":                  {now, at(t, now, "e"), now - 1, "z", idempotence.Stale},
		"the event of the version":                       {now, at(t, now, "e"), now, "e", idempotence.Duplicate},
		"a greater event of the version's millisecond":   {now, at(t, now, "e"), now, "f", idempotence.Applied},
		"a lesser event of the version's millisecond":    {now, at(t, now, "e"), now, "d", idempotence.Stale},
		"later than the version, earlier than the row":   {now + 9, at(t, now, "e"), now + 5, "e", idempotence.Stale},
		"later than the version, and as late as the row": {now + 9, at(t, now, "e"), now + 9, "e", idempotence.Duplicate},
		"later than both":                                {now + 9, at(t, now, "e"), now + 10, "e", idempotence.Applied},
		"the event of the version of an overtaken row":   {now + 9, at(t, now, "e"), now, "e", idempotence.Duplicate},
		"earlier than both":                              {now + 9, at(t, now, "e"), now - 1, "e", idempotence.Stale},
	}
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, adopted), t.Context()
		for name, c := range cases {
			for _, remove := range []bool{false, true} {
				id := fmt.Sprint(name, remove)
				more := map[string]any{}
				if c.version != "" {
					more["_v"] = string(c.version)
				}
				foreign(ctx, t, db, id, c.stored, more)
				got, err := fold(ctx, db, id, remove, at(t, c.ms, c.id))
				require.NoError(t, err, id)
				require.Equal(t, c.want, got, id)
				v, _ := adopted.Get(ctx, db, id, table.WithDeleted())
				require.Equal(t, c.want == idempotence.Applied, v.Name != "theirs", id)
				_, err = adopted.Get(ctx, db, id)
				require.Equal(t, remove && c.want == idempotence.Applied, err != nil, id)
			}
		}
	})
}

func fold(ctx context.Context, db *table.DB, id string, remove bool, ver idempotence.Version) (idempotence.Outcome, error) {
	if remove {
		return adopted.Remove(ctx, db, id, ver)
	}
	return adopted.Upsert(ctx, db, Thing{ID: id, Name: string(ver)}, ver)
}

func TestAdoptionKeepsToTheOwnersLane(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, adopted), t.Context()
		now := time.Now().UnixMilli()
		foreign(ctx, t, db, "a", now, nil)
		out, err := adopted.Upsert(ctx, db, Thing{ID: "a", Kind: "k"}, at(t, now-100, "e"), table.InLane("kinds"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out, "a lane of its own has no timestamp to wait for")
		out, err = adopted.Upsert(ctx, db, Thing{ID: "b", Kind: "k"}, at(t, now, "e"), table.InLane("kinds"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out)
		out, err = adopted.Upsert(ctx, db, Thing{ID: "b", Name: "n"}, at(t, now-100, "e"))
		require.NoError(t, err)
		require.Equal(t, idempotence.Applied, out, "a lane that came first does not stop the owner")
		got, err := adopted.Get(ctx, db, "b")
		require.NoError(t, err)
		require.Equal(t, Thing{"b", "n", "k"}, got)
	})
}

func TestAdoptionSaysWhatCannotBeLocked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db, ctx := create(t, e, adopted), t.Context()
		foreign(ctx, t, db, "a", 0, map[string]any{"timestamp": "yesterday"})
		_, err := adopted.Upsert(ctx, db, Thing{ID: "a"}, version(t))
		require.ErrorIs(t, err, table.ErrInvalid)
		require.ErrorContains(t, err, `attribute "timestamp" holds no time`)
		foreign(ctx, t, db, "b", 0, map[string]any{"_v": 7})
		_, err = adopted.Upsert(ctx, db, Thing{ID: "b"}, version(t))
		require.ErrorContains(t, err, `attribute "_v" holds no version`)
	})
}

// TestBothLibrariesInAnyOrder: the JavaScript library and this one fold the same events into one row, each event to either or both, in any order. The row
// ends at the greatest of the events, if each has a millisecond of its own: what an event of another one's millisecond does depends on who comes first.
func TestBothLibrariesInAnyOrder(t *testing.T) {
	t.Parallel()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	db, n := create(t, e, adopted), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id, most, ctx := strconv.Itoa(n), int64(0), t.Context()
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			ms := rapid.Int64Range(1700000000000, 1700000000004).Draw(rt, "ms")
			if rapid.Bool().Draw(rt, "theirs") {
				theirs(ctx, rt, db, id, ms)
			} else {
				out, err := adopted.Upsert(ctx, db, Thing{ID: id, Name: strconv.FormatInt(ms, 10)}, at(rt, ms, "e"))
				require.NoError(rt, err)
				require.Equal(rt, ms > most, out == idempotence.Applied)
			}
			most = max(most, ms)
			got, err := adopted.Get(ctx, db, id)
			require.NoError(rt, err)
			require.Equal(rt, strconv.FormatInt(most, 10), got.Name)
		}
	})
}

// theirs is the upsert of the JavaScript library.
func theirs(ctx context.Context, t require.TestingT, db *table.DB, id string, ms int64) {
	raw, _ := db.Dynamo()
	err := raw.Update("pk", id).Range("sk", "thing").Set("discriminator", "thing").Set("timestamp", ms).
		Set("name", strconv.FormatInt(ms, 10)).If("attribute_not_exists('timestamp') OR 'timestamp' < ?", ms).Run(ctx)
	if !isConditionFailure(err) {
		require.NoError(t, err)
	}
}

func isConditionFailure(err error) bool {
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}
