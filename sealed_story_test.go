package insideout_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/google/uuid"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// The entity of a service that knows people, and the row of a view that carries what is sealed in it.
type (
	Person struct {
		ID    string                   `dynamo:"id" json:"id"`
		Email insideout.Sealed[string] `dynamo:"email" json:"email,omitzero" seal:"contact"`
		Notes string                   `dynamo:"notes" json:"notes,omitempty" seal:"health"` // is not published
	}
	Recipient struct {
		ID    string                   `dynamo:"id"`
		Email insideout.Sealed[string] `dynamo:"email" seal:"contact,carried"`
	}
	PersonChanged struct {
		Person Person `json:"person"`
	}
)

var People = table.DefineNode("person", func(p *Person, d *table.Def[Person]) {
	d.ID(&p.ID)
	d.Subject(&p.ID)
})

var Recipients = table.DefineNode("recipient", func(r *Recipient, d *table.Def[Recipient]) {
	d.ID(&r.ID)
	d.Subject(&r.ID)
})

const storyMarker = "marker"

// storyServer is what the story needs of an engine.
type storyServer interface {
	table.Client
	table.Admin
}

// sealedStory is a service with a lake and a view. Processes have keys of their own.
type sealedStory struct {
	server        storyServer
	streams       cdc.Streams
	suffix        string        // of the tables' names
	ttl           time.Duration // the time in which other processes hear of a shredding
	dir           string
	lake          *lake.Lake
	here, there   *crypto.Sealer
	people, views *table.DB // as the service here sees them
	log           *slog.Logger
	logged        bytes.Buffer
	faults        recorded
	events        recorded
}

// recorded keeps events, and knows how many there will be.
type recorded struct {
	list []insideout.Event
	want int
	all  chan struct{}
}

func (r *recorded) Publish(_ context.Context, events []insideout.Event) error {
	r.list = append(r.list, events...)
	if r.all != nil && len(r.list) >= r.want {
		close(r.all)
		r.all = nil
	}
	return nil
}

// newSealedStory makes the tables on the embedded engine, or, where a URL is given, on that endpoint.
func newSealedStory(t *testing.T, url string) *sealedStory {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	s := &sealedStory{server: engine, streams: engine, ttl: 30 * time.Second, dir: t.TempDir()}
	if url != "" {
		secret := credentials.NewStaticCredentialsProvider("test", "test", "")
		s.server = dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: secret})
		s.streams = dynamodbstreams.New(dynamodbstreams.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: secret})
		s.suffix, s.ttl = "-"+uuid.NewString(), time.Second
	}
	s.log = slog.New(slog.NewTextHandler(&s.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for name, model := range map[string]table.Definition{"people": People, "recipients": Recipients} {
		in, err := table.Schema(model).CreateTableInput(name + s.suffix)
		require.NoError(t, err)
		_, err = s.server.CreateTable(t.Context(), in)
		require.NoError(t, err)
	}
	in := crypto.KeyTableSchema("keys" + s.suffix)
	in.DeletionProtectionEnabled = nil
	_, err := s.server.CreateTable(t.Context(), in)
	require.NoError(t, err)
	s.here, s.there = s.process(t), s.process(t)
	s.people = s.open(t, "people", s.here, s.here)
	s.views = s.open(t, "recipients", nil, nil)
	s.lake, err = lake.Open(s.dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.lake.Close()) })
	return s
}

func (s *sealedStory) open(t *testing.T, name string, sealer insideout.Sealer, opener insideout.Opener) *table.DB {
	t.Helper()
	db, err := table.Open(s.server, name+s.suffix, &table.Options{Sealer: sealer, Opener: opener, Logger: s.log})
	require.NoError(t, err)
	return db
}

// process is a sealer with a cache of its own.
func (s *sealedStory) process(t *testing.T) *crypto.Sealer {
	t.Helper()
	wrapper, err := crypto.NewLocalKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	keys, err := crypto.New(s.server, "keys"+s.suffix, wrapper, &crypto.Options{SubjectTTL: s.ttl})
	require.NoError(t, err)
	sealer, err := keys.Namespace("shop")
	require.NoError(t, err)
	return sealer
}

