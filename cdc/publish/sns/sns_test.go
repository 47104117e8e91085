package sns_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/sns"
	"github.com/stretchr/testify/require"
)

// fake is a topic that a test answers for.
type fake struct{ backend *publishtest.Backend }

func (f *fake) PublishBatch(ctx context.Context, in *sdk.PublishBatchInput, _ ...func(*sdk.Options)) (*sdk.PublishBatchOutput, error) {
	messages := make([]publishtest.Message, len(in.PublishBatchRequestEntries))
	for i, e := range in.PublishBatchRequestEntries {
		if strings.ContainsAny(*e.Message, "\x00\uFFFE\uFFFF") {
			return nil, publishtest.APIError("InvalidParameter")
		}
		messages[i] = publishtest.Message{
			Body: []byte(*e.Message), Key: aws.ToString(e.MessageGroupId), Token: aws.ToString(e.MessageDeduplicationId), Size: len(*e.Message),
		}
	}
	answers, err := f.backend.Take(ctx, messages)
	if err != nil {
		return nil, err
	}
	out := &sdk.PublishBatchOutput{}
	for i, a := range answers {
		id := in.PublishBatchRequestEntries[i].Id
		switch {
		case a.Omit:
		case a.Code != "":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: id, Code: &a.Code, Message: new("no"), SenderFault: a.Sender})
		default:
			out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: id, MessageId: new("m")})
		}
	}
	return out, nil
}

const arn = "arn:aws:sns:eu-west-1:1:things"

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]string{"standard": arn, "fifo": arn + ".fifo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			publishtest.Run(t, publishtest.Harness{
				New: func(t *testing.T, b *publishtest.Backend, o publishtest.Options) cdc.Publisher {
					p, err := sns.New(&fake{backend: b}, topic, &sns.Options{
						ClaimChecks: o.ClaimChecks, CompressAbove: o.CompressAbove, InFlight: o.InFlight, Attempts: o.Attempts,
					})
					require.NoError(t, err)
					return p
				},
				Entries: 10, Bytes: 256 << 10, Entry: 256 << 10, Ordered: name == "fifo", Throttle: "Throttled", Invalid: "InvalidParameter", Omits: true,
			})
		})
	}
}

// TestFIFO: the group is the partition key, and copies are known by the event's id.
func TestFIFO(t *testing.T) {
	t.Parallel()
	f := &fake{backend: &publishtest.Backend{}}
	p, err := sns.New(f, arn+".fifo", nil)
	require.NoError(t, err)
	require.NoError(t, p.Publish(t.Context(), []insideout.Event{{ID: "1", PartitionKey: "k"}}))
	require.Equal(t, "k", f.backend.Calls()[0][0].Key)
	require.Equal(t, "1", f.backend.Calls()[0][0].Token)
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := sns.New(nil, "things", &sns.Options{MaxBytes: 2 << 20})
	for _, text := range []string{"no client", `"things" is no ARN`, "MaxBytes is 2097152"} {
		require.ErrorContains(t, err, text)
	}
}
