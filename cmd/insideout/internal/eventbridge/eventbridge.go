// Package eventbridge opens a bus with the environment's configuration of AWS: its region, its credentials, and AWS_ENDPOINT_URL.
// [Publisher] does no I/O but for reading that configuration.
package eventbridge

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/eventbridge"
)

// Publisher puts events on the bus of that name or ARN.
func Publisher(ctx context.Context, bus string) (cdc.Publisher, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return eventbridge.New(service.NewFromConfig(cfg), bus, nil)
}
