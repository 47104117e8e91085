package cdc

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/internal/panics"
	"github.com/insideout-go/insideout/table"
)

var (
	errNoImage    = errors.New("cdc: the record has no image of the row: the stream must carry NEW_AND_OLD_IMAGES")
	errNoKey      = errors.New("cdc: the row has no attribute pk: the table has another layout")
	errNoSequence = errors.New("cdc: the record has no sequence number")
)

// safely turns a panic of f into an error.
func safely[T any](f func() (T, error)) (T, error) {
	return panics.Caught("cdc: the mapper panicked", f)
}

// faultError is the member "err" of a fault event.
type faultError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// fault is the event for a record that cannot be mapped. Its id depends on the record and the rule, so that a fault
// that is published again is known as the same; its body has the record as Lambda delivers it, so that it can be
// resubmitted.
func (t *Trigger) fault(c *change, pipeline string, cause error) (insideout.Event, error) {
	e := insideout.Event{
		ID:           idempotence.ID("insideout/cdc/fault", c.id, c.sequence, pipeline),
		Type:         insideout.TypeFault,
		PartitionKey: c.key.PK,
	}
	// The time of the row may be what is wrong: a fault that cannot be written would hold up the stream.
	for _, e.Timestamp = range []time.Time{c.at, c.record.at, time.UnixMilli(0)} {
		if e.Validate() == nil {
			break
		}
	}
	report := faultError{Name: fmt.Sprintf("%T", cause), Message: cause.Error()}
	if p, ok := errors.AsType[*panics.Error](cause); ok {
		report.Name, report.Stack = "panic", p.Stack
	} else if errors.Is(cause, ErrTooLarge) {
		report.Name = "too large"
	} else if errors.Is(cause, ErrRejected) {
		report.Name = "rejected"
	}
	if err := e.SetBody("err", report); err != nil {
		return e, err
	}
	if err := e.SetBody("uow", map[string]any{"record": recordJSON(c.record, true)}); err != nil {
		return e, err
	}
	t.tag(&e, pipeline)
	return e, nil
}

// recordJSON is the record in the form in which Lambda delivers it, with or without the images of the row.
func recordJSON(r *record, images bool) any {
	change := map[string]any{
		"ApproximateCreationDateTime": json.Number(fmt.Sprint(max(r.at.Unix(), 0))),
		"SequenceNumber":              r.sequence,
		"SizeBytes":                   r.size,
		"StreamViewType":              r.view,
	}
	values := new(arena)
	items := map[string]table.Item{"Keys": r.from.keys(values)}
	if images {
		items["NewImage"], items["OldImage"] = r.from.latest(values), r.from.last(values)
	}
	for name, item := range items {
		if item != nil {
			change[name] = itemJSON(item)
		}
	}
	out := map[string]any{
		"eventID": r.id, "eventName": r.operation, "eventSource": r.source, "eventSourceARN": r.arn,
		"eventVersion": r.version, "awsRegion": r.region, "dynamodb": change,
	}
	if r.user != nil {
		out["userIdentity"] = map[string]string{"type": r.user.kind, "principalId": r.user.principal}
	}
	return out
}

func itemJSON(item table.Item) map[string]any {
	out := make(map[string]any, len(item))
	for name, v := range item {
		out[name] = valueJSON(v)
	}
	return out
}

func valueJSON(v value) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, element := range v.Value {
			list[i] = valueJSON(element)
		}
		return map[string]any{"L": list}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": itemJSON(v.Value)}
	default:
		return map[string]any{"NULL": true}
	}
}
