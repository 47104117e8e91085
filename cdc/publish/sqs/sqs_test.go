package sqs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/sqs"
	"github.com/stretchr/testify/require"
)

// fake is a queue that a test answers for.
type fake struct{ backend *publishtest.Backend }

func (f *fake) SendMessageBatch(ctx context.Context, in *sdk.SendMessageBatchInput, _ ...func(*sdk.Options)) (*sdk.SendMessageBatchOutput, error) {
	messages := make([]publishtest.Message, len(in.Entries))
	for i, e := range in.Entries {
		if strings.ContainsAny(*e.MessageBody, "\x00\uFFFE\uFFFF") {
			return nil, publishtest.APIError("InvalidMessageContents")
		}
		messages[i] = publishtest.Message{
			Body: []byte(*e.MessageBody), Key: aws.ToString(e.MessageGroupId), Token: aws.ToString(e.MessageDeduplicationId), Size: len(*e.MessageBody),
		}
	}
	answers, err := f.backend.Take(ctx, messages)
	if err != nil {
		return nil, err
	}
	out := &sdk.SendMessageBatchOutput{Successful: []types.SendMessageBatchResultEntry{{}, {Id: new("77")}}}
	for i, a := range answers {
		id := in.Entries[i].Id
		switch {
		case a.Omit:
		case a.Code != "":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: id, Code: &a.Code, Message: new("no"), SenderFault: a.Sender})
		default:
			out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: id, MessageId: new("m")})
		}
	}
	return out, nil
}

const url = "https://sqs.eu-west-1.amazonaws.com/1/things"

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, queue := range map[string]string{"standard": url, "fifo": url + ".fifo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Harness{
				New: func(t *testing.T, b *publishtest.Backend, o publishtest.Options) cdc.Publisher {
					p, err := sqs.New(&fake{backend: b}, queue, &sqs.Options{
						ClaimChecks: o.ClaimChecks, CompressAbove: o.CompressAbove, InFlight: o.InFlight, Attempts: o.Attempts,
					})
					require.NoError(t, err)
					return p
				},
				Entries: 10, Bytes: 1 << 20, Entry: 1 << 20, Ordered: name == "fifo",
				Throttle: "ThrottlingException", Invalid: "AWS.SimpleQueueService.Odd", Omits: true,
			})
		})
	}
}

// TestFIFO: the group is the partition key, and copies are known by the event's id.
func TestFIFO(t *testing.T) {
	t.Parallel()
	f := &fake{backend: &publishtest.Backend{}}
	p, err := sqs.New(f, url+".fifo", nil)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{
		{ID: "1", PartitionKey: "k|1"}, {ID: "2"}, {ID: "the third", PartitionKey: "ä"}, {ID: strings.Repeat("4", 129), PartitionKey: strings.Repeat("k", 128)},
	}))
	got := f.backend.Calls()[0]
	require.Equal(t, "k|1", got[0].Key)
	require.Equal(t, "1", got[0].Token)
	require.Equal(t, "2", got[1].Key)
	for _, hash := range []string{got[2].Key, got[2].Token, got[3].Token} {
		require.Regexp(t, "^[0-9a-f]{64}$", hash)
	}
	require.Equal(t, strings.Repeat("k", 128), got[3].Key)
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := sqs.New(nil, "", &sqs.Options{MaxBytes: -1})
	for _, text := range []string{"no client", "no queue URL", "MaxBytes is -1"} {
		require.ErrorContains(t, err, text)
	}
}
