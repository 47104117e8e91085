package gdpr_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// friend is an edge between two people.
type friend struct {
	Of   string                   `dynamo:"of" gdpr:"erase"`
	Who  string                   `dynamo:"who" gdpr:"erase"`
	Nick string                   `dynamo:"nick" gdpr:"erase"`
	Mail insideout.Sealed[string] `dynamo:"mail" seal:"contact" gdpr:"erase"`
	Note string                   `dynamo:"note" gdpr:"erase"`
}

// gift is about two people, who are not in its key.
type gift struct {
	ID       string                   `dynamo:"id" gdpr:"none"`
	From     string                   `dynamo:"from" gdpr:"erase"`
	FromMail insideout.Sealed[string] `dynamo:"fromMail" seal:"contact" gdpr:"erase"`
	To       string                   `dynamo:"to" gdpr:"pseudonymise"`
	ToMail   string                   `dynamo:"toMail" seal:"contact" gdpr:"erase"`
	Amount   int                      `dynamo:"amount" gdpr:"none"`
	Wish     string                   `dynamo:"wish" gdpr:"redact"`
}

// member has a person's id as its key, and is worth keeping without it.
type member struct {
	ID   string                   `dynamo:"id" gdpr:"pseudonymise"`
	Name string                   `dynamo:"name" gdpr:"erase"`
	Mail insideout.Sealed[string] `dynamo:"mail" seal:"contact" gdpr:"erase"`
	Card string                   `dynamo:"card" gdpr:"none"`
	Paid string                   `dynamo:"paid" gdpr:"keep=Art. 17(3)(b),until=10y"`
}

type post struct {
	Author string `dynamo:"author" gdpr:"pseudonymise"`
	No     string `dynamo:"no" gdpr:"none"`
	Body   string `dynamo:"body" gdpr:"redact"`
}

var (
	byFriend = table.Index{Name: "gsi4"}
	byNo     = table.Index{Name: "gsi5"}
	friends  = table.DefineEdge("friend", "friends", func(f *friend, d *table.Def[friend]) {
		d.Owner(&f.Of)
		d.ID(&f.Who)
		d.Subject(&f.Of)
		d.Subject(&f.Who, &f.Nick, &f.Mail)
		d.Index(byFriend, table.Key(&f.Who), table.Key(&f.Of))
	})
	gifts = table.DefineNode("gift", func(g *gift, d *table.Def[gift]) {
		d.ID(&g.ID)
		d.Subject(&g.From, &g.FromMail)
		d.Subject(&g.To, &g.ToMail)
	})
	members = table.DefineNode("member", func(m *member, d *table.Def[member]) {
		d.ID(&m.ID)
		d.Subject(&m.ID)
		d.Unique(&m.Card)
	})
	posts = table.DefineEdge("post", "posts", func(p *post, d *table.Def[post]) {
		d.Owner(&p.Author)
		d.ID(&p.No)
		d.Subject(&p.Author)
		d.Index(byNo, table.Key(&p.No), table.Key(&p.Author))
	})
)

// fuse is what a process hangs on: when it blows, every call fails, and the one before it may have been carried out or not.
type fuse struct {
	calls, fail atomic.Int64
	after       atomic.Bool // the first call that fails was carried out
}

func (f *fuse) mend() { f.fail.Store(1 << 60) }

func (f *fuse) blowAt(n int64, after bool) {
	f.after.Store(after)
	f.fail.Store(f.calls.Load() + n)
}

func (f *fuse) through(next func() error) error {
	switch at, n := f.fail.Load(), f.calls.Add(1); {
	case n < at:
		return next()
	case n == at && f.after.Load():
		_ = next()
	}
	return errPower
}

// wire is an HTTP client on a fuse.
type wire struct {
	*fuse
	aws.HTTPClient
}

func (w *wire) Do(r *http.Request) (out *http.Response, err error) {
	broken := w.through(func() error {
		out, err = w.HTTPClient.Do(r)
		return err
	})
	if broken != nil {
		return nil, broken
	}
	return out, nil
}

// fused are the engines that the laws are tested on, each with its fuse.
func fusedEmbedded(t testing.TB) (engine, *fuse) {
	f := &fuse{}
	f.mend()
	db := embedded.New(&embedded.Options{TTLInterval: -1, Intercept: func(_ context.Context, _ string, _ any, next func() error) error { return f.through(next) }})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, f
}

func fusedEndpoint(t testing.TB) (engine, *fuse) {
	url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("set INSIDEOUT_DYNAMODB_ENDPOINT to the URL of a DynamoDB endpoint to run this test on it")
	}
	f := &fuse{}
	f.mend()
	client, _ := local.Clients(url)
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.HTTPClient, o.Retryer = &wire{f, o.HTTPClient}, aws.NopRetryer{}
	}), f
}

// world is a table of all that people leave behind, with their keys, their events, and a controller over all of it.
type world struct {
	e       engine
	fuse    *fuse
	name    string
	db, own *table.DB
	sealer  *crypto.Sealer
	lake    *lake.Lake
	rand    *rand.Rand
	people  []string
	copies  int
}

func everything() []gdpr.Model { return append(models(), friends, gifts, members, posts, accounts) }

