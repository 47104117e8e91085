package s3

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Scheme begins the URLs of lakes in buckets.
const Scheme = "s3://"

const (
	localRegion = "us-east-1"
	maxAttempts = 10 // of a request: a replay of hours must outlast throttles
)

// Open returns the store of an URL s3://BUCKET or s3://BUCKET/PREFIX, with the region and the credentials of the environment, which
// it reads; it sends no request. With an endpoint, such as http://127.0.0.1:5000, it is a server of that protocol on this machine,
// for which any credentials will do where the environment has none.
func Open(ctx context.Context, url, endpoint string) (*Store, error) {
	rest, ok := strings.CutPrefix(url, Scheme)
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return nil, fmt.Errorf("s3: %q is not of the form s3://BUCKET/PREFIX", url)
	}
	load := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(maxAttempts)}
	if endpoint != "" && os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("local", "local", "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true // gzip has its own
		if endpoint == "" {
			return
		}
		o.BaseEndpoint, o.UsePathStyle = aws.String(endpoint), true
		if o.Region == "" {
			o.Region = localRegion
		}
	})
	if client.Options().Region == "" {
		return nil, fmt.Errorf("s3: no region for %q; set AWS_REGION", url)
	}
	return New(client, bucket, &Options{Prefix: strings.TrimSuffix(prefix, "/")})
}