// flow publishes what was written about so many people: into the lake, and by the listener into the view. One rule of each side makes a fault of all it
// gets.
func (s *sealedStory) flow(t *testing.T, people int) {
	t.Helper()
	listener, err := views.New(s.views, &views.Options{Faults: &s.faults, Opener: s.here},
		views.Upsert(Recipients, views.On("person-created"), func(e PersonChanged) (Recipient, error) {
			return Recipient{ID: e.Person.ID, Email: e.Person.Email}, nil
		}),
		views.Upsert(Recipients, views.On("person-created"), func(e PersonChanged) (Recipient, error) {
			_, err := e.Person.Email.Reveal()
			require.NoError(t, err, "the mapper may read it")
			return Recipient{}, fmt.Errorf("cannot take %+v", e)
		}))
	require.NoError(t, err)
	trigger, err := cdc.New(cdc.FanOut(&s.events, s.lake, views.NewBus(listener)),
		cdc.Publish(People, func(c cdc.Change[Person]) (insideout.Event, error) {
			var e insideout.Event
			err := e.SetBody("person", c.New)
			return e, err
		}),
		cdc.Publish(People, func(c cdc.Change[Person]) (insideout.Event, error) {
			var e insideout.Event
			return e, e.SetBody("person", Person{ID: c.New.ID, Email: insideout.Seal(storyMarker)})
		}))
	require.NoError(t, err)
	s.events.want, s.events.all = 2*people, make(chan struct{})
	options := &cdc.TailOptions{Drain: s.events.all, Interval: 10 * time.Millisecond, Logger: s.log}
	require.NoError(t, cdc.Tail(t.Context(), s.streams, "people"+s.suffix, trigger, options))
	require.Len(t, s.faults.list, people, "of the listener")
	require.Len(t, s.events.list, 2*people, "and of the trigger")
}

// storyCopies are those of a person's data, as whoever has an opener reads them.
type storyCopies struct {
	notes   string                              // of the row
	address map[string]insideout.Sealed[string] // in the row, the event, the lake, and the view
}

func (s *sealedStory) copies(t *testing.T, opener insideout.Opener, id string) storyCopies {
	t.Helper()
	ctx := t.Context()
	person, err := People.Get(ctx, s.open(t, "people", nil, opener), id)
	require.NoError(t, err)
	recipient, err := Recipients.Get(ctx, s.open(t, "recipients", nil, opener), id)
	require.NoError(t, err)
	found := storyCopies{person.Notes, map[string]insideout.Sealed[string]{"row": person.Email, "view": recipient.Email}}
	address := func(e insideout.Event) insideout.Sealed[string] {
		published, err := insideout.Body[Person](e, "person")
		require.NoError(t, err)
		require.NoError(t, insideout.OpenSealed(ctx, opener, &published))
		require.Empty(t, published.Notes)
		return published.Email
	}
	for e, err := range s.lake.Events(ctx, lake.Query{Types: []string{"person-created"}, PartitionKeys: []string{id}}) {
		require.NoError(t, err)
		found.address["lake"] = address(e)
	}
	for _, e := range s.events.list {
		if e.Type == "person-created" && e.PartitionKey == id {
			found.address["event"] = address(e)
		}
	}
	require.Len(t, found.address, 4)
	return found
}

// requireCopies wants all copies to be open, or none.
func (s *sealedStory) requireCopies(t *testing.T, opener insideout.Opener, id string, want error) {
	t.Helper()
	text := ""
	if want == nil {
		text = storyMarker + " of " + id
	}
	copies := s.copies(t, opener, id)
	require.Equal(t, text, copies.notes)
	for where, held := range copies.address {
		got, err := held.Reveal()
		require.ErrorIs(t, err, want, "%s of %s", where, id)
		require.Equal(t, text, got, where)
	}
}

// requireNoMarker looks for the plain text in every byte that was kept, sent or logged.
func (s *sealedStory) requireNoMarker(t *testing.T) {
	t.Helper()
	for _, name := range []string{"people", "recipients", "keys"} {
		for key, item := range s.rows(t, name) {
			for attr, v := range item {
				require.NotContains(t, rawText(v), storyMarker, "%s %s %s", name, key, attr)
			}
		}
	}
	for _, e := range append(s.events.list, s.faults.list...) {
		raw, err := e.MarshalJSON()
		require.NoError(t, err)
		require.NotContains(t, string(raw), storyMarker)
	}
	require.NotContains(t, s.logged.String(), storyMarker)
	published := 0
	require.NoError(t, fs.WalkDir(os.DirFS(s.dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(os.DirFS(s.dir), path)
		require.NoError(t, err)
		if packed, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			raw, err = io.ReadAll(packed)
			require.NoError(t, err)
		}
		require.NotContains(t, string(raw), storyMarker, path)
		published += bytes.Count(raw, []byte(`"person":{`))
		return nil
	}))
	require.Equal(t, s.events.want/2, published)
}

