package sqs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/insideout-go/insideout/views/sqs"
	"github.com/stretchr/testify/require"
)

// serve runs a source on the queue until it has done enough, and returns its error.
func serve(t *testing.T, q sqs.Client, l *views.Listener, opts *sqs.Options, until func() bool) error {
	t.Helper()
	return serveOn(t, q, "https://sqs.eu-west-1.amazonaws.com/123456789012/q", l, opts, until)
}

func serveOn(t *testing.T, q sqs.Client, url string, l *views.Listener, opts *sqs.Options, until func() bool) error {
	t.Helper()
	source, err := sqs.New(q, url, opts)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- views.Serve(ctx, source, l) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(100 * time.Millisecond):
			if until() {
				cancel()
				return <-done
			}
			require.NoError(t, ctx.Err(), "not read in time")
		}
	}
}

func empty(q *queue) func() bool { return func() bool { return q.left() == 0 } }

// TestServe: messages are applied and deleted; what fails comes again, later and later, and holds nothing up.
func TestServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := &queue{name: "q"}, newTable(t)
		for n := range 25 {
			q.send("", changed(fmt.Sprint("k", n), n))
		}
		left := 4
		var mu sync.Mutex
		seen := seen{verdict: func(key string, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if key == "k7" && left > 0 {
				left--
				return views.Retry(errors.New("not now"))
			}
			return nil
		}}
		var faults faults
		q.send("", "{oops")
		began := time.Now()
		l := seen.listener(t, db, &views.Options{Faults: &faults})
		require.NoError(t, serve(t, q, l, nil, empty(q)))
		require.Equal(t, 29, len(seen.times))
		var pauses []time.Duration
		for i := 24; i < 29; i++ {
			pauses = append(pauses, seen.times[i].Sub(began).Round(time.Second))
		}
		require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}, pauses)
		require.EqualValues(t, 10, q.asked[0].MaxNumberOfMessages)
		require.EqualValues(t, 20, q.asked[0].WaitTimeSeconds)
		require.EqualValues(t, 30, q.asked[0].VisibilityTimeout) // the queue's own

		// The fault has the message as Lambda delivers it.
		require.Len(t, faults.events, 1)
		var work struct{ Record events.SQSMessage }
		require.NoError(t, json.Unmarshal(faults.events[0].Body["uow"], &work))
		require.Equal(t, "{oops", work.Record.Body)
		require.Equal(t, "arn:aws:sqs:eu-west-1:123456789012:q", work.Record.EventSourceARN)
		require.Equal(t, "eu-west-1", work.Record.AWSRegion)
		require.Equal(t, "1", work.Record.Attributes["ApproximateReceiveCount"])
	})
}

type faults struct{ events []insideout.Event }

func (f *faults) Publish(_ context.Context, events []insideout.Event) error {
	f.events = append(f.events, events...)
	return nil
}

// TestFIFO: the messages of a group come in order, also around failures.
func TestFIFO(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := &queue{name: "q.fifo"}, newTable(t)
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		seen := seen{verdict: func(string, int) error {
			mu.Lock()
			defer mu.Unlock()
			if random.IntN(4) == 0 {
				return views.Retry(errors.New("not now"))
			}
			return nil
		}}
		const groups, each = 3, 20
		for n := range each {
			for g := range groups {
				key := fmt.Sprint("g", g)
				q.send(key, changed(key, n))
			}
		}
		require.NoError(t, serve(t, q, seen.listener(t, db, nil), &sqs.Options{Receivers: 3}, empty(q)))
		for g := range groups {
			key := fmt.Sprint("g", g)
			var sent []string
			for n := range each {
				sent = append(sent, changed(key, n))
			}
			require.Equal(t, sent, q.order[key]) // done with in order: what is behind a failure came again with it
			a, err := accounts.Get(t.Context(), db, key)
			require.NoError(t, err)
			require.Equal(t, each-1, a.Value)
		}
	})
}

// TestAnswersAreRepeated: a message that the queue did not delete through no fault of ours is deleted at the second try, and does
// not come again.
func TestAnswersAreRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, refused := &queue{name: "q"}, 0
		q.refuse = func(string) *bool {
			if refused++; refused <= 2 {
				return aws.Bool(false)
			}
			return nil
		}
		for n := range 3 {
			q.send("", changed("k", n))
		}
		var seen seen
		require.NoError(t, serve(t, q, seen.listener(t, newTable(t), nil), nil, empty(q)))
		require.Equal(t, 3, seen.count())
		require.Equal(t, 5, refused)
	})
}

