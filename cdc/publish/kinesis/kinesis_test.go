package kinesis_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/kinesis"
	"github.com/stretchr/testify/require"
)

// fake is a stream that a test answers for.
type fake struct {
	backend *publishtest.Backend
	last    atomic.Pointer[sdk.PutRecordsInput]
}

func (f *fake) PutRecords(ctx context.Context, in *sdk.PutRecordsInput, _ ...func(*sdk.Options)) (*sdk.PutRecordsOutput, error) {
	f.last.Store(in)
	messages := make([]publishtest.Message, len(in.Records))
	for i, r := range in.Records {
		messages[i] = publishtest.Message{Body: r.Data, Key: *r.PartitionKey, Size: len(r.Data) + len(*r.PartitionKey)}
	}
	answers, err := f.backend.Take(ctx, messages)
	if err != nil {
		return nil, err
	}
	out := &sdk.PutRecordsOutput{}
	for i, a := range answers {
		switch {
		case a.Omit && i == len(answers)-1:
		case a.Omit:
			out.Records = append(out.Records, types.PutRecordsResultEntry{})
		case a.Code != "":
			out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: &a.Code, ErrorMessage: new("no")})
		default:
			out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: new("1"), ShardId: new("s")})
		}
	}
	return out, nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, unordered := range map[string]bool{"ordered": false, "unordered": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Harness{
				New: func(t *testing.T, b *publishtest.Backend, o publishtest.Options) cdc.Publisher {
					p, err := kinesis.New(&fake{backend: b}, "stream", &kinesis.Options{
						Unordered: unordered, ClaimChecks: o.ClaimChecks, CompressAbove: o.CompressAbove, InFlight: o.InFlight, Attempts: o.Attempts,
					})
					require.NoError(t, err)
					return p
				},
				Entries: 500, Bytes: 10 << 20, Entry: 1 << 20, Ordered: !unordered,
				Throttle: "ProvisionedThroughputExceededException", Invalid: "ValidationException", Omits: true,
			})
		})
	}
}

// TestRecord: the key is the event's, and the stream is named as it is known.
func TestRecord(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kinesis:eu-west-1:1:stream/s"
	f := &fake{backend: &publishtest.Backend{}}
	p, err := kinesis.New(f, arn, nil)
	require.NoError(t, err)
	long := strings.Repeat("ä", 257)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{
		{ID: "1", PartitionKey: "k"}, {ID: "2"}, {ID: "3", PartitionKey: long}, {ID: "4", PartitionKey: long[2:]},
	}))
	require.Equal(t, arn, *f.last.Load().StreamARN)
	require.Nil(t, f.last.Load().StreamName)
	var keys []string
	for _, r := range f.last.Load().Records {
		keys = append(keys, *r.PartitionKey)
	}
	require.Equal(t, []string{"k", "2"}, keys[:2])
	require.Len(t, keys[2], 64)
	require.Equal(t, long[2:], keys[3])

	p, err = kinesis.New(f, "stream", nil)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{{ID: "1"}}))
	require.Equal(t, "stream", *f.last.Load().StreamName)
	require.Nil(t, f.last.Load().StreamARN)
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := kinesis.New(nil, "", &kinesis.Options{MaxBytes: 11 << 20})
	for _, text := range []string{"no client", "no stream", "MaxBytes is 11534336"} {
		require.ErrorContains(t, err, text)
	}
}
