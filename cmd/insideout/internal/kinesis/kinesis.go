// Package kinesis opens a stream with the environment's configuration of AWS: its region, its credentials, and AWS_ENDPOINT_URL.
// [Publisher] does no I/O but for reading that configuration.
package kinesis

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/kinesis"
)

// Publisher puts events on the stream of that name.
func Publisher(ctx context.Context, stream string) (cdc.Publisher, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return kinesis.New(service.NewFromConfig(cfg), stream, nil)
}
