package crypto

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client is what the key table needs of DynamoDB: a part of *dynamodb.Client, and of the embedded engine.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// KeyTableSchema is the table that New expects: pk and sk, on demand, protected against deletion. It needs no stream. Give it rights and a backup
// window of its own: a backup holds the keys that were shredded since, and opens for whoever has the master key.
//
// Replicas in other regions may read, but one region writes (or the table is one of strong consistency across regions): two regions that make
// a subject's first key at the same time would lose one of the two.
func KeyTableSchema(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:                 &name,
		BillingMode:               types.BillingModePayPerRequest,
		DeletionProtectionEnabled: aws.Bool(true),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attrPK), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(attrSK), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrPK), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String(attrSK), AttributeType: types.ScalarAttributeTypeS},
		},
	}
}

// Names of the attributes of the key table's rows. A row is written whole, on the condition that its revision is the one that
// was read.
const (
	attrPK      = "pk" // "ns#" + namespace, or "subject#" + namespace + "#" + reference, the namespace escaped
	attrSK      = "sk" // "keys"
	attrFormat  = "format"
	attrRev     = "rev"
	attrState   = "state"
	attrSince   = "since" // epoch milliseconds of the last change of the state
	attrKeys    = "keys"
	attrDead    = "dead" // the ids of shredded keys
	attrRoot    = "root"
	attrEpoch   = "epoch"
	attrEpochs  = "epochs"
	attrID      = "id"
	attrWrapped = "wrapped"
	attrUses    = "uses"

	sortKey       = "keys"
	currentFormat = 1
)

type item = map[string]types.AttributeValue

// keyTable reads and writes the rows.
type keyTable struct {
	client Client
	name   string
}

func namespacePK(namespace string) string { return "ns#" + namespace }

func subjectPK(namespace, ref string) string { return subjectPrefix(namespace) + ref }

func subjectPrefix(namespace string) string { return "subject#" + namespace + "#" }

func (t keyTable) get(ctx context.Context, pk string) (item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), Key: item{attrPK: text(pk), attrSK: text(sortKey)},
	})
	if err != nil {
		return nil, t.fault("read", err)
	}
	return out.Item, nil
}

// batchSize is DynamoDB's limit for one BatchGetItem.
const batchSize = 100

// getAll reads rows in as few requests as can be. What DynamoDB does not process is not in the answer; nor is what does not
// exist.
func (t keyTable) getAll(ctx context.Context, pks []string) (map[string]item, error) {
	rows := make(map[string]item, len(pks))
	for some := range slices.Chunk(pks, batchSize) {
		keys := make([]item, len(some))
		for i, pk := range some {
			keys[i] = item{attrPK: text(pk), attrSK: text(sortKey)}
		}
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			t.name: {Keys: keys, ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return nil, t.fault("read", err)
		}
		for _, it := range out.Responses[t.name] {
			rows[asText(it[attrPK])] = it
		}
	}
	return rows, nil
}

// errOvertaken: another writer changed the row first.
var errOvertaken = errors.New("crypto: overtaken by another writer")

// put writes a row whose revision in the table is rev; 0 is none.
func (t keyTable) put(ctx context.Context, it item, rev int64) error {
	it[attrSK], it[attrFormat], it[attrRev] = text(sortKey), number(currentFormat), number(rev+1)
	in := &dynamodb.PutItemInput{TableName: &t.name, Item: it}
	if rev == 0 {
		in.ConditionExpression = aws.String("attribute_not_exists(pk)")
	} else {
		in.ConditionExpression = aws.String("#rev = :rev")
		in.ExpressionAttributeNames = map[string]string{"#rev": attrRev}
		in.ExpressionAttributeValues = item{":rev": number(rev)}
	}
	if _, err := t.client.PutItem(ctx, in); err != nil {
		if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
			return errOvertaken
		}
		return t.fault("write", err)
	}
	return nil
}

// page reads some of the rows of a namespace's subjects, after the row of that key.
func (t keyTable) page(ctx context.Context, namespace, after string) (rows []item, next string, err error) {
	in := &dynamodb.ScanInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), FilterExpression: aws.String("begins_with(pk, :p)"),
		ExpressionAttributeValues: item{":p": text(subjectPrefix(namespace))},
	}
	if after != "" {
		in.ExclusiveStartKey = item{attrPK: text(after), attrSK: text(sortKey)}
	}
	out, err := t.client.Scan(ctx, in)
	if err != nil {
		return nil, "", t.fault("scan", err)
	}
	if out.LastEvaluatedKey != nil {
		next = asText(out.LastEvaluatedKey[attrPK])
	}
	return out.Items, next, nil
}

func (t keyTable) fault(what string, err error) error {
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return fmt.Errorf("%w: %w: create %q with the input of KeyTableSchema", ErrKeyService, ErrNoTable, t.name)
	}
	return service(what+" of the key table "+strconv.Quote(t.name), err)
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func binaryOf(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func asText(av types.AttributeValue) string {
	if s, ok := av.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// reader reads the attributes of a row and remembers that one was wrong.
type reader struct {
	it  item
	err error
}

// read checks the format of a row.
func read(it item) *reader {
	r := &reader{it: it}
	if n := r.number(attrFormat); r.err == nil && n != currentFormat {
		r.err = fmt.Errorf("%w: format %d is not known to this version", ErrRecord, n)
	}
	return r
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: attribute %q", ErrRecord, name)
	}
}

func (r *reader) number(name string) int64 {
	if av, ok := r.it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(av.Value, 10, 64); err == nil {
			return n
		}
	}
	r.fail(name)
	return 0
}

func (r *reader) bytes(name string) []byte {
	if av, ok := r.it[name].(*types.AttributeValueMemberB); ok {
		return av.Value
	}
	r.fail(name)
	return nil
}

func (r *reader) text(name string) string {
	if av, ok := r.it[name].(*types.AttributeValueMemberS); ok {
		return av.Value
	}
	r.fail(name)
	return ""
}

func (r *reader) list(name string) []item {
	av, ok := r.it[name].(*types.AttributeValueMemberL)
	if !ok {
		r.fail(name)
		return nil
	}
	var list []item
	for _, el := range av.Value {
		m, ok := el.(*types.AttributeValueMemberM)
		if !ok {
			r.fail(name)
			return nil
		}
		list = append(list, m.Value)
	}
	return list
}

// checkNamespace allows what can stand in keys, logs and a key service's context as it is.
func checkNamespace(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	if name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" {
		return invalid("namespace %q: want 1 to 64 letters, digits, dots, hyphens and underscores, and nothing personal", name)
	}
	return nil
}

func encodeRef(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }
