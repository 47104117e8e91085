package idempotence_test

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type item = map[string]types.AttributeValue

// memory is as much of DynamoDB as a ledger and the tests' effects need. It makes one request at a time.
type memory struct {
	mu   sync.Mutex
	rows map[string]item
}

func newMemory() *memory { return &memory{rows: map[string]item{}} }

func (m *memory) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	x := expressions{in.ExpressionAttributeNames, in.ExpressionAttributeValues}
	key := address(*in.TableName, in.Key)
	if in.ConditionExpression != nil && !x.holds(*in.ConditionExpression, m.rows[key]) {
		return nil, &types.ConditionalCheckFailedException{Item: maps.Clone(m.rows[key])}
	}
	m.rows[key] = x.update(*in.UpdateExpression, in.Key, m.rows[key])
	return &dynamodb.UpdateItemOutput{}, nil
}

func (m *memory) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	x := expressions{in.ExpressionAttributeNames, in.ExpressionAttributeValues}
	key := address(*in.TableName, in.Key)
	if in.ConditionExpression != nil && !x.holds(*in.ConditionExpression, m.rows[key]) {
		return nil, &types.ConditionalCheckFailedException{Item: maps.Clone(m.rows[key])}
	}
	delete(m.rows, key)
	return &dynamodb.DeleteItemOutput{}, nil
}

func (m *memory) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	reasons := make([]types.CancellationReason, len(in.TransactItems))
	stopped := false
	for i, op := range in.TransactItems {
		reasons[i].Code = new("None")
		x := expressions{op.Update.ExpressionAttributeNames, op.Update.ExpressionAttributeValues}
		row := m.rows[address(*op.Update.TableName, op.Update.Key)]
		if op.Update.ConditionExpression != nil && !x.holds(*op.Update.ConditionExpression, row) {
			reasons[i], stopped = types.CancellationReason{Code: new("ConditionalCheckFailed"), Item: maps.Clone(row)}, true
		}
	}
	if stopped {
		return nil, &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	for _, op := range in.TransactItems {
		x := expressions{op.Update.ExpressionAttributeNames, op.Update.ExpressionAttributeValues}
		key := address(*op.Update.TableName, op.Update.Key)
		m.rows[key] = x.update(*op.Update.UpdateExpression, op.Update.Key, m.rows[key])
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

func (m *memory) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &dynamodb.GetItemOutput{Item: maps.Clone(m.rows[address(*in.TableName, in.Key)])}, nil
}

func (m *memory) CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	return &dynamodb.CreateTableOutput{}, nil
}

func address(table string, key item) string {
	return strings.Join([]string{table, plain(key["pk"]), plain(key["sk"])}, "\n")
}

func plain(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// expressions reads the few forms that are in use: conditions with AND, OR, =, < and attribute_not_exists, and updates
// with SET, REMOVE and ADD of one number.
type expressions struct {
	names  map[string]string
	values item
}

var tokens = regexp.MustCompile(`[#:]?\w+|[()=<,]`)

func (x expressions) holds(condition string, row item) bool {
	p := &parser{x, tokens.FindAllString(condition, -1), row}
	return p.or()
}

type parser struct {
	expressions
	rest []string
	row  item
}

func (p *parser) next() string {
	first := p.rest[0]
	p.rest = p.rest[1:]
	return first
}

func (p *parser) peek() string {
	if len(p.rest) == 0 {
		return ""
	}
	return p.rest[0]
}

func (p *parser) or() bool {
	result := p.and()
	for p.peek() == "OR" {
		p.next()
		other := p.and()
		result = result || other
	}
	return result
}

func (p *parser) and() bool {
	result := p.term()
	for p.peek() == "AND" {
		p.next()
		other := p.term()
		result = result && other
	}
	return result
}

func (p *parser) term() bool {
	switch first := p.next(); first {
	case "(":
		defer p.next()
		return p.or()
	case "attribute_not_exists":
		p.next()
		defer p.next()
		return p.row[p.names[p.next()]] == nil
	default:
		operator, value := p.next(), p.values[p.next()]
		stored, ok := p.row[p.names[first]]
		return ok && compare(stored, operator, value)
	}
}

func compare(a types.AttributeValue, operator string, b types.AttributeValue) bool {
	if operator == "=" {
		return plain(a) == plain(b)
	}
	x, errX := strconv.ParseInt(plain(a), 10, 64)
	y, errY := strconv.ParseInt(plain(b), 10, 64)
	return errors.Join(errX, errY) == nil && x < y
}

func (x expressions) update(expression string, key, row item) item {
	next := maps.Clone(key)
	maps.Copy(next, row)
	words := tokens.FindAllString(expression, -1)
	for verb := ""; len(words) > 0; words = words[1:] {
		switch word := words[0]; {
		case word == "SET" || word == "REMOVE" || word == "ADD":
			verb = word
		case word == ",":
		case verb == "SET":
			next[x.names[word]], words = x.values[words[2]], words[2:]
		case verb == "REMOVE":
			delete(next, x.names[word])
		case verb == "ADD":
			a, _ := strconv.Atoi(plain(next[word]))
			b, _ := strconv.Atoi(plain(x.values[words[1]]))
			next[word], words = &types.AttributeValueMemberN{Value: strconv.Itoa(a + b)}, words[1:]
		}
	}
	return next
}
