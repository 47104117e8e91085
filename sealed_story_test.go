package insideout_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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

const (
	storyMarker = "marker"
	storyTTL    = 30 * time.Second
)

// sealedStory is a service with a lake and a view. Processes have keys of their own.
type sealedStory struct {
	engine        *embedded.DB
	dir           string
	lake          *lake.Lake
	here, there   *crypto.Sealer
	people, views *table.DB // as the service here sees them
	faults        recorded
	events        recorded
}

type recorded struct{ list []insideout.Event }

func (r *recorded) Publish(_ context.Context, events []insideout.Event) error {
	r.list = append(r.list, events...)
	return nil
}

func newSealedStory(t *testing.T) *sealedStory {
	t.Helper()
	s := &sealedStory{engine: embedded.New(nil), dir: t.TempDir()}
	for name, model := range map[string]table.Definition{"people": People, "recipients": Recipients} {
		require.NoError(t, table.Create(t.Context(), s.engine, name, table.Schema(model)))
	}
	in := crypto.KeyTableSchema("keys")
	in.DeletionProtectionEnabled = nil
	_, err := s.engine.CreateTable(t.Context(), in)
	require.NoError(t, err)
	s.here, s.there = s.process(t), s.process(t)
	s.people, err = table.Open(s.engine, "people", &table.Options{Sealer: s.here, Opener: s.here})
	require.NoError(t, err)
	s.views, err = table.Open(s.engine, "recipients", nil)
	require.NoError(t, err)
	s.lake, err = lake.Open(s.dir, nil)
	require.NoError(t, err)
	return s
}

func (s *sealedStory) close(t *testing.T) {
	t.Helper()
	require.NoError(t, s.lake.Close())
	require.NoError(t, s.engine.Close())
}

// process is a sealer with a cache of its own.
func (s *sealedStory) process(t *testing.T) *crypto.Sealer {
	t.Helper()
	wrapper, err := crypto.NewLocalKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	keys, err := crypto.New(s.engine, "keys", wrapper, &crypto.Options{SubjectTTL: storyTTL})
	require.NoError(t, err)
	sealer, err := keys.Namespace("shop")
	require.NoError(t, err)
	return sealer
}

// flow publishes what was written: into the lake, and by the listener into the view. One rule of each side makes a fault of all it gets.
func (s *sealedStory) flow(t *testing.T) {
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
	committed := make(chan struct{})
	close(committed)
	require.NoError(t, cdc.Tail(t.Context(), s.engine, "people", trigger, &cdc.TailOptions{Drain: committed}))
}

// storyCopies are those of a person's data, as whoever has an opener reads them.
type storyCopies struct {
	notes   string                              // of the row
	address map[string]insideout.Sealed[string] // in the row, an event of the lake, and the view
}

func (s *sealedStory) copies(t *testing.T, opener insideout.Opener, id string) storyCopies {
	t.Helper()
	ctx := t.Context()
	people, err := table.Open(s.engine, "people", &table.Options{Opener: opener})
	require.NoError(t, err)
	recipients, err := table.Open(s.engine, "recipients", &table.Options{Opener: opener})
	require.NoError(t, err)
	person, err := People.Get(ctx, people, id)
	require.NoError(t, err)
	recipient, err := Recipients.Get(ctx, recipients, id)
	require.NoError(t, err)
	found := storyCopies{person.Notes, map[string]insideout.Sealed[string]{"row": person.Email, "view": recipient.Email}}
	for e, err := range s.lake.Events(ctx, lake.Query{Types: []string{"person-created"}, PartitionKeys: []string{id}}) {
		require.NoError(t, err)
		published, err := insideout.Body[Person](e, "person")
		require.NoError(t, err)
		require.NoError(t, insideout.OpenSealed(ctx, opener, &published))
		require.Empty(t, published.Notes)
		found.address["lake"] = published.Email
	}
	require.Len(t, found.address, 3)
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

// requireNoMarker looks for the plain text in every byte that was kept or sent.
func (s *sealedStory) requireNoMarker(t *testing.T) {
	t.Helper()
	for _, name := range []string{"people", "recipients", "keys"} {
		out, err := s.engine.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(name)})
		require.NoError(t, err)
		require.NotEmpty(t, out.Items)
		for _, item := range out.Items {
			for attr, v := range item {
				require.NotContains(t, rawText(v), storyMarker, "%s %s", name, attr)
			}
		}
	}
	for _, e := range append(s.events.list, s.faults.list...) {
		raw, err := e.MarshalJSON()
		require.NoError(t, err)
		require.NotContains(t, string(raw), storyMarker)
	}
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
	require.Equal(t, 2, published)
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

// A person's address travels from the row into events, the lake and another service's view, and nobody opens it on the way. When the
// person's key is destroyed, no copy opens any more: here at once, and in another process, whose cache is warm, when the stated time is over.
func TestSealedStory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSealedStory(t)
		defer s.close(t)
		for _, id := range []string{"ann", "bob"} {
			text := storyMarker + " of " + id
			require.NoError(t, People.Save(t.Context(), s.people, Person{ID: id, Email: insideout.Seal(text), Notes: text}))
		}
		s.flow(t)
		require.Len(t, s.faults.list, 2, "of the listener")
		require.Len(t, s.events.list, 4, "and of the trigger")
		processes := map[string]*crypto.Sealer{"here": s.here, "there": s.there}
		for _, opener := range processes {
			s.requireCopies(t, opener, "ann", nil)
			s.requireCopies(t, opener, "bob", nil)
		}
		s.requireNoMarker(t)

		_, err := s.here.ShredSubject(t.Context(), "ann")
		require.NoError(t, err)
		s.requireCopies(t, s.here, "ann", insideout.ErrShredded)
		s.requireCopies(t, s.there, "ann", nil) // for as long as its cache is warm
		time.Sleep(storyTTL)
		for _, opener := range processes {
			s.requireCopies(t, opener, "ann", insideout.ErrShredded)
			s.requireCopies(t, opener, "bob", nil)
		}
		require.ErrorIs(t, People.Save(t.Context(), s.people, Person{ID: "ann", Notes: storyMarker}), insideout.ErrShredded)
		s.requireNoMarker(t)
	})
}
