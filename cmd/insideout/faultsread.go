package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// fault is a fault event, taken apart.
type fault struct {
	ID, Function, Pipeline string
	Time                   time.Time
	Error                  faultCause

	event insideout.Event
	where string // the file and line, where there are lines
	units []unit
}

// faultCause is the member err of a fault.
type faultCause struct {
	Name    string `json:"name,omitempty"`
	Message string `json:"message"`
}

// unit is what was being worked on when it failed: one record, and the event that was made of it.
type unit struct {
	Record json.RawMessage `json:"record"`
	Event  json.RawMessage `json:"event"`
}

// faultOf takes a fault event apart. Those of aws-lambda-stream have a batch of units instead of one, or, where a record could not be
// read at all, the record in the place of the unit.
func faultOf(e insideout.Event, where string) (fault, error) {
	f := fault{
		ID: e.ID, Time: e.Timestamp, Function: e.Tags[insideout.TagFunction], Pipeline: e.Tags[insideout.TagPipeline], event: e, where: where,
	}
	var work struct {
		unit
		Batch []unit `json:"batch"`
	}
	if raw := e.Body["err"]; raw != nil {
		if err := json.Unmarshal(raw, &f.Error); err != nil {
			return f, fmt.Errorf("the fault %q: its member \"err\" is no error: %w", e.ID, err)
		}
	}
	raw := e.Body["uow"]
	if raw == nil {
		return f, nil
	}
	if err := json.Unmarshal(raw, &work); err != nil {
		return f, fmt.Errorf("the fault %q: its member \"uow\" is no unit of work: %w", e.ID, err)
	}
	switch {
	case len(work.Batch) > 0:
		f.units = work.Batch
	case work.Record != nil || work.Event != nil:
		f.units = []unit{work.unit}
	default:
		f.units = []unit{{Record: raw}}
	}
	return f, nil
}

// Types are those of the events that failed, without repetition.
func (f fault) Types() []string {
	types := []string{}
	for _, u := range f.units {
		e, err := u.asEvent()
		if err != nil {
			continue
		}
		if !slices.Contains(types, e.Type) {
			types = append(types, e.Type)
		}
	}
	return types
}

