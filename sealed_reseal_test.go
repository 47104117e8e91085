package insideout_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// A key may be known to others: the people whom it belongs to get another one, and their rows, in the service and in the view, move to it, while
// writers go on. Nothing is published, nothing is lost, and a second run has nothing to do.
func TestResealOfATable(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *sealedStory) {
		ctx, ids := t.Context(), []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"}
		for _, id := range ids {
			text := storyMarker + " of " + id
			require.NoError(t, People.Save(ctx, s.people, Person{ID: id, Email: insideout.Seal(text), Notes: text}))
		}
		s.flow(t, len(ids))
		for _, id := range ids {
			require.NoError(t, s.here.RotateSubject(ctx, id))
		}
		_, err := s.here.ShredSubject(ctx, "p7")
		require.NoError(t, err)
		time.Sleep(s.ttl) // until no process seals with the older key
		var writers sync.WaitGroup
		for w := range 2 {
			writers.Go(func() {
				for n := range 20 {
					id := ids[(n+w)%6]
					if err := People.Update(ctx, s.people, id, table.Set(&People.F.Notes, storyMarker+" of "+id)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		total := 0
		for left := 1; left > 0; {
			p, err := s.here.Reseal(ctx, s.people.Sealed(People), "", nil)
			require.NoError(t, err)
			require.Equal(t, []int{8, 16, 2}, []int{p.Rows, p.Fields, p.Dead})
			left, total = p.Left, total+p.Resealed
		}
		writers.Wait()
		require.GreaterOrEqual(t, total, 7, "the addresses, which nobody writes meanwhile")
		p, err := s.here.Reseal(ctx, s.views.Sealed(Recipients), "", nil)
		require.NoError(t, err)
		require.Equal(t, crypto.ResealProgress{Rows: 8, Fields: 8, Resealed: 7, Dead: 1}, p)
		for _, rows := range []insideout.SealedRows{s.people.Sealed(People), s.views.Sealed(Recipients)} {
			p, err := s.here.Reseal(ctx, rows, "", nil)
			require.NoError(t, err)
			require.Equal(t, []int{0, 0}, []int{p.Resealed, p.Left})
		}
		for _, id := range ids[:7] {
			s.requireCopies(t, s.there, id, nil)
		}
		s.requireCopies(t, s.there, "p7", insideout.ErrShredded)
		s.requireNoMarker(t)
		require.Equal(t, map[string]int{"person-created": 8, "person-updated": 2 * 20}, s.published(t, 8+2*20), "of what the writers wrote, and nothing else")
	})
}

// published counts by their types the events of all that was ever written: so many.
func (s *sealedStory) published(t *testing.T, want int) map[string]int {
	t.Helper()
	all := recorded{want: want, all: make(chan struct{})}
	trigger, err := cdc.New(&all, cdc.Publish(People, func(c cdc.Change[Person]) (insideout.Event, error) { return insideout.Event{}, nil }))
	require.NoError(t, err)
	require.NoError(t, cdc.Tail(t.Context(), s.streams, "people"+s.suffix, trigger, &cdc.TailOptions{Drain: all.all, Interval: 10 * time.Millisecond}))
	types := map[string]int{}
	for _, e := range all.list {
		types[e.Type]++
	}
	return types
}

// small gives pages of three rows, so that there are many.
type small struct{ table.Client }

func (s small) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.Limit = aws.Int32(3)
	return s.Client.Scan(ctx, in, o...)
}

// storyKeys are those of a process that reaches the tables through a client.
func storyKeys(t *testing.T, client crypto.Client) *crypto.Sealer {
	t.Helper()
	wrapper, err := crypto.NewLocalKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	keys, err := crypto.New(client, "keys", wrapper, nil)
	require.NoError(t, err)
	sealer, err := keys.Namespace("shop")
	require.NoError(t, err)
	return sealer
}

// A job that is killed goes on from the last cursor that it wrote down, and does nothing twice.
func TestResealIsKilledAndGoesOn(t *testing.T) {
	t.Parallel()
	const people = 60
	ctx, engine := t.Context(), embedded.New(nil)
	defer func() { require.NoError(t, engine.Close()) }()
	server := httptest.NewServer(engine.Handler())
	defer server.Close()
	require.NoError(t, table.Create(ctx, engine, "people", table.Schema(People)))
	_, err := engine.CreateTable(ctx, crypto.KeyTableSchema("keys"))
	require.NoError(t, err)
	sealer := storyKeys(t, engine)
	db, err := table.Open(small{engine}, "people", &table.Options{Sealer: sealer, Opener: sealer})
	require.NoError(t, err)
	for i := range people {
		id := fmt.Sprint("p", i)
		require.NoError(t, People.Save(ctx, db, Person{ID: id, Notes: id}))
		require.NoError(t, sealer.RotateSubject(ctx, id))
	}

	self, err := os.Executable()
	require.NoError(t, err)
	job := exec.CommandContext(ctx, self, "-test.run=^TestResealJob$", "-test.count=1")
	job.Env = append(os.Environ(), "INSIDEOUT_RESEAL="+server.URL)
	out, err := job.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, job.Start())
	lines, cursor := bufio.NewScanner(out), ""
	for range 3 {
		require.True(t, lines.Scan())
		var ok bool
		cursor, ok = strings.CutPrefix(lines.Text(), "cursor ")
		require.True(t, ok, lines.Text())
	}
	require.NoError(t, job.Process.Kill())
	require.Error(t, job.Wait())

	p, err := sealer.Reseal(ctx, db.Sealed(People), cursor, nil)
	require.NoError(t, err)
	require.Equal(t, people-3*3, p.Rows)
	require.LessOrEqual(t, p.Resealed, people-3*3)
	again, err := sealer.Reseal(ctx, db.Sealed(People), "", nil)
	require.NoError(t, err)
	require.Equal(t, crypto.ResealProgress{Rows: people, Fields: people}, again)
	for i := range people {
		got, err := People.Get(ctx, db, fmt.Sprint("p", i))
		require.NoError(t, err)
		require.Equal(t, got.ID, got.Notes)
	}
}

// TestResealJob is the job that is killed: it says where it is after every page, and waits a little.
func TestResealJob(t *testing.T) {
	url := os.Getenv("INSIDEOUT_RESEAL")
	if url == "" {
		t.Skip("it is run by TestResealIsKilledAndGoesOn")
	}
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	db, err := table.Open(small{client}, "people", nil)
	require.NoError(t, err)
	_, err = storyKeys(t, client).Reseal(t.Context(), db.Sealed(People), "", func(p crypto.ResealProgress) error {
		fmt.Println("cursor", p.Cursor)
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	require.NoError(t, err)
}

// Rows from before a field was sealed are sealed in place, and counted.
func TestResealSealsPlainText(t *testing.T) {
	t.Parallel()
	type before struct {
		ID    string
		Phone string `dynamo:"phone"`
	}
	type after struct {
		ID    string
		Phone string `dynamo:"phone" seal:"contact,plain"`
	}
	old := table.DefineNode("caller", func(c *before, d *table.Def[before]) { d.ID(&c.ID) })
	callers := table.DefineNode("caller", func(c *after, d *table.Def[after]) {
		d.ID(&c.ID)
		d.Subject(&c.ID)
	})
	ctx, engine := t.Context(), embedded.New(nil)
	defer func() { require.NoError(t, engine.Close()) }()
	require.NoError(t, table.Create(ctx, engine, "callers", table.Schema(callers)))
	_, err := engine.CreateTable(ctx, crypto.KeyTableSchema("keys"))
	require.NoError(t, err)
	sealer, found := storyKeys(t, engine), 0
	db, err := table.Open(engine, "callers", &table.Options{Sealer: sealer, Opener: sealer, Plaintext: func(string, string) { found++ }})
	require.NoError(t, err)
	for i := range 20 {
		require.NoError(t, old.Save(ctx, db, before{fmt.Sprint(i), storyMarker}))
	}
	_, err = sealer.ShredSubject(ctx, "3")
	require.NoError(t, err)
	p, err := sealer.Reseal(ctx, db.Sealed(callers), "", nil)
	require.NoError(t, err)
	require.Equal(t, crypto.ResealProgress{Rows: 20, Fields: 20, Resealed: 19, Plain: 19, Exposed: 1}, p)
	for i := range 20 {
		got, err := callers.Get(ctx, db, fmt.Sprint(i))
		require.NoError(t, err)
		require.Equal(t, storyMarker, got.Phone)
	}
	require.Equal(t, 1, found, "the one that is to be erased")
	out, err := engine.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("callers")})
	require.NoError(t, err)
	left := 0
	for _, item := range out.Items {
		left += strings.Count(rawText(item["phone"]), storyMarker)
	}
	require.Equal(t, 1, left)
}
