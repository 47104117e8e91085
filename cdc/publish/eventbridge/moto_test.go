package eventbridge_test

import (
	"context"
	"encoding/json"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/eventbridge"
	"github.com/insideout-go/insideout/cdc/publish/internal/publishtest"
	"github.com/stretchr/testify/require"
)

// flaky is a client of a service that fails entries at random.
type flaky struct{ eventbridge.Client }

func (f flaky) PutEvents(ctx context.Context, in *sdk.PutEventsInput, opts ...func(*sdk.Options)) (*sdk.PutEventsOutput, error) {
	pass, places := publishtest.Flaky(in.Entries)
	out := &sdk.PutEventsOutput{Entries: make([]types.PutEventsResultEntry, len(in.Entries))}
	for i := range out.Entries {
		out.Entries[i].ErrorCode = new("ThrottlingException")
	}
	if len(pass) > 0 {
		some, err := f.Client.PutEvents(ctx, &sdk.PutEventsInput{Entries: pass}, opts...)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			out.Entries[place] = some.Entries[i]
		}
	}
	return out, nil
}

// TestMoto: through a rule to a queue, which gets the whole entry.
func TestMoto(t *testing.T) {
	t.Parallel()
	cfg := publishtest.Endpoint(t)
	client := sdk.NewFromConfig(cfg)
	bus, queue := publishtest.Name("bus"), publishtest.NewQueue(t, cfg, publishtest.Name("q"))
	_, err := client.CreateEventBus(t.Context(), &sdk.CreateEventBusInput{Name: &bus})
	require.NoError(t, err)
	_, err = client.PutRule(t.Context(), &sdk.PutRuleInput{
		Name: new("things"), EventBusName: &bus, EventPattern: new(`{"detail":{"type":["thing-created"]},"source":["custom"],"detail-type":["thing-created"]}`),
	})
	require.NoError(t, err)
	_, err = client.PutTargets(t.Context(), &sdk.PutTargetsInput{
		Rule: new("things"), EventBusName: &bus, Targets: []types.Target{{Id: new("q"), Arn: &queue.ARN}},
	})
	require.NoError(t, err)
	publishtest.Arrive(t, 256<<10, false, func(c cdc.ClaimChecks) cdc.Publisher {
		p, err := eventbridge.New(flaky{client}, bus, &eventbridge.Options{ClaimChecks: c, Attempts: 100})
		require.NoError(t, err)
		return p
	}, func(n int) (details [][]byte) {
		for _, body := range queue.Receive(t, n) {
			var envelope struct{ Detail json.RawMessage }
			require.NoError(t, json.Unmarshal(body, &envelope))
			details = append(details, envelope.Detail)
		}
		return details
	})
}