func newWorld(t testing.TB, e engine, f *fuse, seed uint64, people int) *world {
	w := &world{e: e, fuse: f, name: "law-" + uuid.NewString(), rand: newRand(seed, 0)}
	var definitions []table.Definition
	for _, m := range everything() {
		definitions = append(definitions, m)
	}
	ctx := context.Background()
	require.NoError(t, table.Create(ctx, e, w.name, table.Schema(definitions...)))
	require.NoError(t, table.Create(ctx, e, w.name+"-jobs", gdpr.Schema()))
	_, err := e.CreateTable(ctx, crypto.KeyTableSchema(w.name+"-keys"))
	require.NoError(t, err)
	master, err := crypto.NewLocalKey(bytes.Repeat([]byte{9}, 32))
	require.NoError(t, err)
	keys, err := crypto.New(e, w.name+"-keys", master, nil)
	require.NoError(t, err)
	w.sealer, err = keys.Namespace("law")
	require.NoError(t, err)
	w.db, err = table.Open(e, w.name, &table.Options{SubjectKey: refKey, Sealer: w.sealer, Opener: w.sealer})
	require.NoError(t, err)
	w.own, err = table.Open(e, w.name+"-jobs", nil)
	require.NoError(t, err)
	w.lake, err = lake.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.lake.Close()) })
	for i := range people {
		w.people = append(w.people, fmt.Sprintf("person-%d-%08x", i, w.rand.Uint32()))
	}
	return w
}

// controller is a new process.
func (w *world) controller(t testing.TB) *gdpr.Controller {
	c, err := gdpr.New(w.own, []gdpr.Place{
		gdpr.Table("shop", w.db, everything(), nil), gdpr.Keys("keys", w.sealer), gdpr.Lake("lake", w.lake, nil),
	}, &gdpr.Options{Signer: signer, Workers: 1 + w.rand.IntN(6)})
	require.NoError(t, err)
	return c
}

// write lets a person leave something behind. A failing write is the caller's.
func (w *world) write(ctx context.Context, person, other, no string) error {
	mail := insideout.Seal(person + "@example.com")
	s := &shop{db: w.db}
	switch w.rand.IntN(8) {
	case 0:
		return orders.Save(ctx, s.db, order{ID: "o" + no, Customer: person, City: "Bonn", Email: person + "@example.com", Amount: no})
	case 1:
		return invoices.Save(ctx, s.db, invoice{ID: "i" + no, Person: person, Address: "Street of " + person, Phone: "0228"})
	case 2:
		return gifts.Save(ctx, s.db, gift{ID: "g" + no, From: person, FromMail: mail, To: other, ToMail: other + "@example.com", Amount: 3, Wish: "a bicycle"})
	case 3:
		return friends.Save(ctx, s.db, friend{Of: person, Who: other, Nick: "nick of " + other, Mail: insideout.Seal(other + "@example.com"), Note: "since school"})
	case 4:
		return posts.Save(ctx, s.db, post{Author: person, No: no, Body: "I am " + person})
	case 5:
		return accounts.Save(ctx, s.db, account{ID: "a" + no, Owner: person, Email: no + person + "@example.com", Nick: no})
	case 6:
		return members.Save(ctx, s.db, member{ID: person, Name: "Name of " + person, Mail: mail, Card: "card" + no, Paid: "12.00"})
	}
	return customers.Save(ctx, s.db, customer{ID: person, Name: "Name of " + person})
}

// fill writes rows of everybody, and an event for each.
func (w *world) fill(t testing.TB, rows int) []insideout.Event {
	var events []insideout.Event
	for i := range rows {
		person, other := w.people[i%len(w.people)], w.people[w.rand.IntN(len(w.people))]
		require.NoError(t, w.write(context.Background(), person, other, fmt.Sprint(i)))
		e := insideout.Event{ID: fmt.Sprint("event ", i), Type: "thing-happened", PartitionKey: person, Timestamp: time.Now()}
		require.NoError(t, e.SetBody("thing", map[string]string{"of": person}))
		events = append(events, e)
	}
	require.NoError(t, w.lake.Publish(context.Background(), events))
	return events
}

// rows is everything in one of the tables.
func (w *world) rows(t testing.TB, suffix string) []table.Item {
	var all []table.Item
	in := &dynamodb.ScanInput{TableName: new(w.name + suffix), ConsistentRead: new(true)}
	for {
		out, err := w.e.Scan(context.Background(), in)
		require.NoError(t, err)
		all = append(all, out.Items...)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return all
		}
	}
}

func keyed(rows []table.Item) map[string]table.Item {
	all := map[string]table.Item{}
	for _, item := range rows {
		all[text(item["pk"])+" "+text(item["sk"])] = item
	}
	return all
}

// restore puts tables and lake back to a backup.
func (w *world) restore(t testing.TB, shop, keys []table.Item, events []insideout.Event) {
	ctx := context.Background()
	for _, item := range w.rows(t, "") {
		_, err := w.e.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &w.name, Key: table.Item{"pk": item["pk"], "sk": item["sk"]}})
		require.NoError(t, err)
	}
	for _, item := range shop {
		_, err := w.e.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.name, Item: item})
		require.NoError(t, err)
	}
	for _, item := range keys {
		_, err := w.e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(w.name + "-keys"), Item: item})
		require.NoError(t, err)
	}
	w.sealer.Evict()
	w.copies++
	again := slices.Clone(events)
	for i := range again {
		again[i].ID += fmt.Sprint(" again ", w.copies)
	}
	require.NoError(t, w.lake.Publish(ctx, again))
}

// mentions reports whether any attribute of a row holds a text, and whether the row is more than the key of a tombstone.
func mentions(item table.Item, id string) bool {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if strings.Contains(fmt.Sprintf("%v", plain(item[name])), id) {
			return true
		}
	}
	return false
}

func plain(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	case *types.AttributeValueMemberM:
		var parts []any
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			parts = append(parts, plain(v.Value[name]))
		}
		return parts
	}
	return nil
}

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
