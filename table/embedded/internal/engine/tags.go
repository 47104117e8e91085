package engine

import (
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// DynamoDB's limits on tags; lengths are in characters.
const (
	maxTags      = 50
	maxTagKey    = 128
	maxTagValue  = 256
	maxTaggedARN = 1283
	tagsPageSize = 10
)

var tagPattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// TagResource implements DynamoDB's operation.
func (e *Engine) TagResource(ctx context.Context, in *dynamodb.TagResourceInput) (*dynamodb.TagResourceOutput, error) {
	var v violations
	v.needed("resourceArn", in.ResourceArn, 1, maxTaggedARN)
	if in.Tags == nil {
		v.add(nil, "tags", notNull)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, validation("Atleast one Tag needs to be provided as Input.")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return &dynamodb.TagResourceOutput{}, e.changeTags(in.ResourceArn, func(tags map[string]string) {
		for _, tag := range in.Tags {
			tags[*tag.Key] = *tag.Value
		}
	})
}

// UntagResource implements DynamoDB's operation.
func (e *Engine) UntagResource(ctx context.Context, in *dynamodb.UntagResourceInput) (*dynamodb.UntagResourceOutput, error) {
	var v violations
	v.needed("resourceArn", in.ResourceArn, 1, maxTaggedARN)
	if in.TagKeys == nil {
		v.add(nil, "tagKeys", notNull)
	}
	for i, key := range in.TagKeys {
		v.length(member("tagKeys", i), key, utf8.RuneCountInString(key), 1, maxTagKey)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, validation("Atleast one Tag Key needs to be provided as Input.")
	}
	return &dynamodb.UntagResourceOutput{}, e.changeTags(in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

// ListTagsOfResource implements DynamoDB's operation.
func (e *Engine) ListTagsOfResource(ctx context.Context, in *dynamodb.ListTagsOfResourceInput) (*dynamodb.ListTagsOfResourceOutput, error) {
	var v violations
	v.needed("resourceArn", in.ResourceArn, 1, maxTaggedARN)
	if err := v.err(); err != nil {
		return nil, err
	}
	t, err := e.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := &dynamodb.ListTagsOfResourceOutput{Tags: []types.Tag{}}
	for _, key := range sortedNames(t.meta.Tags) {
		if in.NextToken != nil && key <= *in.NextToken {
			continue
		}
		if len(out.Tags) == tagsPageSize {
			out.NextToken = out.Tags[tagsPageSize-1].Key
			break
		}
		out.Tags = append(out.Tags, types.Tag{Key: new(key), Value: new(t.meta.Tags[key])})
	}
	return out, nil
}

func checkTags(tags []types.Tag) error {
	var v violations
	for i, tag := range tags {
		v.characters(member("tags", i)+".key", tag.Key, 1, maxTagKey)
		v.characters(member("tags", i)+".value", tag.Value, 0, maxTagValue)
	}
	if err := v.err(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, tag := range tags {
		switch {
		case !tagPattern.MatchString(*tag.Key) || !tagPattern.MatchString(*tag.Value):
			return validation("One or more parameter values are not valid. Tags have letters, numbers, spaces and _.:/=+-@ only")
		case strings.HasPrefix(*tag.Key, "aws:"):
			return validation("One or more parameter values are not valid. Tag keys must not begin with aws:")
		case seen[*tag.Key]:
			return validation("One or more parameter values are not valid. Duplicate tag key: %s", *tag.Key)
		}
		seen[*tag.Key] = true
	}
	if len(tags) > maxTags {
		return tooManyTags()
	}
	return nil
}

// characters checks a text that has to be there, and its length in characters.
func (v *violations) characters(path string, text *string, least, most int) {
	if text == nil {
		v.add(nil, path, notNull)
		return
	}
	v.length(path, *text, utf8.RuneCountInString(*text), least, most)
}

func tooManyTags() error {
	return validation("One or more parameter values were invalid: Too many tags: the limit is %d", maxTags)
}

// tagged finds the table of an ARN.
func (e *Engine) tagged(arn *string) (*table, error) {
	_, name, found := strings.Cut(*arn, ":table/")
	switch {
	case !strings.HasPrefix(*arn, "arn:") || !found || strings.Contains(name, "/"):
		return nil, validation("Invalid TableArn: Invalid ResourceArn provided as input %s", *arn)
	case !strings.HasPrefix(*arn, tableARN(e.opts.Region, "")):
		return nil, apiError("AccessDeniedException", "The resource %s belongs to another account or region", *arn)
	}
	e.mu.RLock()
	t := e.tables[name]
	e.mu.RUnlock()
	if t == nil {
		return nil, notFound("Requested resource not found: ResourcArn: %s not found", *arn)
	}
	return t, nil
}

func (e *Engine) changeTags(arn *string, change func(map[string]string)) error {
	t, err := e.tagged(arn)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dropped {
		return tableNotFound()
	}
	m := t.meta
	m.Tags = make(map[string]string, len(t.meta.Tags)+1)
	for k, v := range t.meta.Tags {
		m.Tags[k] = v
	}
	change(m.Tags)
	if len(m.Tags) > maxTags {
		return tooManyTags()
	}
	var b kv.Batch
	if err := putJSON(&b, tableMetaKey(m.Name), m); err != nil {
		return internal(err)
	}
	if err := e.applyDurably(&b); err != nil {
		return err
	}
	t.meta.Tags = m.Tags
	return nil
}

// DescribeLimits implements DynamoDB's operation, with DynamoDB's defaults; the
// engine itself has no limits on throughput.
func (e *Engine) DescribeLimits(context.Context, *dynamodb.DescribeLimitsInput) (*dynamodb.DescribeLimitsOutput, error) {
	return &dynamodb.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: new(int64(80000)), AccountMaxWriteCapacityUnits: new(int64(80000)),
		TableMaxReadCapacityUnits: new(int64(40000)), TableMaxWriteCapacityUnits: new(int64(40000)),
	}, nil
}

// endpointLife is how long a client may keep an endpoint: a day, as DynamoDB's.
const endpointLife = 24 * 60

// DescribeEndpoints implements DynamoDB's operation. The engine does not know
// by which address it is reached; who serves it does.
func (e *Engine) DescribeEndpoints(context.Context, *dynamodb.DescribeEndpointsInput) (*dynamodb.DescribeEndpointsOutput, error) {
	return &dynamodb.DescribeEndpointsOutput{
		Endpoints: []types.Endpoint{{Address: new("localhost"), CachePeriodInMinutes: endpointLife}},
	}, nil
}