// TestTrouble: what passes is tried again, answers too; what is not answered comes again and changes nothing; what does not
// pass ends the run.
func TestTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := &queue{name: "q"}, newTable(t)
		random := rand.New(rand.NewPCG(3, 4))
		q.broken = func(string) error {
			if random.IntN(3) == 0 {
				return &smithy.GenericAPIError{Code: "ThrottlingException"}
			}
			return nil
		}
		q.refuse = func(string) *bool {
			switch random.IntN(6) {
			case 0:
				return aws.Bool(true)
			case 1:
				return aws.Bool(false)
			}
			return nil
		}
		var seen seen
		for n := range 60 {
			q.send("", changed(fmt.Sprint("k", n%7), n))
		}
		l := seen.listener(t, db, nil)
		require.NoError(t, serve(t, q, l, nil, empty(q)))
		for k := range 7 {
			a, err := accounts.Get(t.Context(), db, fmt.Sprint("k", k))
			require.NoError(t, err)
			require.Equal(t, slices.Max(seen.values[a.ID]), a.Value)
			require.GreaterOrEqual(t, a.Value, 53)
		}
		q.refuse, q.broken = nil, func(string) error { return &types.QueueDoesNotExist{} }
		require.ErrorContains(t, serve(t, q, l, nil, empty(&queue{messages: []*message{nil}})), "123456789012/q")
		q.broken = func(op string) error {
			if op == "ReceiveMessage" {
				return &types.QueueDoesNotExist{}
			}
			return nil
		}
		require.Error(t, serve(t, q, l, nil, empty(&queue{messages: []*message{nil}})))
	})
}

// TestKilled: runs that end at any time, of which some answers never reach the queue, lose nothing. What was applied and not
// deleted comes again, and changes nothing.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"q", "q.fifo"} {
		for seed := range uint64(8) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 5))
					q, db := &queue{name: name}, newTable(t)
					q.broken = func(op string) error { // the program that received them is gone
						if op != "ReceiveMessage" && op != "GetQueueAttributes" && random.IntN(3) == 0 {
							return errors.New("killed")
						}
						return nil
					}
					const keys, each = 4, 25
					for n := range each {
						for k := range keys {
							key, group := fmt.Sprint("k", k), ""
							if name == "q.fifo" {
								group = key
							}
							q.send(group, changed(key, n))
						}
					}
					var seen seen
					l := seen.listener(t, db, nil)
					for q.left() > 0 {
						rounds := random.IntN(5)
						require.NoError(t, serve(t, q, l, nil, func() bool { rounds--; return rounds < 0 || q.left() == 0 }))
					}
					for k := range keys {
						a, err := accounts.Get(t.Context(), db, fmt.Sprint("k", k))
						require.NoError(t, err)
						require.Equal(t, each-1, a.Value)
					}
					require.Greater(t, seen.count(), keys*each)
				})
			})
		}
	}
}

// TestGracefulStop: the batch in hand is finished and deleted when the context ends, and nothing more is received.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := &queue{name: "q"}, newTable(t)
		for n := range 15 {
			q.send("", changed(fmt.Sprint("k", n), n))
		}
		ctx, cancel := context.WithCancel(t.Context())
		seen := seen{verdict: func(string, int) error {
			cancel()
			time.Sleep(100 * time.Millisecond)
			return nil
		}}
		source, err := sqs.New(q, "q", &sqs.Options{Receivers: 1})
		require.NoError(t, err)
		require.NoError(t, views.Serve(ctx, source, seen.listener(t, db, nil)))
		require.Equal(t, 5, q.left())
	})
}

// TestWorkEndsWithVisibility: what was not done when the messages become visible again is not deleted.
func TestWorkEndsWithVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, db := &queue{name: "q"}, newTable(t)
		for n := range 10 {
			q.send("", changed(fmt.Sprint("k", n), n))
		}
		began := time.Now()
		seen := seen{verdict: func(string, int) error {
			if time.Since(began) < 5*time.Second {
				time.Sleep(time.Second)
			}
			return nil
		}}
		l := seen.listener(t, db, nil)
		require.NoError(t, serve(t, q, l, &sqs.Options{Receivers: 1, Visibility: 5 * time.Second}, empty(q)))
		require.Positive(t, l.Stats().Failed)
		require.EqualValues(t, 10, l.Stats().Applied+l.Stats().Duplicate)
	})
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := sqs.New(nil, "", &sqs.Options{Wait: time.Minute, Visibility: 1500 * time.Millisecond, Pause: -1})
	for _, text := range []string{"no client", "no queue URL", `"Wait"`, `"Visibility"`, `"Pause"`} {
		require.ErrorContains(t, err, text)
	}
}
