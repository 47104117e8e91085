package tabletest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// check is one run of one case: its failures, its tables, and the shorthand
// that the cases are written in.
type check struct {
	Endpoint
	ctx      context.Context
	tb       testing.TB
	tables   []string
	failures []string
}

// failf notes a failure, with the line of the case, and ends the case.
func (c *check) failf(format string, args ...any) {
	c.failures = append(c.failures, caller()+": "+fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// caller finds the nearest line that is not in the shorthand's own files.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
		if !more || file != "check.go" && file != "calls.go" {
			return fmt.Sprintf("%s:%d", file, frame.Line)
		}
	}
}

func (c *check) ok(err error) {
	if err != nil {
		c.failf("unexpected error: %v", err)
	}
}

// equal compares by what the values look like; maps print in order of keys.
func (c *check) equal(what string, got, want any) {
	if g, w := show(got), show(want); g != w {
		c.failf("%s is %s, want %s", what, g, w)
	}
}

func (c *check) that(condition bool, format string, args ...any) {
	if !condition {
		c.failf(format, args...)
	}
}

// fails asks for an error of a code whose message contains every text.
func (c *check) fails(err error, code string, texts ...string) {
	if err == nil {
		c.failf("no error, want %s", code)
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		c.failf("error is not the service's: %v", err)
	}
	if api.ErrorCode() != code {
		c.failf("error is %s %q, want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
	for _, text := range texts {
		if !strings.Contains(api.ErrorMessage(), text) {
			c.failf("message is %q, want it to contain %q", api.ErrorMessage(), text)
		}
	}
}

const (
	validation  = "ValidationException"
	notFound    = "ResourceNotFoundException"
	inUse       = "ResourceInUseException"
	conditional = "ConditionalCheckFailedException"
	canceled    = "TransactionCanceledException"
)

// invalid asks for a ValidationException.
func (c *check) invalid(err error, texts ...string) { c.fails(err, validation, texts...) }

// unique names a table that does not exist yet; it will be deleted in the end.
func (c *check) unique() string {
	name := "tabletest-" + strings.ToLower(rand.Text()[:16])
	c.tables = append(c.tables, name)
	return name
}

// create makes a table from a schema such as "pk:S sk:N" and edits of the
// request, and waits until it is active.
func (c *check) create(schema string, edits ...func(*dynamodb.CreateTableInput)) string {
	in := definition(c.unique(), schema)
	for _, edit := range edits {
		edit(in)
	}
	_, err := c.DynamoDB.CreateTable(c.ctx, in)
	c.ok(err)
	c.active(*in.TableName)
	return *in.TableName
}

// definition of a table; the first attribute is the partition key, the second the sort key.
func definition(name, schema string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	in.KeySchema = keySchema(schema)
	in.AttributeDefinitions = attributes(schema)
	return in
}

// keySchema reads a schema: the first attribute is the partition key and the others are the sort key, or those before
// and after a bar: "tenant:S region:S | year:N month:N".
func keySchema(schema string) []types.KeySchemaElement {
	partition, _, several := strings.Cut(schema, "|")
	hashes := 1
	if several {
		hashes = len(attributes(partition))
	}
	var keys []types.KeySchemaElement
	for i, a := range attributes(schema) {
		kind := types.KeyTypeHash
		if i >= hashes {
			kind = types.KeyTypeRange
		}
		keys = append(keys, types.KeySchemaElement{AttributeName: a.AttributeName, KeyType: kind})
	}
	return keys
}

func attributes(schema string) []types.AttributeDefinition {
	var all []types.AttributeDefinition
	for field := range strings.FieldsSeq(strings.ReplaceAll(schema, "|", " ")) {
		name, kind, _ := strings.Cut(field, ":")
		all = append(all, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(kind)})
	}
	return all
}

// active waits for a table and its indexes.
func (c *check) active(name string) {
	c.eventually("table "+name+" becomes active", func() bool {
		out, err := c.DynamoDB.DescribeTable(c.ctx, &dynamodb.DescribeTableInput{TableName: &name})
		c.ok(err)
		for _, g := range out.Table.GlobalSecondaryIndexes {
			if g.IndexStatus != types.IndexStatusActive {
				return false
			}
		}
		return out.Table.TableStatus == types.TableStatusActive
	})
}

// eventually polls for what takes DynamoDB a while.
func (c *check) eventually(what string, done func() bool) {
	wait := time.Millisecond
	for start := time.Now(); !done(); wait = min(2*wait, 500*time.Millisecond) {
		if time.Since(start) > c.Patience {
			c.failf("not within %s: %s", c.Patience, what)
		}
		time.Sleep(wait)
	}
}

// deleteTables cleans up, also where the test's context has ended. A table that is gone already is no failure.
func (c *check) deleteTables() {
	ctx := context.WithoutCancel(c.ctx)
	for _, name := range c.tables {
		_, err := c.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
		if gone, ok := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !ok {
			c.tb.Logf("table %s is left over: %v %v", name, err, gone)
		}
	}
}
