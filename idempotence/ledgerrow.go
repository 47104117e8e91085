package idempotence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The values of attributes of a ledger's rows. They are stored and do not change.
const (
	ledgerName   = "idempotence"
	ledgerFormat = "1"
	inProgress   = "in-progress"
	completed    = "completed"
	failed       = "failed"
	noPayload    = "none"
)

// Expressions. Every name is "#" and the attribute, so that no word is reserved.
const (
	// A lapsed claim is taken over only by the same request: what the other one has done is not known.
	free = "attribute_not_exists(#status) OR #ttl < :seconds OR (#status = :open AND #until < :now AND #payload = :payload)"
	mine = "#status = :open AND #owner = :me"

	identity = ", #owner = :me, #payload = :payload, #timestamp = :now, #ttl = :ttl, #discriminator = :name, #latched = :yes, #format = :format"

	setClaim     = "SET #status = :open, #until = :until" + identity + " REMOVE #result, #failure"
	setReceipt   = "SET #status = :status, #result = :result" + identity + " REMOVE #until, #failure"
	setCompleted = "SET #status = :status, #result = :result, #timestamp = :now, #ttl = :ttl REMOVE #until, #failure"
	setFailed    = "SET #status = :status, #failure = :failure, #timestamp = :now, #ttl = :ttl REMOVE #until, #result"
)

// rowKey is the primary key of a row; sk is the same for all.
type rowKey struct{ table, pk string }

func (k rowKey) item() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(k.pk), "sk": text(ledgerName)}
}

// entry is what a row says.
type entry struct {
	status, owner, payload string
	result, failure        string
	until, expires         time.Time
}

// write is a conditional write of a row.
type write struct {
	update, condition string
	values            map[string]types.AttributeValue
}

// names returns the names that the expressions use: DynamoDB refuses others.
func (w write) names() map[string]string {
	used := map[string]string{}
	for _, name := range []string{
		"status", "owner", "until", "payload", "timestamp", "ttl", "discriminator", "latched", "format", "result", "failure",
	} {
		if strings.Contains(w.update, "#"+name) || strings.Contains(w.condition, "#"+name) {
			used["#"+name] = name
		}
	}
	return used
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// claiming is the write that makes the row this caller's until a time.
func (c *call[T]) claiming(now, until time.Time) write {
	values := c.identity(now, until.Add(c.opts.Retention))
	values[":until"] = number(until.UnixMilli())
	return write{setClaim, free, values}
}

// identity has the values of the attributes that the first write of a row sets, and those of its condition.
func (c *call[T]) identity(now, expires time.Time) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		":open": text(inProgress), ":me": text(c.owner), ":payload": text(c.payload), ":name": text(ledgerName),
		":now": number(now.UnixMilli()), ":seconds": number(now.Unix()), ":ttl": number(expires.Unix()),
		":yes": &types.AttributeValueMemberBOOL{Value: true}, ":format": &types.AttributeValueMemberN{Value: ledgerFormat},
	}
}

// receipting is the write of a receipt without a claim.
func (c *call[T]) receipting(now time.Time, e entry) write {
	values := c.identity(now, e.expires)
	values[":status"], values[":result"] = text(e.status), text(e.result)
	return write{setReceipt, free, values}
}

// finishing is the write that ends this caller's claim with a result or a failure.
func (c *call[T]) finishing(now time.Time, e entry) write {
	w := write{update: setCompleted, condition: mine, values: map[string]types.AttributeValue{
		":open": text(inProgress), ":me": text(c.owner), ":status": text(e.status),
		":now": number(now.UnixMilli()), ":ttl": number(e.expires.Unix()),
	}}
	if e.status == failed {
		w.update, w.values[":failure"] = setFailed, text(e.failure)
	} else {
		w.values[":result"] = text(e.result)
	}
	return w
}

// releasing is the condition of the deletion that ends this caller's claim without a trace.
func (c *call[T]) releasing() write {
	return write{condition: mine, values: map[string]types.AttributeValue{":open": text(inProgress), ":me": text(c.owner)}}
}

// readEntry reads what a failed condition gave back. It is nil if there is no row.
func readEntry(item map[string]types.AttributeValue) (*entry, error) {
	if len(item) == 0 {
		return nil, nil
	}
	if format := numberOf(item["format"]); format != ledgerFormat {
		return nil, fmt.Errorf("idempotence: the row has format %q, and this version knows %q", format, ledgerFormat)
	}
	e := entry{
		status: textOf(item["status"]), owner: textOf(item["owner"]), payload: textOf(item["payload"]),
		result: textOf(item["result"]), failure: textOf(item["failure"]),
	}
	if ms, err := strconv.ParseInt(numberOf(item["until"]), 10, 64); err == nil {
		e.until = time.UnixMilli(ms)
	}
	if s, err := strconv.ParseInt(numberOf(item["ttl"]), 10, 64); err == nil {
		e.expires = time.Unix(s, 0)
	}
	return &e, nil
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberOf(v types.AttributeValue) string {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return ""
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// payloadHash hashes the JSON of a payload with the members of every object in order, also of those that came as raw JSON.
func payloadHash(payload any) (string, error) {
	if payload == nil {
		return noPayload, nil
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return "", err
	}
	if data, err = json.Marshal(plain); err != nil {
		return "", err
	}
	return "sha256:" + hash(data), nil
}

// encode is the text that is stored of a result.
func (l *Ledger[T]) encode(result T) (string, error) {
	data, err := json.Marshal(result)
	if err != nil {
		return "", fmt.Errorf("%w: it does not encode as JSON: %w", ErrResult, err)
	}
	if len(data) > l.opts.MaxResult {
		return "", fmt.Errorf("%w: it has %d bytes of JSON, more than the %d of Options.MaxResult", ErrResult, len(data), l.opts.MaxResult)
	}
	return string(data), nil
}

// replay returns what a row that has ended says to this call.
func (c *call[T]) replay(op string, e entry) (T, error) {
	var result T
	switch {
	case e.payload != c.payload:
		return result, c.fail(op, ErrPayloadMismatch)
	case e.status == failed:
		return result, c.fail(op, fmt.Errorf("%w: %s", ErrFailed, e.failure))
	}
	if err := json.Unmarshal([]byte(e.result), &result); err != nil {
		var none T
		return none, c.fail(op, fmt.Errorf("%w: what is stored does not decode: %w", ErrResult, err))
	}
	c.cache.put(c.row.pk, e)
	return result, nil
}
