// Package s3 keeps a lake in an Amazon S3 bucket, or in another service that speaks its protocol and knows conditional writes.
//
// [New] makes a store of a client and a bucket, for [lake.New]; [Open] makes one of an URL such as s3://bucket/prefix, with the
// configuration that the environment has.
//
// Objects are written with a condition on their ETag (If-Match, If-None-Match), so that no two writers undo each other's work. A write
// whose answer was lost is found to be made when it is tried again. An object is fetched whole before it is read, which takes as
// much memory as it is large, and once more where the connection breaks. Throttles are for the client's own retryer.
//
// The role needs s3:ListBucket, s3:GetObject, s3:PutObject, and s3:DeleteObject to discard claim checks. In a bucket with versioning
// what a rewrite replaces is still there as an earlier version, until a lifecycle rule removes it.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/insideout-go/insideout/cdc/lake"
)

// Client is what a store needs of S3. *s3.Client meets it.
type Client interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Options adjust a store. Nil and zero values are the defaults.
type Options struct {
	// Prefix is the folder in the bucket that has the lake. Claim checks lie beside it, since their keys are whole. Default: the
	// bucket itself.
	Prefix string
}

// Store is a bucket, or a folder in one. It is safe for concurrent use.
type Store struct {
	client Client
	bucket string
	prefix string // empty, or with a slash at its end
}

const (
	attempts = 5 // of what the client's retryer does not see: a body that breaks off, a write that another one is in the way of
	pause    = 50 * time.Millisecond
)

// New returns the store in a bucket. The error lists every mistake.
func New(client Client, bucket string, opts *Options) (*Store, error) {
	s := &Store{client: client, bucket: bucket}
	if opts != nil {
		s.prefix = opts.Prefix
	}
	var faults []error
	if client == nil {
		faults = append(faults, errors.New("s3: no client"))
	}
	if bucket == "" {
		faults = append(faults, errors.New("s3: no bucket"))
	}
	if strings.HasPrefix(s.prefix, "/") || strings.Contains(s.prefix, "//") {
		faults = append(faults, fmt.Errorf("s3: the prefix %q has an empty part", s.prefix))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if s.prefix != "" && !strings.HasSuffix(s.prefix, "/") {
		s.prefix += "/"
	}
	return s, nil
}

// Folders lists the folders at the top of the lake.
func (s *Store) Folders(ctx context.Context) ([]string, error) {
	var names []string
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &s.prefix, Delimiter: aws.String("/")}
	for page, err := range s.pages(ctx, in) {
		if err != nil {
			return nil, err
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), s.prefix), "/"))
		}
	}
	return names, nil
}

// List lists objects, 1,000 a request.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[lake.Object, error] {
	return func(yield func(lake.Object, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.prefix + prefix)}
		if after != "" {
			in.StartAfter = aws.String(s.prefix + after)
		}
		for page, err := range s.pages(ctx, in) {
			if err != nil {
				yield(lake.Object{}, err)
				return
			}
			for _, o := range page.Contents {
				object := lake.Object{
					Name: strings.TrimPrefix(aws.ToString(o.Key), s.prefix), Bytes: aws.ToInt64(o.Size), Version: aws.ToString(o.ETag),
				}
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

func (s *Store) pages(ctx context.Context, in *s3.ListObjectsV2Input) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		for {
			page, err := s.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(nil, fmt.Errorf("s3: listing %q of the bucket %q: %w", aws.ToString(in.Prefix), s.bucket, err))
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			in.ContinuationToken = page.NextContinuationToken
		}
	}
}

// Open fetches an object.
func (s *Store) Open(ctx context.Context, name string) (lake.Content, error) {
	for try := 1; ; try++ {
		c, broken, err := s.get(ctx, name)
		if err == nil || !broken || try == attempts || !wait(ctx, try) {
			return c, err
		}
	}
}

// get fetches an object once. broken says that its body broke off.
func (s *Store) get(ctx context.Context, name string) (c lake.Content, broken bool, err error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name)})
	if err != nil {
		if is(err, http.StatusNotFound, "NoSuchKey", "NotFound") {
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		return c, false, fmt.Errorf("s3: %q of the bucket %q: %w", s.prefix+name, s.bucket, err)
	}
	var data bytes.Buffer
	size := aws.ToInt64(out.ContentLength)
	if size > 0 {
		data.Grow(int(size) + bytes.MinRead)
	}
	_, err = data.ReadFrom(out.Body)
	if err == nil && out.ContentLength != nil && int64(data.Len()) != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return c, true, fmt.Errorf("s3: %q of the bucket %q broke off: %w", s.prefix+name, s.bucket, err)
	}
	object := lake.Object{Name: name, Bytes: int64(data.Len()), Version: aws.ToString(out.ETag)}
	return lake.Content{Object: object, ReaderAt: bytes.NewReader(data.Bytes()), Closer: io.NopCloser(nil)}, false, nil
}

// Put writes an object under the condition of its version, which is its ETag.
func (s *Store) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name), ContentType: aws.String(contentType(name))}
	if version == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &version
	}
	for try := 1; ; try++ {
		in.Body = bytes.NewReader(data)
		out, err := s.client.PutObject(ctx, in)
		if err == nil {
			return aws.ToString(out.ETag), nil
		}
		switch {
		case is(err, http.StatusPreconditionFailed, "PreconditionFailed"), version != "" && is(err, http.StatusNotFound, "NoSuchKey"):
			if now, ok := s.holds(ctx, name, data); ok {
				return now, nil
			}
			return "", fmt.Errorf("%w: %q of the bucket %q: %w", lake.ErrChanged, s.prefix+name, s.bucket, err)
		case !is(err, http.StatusConflict, "ConditionalRequestConflict"), try == attempts, !wait(ctx, try):
			return "", fmt.Errorf("s3: %q of the bucket %q: %w", s.prefix+name, s.bucket, err)
		}
	}
}

// holds reports whether an object is what was to be written, as it is where the answer of the write was lost and the client's retryer
// has tried again; and its version.
func (s *Store) holds(ctx context.Context, name string, data []byte) (version string, ok bool) {
	c, err := s.Open(ctx, name)
	if err != nil || c.Bytes != int64(len(data)) {
		return "", false
	}
	there := make([]byte, len(data))
	_, err = io.ReadFull(io.NewSectionReader(c, 0, c.Bytes), there)
	return c.Version, err == nil && bytes.Equal(there, data)
}

func contentType(name string) string {
	if strings.HasSuffix(name, ".gz") {
		return "application/gzip"
	}
	return "application/json"
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, name string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name)})
	if err != nil && !is(err, http.StatusNotFound, "NoSuchKey") {
		return fmt.Errorf("s3: %q of the bucket %q: %w", s.prefix+name, s.bucket, err)
	}
	return nil
}

// Claims returns the store for claim checks in any bucket that the client can reach.
func (s *Store) Claims(bucket string) (lake.Store, string, error) {
	if bucket == "" {
		bucket = s.bucket
	}
	return &Store{client: s.client, bucket: bucket}, bucket, nil
}

// is reports whether an error of the service has a status and, if it has a code, one of those: a bucket that is not there is
// another matter than an object.
func is(err error, status int, codes ...string) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		for _, code := range codes {
			if api.ErrorCode() == code {
				return true
			}
		}
		if api.ErrorCode() != "" && api.ErrorCode() != "UnknownError" {
			return false
		}
	}
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && response.HTTPStatusCode() == status
}

// wait pauses before another try, unless ctx ends.
func wait(ctx context.Context, try int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause << try):
		return true
	}
}
