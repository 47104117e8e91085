package views_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// thing is a row that the JavaScript library wrote first, and may still write: with a timestamp alone.
type thing struct {
	ID   string `dynamo:"id"`
	Name string `dynamo:"name,omitempty"`
}

var things = table.DefineNode("thing", func(x *thing, d *table.Def[thing]) {
	d.ID(&x.ID)
	d.Adopt()
})

// naming is an event that names the thing, or deletes it.
type naming struct {
	id, name string
	millis   int
	foreign  bool // written by the JavaScript library
}

func (n naming) event() insideout.Event {
	if n.name == "" {
		return event(n.id, "thing-deleted", n.millis, "thing", map[string]string{"id": "t"})
	}
	return event(n.id, "thing-submitted", n.millis, "thing", map[string]string{"id": "t", "name": n.name})
}

// write is what the JavaScript library does: a write on the condition that the timestamp grows.
func (n naming) write(ctx context.Context, client table.Client) error {
	update, values := "SET #t = :t, discriminator = :d, #n = :n REMOVE deleted, #l", map[string]types.AttributeValue{":n": text(n.name)}
	if n.name == "" {
		update, values = "SET #t = :t, discriminator = :d, deleted = :yes, #l = :l REMOVE #n", map[string]types.AttributeValue{
			":yes": &types.AttributeValueMemberBOOL{Value: true}, ":l": &types.AttributeValueMemberN{Value: "1700000000"},
		}
	}
	values[":t"] = &types.AttributeValueMemberN{Value: fmt.Sprint(start.UnixMilli() + int64(n.millis))}
	values[":d"] = text("thing")
	_, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: new("things"), Key: table.RowKey{PK: "t", SK: "thing"}.Item(), UpdateExpression: &update,
		ConditionExpression:      new("attribute_not_exists(#t) OR #t < :t"),
		ExpressionAttributeNames: map[string]string{"#t": "timestamp", "#n": "name", "#l": "ttl"}, ExpressionAttributeValues: values,
	})
	if _, stale := errors.AsType[*types.ConditionalCheckFailedException](err); stale {
		return nil
	}
	return err
}

// TestAdoptionConverges: listeners of this module and the JavaScript library write the same rows side by side, each event to one of the
// two, in any order, some of them twice, those for the listeners with ties: the last one wins, however they come.
func TestAdoptionConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var history []naming
		for n := range rapid.IntRange(1, 12).Draw(rt, "events") {
			x := naming{
				id: fmt.Sprintf("%02x-%d", rapid.IntRange(0, 255).Draw(rt, "id"), n), name: rapid.StringMatching(`[a-z]?`).Draw(rt, "name"),
				millis: 2 * rapid.IntRange(0, 3).Draw(rt, "millis"), foreign: rapid.Bool().Draw(rt, "foreign"),
			}
			if x.foreign { // among themselves they must not tie, or they are lost: they have nothing to tell them apart
				x.millis = 2*n + 1
			}
			history = append(history, x)
		}
		require.Equal(rt, last(history), deliverNamings(t, rt, history, rapid.Uint64().Draw(rt, "seed")))
	})
}

// last is the state after all of them, in order.
func last(history []naming) naming {
	newest := history[0]
	for _, n := range history {
		if n.millis > newest.millis || n.millis == newest.millis && n.id > newest.id {
			newest = n
		}
	}
	return naming{name: newest.name, millis: newest.millis}
}

func deliverNamings(t *testing.T, rt *rapid.T, history []naming, seed uint64) naming {
	engine := embedded.New(nil)
	defer engine.Close()
	require.NoError(rt, table.Create(t.Context(), engine, "things", table.Schema(things)))
	db, err := table.Open(engine, "things", nil)
	require.NoError(rt, err)
	type thingEvent struct {
		Thing struct{ ID, Name string }
	}
	l, err := views.New(db,
		views.Upsert(things, views.On("thing-submitted"), func(e thingEvent) (thing, error) { return thing{e.Thing.ID, e.Thing.Name}, nil }),
		views.Remove(things, views.On("thing-deleted"), func(e thingEvent) (table.ID, error) { return e.Thing.ID, nil }))
	require.NoError(rt, err)
	random := rand.New(rand.NewPCG(seed, 0))
	order := append(history, history[:random.IntN(len(history))]...)
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var wg sync.WaitGroup
	for part := range 3 {
		wg.Go(func() {
			for i := part; i < len(order); i += 3 {
				if order[i].foreign {
					require.NoError(rt, order[i].write(t.Context(), engine))
				} else {
					require.NoError(rt, l.Handle(t.Context(), []insideout.Event{order[i].event()}))
				}
			}
		})
	}
	wg.Wait()
	out, err := engine.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new("things"), Key: table.RowKey{PK: "t", SK: "thing"}.Item()})
	require.NoError(rt, err)
	x, err := things.Decode(out.Item)
	require.NoError(rt, err)
	require.Equal(rt, x.Name != "", things.Visible(out.Item))
	meta, err := table.ReadMeta(out.Item)
	require.NoError(rt, err)
	return naming{name: x.Name, millis: int(meta.Timestamp.Sub(start).Milliseconds())}
}

// TestRebuildLeavesWhatOthersWrote: a row that the JavaScript library has written since is newer than the history, and no fault.
func TestRebuildLeavesWhatOthersWrote(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]naming{"alone": nil, "over a version": {{id: "e0", name: "old", millis: 1}}} {
		engine := embedded.New(nil)
		t.Cleanup(func() { require.NoError(t, engine.Close()) })
		require.NoError(t, table.Create(t.Context(), engine, "things", table.Schema(things)))
		db, err := table.Open(engine, "things", nil)
		require.NoError(t, err)
		l, err := views.New(db, views.Upsert(things, views.On("thing-submitted"), func(e struct{ Thing struct{ ID, Name string } }) (thing, error) {
			return thing{e.Thing.ID, e.Thing.Name}, nil
		}))
		require.NoError(t, err)
		for _, n := range before {
			require.NoError(t, l.Handle(t.Context(), []insideout.Event{n.event()}))
		}
		require.NoError(t, naming{name: "theirs", millis: 5}.write(t.Context(), engine))
		done, err := views.Rebuild(t.Context(), l, historyOf([]insideout.Event{naming{id: "e3", name: "ours", millis: 3}.event()}), nil)
		require.NoError(t, err, name)
		require.EqualValues(t, 1, done.Verified.Newer)
		got, err := things.Get(t.Context(), db, "t")
		require.NoError(t, err)
		require.Equal(t, "theirs", got.Name)
	}
}
