package wire

import (
	"context"
	"reflect"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
)

const (
	dynamoTarget  = "DynamoDB_20120810."
	streamsTarget = "DynamoDBStreams_20120810."

	endpointsTarget = dynamoTarget + "DescribeEndpoints"
)

// operation decodes the body, calls the backend and writes the answer.
type operation func(ctx context.Context, body string, e *encoder) error

// operations binds what the backend implements, by X-Amz-Target.
func operations(api API) map[string]operation {
	b := &binder{ops: make(map[string]operation)}
	b.tables(api)
	b.items(api)
	b.streams(api)
	if t, ok := api.(Tagger); ok {
		bind(b, dynamoTarget+"TagResource", t.TagResource)
		bind(b, dynamoTarget+"UntagResource", t.UntagResource)
		bind(b, dynamoTarget+"ListTagsOfResource", t.ListTagsOfResource)
	}
	if t, ok := api.(Texter); ok {
		bindText(b, dynamoTarget+"GetItem", `"Item":`, t.GetItemJSON)
		bindText(b, dynamoTarget+"Query", `"Items":`, t.QueryJSON)
		bindText(b, dynamoTarget+"Scan", `"Items":`, t.ScanJSON)
	}
	if l, ok := api.(Limiter); ok {
		bind(b, dynamoTarget+"DescribeLimits", l.DescribeLimits)
		bind(b, endpointsTarget, l.DescribeEndpoints)
	}
	return b.ops
}

type binder struct {
	ops map[string]operation
}

func (b *binder) tables(api API) {
	bind(b, dynamoTarget+"CreateTable", api.CreateTable)
	bind(b, dynamoTarget+"DescribeTable", api.DescribeTable)
	bind(b, dynamoTarget+"UpdateTable", api.UpdateTable)
	bind(b, dynamoTarget+"DeleteTable", api.DeleteTable)
	bind(b, dynamoTarget+"ListTables", api.ListTables)
	bind(b, dynamoTarget+"UpdateTimeToLive", api.UpdateTimeToLive)
	bind(b, dynamoTarget+"DescribeTimeToLive", api.DescribeTimeToLive)
}

func (b *binder) items(api API) {
	bind(b, dynamoTarget+"GetItem", api.GetItem)
	bind(b, dynamoTarget+"PutItem", api.PutItem)
	bind(b, dynamoTarget+"UpdateItem", api.UpdateItem)
	bind(b, dynamoTarget+"DeleteItem", api.DeleteItem)
	bind(b, dynamoTarget+"Query", api.Query)
	bind(b, dynamoTarget+"Scan", api.Scan)
	bind(b, dynamoTarget+"BatchGetItem", api.BatchGetItem)
	bind(b, dynamoTarget+"BatchWriteItem", api.BatchWriteItem)
	bind(b, dynamoTarget+"TransactGetItems", api.TransactGetItems)
	bind(b, dynamoTarget+"TransactWriteItems", api.TransactWriteItems)
}

func (b *binder) streams(api API) {
	bind(b, streamsTarget+"ListStreams", api.ListStreams)
	bind(b, streamsTarget+"DescribeStream", api.DescribeStream)
	bind(b, streamsTarget+"GetShardIterator", api.GetShardIterator)
	bind(b, streamsTarget+"GetRecords", api.GetRecords)
}

// bind makes an operation of a method of the backend. The input's plan is
// compiled here, once.
func bind[In, Opt any, Out smithy.Serializable](
	b *binder, target string, call func(context.Context, *In, ...func(*Opt)) (Out, error),
) {
	decode := compile(reflect.TypeFor[In](), element)
	b.ops[target] = func(ctx context.Context, body string, e *encoder) error {
		in := new(In)
		if err := read(body, decode, reflect.ValueOf(in).Elem()); err != nil {
			return err
		}
		out, err := call(ctx, in)
		if err != nil {
			return err
		}
		if endpoints, ok := any(out).(*dynamodb.DescribeEndpointsOutput); ok {
			reachedAt(ctx, endpoints)
		}
		e.answer(out)
		return nil
	}
}

// bindText makes an operation of a method that writes the items itself, under the given name.
func bindText[In any, Out smithy.Serializable](b *binder, target, name string, call func(context.Context, *In, *[]byte) (Out, error)) {
	decode := compile(reflect.TypeFor[In](), element)
	b.ops[target] = func(ctx context.Context, body string, e *encoder) error {
		in := new(In)
		if err := read(body, decode, reflect.ValueOf(in).Elem()); err != nil {
			return err
		}
		e.open('{', inStruct)
		e.buf = append(e.buf, name...)
		start := len(e.buf)
		out, err := call(ctx, in, &e.buf)
		if err != nil {
			return err
		}
		if len(e.buf) == start {
			e.buf = e.buf[:start-len(name)]
		}
		e.members(out)
		e.shut('}')
		return nil
	}
}

// hostKey is where the context of DescribeEndpoints has the host that the client
// has reached.
type hostKey struct{}

func reachedAt(ctx context.Context, out *dynamodb.DescribeEndpointsOutput) {
	if host, ok := ctx.Value(hostKey{}).(string); ok && host != "" {
		for i := range out.Endpoints {
			out.Endpoints[i].Address = &host
		}
	}
}

// read decodes a whole document.
func read(body string, decode decodeFunc, v reflect.Value) error {
	d := &decoder{src: body}
	if !utf8.ValidString(body) {
		return d.malformed()
	}
	if err := decode(d, v); err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	if d.invalid != "" {
		return &smithy.GenericAPIError{Code: validationCode, Message: d.invalid}
	}
	return nil
}

// answer writes an output. The answer to tagging is empty, not an empty object.
func (e *encoder) answer(out smithy.Serializable) {
	switch out := out.(type) {
	case *dynamodb.TagResourceOutput, *dynamodb.UntagResourceOutput:
	case *dynamodb.QueryOutput, *dynamodb.ScanOutput:
		e.open('{', inStruct)
		e.members(out)
		e.shut('}')
	default:
		out.Serialize(e)
	}
}

// members writes the members of an output. The SDK leaves out a count of zero, which DynamoDB sends.
func (e *encoder) members(out smithy.Serializable) {
	switch out := out.(type) {
	case *dynamodb.GetItemOutput:
		out.SerializeMembers(e)
	case *dynamodb.QueryOutput:
		out.SerializeMembers(e)
		e.zeros(out.Count, out.ScannedCount)
	case *dynamodb.ScanOutput:
		out.SerializeMembers(e)
		e.zeros(out.Count, out.ScannedCount)
	}
}

func (e *encoder) zeros(count, scanned int32) {
	if count == 0 {
		e.name("Count")
		e.buf = append(e.buf, '0')
	}
	if scanned == 0 {
		e.name("ScannedCount")
		e.buf = append(e.buf, '0')
	}
}