// resubmission is the events to send again.
func (f fault) resubmission() ([]insideout.Event, error) {
	if len(f.units) == 0 {
		if f.event.Body["s3"] != nil {
			return nil, fmt.Errorf("the fault %q is a claim check: its body is in the object that its member \"s3\" names", f.ID)
		}
		return nil, fmt.Errorf("the fault %q carries no unit of work", f.ID)
	}
	var events []insideout.Event
	for _, u := range f.units {
		e, err := u.asEvent()
		if err == nil {
			err = e.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("the fault %q: %w", f.ID, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// records is the payload with which the function that failed gets its records again.
func (f fault) records() (json.RawMessage, error) {
	payload := struct {
		Records []json.RawMessage `json:"Records"`
	}{}
	for _, u := range f.units {
		if len(u.Record) > 0 && string(u.Record) != "null" {
			payload.Records = append(payload.Records, u.Record)
		}
	}
	if len(payload.Records) == 0 {
		return nil, fmt.Errorf("the fault %q carries no record", f.ID)
	}
	return json.Marshal(payload)
}

// record is what the sources of Lambda deliver, as far as it says where the event is.
type record struct {
	MessageID string `json:"messageId"`
	Body      string `json:"body"` // SQS
	EventID   string `json:"eventID"`
	Kinesis   *struct {
		Data []byte `json:"data"`
	} `json:"kinesis"`
	SNS *struct {
		MessageID string `json:"MessageId"`
		Message   string `json:"Message"`
	} `json:"Sns"`
	DynamoDB   json.RawMessage `json:"dynamodb"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"` // EventBridge
}

var errStreamRecord = errors.New("its record is one of a table's stream, which no event was made of; -as records sends it to the function that failed")

// asEvent finds the event that failed: in the record, which is verbatim, before the one that the function had made of it.
func (u unit) asEvent() (insideout.Event, error) {
	var r record
	var broken error
	if len(u.Record) > 0 && string(u.Record) != "null" {
		broken = json.Unmarshal(u.Record, &r)
	}
	var text []byte
	var id string
	switch {
	case r.Kinesis != nil:
		text, id = r.Kinesis.Data, r.EventID
	case r.SNS != nil:
		text, id = []byte(r.SNS.Message), r.SNS.MessageID
	case r.Detail != nil && r.DetailType != "":
		text, id = r.Detail, r.ID
	case r.Body != "":
		text, id = []byte(r.Body), r.MessageID
	}
	if text != nil {
		e, err := eventIn(text, id)
		if err == nil {
			return e, nil
		}
		broken = err
	}
	if len(u.Event) > 0 && string(u.Event) != "null" {
		return eventIn(u.Event, "")
	}
	switch {
	case broken != nil:
		return insideout.Event{}, fmt.Errorf("its record holds no event: %w", broken)
	case r.DynamoDB != nil:
		return insideout.Event{}, errStreamRecord
	}
	return insideout.Event{}, errors.New("it carries neither a record nor an event")
}

// eventIn reads an event, or one in an envelope of EventBridge or SNS, which queues get.
func eventIn(text []byte, id string) (insideout.Event, error) {
	var e insideout.Event
	if err := e.UnmarshalJSON(text); err != nil {
		return e, err
	}
	if detail := e.Body["detail"]; detail != nil && e.Type == "" && e.Body["detail-type"] != nil {
		return eventIn(detail, cmp.Or(e.ID, id))
	}
	var message string
	if e.Type == "" && json.Unmarshal(e.Body["Message"], &message) == nil && bytes.Equal(e.Body["Type"], []byte(`"Notification"`)) {
		return eventIn([]byte(message), id)
	}
	e.ID = cmp.Or(e.ID, id)
	return e, nil
}

// faultSource is where faults are read from.
type faultSource struct {
	name  string
	lake  *lake.Lake
	file  io.Reader
	close func()
}

func openFaults(ctx context.Context, s faultSettings) (faultSource, error) {
	source := faultSource{name: s.in, close: func() {}}
	if s.lake != "" {
		var err error
		if source.lake, err = (&lakeSettings{lake: s.lake, endpoint: s.endpoint}).open(ctx); err != nil {
			return source, fmt.Errorf("-lake: %w", err)
		}
		source.close = func() { _ = source.lake.Close() }
		return source, nil
	}
	if s.in == "-" {
		source.name, source.file = "standard input", s.stdin
		return source, nil
	}
	file, err := os.Open(s.in)
	if err != nil {
		return source, fmt.Errorf("-in: %w", err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		_ = file.Close()
		return source, fmt.Errorf("-in: %s is a folder; a lake goes to -lake", s.in)
	}
	source.file, source.close = file, func() { _ = file.Close() }
	if strings.HasSuffix(s.in, ".gz") {
		if source.file, err = gzip.NewReader(file); err != nil {
			source.close()
			return source, fmt.Errorf("-in: %s: %w", s.in, err)
		}
	}
	return source, nil
}

// errEnough ends the reading.
var errEnough = errors.New("enough")

// each visits the faults that are meant. What cannot be read is told on standard error and counted; the others are visited.
func (x faultSource) each(ctx context.Context, s faultSettings, visit func(fault) error) (wrong int, err error) {
	found := 0
	take := func(e insideout.Event, where string) error {
		if e.Type != insideout.TypeFault {
			return nil
		}
		f, err := faultOf(e, where)
		if err != nil {
			return err
		}
		if !s.filter.takes(f) {
			return nil
		}
		if s.limit > 0 && found == s.limit {
			return errEnough
		}
		found++
		if err := visit(f); err != nil {
			return stopped{err}
		}
		return nil
	}
	complain := func(err error) {
		wrong++
		fmt.Fprintf(s.errors, "insideout faults %s: %s\n", s.verb, oneLine(err))
	}
	if x.lake != nil {
		err = x.eachInLake(ctx, s, take, complain)
	} else {
		err = x.eachLine(ctx, take, complain)
	}
	if stop, ok := errors.AsType[stopped](err); ok {
		err = stop.error
	}
	if err == errEnough {
		err = nil
	}
	return wrong, err
}

// stopped is an error of the visitor, after which there is no going on.
type stopped struct{ error }

func isStop(err error) bool {
	_, ok := errors.AsType[stopped](err)
	return ok || err == errEnough
}

func (x faultSource) eachInLake(ctx context.Context, s faultSettings, take func(insideout.Event, string) error, complain func(error)) error {
	query := lake.Query{From: s.filter.since, To: s.filter.until, Types: []string{insideout.TypeFault}, Damaged: func(err error) error {
		complain(err)
		return nil
	}}
	for e, err := range x.lake.Events(ctx, query) {
		if err != nil {
			return err
		}
		whole, err := redeemed(ctx, x.lake, e)
		if err != nil {
			complain(err)
			whole = e
		}
		if err := take(whole, ""); isStop(err) {
			return err
		} else if err != nil {
			complain(err)
		}
	}
	return nil
}

func (x faultSource) eachLine(ctx context.Context, take func(insideout.Event, string) error, complain func(error)) error {
	lines := bufio.NewReader(x.file)
	for n := 1; ; n++ {
		line, end := lines.ReadBytes('\n')
		where := fmt.Sprintf("%s:%d", x.name, n)
		if len(bytes.TrimSpace(line)) > 0 {
			var e insideout.Event
			err := e.UnmarshalJSON(line)
			if err == nil {
				err = take(e, where)
			}
			if isStop(err) {
				return err
			}
			if err != nil {
				complain(fmt.Errorf("%s: %w", where, err))
			}
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return fmt.Errorf("%s: %w", where, end)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
