package sqs_test

import (
	"context"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/insideout-go/insideout/cdc/publish/sqs"
	"github.com/stretchr/testify/require"
)

// flaky is a client of a service that fails entries at random.
type flaky struct{ sqs.Client }

func (f flaky) SendMessageBatch(ctx context.Context, in *sdk.SendMessageBatchInput, opts ...func(*sdk.Options)) (*sdk.SendMessageBatchOutput, error) {
	pass, places := publishtest.Flaky(in.Entries)
	out := &sdk.SendMessageBatchOutput{}
	if len(pass) > 0 {
		var err error
		if out, err = f.Client.SendMessageBatch(ctx, &sdk.SendMessageBatchInput{QueueUrl: in.QueueUrl, Entries: pass}, opts...); err != nil {
			return nil, err
		}
	}
	for i, e := range in.Entries {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: new("ThrottlingException")})
	}
	return out, nil
}

func TestMoto(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"things", "things.fifo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := publishtest.Endpoint(t)
			queue := publishtest.NewQueue(t, cfg, publishtest.Name("q")+name)
			publishtest.Arrive(t, 1<<20, name == "things.fifo", func(c cdc.ClaimChecks) cdc.Publisher {
				p, err := sqs.New(flaky{sdk.NewFromConfig(cfg)}, queue.URL, &sqs.Options{ClaimChecks: c, Attempts: 100})
				require.NoError(t, err)
				return p
			}, func(n int) [][]byte { return queue.Receive(t, n) })
		})
	}
}
