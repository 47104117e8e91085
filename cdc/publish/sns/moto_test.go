package sns_test

import (
	"context"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/sns"
	"github.com/stretchr/testify/require"
)

// flaky is a client of a service that fails entries at random.
type flaky struct{ sns.Client }

func (f flaky) PublishBatch(ctx context.Context, in *sdk.PublishBatchInput, opts ...func(*sdk.Options)) (*sdk.PublishBatchOutput, error) {
	pass, places := publishtest.Flaky(in.PublishBatchRequestEntries)
	out := &sdk.PublishBatchOutput{}
	if len(pass) > 0 {
		var err error
		if out, err = f.Client.PublishBatch(ctx, &sdk.PublishBatchInput{TopicArn: in.TopicArn, PublishBatchRequestEntries: pass}, opts...); err != nil {
			return nil, err
		}
	}
	for i, e := range in.PublishBatchRequestEntries {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: new("Throttled")})
	}
	return out, nil
}

// TestMoto: to a queue that subscribes with raw message delivery.
func TestMoto(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"things", "things.fifo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := publishtest.Endpoint(t)
			client := sdk.NewFromConfig(cfg)
			queue := publishtest.NewQueue(t, cfg, publishtest.Name("q")+name)
			attributes := map[string]string{}
			if strings.HasSuffix(name, ".fifo") {
				attributes["FifoTopic"] = "true"
			}
			topic, err := client.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: new(publishtest.Name("t") + name), Attributes: attributes})
			require.NoError(t, err)
			_, err = client.Subscribe(t.Context(), &sdk.SubscribeInput{
				TopicArn: topic.TopicArn, Protocol: new("sqs"), Endpoint: &queue.ARN, Attributes: map[string]string{"RawMessageDelivery": "true"},
			})
			require.NoError(t, err)
			publishtest.Arrive(t, 256<<10, name == "things.fifo", func(c cdc.ClaimChecks) cdc.Publisher {
				p, err := sns.New(flaky{client}, *topic.TopicArn, &sns.Options{ClaimChecks: c, Attempts: 100})
				require.NoError(t, err)
				return p
			}, func(n int) [][]byte { return queue.Receive(t, n) })
		})
	}
}
