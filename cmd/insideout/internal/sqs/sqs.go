// Package sqs opens a queue with the environment's configuration of AWS: its region, its credentials, and AWS_ENDPOINT_URL.
// [Publisher] does no I/O but for reading that configuration.
package sqs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/publish/sqs"
)

// Publisher sends events to the queue of that URL.
func Publisher(ctx context.Context, queueURL string) (cdc.Publisher, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return sqs.New(service.NewFromConfig(cfg), queueURL, nil)
}
