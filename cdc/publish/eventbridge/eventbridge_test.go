package eventbridge_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/eventbridge"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/stretchr/testify/require"
)

// fake is a bus that a test answers for.
type fake struct {
	backend *publishtest.Backend
	last    atomic.Pointer[sdk.PutEventsInput]
}

func (f *fake) PutEvents(ctx context.Context, in *sdk.PutEventsInput, _ ...func(*sdk.Options)) (*sdk.PutEventsOutput, error) {
	f.last.Store(in)
	messages := make([]publishtest.Message, len(in.Entries))
	for i, e := range in.Entries {
		messages[i] = publishtest.Message{Body: []byte(*e.Detail), Size: len(*e.Source) + len(*e.DetailType) + len(*e.Detail)}
	}
	answers, err := f.backend.Take(ctx, messages)
	if err != nil {
		return nil, err
	}
	out := &sdk.PutEventsOutput{}
	for i, a := range answers {
		switch {
		case a.Omit && i == len(answers)-1:
		case a.Omit:
			out.Entries = append(out.Entries, types.PutEventsResultEntry{})
		case a.Code != "":
			out.FailedEntryCount++
			out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: &a.Code, ErrorMessage: new("no")})
		default:
			out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: new("x")})
		}
	}
	return out, nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	publishtest.Run(t, publishtest.Harness{
		New: func(t *testing.T, b *publishtest.Backend, o publishtest.Options) cdc.Publisher {
			p, err := eventbridge.New(&fake{backend: b}, "bus", &eventbridge.Options{
				ClaimChecks: o.ClaimChecks, CompressAbove: o.CompressAbove, InFlight: o.InFlight, Attempts: o.Attempts,
			})
			require.NoError(t, err)
			return p
		},
		Entries: 10, Bytes: 256<<10 - 1, Entry: 256<<10 - 1, Throttle: "ThrottlingException", Invalid: "MalformedDetail", Omits: true,
	})
}

// TestEntry: an entry is what services in JavaScript write.
func TestEntry(t *testing.T) {
	t.Parallel()
	e := insideout.Event{ID: "1", Type: "thing-created"}
	f := &fake{backend: &publishtest.Backend{}}
	p, err := eventbridge.New(f, "bus", nil)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{e}))
	require.Equal(t, &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: new("bus"), Source: new("custom"), DetailType: new("thing-created"), Detail: new(`{"id":"1","type":"thing-created"}`),
	}}}, f.last.Load())

	p, err = eventbridge.New(f, "bus", &eventbridge.Options{Source: "external", Endpoint: "abcde.veo"})
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{e}))
	require.Equal(t, "external", *f.last.Load().Entries[0].Source)
	require.Equal(t, "abcde.veo", *f.last.Load().EndpointId)
}

// TestLongType: EventBridge would take it, and drop it.
func TestLongType(t *testing.T) {
	t.Parallel()
	f := &fake{backend: &publishtest.Backend{}}
	p, err := eventbridge.New(f, "bus", nil)
	require.NoError(t, err)
	err = p.Publish(t.Context(), []insideout.Event{{ID: "1", Type: strings.Repeat("ä", 128)}, {ID: "2", Type: strings.Repeat("ä", 129)}})
	require.ErrorIs(t, err, cdc.ErrRejected)
	require.ErrorContains(t, err, "129 characters")
	require.Equal(t, []string{"1"}, f.backend.Taken())
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := eventbridge.New(nil, "", &eventbridge.Options{MaxBytes: 2 << 20})
	for _, text := range []string{"no client", "no bus", "MaxBytes is 2097152"} {
		require.ErrorContains(t, err, text)
	}
	_, err = eventbridge.New(&fake{}, "bus", &eventbridge.Options{MaxBytes: 1<<20 - 1})
	require.NoError(t, err)
}

// TestThousand: what a Lambda batch of 1,000 records publishes takes 100 requests, eight at a time.
func TestThousand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{backend: &publishtest.Backend{Answer: func(_ context.Context, _ int, m []publishtest.Message) ([]publishtest.Answer, error) {
			time.Sleep(20 * time.Millisecond)
			return make([]publishtest.Answer, len(m)), nil
		}}}
		p, err := eventbridge.New(f, "bus", nil)
		require.NoError(t, err)
		var events []insideout.Event
		for n := range 1000 {
			e := insideout.Event{ID: strconv.Itoa(n), Type: "thing-created"}
			require.NoError(t, e.SetBody("thing", strings.Repeat("x", 1000)))
			events = append(events, e)
		}
		begun := time.Now()
		require.NoError(t, p.Publish(t.Context(), events))
		require.Len(t, f.backend.Calls(), 100)
		require.Equal(t, 8, f.backend.InFlight())
		require.Equal(t, 13*20*time.Millisecond, time.Since(begun))
	})
}
