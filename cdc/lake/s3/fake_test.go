package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// bucket is S3 in memory, as far as a store needs it.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	calls   map[string]int
}

func newBucket() *bucket { return &bucket{objects: map[string][]byte{}, calls: map[string]int{}} }

func etag(data []byte) *string { return aws.String(fmt.Sprintf("\"%x\"", md5.Sum(data))) }

func failure(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "injected"},
	}
}

func (b *bucket) call(name string) func() {
	b.mu.Lock()
	b.calls[name]++
	return b.mu.Unlock
}

func (b *bucket) GetObject(_ context.Context, in *sdk.GetObjectInput, _ ...func(*sdk.Options)) (*sdk.GetObjectOutput, error) {
	defer b.call("get")()
	data, ok := b.objects[*in.Bucket+"/"+*in.Key]
	if !ok {
		return nil, failure(http.StatusNotFound, "NoSuchKey")
	}
	return &sdk.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(data)), ContentLength: aws.Int64(int64(len(data))), ETag: etag(data)}, nil
}

func (b *bucket) PutObject(_ context.Context, in *sdk.PutObjectInput, _ ...func(*sdk.Options)) (*sdk.PutObjectOutput, error) {
	defer b.call("put")()
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	name := *in.Bucket + "/" + *in.Key
	before, ok := b.objects[name]
	switch {
	case in.IfNoneMatch == nil && in.IfMatch == nil:
		return nil, errors.New("a write without a condition")
	case in.IfNoneMatch != nil && ok:
		return nil, failure(http.StatusPreconditionFailed, "PreconditionFailed")
	case in.IfMatch != nil && !ok:
		return nil, failure(http.StatusNotFound, "NoSuchKey")
	case in.IfMatch != nil && *in.IfMatch != *etag(before):
		return nil, failure(http.StatusPreconditionFailed, "PreconditionFailed")
	}
	b.objects[name] = data
	return &sdk.PutObjectOutput{ETag: etag(data)}, nil
}

func (b *bucket) DeleteObject(_ context.Context, in *sdk.DeleteObjectInput, _ ...func(*sdk.Options)) (*sdk.DeleteObjectOutput, error) {
	defer b.call("delete")()
	delete(b.objects, *in.Bucket+"/"+*in.Key)
	return &sdk.DeleteObjectOutput{}, nil
}

func (b *bucket) ListObjectsV2(_ context.Context, in *sdk.ListObjectsV2Input, _ ...func(*sdk.Options)) (*sdk.ListObjectsV2Output, error) {
	defer b.call("list")()
	const page = 7
	root := *in.Bucket + "/"
	after := root + max(aws.ToString(in.StartAfter), aws.ToString(in.ContinuationToken))
	out := &sdk.ListObjectsV2Output{}
	var names []string
	for name := range b.objects {
		if strings.HasPrefix(name, root+aws.ToString(in.Prefix)) && name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	folders := map[string]bool{}
	for _, name := range names {
		key := name[len(root):]
		if folder, _, ok := strings.Cut(key[len(aws.ToString(in.Prefix)):], "/"); ok && in.Delimiter != nil {
			if full := aws.ToString(in.Prefix) + folder + "/"; !folders[full] {
				folders[full] = true
				out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: &full})
			}
			continue
		}
		if len(out.Contents) == page {
			out.IsTruncated, out.NextContinuationToken = aws.Bool(true), out.Contents[page-1].Key
			break
		}
		data := b.objects[name]
		out.Contents = append(out.Contents, types.Object{Key: &key, Size: aws.Int64(int64(len(data))), ETag: etag(data)})
	}
	return out, nil
}

// faulty is a client that fails at random: bodies that break off, answers of writes that are lost, writes that are in each other's
// way. What the client's own retryer does, which stands between, it does at once: it tries again.
type faulty struct {
	*bucket
	mu     sync.Mutex
	random *rand.Rand
	counts map[string]int
}

func newFaulty(seed uint64) *faulty {
	return &faulty{bucket: newBucket(), random: rand.New(rand.NewPCG(seed, seed)), counts: map[string]int{}}
}

// one says whether a fault happens, in one of n calls.
func (f *faulty) one(n int, fault string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.IntN(n) > 0 {
		return false
	}
	f.counts[fault]++
	return true
}

func (f *faulty) GetObject(ctx context.Context, in *sdk.GetObjectInput, opts ...func(*sdk.Options)) (*sdk.GetObjectOutput, error) {
	out, err := f.bucket.GetObject(ctx, in, opts...)
	if err != nil {
		return out, err
	}
	if f.one(4, "broken body") {
		out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, *out.ContentLength/2), failing{}))
	} else if f.one(6, "short body") {
		out.Body = io.NopCloser(io.LimitReader(out.Body, *out.ContentLength-1))
	}
	return out, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func (f *faulty) PutObject(ctx context.Context, in *sdk.PutObjectInput, opts ...func(*sdk.Options)) (*sdk.PutObjectOutput, error) {
	if f.one(6, "conflict") {
		return nil, failure(http.StatusConflict, "ConditionalRequestConflict")
	}
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	in.Body = bytes.NewReader(data)
	if f.one(4, "lost answer") {
		_, _ = f.bucket.PutObject(ctx, in, opts...)
		in.Body = bytes.NewReader(data) // the retryer of the client tries again, and is told 412
	}
	return f.bucket.PutObject(ctx, in, opts...)
}