// rows are those of a table as they are stored, by their keys.
func (s *sealedStory) rows(t *testing.T, name string) map[string]table.Item {
	t.Helper()
	rows := map[string]table.Item{}
	in := &dynamodb.ScanInput{TableName: aws.String(name + s.suffix), ConsistentRead: aws.Bool(true)}
	for {
		out, err := s.server.Scan(t.Context(), in)
		require.NoError(t, err)
		for _, item := range out.Items {
			rows[rawText(item["pk"])] = item
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			require.NotEmpty(t, rows)
			return rows
		}
	}
}

// rawText is what an attribute holds, as bytes.
func rawText(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	case *types.AttributeValueMemberM:
		text := ""
		for name, inner := range v.Value {
			text += name + " " + rawText(inner) + "\n"
		}
		return text
	}
	return fmt.Sprintf("%+v", v)
}

// onBoth runs a test on the embedded engine in virtual time, and on the endpoint that the environment names.
func onBoth(t *testing.T, test func(t *testing.T, s *sealedStory)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, newSealedStory(t, "")) })
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
		if url == "" {
			t.Skip("INSIDEOUT_DYNAMODB_ENDPOINT is not set: .ci/run starts DynamoDB Local and sets it")
		}
		test(t, newSealedStory(t, url))
	})
}

// A person's address travels from the row into events, the lake and another service's view, and nobody opens it on the way. When people's
// keys are destroyed, no copy of theirs opens any more: here at once, and in another process, whose cache is warm, when the stated time is over. Those
// of everybody else open as before, and not a byte of theirs has changed.
func TestSealedStory(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *sealedStory) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it picks cases
		var people []string
		for i := range 12 {
			people = append(people, fmt.Sprint("p", i))
			text := storyMarker + " of " + people[i]
			require.NoError(t, People.Save(t.Context(), s.people, Person{ID: people[i], Email: insideout.Seal(text), Notes: text}))
		}
		s.flow(t, len(people))
		processes := map[string]*crypto.Sealer{"here": s.here, "there": s.there}
		for _, id := range people {
			for _, opener := range processes {
				s.requireCopies(t, opener, id, nil)
			}
		}
		s.requireNoMarker(t)
		before := map[string]map[string]table.Item{"people": s.rows(t, "people"), "recipients": s.rows(t, "recipients")}

		gone := map[string]bool{people[0]: true}
		for _, id := range people[2:] { // and the second one stays
			gone[id] = random.IntN(2) == 0
		}
		for id, gone := range gone {
			if gone {
				s.shred(t, id, random.IntN(2) == 0)
				s.requireCopies(t, s.here, id, insideout.ErrShredded)
			}
		}
		if s.suffix == "" { // time stands still
			s.requireCopies(t, s.there, people[0], nil) // for as long as its cache is warm
		}
		time.Sleep(s.ttl)
		for _, id := range people {
			var want error
			if gone[id] {
				want = insideout.ErrShredded
			}
			for _, opener := range processes {
				s.requireCopies(t, opener, id, want)
			}
			err := People.Save(t.Context(), s.open(t, "people", s.there, nil), Person{ID: id + "?", Notes: storyMarker})
			require.NoError(t, err, "somebody new")
			if gone[id] {
				require.ErrorIs(t, People.Save(t.Context(), s.people, Person{ID: id, Notes: storyMarker}), insideout.ErrShredded)
			}
			for name, rows := range before {
				require.NotEmpty(t, rows[id])
				require.Equal(t, rows[id], s.rows(t, name)[id], "rows stay as they are, of all people")
			}
		}
		s.requireNoMarker(t)
	})
}

// shred destroys a person's keys, by name or by reference.
func (s *sealedStory) shred(t *testing.T, id string, byRef bool) {
	t.Helper()
	var keys int
	ref, err := s.here.SubjectRef(t.Context(), id)
	require.NoError(t, err)
	if byRef {
		keys, err = s.here.ShredRef(t.Context(), ref)
	} else {
		keys, err = s.here.ShredSubject(t.Context(), id)
	}
	require.NoError(t, err)
	require.Equal(t, 1, keys)
}
